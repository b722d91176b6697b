package host

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"golang.org/x/time/rate"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/payrack/payrack/plugins/internal/wire/providerv1"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

// Exchange is one recorded call of a plugin: what was asked, what passed between it and its provider, and what it
// answered. Secrets in it are dummies.
type Exchange struct {
	// At is when the call began.
	At          time.Time
	Operation   provider.Kind
	PaymentType string
	// Code is the provider's return code, or a word for what came instead. It is the plugin's word: nothing but its length
	// is sure.
	Code string
	// Record is the whole of it as JSON, for Rehearsal.Play.
	Record []byte
}

// errNoExchange says that bytes are no recording.
var errNoExchange = errors.New("the recording cannot be read")

// ReadExchange reads a record.
func ReadExchange(record []byte) (Exchange, error) {
	var e providerv1.Exchange
	if (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(record, &e) != nil {
		return Exchange{}, errNoExchange
	}
	return exchangeOf(&e, record)
}

func exchangeOf(e *providerv1.Exchange, record []byte) (Exchange, error) {
	head, kind := headOf(e.GetCall())
	if head == nil || e.GetAt().CheckValid() != nil {
		return Exchange{}, errNoExchange
	}
	return Exchange{At: e.GetAt().AsTime(), Operation: kind, PaymentType: head.GetPaymentType(), Code: e.GetCode(), Record: record}, nil
}

func headOf(c *providerv1.ExchangeCall) (*providerv1.Call, provider.Kind) {
	switch r := c.GetRequest().(type) {
	case *providerv1.ExchangeCall_Pay:
		return r.Pay.GetCall(), provider.KindPay
	case *providerv1.ExchangeCall_Confirm:
		return r.Confirm.GetCall(), provider.KindConfirm
	case *providerv1.ExchangeCall_Capture:
		return r.Capture.GetCall(), provider.KindCapture
	case *providerv1.ExchangeCall_Void:
		return r.Void.GetCall(), provider.KindVoid
	case *providerv1.ExchangeCall_Refund:
		return r.Refund.GetCall(), provider.KindRefund
	case *providerv1.ExchangeCall_Search:
		return r.Search.GetCall(), provider.KindSearch
	case *providerv1.ExchangeCall_CheckMandate:
		return r.CheckMandate.GetCall(), provider.KindCheckMandate
	case *providerv1.ExchangeCall_ExpireMandate:
		return r.ExpireMandate.GetCall(), provider.KindExpireMandate
	}
	return nil, ""
}

// The SDK samples far less; this is for a plugin that floods.
const (
	exchangesPerSecond = 20
	exchangesAtOnce    = 200
)

// record receives the plugin's exchanges until the instance ends. A plugin without them is asked once.
func (i *instance) record(ctx context.Context, sink func(Source, Exchange)) {
	client := providerv1.NewExchangeServiceClient(i.conn)
	limit := rate.NewLimiter(exchangesPerSecond, exchangesAtOnce)
	for {
		stream, err := client.Exchanges(ctx, &providerv1.ExchangesRequest{})
		for err == nil {
			var got *providerv1.ExchangesResponse
			if got, err = stream.Recv(); err == nil && limit.Allow() {
				i.keep(ctx, got, sink)
			}
		}
		switch status.Code(err) { //nolint:exhaustive // whatever else happens may pass
		case codes.Unimplemented, codes.FailedPrecondition:
			return
		}
		select {
		case <-time.After(time.Second):
		case <-i.process.exited:
			return
		case <-ctx.Done():
			return
		}
	}
}

func (i *instance) keep(ctx context.Context, got *providerv1.ExchangesResponse, sink func(Source, Exchange)) {
	if n := got.GetDropped(); n > 0 {
		i.log.LogAttrs(ctx, slog.LevelDebug, "plugin exchanges dropped", slog.Uint64("exchanges", n))
	}
	if got.GetExchange() == nil {
		return
	}
	record, err := protojson.Marshal(got.GetExchange())
	var e Exchange
	if err == nil {
		e, err = exchangeOf(got.GetExchange(), record)
	}
	if err != nil {
		i.log.LogAttrs(ctx, slog.LevelDebug, "plugin exchange unreadable")
		return
	}
	sink(i.source(), e)
}
