package httpkit

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	"github.com/payrack/payrack/core/access"
)

// Exchange is one request and its reply: what the log may say about it. Handlers fill it in as they learn
// more. It belongs to one request and one goroutine.
type Exchange struct {
	// RequestID is ours, in every reply.
	RequestID string
	// ClientRequestID is the client's own X-Request-Id if it is short and plain, for the log only.
	ClientRequestID string
	// Route is the template of the route, empty if none matched. It holds nothing that the client sent.
	Route string
	// Code is the code of the problem that was answered.
	Code string
	// Err is what went wrong inside, for replies of 500 and above.
	Err error
	// Principal who asked, once the token was read.
	Principal access.Principal
	// Type is the payment type, if it is a plain word.
	Type string
	// Payment is the id of the payment that the reply concerns.
	Payment string
	// Subject is the id of what the request changed in the directory: a company, company/store, a credential set, a client.
	Subject string
	// QuerySecrets is true if the query held credentials.
	QuerySecrets bool

	begun     time.Time
	trace     string
	query     func() string
	urlLength int
	traceID   func(context.Context) string
	clientIP  func(*http.Request) string
}

type exchangeKey struct{}

// Of returns the exchange of a request that came through a Shell. Without one it returns an empty exchange.
func Of(ctx context.Context) *Exchange {
	if x, ok := ctx.Value(exchangeKey{}).(*Exchange); ok {
		return x
	}
	return &Exchange{}
}

// Query is the raw query that was taken out of the request. It may hold secrets.
func (x *Exchange) Query() string {
	if x.query == nil {
		return ""
	}
	return x.query()
}

// URLLength is the length of the request target as it was sent, in bytes.
func (x *Exchange) URLLength() int { return x.urlLength }

// TraceID of the request, empty without a trace.
func (x *Exchange) TraceID(ctx context.Context) string {
	if x.trace != "" || x.traceID == nil {
		return x.trace
	}
	return x.traceID(ctx)
}

// Source is where the request came from, for rate limits: an IPv4 address, or the /64 of an IPv6 address. Who has one
// address of a /64 has all of them, and would have a limit of its own for each.
func (x *Exchange) Source(r *http.Request) string {
	if x.clientIP == nil {
		return r.RemoteAddr
	}
	said := x.clientIP(r)
	address, err := netip.ParseAddr(said)
	if err != nil {
		return said
	}
	if address = address.Unmap(); address.Is4() {
		return address.String()
	}
	return netip.PrefixFrom(address.WithZone(""), 64).Masked().String()
}

// Enter notes the route and tells it to the middleware around the handler by Request.Pattern.
func (x *Exchange) Enter(r *http.Request, template string) {
	x.Route = template
	r.Pattern = r.Method + " " + template
}
