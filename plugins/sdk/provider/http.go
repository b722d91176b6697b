package provider

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"syscall"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// Limits of a Client that has no other ones.
const (
	DefaultConnectTimeout = 5 * time.Second
	DefaultTimeout        = 30 * time.Second
	DefaultBodyLimit      = 64 << 10
)

// maxRequestBody bounds what a plugin may send; a payment request is a few kilobytes.
const maxRequestBody = 1 << 20

// maxIdle is how many connections to a gateway are kept. The host has at most 256 calls open by default; a
// connection that is not kept costs the next payment a TLS handshake.
const maxIdle = 512

// maxReconnects bounds how often one Do may move to a fresh connection because a kept one turned out to
// be closed before a byte was written.
const maxReconnects = 3

// ClientOptions are the options of a Client. The zero value has the limits above.
type ClientOptions struct {
	// ConnectTimeout bounds name resolution, the TCP connection and the TLS handshake together.
	ConnectTimeout time.Duration
	// Timeout bounds a whole Do whose context has no earlier deadline.
	Timeout time.Duration
	// BodyLimit is the longest answer in bytes; a longer one is a bad answer.
	BodyLimit int64
	// IdleTimeout is how long an unused connection is kept. Keep it shorter than the gateway's own, so
	// that the gateway does not close a connection in the moment in which it is used again.
	IdleTimeout time.Duration
	// Now is the clock for Call.NotAfter.
	Now func() time.Time
	// TLS sets roots or a client certificate. Verification cannot be switched off and the oldest
	// version is TLS 1.2.
	TLS *TLSOptions
	// TracerProvider records one span a request. Nil records none.
	TracerProvider trace.TracerProvider

	stage *stage // answers in place of the network, in a rehearsal
}

// Client sends one HTTP request to a provider's gateway, at most once, and knows afterwards whether any
// byte of it left. It keeps connections, follows no redirect and never repeats a request.
type Client struct {
	transport *http.Transport
	options   ClientOptions
	tracer    trace.Tracer
}

// Response is an answer that was read to its end.
type Response struct {
	Status int
	Header http.Header
	Body   []byte

	traffic *traffic // nil unless the call is recorded or rehearsed
}

// NewClient makes a client. Plugins use Host.HTTP, which is made for them; tests may want their own.
func NewClient(o ClientOptions) *Client {
	if o.ConnectTimeout <= 0 {
		o.ConnectTimeout = DefaultConnectTimeout
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.BodyLimit <= 0 {
		o.BodyLimit = DefaultBodyLimit
	}
	if o.IdleTimeout <= 0 {
		o.IdleTimeout = 25 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.TracerProvider == nil {
		o.TracerProvider = noop.NewTracerProvider()
	}
	d := &dialer{timeout: o.ConnectTimeout, tls: o.TLS.config()}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &Client{
		options: o,
		tracer:  o.TracerProvider.Tracer(tracerName),
		transport: &http.Transport{
			DialContext:            d.dial,
			DialTLSContext:         d.dialTLS,
			Protocols:              protocols,
			DisableCompression:     true,
			MaxIdleConns:           maxIdle,
			MaxIdleConnsPerHost:    maxIdle,
			IdleConnTimeout:        o.IdleTimeout,
			MaxResponseHeaderBytes: 64 << 10,
		},
	}
}

// With returns a client of its own with other options; options that are zero stay as they are in c. Use
// it in Open where a gateway needs longer than the defaults. Its connections are its own: call it once,
// not for each request.
func (c *Client) With(o ClientOptions) *Client {
	merged := c.options
	if o.ConnectTimeout > 0 {
		merged.ConnectTimeout = o.ConnectTimeout
	}
	if o.Timeout > 0 {
		merged.Timeout = o.Timeout
	}
	if o.BodyLimit > 0 {
		merged.BodyLimit = o.BodyLimit
	}
	if o.IdleTimeout > 0 {
		merged.IdleTimeout = o.IdleTimeout
	}
	if o.TLS != nil {
		merged.TLS = o.TLS
	}
	return NewClient(merged)
}

// CloseIdle closes the connections that nobody uses.
func (c *Client) CloseIdle() { c.transport.CloseIdleConnections() }

// Do sends the request and reads the answer, whatever its status. The error is always a *SendError: it
// says whether any byte of the request left, and its text holds no query, header or body.
//
// Do answers within the context's deadline or the client's timeout, whichever is earlier. If the call
// has a NotAfter and it has passed, nothing is sent. Nothing is ever sent twice: a request that may be
// replayed by its headers is refused, and a kept connection is only left for a fresh one while no byte
// was written.
func (c *Client) Do(ctx context.Context, call Call, req *http.Request) (Response, error) {
	ctx, cancel := within(ctx, c.options.Timeout)
	defer cancel()
	ctx, span := c.tracer.Start(ctx, spanName(ctx, req.Method), trace.WithSpanKind(trace.SpanKindClient))
	defer span.End()
	if span.IsRecording() { // attributes cost more than all else here, and mostly nobody records
		span.SetAttributes(
			attribute.String("http.request.method", req.Method),
			attribute.String("server.address", req.URL.Hostname()),
			attribute.String("url.template", templateOf(ctx)),
			attribute.String("payrack.operation_id", call.OperationID),
		)
	}

	res, err := c.send(ctx, call, req)
	if err != nil {
		err.host = req.URL.Host
		span.SetStatus(codes.Error, string(err.Reason))
		span.SetAttributes(attribute.String("error.type", string(err.Reason)), attribute.Bool("payrack.sent", err.Sent))
		return Response{}, err
	}
	if span.IsRecording() {
		span.SetAttributes(attribute.Int("http.response.status_code", res.Status))
		if res.Status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, "")
		}
	}
	return res, nil
}

