package provider

import (
	"context"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/payrack/payrack/plugins/internal/wire/providerv1"
)

// featureExchanges says that a plugin streams its exchanges.
const featureExchanges = "exchanges/1"

// maxQueuedExchanges bounds what waits for the stream. A call never waits for it.
const maxQueuedExchanges = 64

// recorder keeps a sample of the calls for the host: what was asked, what passed between the plugin and its gateway, and
// what was answered. While nobody listens it does nothing, and under load the sample stays as small as it was.
//
// On the way of a payment it only takes note of buffers that exist already. What is worth keeping is copied when the
// call has ended, and cleaned of secrets on the goroutine of the stream.
type recorder struct {
	cleaner *cleaner
	queue   chan kept
	done    chan struct{} // closed when the plugin ends
	streams atomic.Int32
	dropped atomic.Uint64
	sample  sampler
}

// kept is a call that is worth keeping, with copies of all that may change.
type kept struct {
	at      time.Time
	code    string
	call    *providerv1.ExchangeCall
	reply   *providerv1.ExchangeReply
	traffic []*providerv1.Traffic
}

func newRecorder(info *providerv1.GetInfoResponse, now func() time.Time) *recorder {
	return &recorder{
		cleaner: newCleaner(info), queue: make(chan kept, maxQueuedExchanges),
		done: make(chan struct{}), sample: newSampler(now),
	}
}

// around makes a call, and records it if somebody listens.
func (r *recorder) around(ctx context.Context, request any, next grpc.UnaryHandler) (any, error) {
	if r.streams.Load() == 0 {
		return next(ctx, request)
	}
	began, rec := time.Now(), &recording{}
	answer, err := next(context.WithValue(ctx, recordingKey{}, rec), request)
	r.end(began, rec, request, answer)
	return answer, err
}

// end keeps the call if it is worth it. It does not block.
func (r *recorder) end(began time.Time, rec *recording, request, response any) {
	key := sampleOf(request, response)
	if key.kind == "" || !r.sample.takes(key) {
		return
	}
	k := kept{at: began, code: key.code, traffic: rec.snapshot()}
	k.call, _ = proto.Clone(exchangeCall(request)).(*providerv1.ExchangeCall)
	k.reply, _ = proto.Clone(exchangeReply(response)).(*providerv1.ExchangeReply)
	select {
	case r.queue <- k:
	default:
		r.dropped.Add(1)
	}
}

// stream sends what is kept until the context or the plugin ends.
func (r *recorder) stream(ctx context.Context, send func(*providerv1.ExchangesResponse) error) error {
	r.streams.Add(1)
	defer r.streams.Add(-1)
	for {
		select {
		case <-ctx.Done():
			return nil
		case k := <-r.queue:
			if err := r.send(k, send); err != nil {
				return err
			}
		case <-r.done:
			for {
				select {
				case k := <-r.queue:
					if err := r.send(k, send); err != nil {
						return err
					}
				default:
					return nil
				}
			}
		}
	}
}

func (r *recorder) send(k kept, send func(*providerv1.ExchangesResponse) error) error {
	exchange := r.clean(k)
	if exchange == nil {
		r.dropped.Add(1)
	}
	return send(&providerv1.ExchangesResponse{Exchange: exchange, Dropped: r.dropped.Swap(0)})
}

// finish ends the streams; it is called once.
func (r *recorder) finish() { close(r.done) }

// clean replaces the secrets. A call in which one was left, or which cannot be read, is not recorded.
func (r *recorder) clean(k kept) (out *providerv1.Exchange) {
	defer func() {
		if recover() != nil { // foreign data; a recording is never worth a plugin
			out = nil
		}
	}()
	return r.cleaner.clean(k)
}

// exchangeCall wraps the request of a call about a payment; nil for all others.
func exchangeCall(request any) *providerv1.ExchangeCall {
	switch r := request.(type) {
	case *providerv1.PayRequest:
		return &providerv1.ExchangeCall{Request: &providerv1.ExchangeCall_Pay{Pay: r}}
	case *providerv1.ConfirmRequest:
		return &providerv1.ExchangeCall{Request: &providerv1.ExchangeCall_Confirm{Confirm: r}}
	case *providerv1.CaptureRequest:
		return &providerv1.ExchangeCall{Request: &providerv1.ExchangeCall_Capture{Capture: r}}
	case *providerv1.VoidRequest:
		return &providerv1.ExchangeCall{Request: &providerv1.ExchangeCall_Void{Void: r}}
	case *providerv1.RefundRequest:
		return &providerv1.ExchangeCall{Request: &providerv1.ExchangeCall_Refund{Refund: r}}
	case *providerv1.SearchRequest:
		return &providerv1.ExchangeCall{Request: &providerv1.ExchangeCall_Search{Search: r}}
	case *providerv1.CheckMandateRequest:
		return &providerv1.ExchangeCall{Request: &providerv1.ExchangeCall_CheckMandate{CheckMandate: r}}
	case *providerv1.ExpireMandateRequest:
		return &providerv1.ExchangeCall{Request: &providerv1.ExchangeCall_ExpireMandate{ExpireMandate: r}}
	}
	return nil
}

// exchangeReply wraps the answer to such a call; empty if the call failed.
func exchangeReply(response any) *providerv1.ExchangeReply {
	switch r := response.(type) {
	case *providerv1.SearchResponse:
		return &providerv1.ExchangeReply{Reply: &providerv1.ExchangeReply_Search{Search: r}}
	case *providerv1.CheckMandateResponse:
		return &providerv1.ExchangeReply{Reply: &providerv1.ExchangeReply_CheckMandate{CheckMandate: r}}
	case *providerv1.ExpireMandateResponse:
		return &providerv1.ExchangeReply{Reply: &providerv1.ExchangeReply_ExpireMandate{ExpireMandate: r}}
	case interface{ GetAnswer() *providerv1.Answer }:
		return &providerv1.ExchangeReply{Reply: &providerv1.ExchangeReply_Answer{Answer: r.GetAnswer()}}
	}
	return &providerv1.ExchangeReply{}
}

// headOf is the head of a recorded call, and its operation.
func headOf(c *providerv1.ExchangeCall) (*providerv1.Call, Kind) {
	switch r := c.GetRequest().(type) {
	case *providerv1.ExchangeCall_Pay:
		return r.Pay.GetCall(), KindPay
	case *providerv1.ExchangeCall_Confirm:
		return r.Confirm.GetCall(), KindConfirm
	case *providerv1.ExchangeCall_Capture:
		return r.Capture.GetCall(), KindCapture
	case *providerv1.ExchangeCall_Void:
		return r.Void.GetCall(), KindVoid
	case *providerv1.ExchangeCall_Refund:
		return r.Refund.GetCall(), KindRefund
	case *providerv1.ExchangeCall_Search:
		return r.Search.GetCall(), KindSearch
	case *providerv1.ExchangeCall_CheckMandate:
		return r.CheckMandate.GetCall(), KindCheckMandate
	case *providerv1.ExchangeCall_ExpireMandate:
		return r.ExpireMandate.GetCall(), KindExpireMandate
	}
	return nil, ""
}
