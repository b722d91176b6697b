package httpapi

import (
	"errors"
	"net/http"
	"time"

	"github.com/payrack/payrack/adapters/inbound/internal/httpkit"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/native"
	"github.com/payrack/payrack/ports/inbound"
)

// answer writes what the core replied. A final body goes out as it is, byte for byte.
func answer(w http.ResponseWriter, r *http.Request, reply inbound.Reply) error {
	x := httpkit.Of(r.Context())
	x.Payment = string(reply.Payment)
	h := w.Header()
	if reply.Payment != "" {
		h.Set(httpkit.PaymentHeader, string(reply.Payment))
	}
	if reply.Replayed {
		h.Set("Idempotent-Replayed", "true")
	}
	switch reply.Class {
	case inbound.ReplyFinal:
		if len(reply.Body) == 0 {
			return errors.New("the core gave a final reply without a body")
		}
		httpkit.WriteBytes(w, http.StatusOK, "application/json", reply.Body)
		return nil
	case inbound.ReplyPending:
		writePending(w, r, pending{
			native: reply.Body, messageFrom: reply.MessageFrom, payment: string(reply.Payment), retryAfter: reply.RetryAfter,
		})
		return nil
	}
	return errors.New("the core gave a reply of an unknown class")
}

// failNative writes errors that have an answer in the provider's shape, and all others as problems.
func (a *api) failNative(w http.ResponseWriter, r *http.Request, err error) {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		if f.NativeOK && len(f.Native) > 0 {
			x := httpkit.Of(r.Context())
			x.Code, x.Payment = fault.CodeOf(err), f.Payment
			if f.Payment != "" {
				w.Header().Set(httpkit.PaymentHeader, f.Payment)
			}
			httpkit.SetRetryAfter(w.Header(), f.RetryAfter)
			httpkit.WriteBytes(w, http.StatusOK, "application/json", f.Native)
			return
		}
		if f.Kind == fault.Unknown && f.Payment != "" {
			httpkit.Of(r.Context()).Err = err
			writePending(w, r, pending{native: f.Native, payment: f.Payment, retryAfter: f.RetryAfter})
			return
		}
	}
	httpkit.WriteError(w, r, err)
}

// pending is an outcome that nobody knows yet.
type pending struct {
	// native are the provider's own members, a JSON object, or nil.
	native      []byte
	messageFrom string
	payment     string
	retryAfter  time.Duration
}

// defaultRetry is when to ask again if the core did not say.
const defaultRetry = 2 * time.Second

func writePending(w http.ResponseWriter, r *http.Request, p pending) {
	x := httpkit.Of(r.Context())
	x.Code, x.Payment = "outcome_unknown", p.payment
	h := w.Header()
	if p.payment != "" {
		h.Set(httpkit.PaymentHeader, p.payment)
	}
	if p.retryAfter <= 0 {
		p.retryAfter = defaultRetry
	}
	httpkit.SetRetryAfter(h, p.retryAfter)
	httpkit.WriteBytes(w, http.StatusGatewayTimeout, "application/json", p.body(x.RequestID))
}

// pendingMessage says what a cashier may do. It must not sound like paid or like not paid.
const pendingMessage = "付款結果尚未確認，請勿再次收款，請稍後查詢"

// body keeps the provider's members as they are, raw tokens and all, and puts ours behind them. Ours win
// where status and payment_id meet; message and message_from stay the provider's where it has them.
func (p pending) body(requestID string) []byte {
	if _, err := httpkit.ParseObject(p.native, httpkit.JSONLimits{Depth: 64, Members: 1 << 16, Text: 1 << 20}, ""); err != nil {
		p.native = nil // what cannot be read is not passed on
	}
	from := httpkit.Ours
	if len(p.native) > 0 && p.messageFrom != "" {
		from = p.messageFrom
	}
	ours := []native.Member{{Name: "status", Value: "PENDING"}}
	if p.payment != "" {
		ours = append(ours, native.Member{Name: "payment_id", Value: p.payment})
	}
	ours = append(ours, native.Member{Name: "request_id", Value: requestID})
	if !native.Has(p.native, "message") {
		ours = append(ours, native.Member{Name: "message", Value: pendingMessage})
	}
	return native.Append(p.native, append(ours, native.Member{Name: "message_from", Value: from})...)
}
