package providers

import (
	"cmp"
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/payrack/payrack/adapters/outbound/providers/form"
	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/money"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/plugins/host"
	"github.com/payrack/payrack/plugins/sdk/provider"
	"github.com/payrack/payrack/ports/outbound"
)

// session is a held release.
type session struct {
	lease *host.Lease
	held  *paymentType
	lane  *lane
	log   *slog.Logger
}

// maxDetail bounds a plugin's text in the log, in bytes.
const maxDetail = 500

// failed tells the operator what is known about a call that did not do what it should.
func (s *session) failed(ctx context.Context, operation string, f provider.Failure) {
	detail := strings.ToValidUTF8(f.Detail[:min(len(f.Detail), maxDetail)], "")
	s.log.LogAttrs(ctx, slog.LevelWarn, "provider call failed",
		slog.String("provider", s.held.Provider), slog.String("version", s.held.Version), slog.String("operation", operation),
		slog.Bool("nothing_sent", f.Effect == provider.EffectNone), slog.String("reason", string(f.Reason)),
		slog.String("code", f.Code), slog.String("detail", detail))
}

// answered turns the answer to a money-moving call into what is known.
func (s *session) answered(ctx context.Context, i outbound.Instruction, a provider.Answer) outbound.Answer {
	out := answerToCore(a)
	if f := a.Failure(); f != nil {
		s.failed(ctx, string(i.Kind), *f)
	} else if out.Reason != "" {
		s.failed(ctx, string(i.Kind), provider.Failure{Reason: provider.Reason(out.Reason), Detail: out.Detail})
	}
	// What the end of a process made fail says nothing about the provider.
	if failed := technical(provider.Reason(out.Reason), out.Evidence.Code); !failed || s.lease.Alive() {
		s.lane.ended(ctx, s.held.Name, i.Payment.Environment, failed)
	}
	return out
}

// found turns the answer to a search into what was found out.
func (s *session) found(ctx context.Context, e company.Environment, a provider.SearchAnswer) outbound.Findings {
	out := findingsToCore(a)
	if f := a.Failure; f != nil {
		s.failed(ctx, "search", *f)
	} else if out.Failed {
		s.failed(ctx, "search", provider.Failure{Reason: provider.Reason(out.Reason), Detail: out.Detail})
	}
	if !out.Failed || !out.NotSent && !technical(provider.Reason(out.Reason), out.Evidence.Code) {
		s.lane.answered(ctx, s.held.Name, e)
	}
	return out
}

// Type describes the payment type as the held release does.
func (s *session) Type() catalogue.Type { return s.held.Type }

// Close lets go of the release; safe to call twice.
func (s *session) Close() { s.lease.Close() }

// Form checks a native request against the columns of an operation.
func (s *session) Form(kind catalogue.Kind, native []byte) (outbound.Form, error) {
	return s.held.form(kind, native)
}

// form checks a native request against the columns of an operation.
func (t *paymentType) form(kind catalogue.Kind, native []byte) (outbound.Form, error) {
	columns, err := t.columnsOf(kind)
	if err != nil {
		return outbound.Form{}, err
	}
	return columns.Read(native) //nolint:wrapcheck // a fault already
}

func (t *paymentType) columnsOf(kind catalogue.Kind) (*form.Columns, error) {
	columns, ok := t.columns[kind]
	if !ok {
		return nil, fault.New(fault.Unsupported, "operation_unsupported", "the payment type "+t.Name+" has no operation "+string(kind))
	}
	return columns, nil
}

// Compose writes neutral values into the columns of an operation.
func (s *session) Compose(kind catalogue.Kind, v catalogue.Values) ([]byte, error) {
	columns, err := s.held.columnsOf(kind)
	if err != nil {
		return nil, err
	}
	if kind == catalogue.Void && !columns.TakesAmount() {
		v.Amount = money.Amount{} // an authorization is cancelled whole
	}
	return columns.Compose(v) //nolint:wrapcheck // a fault already
}

