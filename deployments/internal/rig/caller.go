package rig

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Caller sends HTTP requests, each on a connection that nothing repeats by itself.
type Caller struct{ client *http.Client }

// mostAnswer bounds an answer in bytes: the sandbox's ledger of a long run is one.
const mostAnswer = 1 << 28

// NewKeepingCaller makes one that keeps its connections, for many requests a second. Go sends a request again by itself only
// where nothing of it had been written, because a POST without Go's own idempotency header is never replayed.
func NewKeepingCaller(connections int) *Caller {
	c := NewCaller()
	c.client.Transport = &http.Transport{
		DisableCompression: true, MaxIdleConns: connections, MaxIdleConnsPerHost: connections, IdleConnTimeout: time.Minute,
	}
	return c
}

// NewCaller makes one.
func NewCaller() *Caller {
	return &Caller{&http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		// Without keep-alive Go never sends a request a second time on its own.
		Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true},
	}}
}

// Call is a request.
type Call struct {
	Method, URL, Media, Bearer, Key string
	Body                            []byte
}

// Answer is an answer, read.
type Answer struct {
	Status int
	// Payment is the id of the payment that the answer is about, if it names one.
	Payment string
	Body    []byte
}

// Do sends a request and reads the answer whole.
func (c *Caller) Do(ctx context.Context, r Call) (Answer, error) {
	req, err := http.NewRequestWithContext(ctx, r.Method, r.URL, bytes.NewReader(r.Body))
	if err != nil {
		return Answer{}, err
	}
	if len(r.Body) > 0 {
		if r.Media == "" {
			r.Media = "application/json"
		}
		req.Header.Set("Content-Type", r.Media)
	}
	if r.Bearer != "" {
		req.Header.Set("Authorization", "Bearer "+r.Bearer)
	}
	if r.Key != "" {
		// Not in the canonical spelling, which makes Go's client take the request for one that it may repeat.
		req.Header["idempotency-key"] = []string{r.Key}
	}
	res, err := c.client.Do(req)
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(res.Body, mostAnswer))
	return Answer{res.StatusCode, res.Header.Get("Payrack-Payment-Id"), raw}, err
}

// Member reads one member of a JSON object, as text.
func (a Answer) Member(name string) string {
	var object map[string]json.RawMessage
	if json.Unmarshal(a.Body, &object) != nil {
		return ""
	}
	var text string
	if json.Unmarshal(object[name], &text) == nil {
		return text
	}
	return string(object[name])
}

// Sandbox is the control plane of the sandbox.
type Sandbox struct {
	*Caller

	// Base is its address, http://host:port.
	Base string
}

// ControlTime bounds a control request.
const ControlTime = 30 * time.Second

// Ask sends a control request; v is its body and into takes the answer, if they are not nil.
func (s *Sandbox) Ask(ctx context.Context, method, path string, v, into any) error {
	ctx, cancel := context.WithTimeout(ctx, ControlTime)
	defer cancel()
	var body []byte
	if v != nil {
		var err error
		if body, err = json.Marshal(v); err != nil {
			return err
		}
	}
	a, err := s.Do(ctx, Call{Method: method, URL: s.Base + "/_sandbox/" + path, Body: body})
	if err != nil {
		return fmt.Errorf("sandbox %s: %w", path, err)
	}
	if a.Status != http.StatusOK {
		return fmt.Errorf("sandbox %s: %d %s", path, a.Status, a.Body)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(a.Body, into)
}

// Code is a fresh one-time customer code; decline is the return code with which the wallet refuses it, or empty.
func (s *Sandbox) Code(ctx context.Context, provider, decline string) (string, error) {
	body := map[string]string{"provider": provider}
	if decline != "" {
		body["decline"] = decline
	}
	var got struct {
		Code string `json:"code"`
	}
	err := s.Ask(ctx, http.MethodPost, "codes", body, &got)
	return got.Code, err
}

// Fault is a fault to arm.
type Fault struct {
	Provider    string  `json:"provider,omitempty"`
	Operation   string  `json:"operation,omitempty"`
	OrderID     string  `json:"order_id,omitempty"`
	Probability float64 `json:"probability,omitempty"`
	Fault       string  `json:"fault"`
	DelayMS     int64   `json:"delay_ms,omitempty"`
	Times       int     `json:"times,omitempty"`
}

// Arm arms faults.
func (s *Sandbox) Arm(ctx context.Context, all ...Fault) error {
	for _, f := range all {
		if err := s.Ask(ctx, http.MethodPost, "faults", f, nil); err != nil {
			return fmt.Errorf("%s on %s: %w", f.Fault, f.Operation, err)
		}
	}
	return nil
}
