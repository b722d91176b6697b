package provider

import (
	"context"
	"errors"
	"net/http"
	"sync"
)

// A gateway that seals its messages shows nothing to whoever looks at what was sent. A provider says here what it
// sealed and what it unsealed. With that the platform records in clear what passed, without the secrets, and rehearses
// another release with it: there the recorded clear text takes the place of what the gateway would send, and no key is
// needed.

type clearKey struct{}

// WithClear tells the next Do what its body was before it was sealed. The bytes must stay as they are until Do returns.
// Request.Clear is the same for Exchange.
func WithClear(ctx context.Context, clear []byte) context.Context {
	return context.WithValue(ctx, clearKey{}, clear)
}

// Open unseals a part of the answer, or all of it: sealed is the text as it stands in Body, before any decoding. Open is
// called with it and returns the clear text. In a rehearsal the recorded clear text is returned instead.
func (r Response) Open(sealed []byte, open func(sealed []byte) ([]byte, error)) ([]byte, error) {
	if r.traffic == nil {
		return open(sealed)
	}
	return r.traffic.open(sealed, open)
}

// Verify checks the signature of the answer. In a rehearsal, where no key fits, the recorded verdict is repeated.
func (r Response) Verify(check func() error) error {
	if r.traffic == nil {
		return check()
	}
	return r.traffic.verify(check)
}

var (
	errRecordedSeal      = errors.New("the answer could not be unsealed when it was recorded")
	errOtherSeal         = errors.New("the recording has no clear text for this part of the answer")
	errRecordedSignature = errors.New("the signature of the answer did not fit when it was recorded")
)

// traffic is one request to a gateway and what came of it.
type traffic struct {
	method, host, path, query string
	header                    http.Header
	body, clear               []byte
	sealed                    bool

	// script answers Open and Verify in a rehearsal.
	script *scripted

	mu             sync.Mutex // a provider may unseal on several goroutines, or go on when its call has ended
	response       *Response
	failure        *SendError
	opened         []unsealed
	signatureWrong bool
}

// unsealed is a part of an answer that was unsealed.
type unsealed struct {
	sealed, clear []byte
	failed        bool
}

func newTraffic(ctx context.Context, req *http.Request, body []byte) *traffic {
	t := &traffic{
		method: req.Method, host: req.URL.Host, path: req.URL.EscapedPath(), query: req.URL.RawQuery, header: req.Header, body: body,
	}
	t.clear, t.sealed = ctx.Value(clearKey{}).([]byte)
	return t
}

// ended keeps what came back.
func (t *traffic) ended(res Response, failure *SendError) (Response, *SendError) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if failure != nil {
		t.failure = failure
		return Response{}, failure
	}
	t.response = &Response{Status: res.Status, Header: res.Header, Body: res.Body}
	res.traffic = t
	return res, nil
}

func (t *traffic) open(sealed []byte, open func([]byte) ([]byte, error)) ([]byte, error) {
	if t.script != nil {
		return t.script.open(sealed)
	}
	clear, err := open(sealed)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.opened = append(t.opened, unsealed{sealed: sealed, clear: clear, failed: err != nil})
	return clear, err
}

func (t *traffic) verify(check func() error) error {
	if t.script != nil {
		if t.script.signatureWrong {
			return errRecordedSignature
		}
		return nil
	}
	err := check()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.signatureWrong = t.signatureWrong || err != nil
	return err
}

type recordingKey struct{}

// maxTraffic is how many requests of one call are kept. A call that makes more is polling.
const maxTraffic = 16

// recording collects the traffic of one call.
type recording struct {
	mu      sync.Mutex
	traffic []*traffic
}

func recordingOf(ctx context.Context) *recording {
	r, _ := ctx.Value(recordingKey{}).(*recording)
	return r
}

// begin notes a request that is about to be sent; nil if it is not recorded.
func (r *recording) begin(ctx context.Context, req *http.Request, body []byte) *traffic {
	if r == nil {
		return nil
	}
	t := newTraffic(ctx, req, body)
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.traffic) >= maxTraffic {
		return nil
	}
	r.traffic = append(r.traffic, t)
	return t
}
