package provider

import (
	"bytes"
	"context"
	"net/http"
	"slices"
)

// Request is one request to a gateway, for Client.Exchange.
type Request struct {
	// Method in capitals.
	Method string
	// URL is absolute.
	URL string
	// Template names the request in traces, such as "/payments/{id}/refund": see WithTemplate.
	Template string
	// Header may be nil.
	Header http.Header
	// Body may be nil. What is signed and what is sent are then the same bytes.
	Body []byte
	// Clear is what Body was before it was sealed, see WithClear. Nil if Body is in clear.
	Clear []byte
}

// Exchange sends the request once and reads the answer, which has a status of 2xx. Anything else is a Failure
// that says whether money may have moved: nothing was sent, or nobody knows. A gateway that answers payments
// with other statuses needs Do.
func (c *Client) Exchange(ctx context.Context, call Call, r Request) (Response, *Failure) {
	return c.exchange(ctx, call, r, nil)
}

// exchange takes an answer with one of the statuses for an answer, too.
func (c *Client) exchange(ctx context.Context, call Call, r Request, statuses []int) (Response, *Failure) {
	req, err := http.NewRequestWithContext(ctx, r.Method, r.URL, bytes.NewReader(r.Body))
	if err != nil {
		return Response{}, &Failure{Effect: EffectNone, Reason: ReasonInternal, Detail: "the request cannot be built"}
	}
	if len(r.Body) == 0 {
		req.Body = http.NoBody
	}
	if r.Header != nil {
		req.Header = r.Header
	}
	if len(r.Body) > 0 && req.Header.Get("Content-Type") == "" {
		req.Header = req.Header.Clone()
		req.Header.Set("Content-Type", "application/json")
	}
	if r.Template != "" {
		ctx = WithTemplate(ctx, r.Template)
	}
	if r.Clear != nil {
		ctx = WithClear(ctx, r.Clear)
	}
	res, err := c.Do(ctx, call, req)
	if err != nil {
		return Response{}, FailureOf(err)
	}
	if failed := res.StatusError(); failed != nil && !slices.Contains(statuses, res.Status) {
		return Response{}, failed.Failure()
	}
	return res, nil
}

// Read reads the answer into v, see ReadJSON. An answer that cannot be read is a Failure that leaves open
// whether money moved.
func (r Response) Read(v any) *Failure {
	if err := ReadJSON(r.Body, v); err != nil {
		return BadAnswer(err)
	}
	return nil
}

// Native is the answer as the client shall see it, byte for byte.
func (r Response) Native() Native { return Native{Body: bytes.TrimSpace(r.Body)} }
