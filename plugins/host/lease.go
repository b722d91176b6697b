package host

import (
	"context"
	"math/rand/v2"
	"sync/atomic"

	otelcodes "go.opentelemetry.io/otel/codes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/payrack/payrack/plugins/internal/handshake"
	"github.com/payrack/payrack/plugins/internal/tunnel"
	"github.com/payrack/payrack/plugins/internal/wire/providerv1"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

// Lease is a reference on one instance: while it is open, the instance is not stopped (but for the drain
// deadline). Take it before the first check of a request and close it when the answer is recorded. Its
// methods may be called from several goroutines, and not after Close.
type Lease struct {
	instance *instance
	slot     *Slot
	closed   atomic.Bool
}

// Info is the description of the release that was picked.
func (l *Lease) Info() Info { return l.instance.info }

// Release is the release that was picked.
func (l *Lease) Release() Release { return l.instance.release }

// Instance is the id of the process, as in Status.
func (l *Lease) Instance() string { return l.instance.id }

// Alive reports that the process is there and its connection stands, as far as is known: a call that failed while it
// was not failed because of the process.
func (l *Lease) Alive() bool { return l.instance.reachable() }

// Close returns the reference. It may be called more than once.
func (l *Lease) Close() {
	if l.closed.Swap(true) {
		return
	}
	l.instance.leases.Add(-1)
	l.instance.letGo()
	if l.instance.leavePlace() {
		l.slot.calls.leave()
	}
}

// Pay starts a payment. Like all money-moving calls it needs a context with a deadline, is never repeated,
// and answers Unknown for everything that is not a readable answer of the plugin.
func (l *Lease) Pay(ctx context.Context, r provider.PayRequest) provider.Answer {
	return move(ctx, l, payToWire(r), providerv1.ProviderService_Pay_FullMethodName, l.instance.client.Pay)
}

// Confirm finishes a payment that the payer approved.
func (l *Lease) Confirm(ctx context.Context, r provider.ConfirmRequest) provider.Answer {
	return move(ctx, l, confirmToWire(r), providerv1.ProviderService_Confirm_FullMethodName, l.instance.client.Confirm)
}

// Capture takes an authorized amount.
func (l *Lease) Capture(ctx context.Context, r provider.CaptureRequest) provider.Answer {
	return move(ctx, l, captureToWire(r), providerv1.ProviderService_Capture_FullMethodName, l.instance.client.Capture)
}

// Void cancels an authorization.
func (l *Lease) Void(ctx context.Context, r provider.VoidRequest) provider.Answer {
	return move(ctx, l, voidToWire(r), providerv1.ProviderService_Void_FullMethodName, l.instance.client.Void)
}

// Refund gives captured money back.
func (l *Lease) Refund(ctx context.Context, r provider.RefundRequest) provider.Answer {
	return move(ctx, l, refundToWire(r), providerv1.ProviderService_Refund_FullMethodName, l.instance.client.Refund)
}

// Search asks what the provider knows.
func (l *Lease) Search(ctx context.Context, r provider.SearchRequest) provider.SearchAnswer {
	answer, f := call(ctx, l, searchToWire(r), providerv1.ProviderService_Search_FullMethodName, l.instance.client.Search)
	if f != nil {
		return provider.SearchAnswer{Failure: f}
	}
	return searchFromWire(answer)
}

// CheckMandate asks about a stored approval.
func (l *Lease) CheckMandate(ctx context.Context, r provider.CheckMandateRequest) provider.MandateAnswer {
	answer, f := call(ctx, l, checkMandateToWire(r), providerv1.ProviderService_CheckMandate_FullMethodName, l.instance.client.CheckMandate)
	if f != nil {
		return provider.MandateAnswer{Failure: f}
	}
	return mandateAnswerFromWire(answer.GetMandate(), answer.GetError(), answer.GetNative())
}

// ExpireMandate ends a stored approval.
func (l *Lease) ExpireMandate(ctx context.Context, r provider.ExpireMandateRequest) provider.MandateAnswer {
	answer, f := call(ctx, l, expireMandateToWire(r), providerv1.ProviderService_ExpireMandate_FullMethodName, l.instance.client.ExpireMandate)
	if f != nil {
		return provider.MandateAnswer{Failure: f}
	}
	return mandateAnswerFromWire(answer.GetMandate(), answer.GetError(), answer.GetNative())
}

// ParseNotification reads what the provider pushed. The error says that the plugin gave no answer.
func (l *Lease) ParseNotification(ctx context.Context, n provider.Notification) (provider.NotificationAnswer, error) {
	answer, f := call(ctx, l, notificationToWire(n), providerv1.ProviderService_ParseNotification_FullMethodName, l.instance.client.ParseNotification)
	if f != nil {
		return provider.NotificationAnswer{}, &Unavailable{Name: l.slot.name, Why: WhyRestarting, Detail: f.Detail}
	}
	return notificationFromWire(answer), nil
}

// move runs a money-moving call.
func move[Request proto.Message, Response interface{ GetAnswer() *providerv1.Answer }](
	ctx context.Context, l *Lease, r Request, method string, rpc func(context.Context, Request, ...grpc.CallOption) (Response, error),
) provider.Answer {
	answer, f := call(ctx, l, r, method, rpc)
	switch {
	case f == nil:
		return answerFromWire(answer.GetAnswer())
	case f.Effect == provider.EffectNone:
		return provider.NotSent(f.Reason, f.Code, f.Detail)
	default:
		return provider.Unknown(f.Reason, f.Code, f.Detail)
	}
}

// call hands a request to the plugin, once. A Failure with EffectNone is only given for what is known
// before gRPC has the request, or if it never got it; a status of gRPC proves nothing about what the plugin
// has done.
func call[Request proto.Message, Response any](
	ctx context.Context, l *Lease, r Request, method string, rpc func(context.Context, Request, ...grpc.CallOption) (Response, error),
) (Response, *provider.Failure) {
	var none Response
	_, deadline := ctx.Deadline()
	switch {
	case !deadline:
		return none, notHandedOver(provider.ReasonInternal, "the call has no deadline")
	case ctx.Err() != nil:
		return none, notHandedOver(provider.ReasonTimeout, "the call's time was up before it began")
	case l.closed.Load():
		return none, notHandedOver(provider.ReasonInternal, "the lease is closed")
	case !l.instance.reachable():
		return none, notHandedOver(provider.ReasonUnavailable, "the plugin ended before it was called")
	case proto.Size(r) > handshake.MaxMessage-1024:
		return none, notHandedOver(provider.ReasonInvalid, "the request is longer than 1 MiB")
	}
	ctx, span := l.slot.host.startCall(ctx, method)
	defer span.End()
	answer, err := rpc(ctx, r)
	if err != nil {
		span.SetStatus(otelcodes.Error, status.Code(err).String())
		if status.Code(err) == codes.Unavailable && (!l.instance.planned.Load() || l.instance.hung.Load()) {
			// It crashed or was killed with everything it had, and all of that becomes unknown at once.
			pauseFor(ctx, spread(l.instance.leases.Load(), parting, l.slot.host.options.RestartWait, rand.Float64())) //nolint:gosec // no secret
		}
		if tunnel.NotSent(err) {
			return none, notSent(err)
		}
		return none, unknownStatus(err)
	}
	return answer, nil
}

func notHandedOver(r provider.Reason, detail string) *provider.Failure {
	return &provider.Failure{Effect: provider.EffectNone, Reason: r, Detail: detail}
}

// notSent is the failure of a call that the tunnel still had or did not take.
func notSent(err error) *provider.Failure {
	if status.Code(err) == codes.Unavailable {
		return notHandedOver(provider.ReasonUnavailable, "the connection to the plugin broke before the call")
	}
	return notHandedOver(provider.ReasonTimeout, "the call's time was up before the plugin took it")
}

// unknownStatus sorts a gRPC status for people. Its text is not passed on: a plugin may have written it.
func unknownStatus(err error) *provider.Failure {
	f := &provider.Failure{Effect: provider.EffectPossible}
	switch code := status.Code(err); code { //nolint:exhaustive // all others are the plugin's fault
	case codes.DeadlineExceeded, codes.Canceled:
		f.Reason, f.Detail = provider.ReasonTimeout, "the plugin gave no answer in time"
	case codes.Unavailable:
		f.Reason, f.Detail = provider.ReasonUnavailable, "the connection to the plugin broke during the call"
	default:
		f.Reason, f.Detail = provider.ReasonInternal, "the plugin's call ended with gRPC status "+code.String()
	}
	return f
}
