package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// caller sends HTTP requests, each on a connection that nothing repeats by itself.
type caller struct{ client *http.Client }

func newCaller() *caller {
	return &caller{&http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		// Without keep-alive Go never sends a request a second time on its own.
		Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true},
	}}
}

// call is a request.
type call struct {
	method, url, media, bearer, key string
	body                            []byte
}

// answer is an answer, read.
type answer struct {
	status  int
	payment string
	body    []byte
}

func (c *caller) do(ctx context.Context, r call) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, r.method, r.url, bytes.NewReader(r.body))
	if err != nil {
		return answer{}, err
	}
	if len(r.body) > 0 {
		if r.media == "" {
			r.media = "application/json"
		}
		req.Header.Set("Content-Type", r.media)
	}
	if r.bearer != "" {
		req.Header.Set("Authorization", "Bearer "+r.bearer)
	}
	if r.key != "" {
		// Not in the canonical spelling, which makes Go's client take the request for one that it may repeat.
		req.Header["idempotency-key"] = []string{r.key}
	}
	res, err := c.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(res.Body, 1<<22))
	return answer{res.StatusCode, res.Header.Get("Payrack-Payment-Id"), raw}, err
}

// member reads one member of a JSON object, as text.
func (a answer) member(name string) string {
	var object map[string]json.RawMessage
	if json.Unmarshal(a.body, &object) != nil {
		return ""
	}
	var text string
	if json.Unmarshal(object[name], &text) == nil {
		return text
	}
	return string(object[name])
}

// sandbox is the control plane of the sandbox.
type sandbox struct {
	*caller

	base string
}

// controlTime bounds a control request.
const controlTime = 30 * time.Second

func (s *sandbox) ask(ctx context.Context, method, path string, v, into any) error {
	ctx, cancel := context.WithTimeout(ctx, controlTime)
	defer cancel()
	var body []byte
	if v != nil {
		var err error
		if body, err = json.Marshal(v); err != nil {
			return err
		}
	}
	a, err := s.do(ctx, call{method: method, url: s.base + "/_sandbox/" + path, body: body})
	if err != nil {
		return fmt.Errorf("sandbox %s: %w", path, err)
	}
	if a.status != http.StatusOK {
		return fmt.Errorf("sandbox %s: %d %s", path, a.status, a.body)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(a.body, into)
}

// code is a fresh one-time customer code; decline is the return code with which the wallet refuses it, or empty.
func (s *sandbox) code(ctx context.Context, provider, decline string) (string, error) {
	body := map[string]string{"provider": provider}
	if decline != "" {
		body["decline"] = decline
	}
	var got struct {
		Code string `json:"code"`
	}
	err := s.ask(ctx, http.MethodPost, "codes", body, &got)
	return got.Code, err
}

// sandboxFault is a fault to arm.
type sandboxFault struct {
	Provider    string  `json:"provider,omitempty"`
	Operation   string  `json:"operation,omitempty"`
	OrderID     string  `json:"order_id,omitempty"`
	Probability float64 `json:"probability,omitempty"`
	Fault       string  `json:"fault"`
	DelayMS     int64   `json:"delay_ms,omitempty"`
	Times       int     `json:"times,omitempty"`
}

func (s *sandbox) arm(ctx context.Context, all ...sandboxFault) error {
	for _, f := range all {
		if err := s.ask(ctx, http.MethodPost, "faults", f, nil); err != nil {
			return fmt.Errorf("%s on %s: %w", f.Fault, f.Operation, err)
		}
	}
	return nil
}
