package provider

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/payrack/payrack/plugins/internal/wire/providerv1"
)

// request is a request about a payment.
type request interface {
	proto.Message
	GetCall() *providerv1.Call
}

// withAmount is a request that names money.
type withAmount interface {
	GetAmount() *providerv1.Money
}

// guard refuses, before the provider sees it, whatever a plugin could misunderstand. Silent ignoring is
// the danger with payments: an old plugin that overlooks a new member does something else than was asked.
type guard struct {
	types map[string]knownType
	now   func() time.Time
}

type knownType struct {
	operations map[Kind]Operation
	exponents  map[string]uint32
}

// captures reports whether money that is held can be taken.
func (t knownType) captures() bool {
	_, ok := t.operations[KindCapture]
	return ok
}

func newGuard(d Description, now func() time.Time) guard {
	g := guard{types: map[string]knownType{}, now: now}
	for _, t := range d.Types {
		k := knownType{operations: map[Kind]Operation{}, exponents: map[string]uint32{}}
		for _, o := range t.Operations {
			k.operations[o.Kind] = o
		}
		for _, c := range t.Currencies {
			k.exponents[c.Code] = toUint32(c.Exponent)
		}
		g.types[t.Name] = k
	}
	return g
}

// check returns why the request is refused, or nil. Strict is for requests that move money.
func (g guard) check(ctx context.Context, kind Kind, r request, strict bool) *Failure {
	call := r.GetCall()
	t, known := g.types[call.GetPaymentType()]
	_, supported := t.operations[kind]
	_, deadline := ctx.Deadline()
	switch {
	case call == nil:
		return refusal(ReasonInvalid, "the request has no head")
	case !deadline:
		return refusal(ReasonInvalid, "the call has no deadline")
	case len(call.GetMustUnderstand()) > 0:
		return refusal(ReasonUnsupported, "this plugin does not know a contract addition that the request needs; install a newer release")
	case !known:
		return refusal(ReasonUnsupported, "this plugin does not serve the payment type")
	case !supported:
		return refusal(ReasonUnsupported, "the payment type has no operation "+string(kind))
	case call.GetEnvironment() != EnvironmentLive && call.GetEnvironment() != EnvironmentTest:
		return refusal(ReasonInvalid, "the environment is neither live nor test")
	}
	if !strict {
		return nil
	}
	return g.checkMoney(t, r)
}

func (g guard) checkMoney(t knownType, r request) *Failure {
	if path := foreign(r.ProtoReflect()); path != "" {
		return refusal(ReasonUnsupported, "the request has a part that this plugin does not know ("+path+"); install a newer release")
	}
	if after := r.GetCall().GetNotAfter(); after != nil && g.now().After(after.AsTime()) {
		return refusal(ReasonTimeout, "the latest moment to send has passed")
	}
	if p, ok := r.(*providerv1.PayRequest); ok && !p.GetCapture() && !t.captures() {
		return refusal(ReasonUnsupported, "the payment type takes money at once; it cannot hold it for a capture")
	}
	m, ok := r.(withAmount)
	if !ok {
		return nil
	}
	exponent, ok := t.exponents[m.GetAmount().GetCurrency()]
	switch {
	case m.GetAmount() == nil || m.GetAmount().GetUnits() <= 0:
		return refusal(ReasonInvalid, "the amount is not positive")
	case !ok:
		return refusal(ReasonInvalid, "the payment type does not take the currency")
	case exponent != m.GetAmount().GetExponent():
		return refusal(ReasonInvalid, "host and plugin disagree on the currency's decimals")
	}
	return nil
}

func refusal(r Reason, detail string) *Failure {
	return &Failure{Effect: EffectNone, Reason: r, Detail: detail}
}