// within bounds a context; one that ends early enough needs no timer of its own.
func within(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= limit {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, limit)
}

func (c *Client) send(ctx context.Context, call Call, req *http.Request) (Response, *SendError) {
	body, err := prepare(req)
	if err != nil {
		return Response{}, err
	}
	if c.options.stage != nil {
		return c.options.stage.answer(ctx, req, body)
	}
	note := recordingOf(ctx).begin(ctx, req, body)
	if note == nil {
		return c.deliver(ctx, call, req, body)
	}
	return note.ended(c.deliver(ctx, call, req, body))
}

// deliver hands the request to a connection.
func (c *Client) deliver(ctx context.Context, call Call, req *http.Request, body []byte) (Response, *SendError) {
	g := &gate{notAfter: call.NotAfter, now: c.options.Now}
	for try := 0; ; try++ {
		res, roundTripErr := c.roundTrip(ctx, g, req, body) //nolint:bodyclose // read closes it
		if roundTripErr == nil {
			return c.read(ctx, res)
		}
		reused, again := g.mayReconnect()
		if again && reused && try < maxReconnects && ctx.Err() == nil {
			continue
		}
		return Response{}, classify(ctx, g.close(), roundTripErr)
	}
}

// prepare refuses what could be sent twice and takes the body into memory.
func prepare(req *http.Request) ([]byte, *SendError) {
	for name := range req.Header {
		if strings.EqualFold(name, "Idempotency-Key") || strings.EqualFold(name, "X-Idempotency-Key") {
			// Go's transport repeats a request with one of these by itself.
			return nil, &SendError{Reason: ReasonInternal, text: "a request may not carry the header " + http.CanonicalHeaderKey(name)}
		}
	}
	if req.URL == nil || req.URL.Host == "" || (req.URL.Scheme != "http" && req.URL.Scheme != "https") {
		return nil, &SendError{Reason: ReasonInternal, text: "the request has no absolute http or https URL"}
	}
	if req.Body == nil || req.Body == http.NoBody {
		return nil, nil
	}
	defer func() { _ = req.Body.Close() }()
	body, err := readAll(req.Body, req.ContentLength, maxRequestBody)
	if err != nil {
		return nil, &SendError{Reason: ReasonInternal, text: "the request's body cannot be read"}
	}
	if len(body) > maxRequestBody {
		return nil, &SendError{Reason: ReasonInternal, text: "the request's body is longer than 1 MiB"}
	}
	return body, nil
}

