package telemetry

import (
	"context"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/payment"
)

// The names of our attributes.
const (
	keyPayment   = "payrack.payment_id"
	keyOrder     = "payrack.order_number"
	keyType      = "payrack.type"
	keyProvider  = "payrack.provider"
	keyVersion   = "payrack.plugin_version"
	keyOperation = "payrack.operation"
	keyResult    = "payrack.result"
	keyReason    = "payrack.reason"
	keyCode      = "payrack.error_code"
	keyState     = "payrack.state"
)

// facts collect, while a request runs, what its outermost span shall say: the inner decorators know the
// order number and the provider, the request alone does not.
type facts struct {
	mu                      sync.Mutex
	order, typeName, vendor string
	payment                 payment.ID
}

type factsKey struct{}

func withFacts(ctx context.Context) (context.Context, *facts) {
	f := &facts{}
	return context.WithValue(ctx, factsKey{}, f), f
}

func factsOf(ctx context.Context) *facts {
	f, _ := ctx.Value(factsKey{}).(*facts)
	return f
}

func (f *facts) sawType(t catalogue.Type) {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.typeName, f.vendor = t.Name, t.Provider
}

func (f *facts) sawPayment(p payment.Payment) {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.order, f.payment = p.OrderNumber, p.ID
}

// labels are safe for metrics: names that an installed provider brought, "none" before one was chosen.
func (f *facts) labels() (typeName, provider string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.typeName == "" {
		return "none", "none"
	}
	return f.typeName, f.vendor
}

func (f *facts) attributes() []attribute.KeyValue {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []attribute.KeyValue
	for _, kv := range [][2]string{{keyPayment, string(f.payment)}, {keyOrder, f.order}, {keyType, f.typeName}, {keyProvider, f.vendor}} {
		if kv[1] != "" {
			all = append(all, attribute.String(kv[0], kv[1]))
		}
	}
	return all
}

// fail notes an error on a span: its code, never its text.
func fail(span trace.Span, err error) {
	if err == nil || !span.IsRecording() {
		return
	}
	span.SetAttributes(attribute.String(keyCode, fault.CodeOf(err)))
	if kind := fault.KindOf(err); kind == fault.Internal || kind == fault.Unavailable || kind == fault.Unknown {
		span.SetStatus(codes.Error, "")
	}
}

// reason keeps the words of the plugin contract; a plugin's own word would be an unbounded label.
func reason(word string) string {
	switch word {
	case "", "invalid", "auth", "rate_limited", "unavailable", "timeout", "bad_answer", "unsupported", "internal":
		return word
	}
	return "other"
}