// Send performs a money-moving operation.
func (s *session) Send(ctx context.Context, i outbound.Instruction) outbound.Answer {
	if _, ok := ctx.Deadline(); !ok {
		return notSent(provider.ReasonInternal, "the call has no deadline")
	}
	amount, ok := moneyToWire(i.Operation.Amount)
	if !ok && i.Kind != payment.KindVoid {
		return notSent(provider.ReasonInvalid, "the amount is in a currency that is not charged")
	}
	call := s.call(i)
	reference := provider.Reference{
		OrderID: i.Operation.OrderID, TransactionID: i.Payment.ProviderTransaction, ClientReference: string(i.Operation.ID),
	}
	switch i.Kind {
	case payment.KindPay:
		return s.answered(ctx, i, s.lease.Pay(ctx, provider.PayRequest{
			Call: call, Reference: reference, Amount: amount, Capture: i.Payment.Capture, Description: i.Form.Description,
			Code: provider.NewSecret(i.Form.Code), MandateToken: provider.NewSecret(i.Form.Mandate), Redirect: redirect(i),
		}))
	case payment.KindConfirm:
		return s.answered(ctx, i, s.lease.Confirm(ctx, provider.ConfirmRequest{Call: call, Reference: reference, Amount: amount}))
	case payment.KindCapture:
		return s.answered(ctx, i, s.lease.Capture(ctx, provider.CaptureRequest{Call: call, Reference: reference, Amount: amount}))
	case payment.KindVoid:
		return s.answered(ctx, i, s.lease.Void(ctx, provider.VoidRequest{Call: call, Reference: reference}))
	case payment.KindRefund:
		return s.answered(ctx, i, s.lease.Refund(ctx, provider.RefundRequest{
			Call: call, Reference: reference, Amount: amount, RefundIDsSeen: i.Operation.RefundIDsSeen,
			Bare: !i.Operation.Reversal && i.Form.OrderNumber != "" && i.Form.TransactionID == "" && i.Form.Amount.IsZero(),
		}))
	}
	return notSent(provider.ReasonUnsupported, "there is no such operation")
}

// redirect is where the wallet sends the payer: to the platform, and where it names no address, to the client. A
// payer who showed a code or approved before is sent nowhere.
func redirect(i outbound.Instruction) *provider.Redirect {
	r := provider.Redirect{ConfirmURL: cmp.Or(i.ReturnURL, i.Form.ReturnURL), CancelURL: cmp.Or(i.CancelURL, i.Form.CancelURL)}
	if r.ConfirmURL == "" || i.Form.Code != "" || i.Form.Mandate != "" {
		return nil
	}
	return &r
}

func (s *session) call(i outbound.Instruction) provider.Call {
	c := provider.Call{
		OperationID: string(i.Operation.ID), PaymentType: s.held.Name, Environment: string(i.Payment.Environment),
		NotAfter: i.NotAfter, CredentialRef: i.CredentialRef, Account: i.Payment.Account, Wire: i.Payment.Wire,
		RequestID:  i.Operation.RequestID,
		Credential: provider.NewDocument(i.Credential), Columns: provider.NewDocument(i.Form.Columns),
	}
	if c.RequestID == "" {
		c.RequestID = i.Form.RequestID
	}
	return c
}

// Ask searches.
func (s *session) Ask(ctx context.Context, q outbound.Question) outbound.Findings {
	deadline, ok := ctx.Deadline()
	if !ok {
		return outbound.Findings{Failed: true, NotSent: true, Reason: string(provider.ReasonInternal), Detail: "the call has no deadline"}
	}
	purpose := provider.PurposeClient
	if q.Resolve {
		purpose = provider.PurposeResolve
	}
	answer := s.lease.Search(ctx, provider.SearchRequest{
		Call: provider.Call{
			PaymentType: s.held.Name, Environment: string(q.Environment), NotAfter: notAfter(deadline), CredentialRef: q.CredentialRef,
			Account: q.Account, Wire: q.Wire, RequestID: q.RequestID,
			Credential: provider.NewDocument(q.Credential), Columns: provider.NewDocument(q.Form.Columns),
		},
		Purpose:   purpose,
		Reference: provider.Reference{OrderID: q.OrderID, TransactionID: q.TransactionID},
		About:     provider.Kind(q.About), AboutReference: q.AboutReference,
	})
	return s.found(ctx, q.Environment, answer)
}

// notAfter of a search is its deadline: a search may be sent at any moment of its time.
func notAfter(deadline time.Time) time.Time { return deadline.UTC() }

func notSent(reason provider.Reason, detail string) outbound.Answer {
	return outbound.Answer{Known: payment.KnownNotSent, Reason: string(reason), Detail: detail}
}

func moneyToWire(a money.Amount) (provider.Money, bool) {
	exponent, err := a.Currency.Exponent()
	return provider.Money{Units: a.Units, Currency: string(a.Currency), Exponent: exponent}, err == nil
}
