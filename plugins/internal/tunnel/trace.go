package tunnel

import (
	"context"
	"strings"

	"google.golang.org/grpc/metadata"

	"github.com/payrack/payrack/plugins/internal/wire/transportv1"
)

// The headers of W3C Trace Context, which is what travels of a call's metadata.
const (
	traceparent = "traceparent"
	tracestate  = "tracestate"
)

// header joins the values of a header. One that is too long is left out: a trace that ends here does less harm than a
// call that is refused.
func header(md metadata.MD, key string, longest int) string {
	value := strings.Join(md[key], ",")
	if len(value) > longest {
		return ""
	}
	return value
}

// withTrace gives the context of a call the headers of its frame, where the code behind plain calls looks for them.
func withTrace(ctx context.Context, f *transportv1.CallFrame) context.Context {
	if f.GetTraceparent() == "" {
		return ctx
	}
	md := metadata.MD{traceparent: {f.GetTraceparent()}}
	if f.GetTracestate() != "" {
		md[tracestate] = []string{f.GetTracestate()}
	}
	return metadata.NewIncomingContext(ctx, md)
}