func (c *Client) roundTrip(ctx context.Context, g *gate, req *http.Request, body []byte) (*http.Response, error) {
	tracing := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		if conn, ok := info.Conn.(*gatedConn); ok {
			g.enter(conn, info.Reused)
		}
	}}
	out := req.WithContext(httptrace.WithClientTrace(ctx, tracing))
	// The caller's own map stays as it is. Its values are shared, because nothing here appends to them.
	out.Header = make(http.Header, len(req.Header)+3)
	maps.Copy(out.Header, req.Header)
	if _, ok := out.Header["User-Agent"]; !ok {
		out.Header["User-Agent"] = []string{"payrack/" + Version}
	}
	propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(out.Header))
	out.GetBody = nil
	out.Body, out.ContentLength = nil, 0
	if body != nil {
		out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	}
	// RoundTrip and not http.Client: no redirects, no cookies, no second request of any kind.
	return c.transport.RoundTrip(out)
}

func (c *Client) read(ctx context.Context, res *http.Response) (Response, *SendError) {
	defer func() { _ = res.Body.Close() }()
	body, err := readAll(res.Body, res.ContentLength, c.options.BodyLimit)
	if err != nil {
		e := classify(ctx, true, err)
		if e.Reason == ReasonUnavailable {
			e.Reason, e.text = ReasonBadAnswer, "the answer broke off"
		}
		e.Status = res.StatusCode
		return Response{}, e
	}
	if int64(len(body)) > c.options.BodyLimit {
		return Response{}, &SendError{
			Sent: true, Reason: ReasonBadAnswer, Status: res.StatusCode,
			text: fmt.Sprintf("the answer is longer than %d bytes", c.options.BodyLimit),
		}
	}
	return Response{Status: res.StatusCode, Header: res.Header, Body: body}, nil
}

// readAll reads to the end, but at most one byte more than the limit. The length is what the other side
// announced, or less than 0; it only saves copies.
func readAll(r io.Reader, length, limit int64) ([]byte, error) {
	if length < 0 || length > limit {
		return io.ReadAll(io.LimitReader(r, limit+1))
	}
	buf := bytes.NewBuffer(make([]byte, 0, length+bytes.MinRead))
	_, err := buf.ReadFrom(io.LimitReader(r, limit+1))
	return buf.Bytes(), err
}

// classify turns a transport error into words of ours: the original text may hold a URL or bytes of the
// gateway's answer.
func classify(ctx context.Context, sent bool, err error) *SendError {
	e := &SendError{Sent: sent, Reason: ReasonUnavailable}
	var netErr net.Error
	var dnsErr *net.DNSError
	var tlsErr *tlsError
	var urlErr *url.Error
	switch {
	case errors.Is(err, errTooLate):
		e.Reason, e.text = ReasonTimeout, "the latest moment to send has passed"
	case errors.Is(err, errSecondSend):
		e.text = "the connection broke"
	case errors.Is(ctx.Err(), context.Canceled):
		e.Reason, e.text, e.cause = ReasonTimeout, "the call was cancelled", context.Canceled
	case ctx.Err() != nil:
		e.Reason, e.text, e.cause = ReasonTimeout, "no answer in time", context.DeadlineExceeded
	case errors.As(err, &tlsErr):
		e.text = "the TLS handshake failed"
		if tlsErr.untrusted {
			e.text = "the gateway's certificate is not trusted"
		}
	case errors.As(err, &dnsErr):
		e.text = "the gateway's name cannot be resolved"
	case errors.As(err, &urlErr):
		e.Reason, e.text = ReasonInternal, "the request cannot be written"
	case errors.As(err, &netErr) && netErr.Timeout():
		e.Reason, e.text = ReasonTimeout, "the gateway could not be reached in time"
		if sent {
			e.text = "no answer in time"
		}
	case !sent && errors.Is(err, syscall.EACCES):
		// Only a fence around the process answers so, such as the platform's.
		e.text = "the plugin may not connect to this port: name the gateway in plugins.settings, or the port in plugins.sandbox.ports"
	case !sent:
		e.text = "the gateway could not be reached"
	default:
		e.text = "the connection broke before the answer"
	}
	return e
}
