package host

import (
	"math"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/payrack/payrack/plugins/internal/wire/providerv1"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

// To the wire: what we ask. The SDK has the other halves.

func callToWire(c provider.Call) *providerv1.Call {
	return &providerv1.Call{
		OperationId:    c.OperationID,
		Environment:    c.Environment,
		NotAfter:       timeToWire(c.NotAfter),
		MustUnderstand: c.MustUnderstand,
		CredentialRef:  c.CredentialRef,
		Account:        c.Account,
		CredentialJson: c.Credential.Reveal(),
		ColumnsJson:    c.Columns.Reveal(),
		PaymentType:    c.PaymentType,
		Wire:           c.Wire,
		RequestId:      c.RequestID,
	}
}

func timeToWire(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

func moneyToWire(m provider.Money) *providerv1.Money {
	exponent := uint32(math.MaxInt32) // no currency has it: the plugin refuses it
	if m.Exponent >= 0 && m.Exponent < math.MaxInt32 {
		exponent = uint32(m.Exponent)
	}
	return &providerv1.Money{Units: m.Units, Currency: m.Currency, Exponent: exponent}
}

func referenceToWire(r provider.Reference) *providerv1.Reference {
	return &providerv1.Reference{
		OrderId:               r.OrderID,
		ProviderTransactionId: r.TransactionID,
		ClientReference:       r.ClientReference,
	}
}

func payToWire(r provider.PayRequest) *providerv1.PayRequest {
	out := &providerv1.PayRequest{
		Call:        callToWire(r.Call),
		Reference:   referenceToWire(r.Reference),
		Amount:      moneyToWire(r.Amount),
		Capture:     r.Capture,
		Description: r.Description,
	}
	switch {
	case !r.Code.Empty():
		out.Means = &providerv1.PayRequest_OneTimeCode{OneTimeCode: r.Code.Reveal()}
	case !r.MandateToken.Empty():
		out.Means = &providerv1.PayRequest_MandateToken{MandateToken: r.MandateToken.Reveal()}
	case r.Redirect != nil:
		out.Means = &providerv1.PayRequest_Redirect{Redirect: &providerv1.Redirect{
			ConfirmUrl:  r.Redirect.ConfirmURL,
			CancelUrl:   r.Redirect.CancelURL,
			WantMandate: r.Redirect.WantMandate,
		}}
	}
	return out
}

func confirmToWire(r provider.ConfirmRequest) *providerv1.ConfirmRequest {
	return &providerv1.ConfirmRequest{
		Call: callToWire(r.Call), Reference: referenceToWire(r.Reference), Amount: moneyToWire(r.Amount),
	}
}

func captureToWire(r provider.CaptureRequest) *providerv1.CaptureRequest {
	return &providerv1.CaptureRequest{
		Call: callToWire(r.Call), Reference: referenceToWire(r.Reference), Amount: moneyToWire(r.Amount),
	}
}

func voidToWire(r provider.VoidRequest) *providerv1.VoidRequest {
	return &providerv1.VoidRequest{Call: callToWire(r.Call), Reference: referenceToWire(r.Reference)}
}

func refundToWire(r provider.RefundRequest) *providerv1.RefundRequest {
	return &providerv1.RefundRequest{
		Call: callToWire(r.Call), Reference: referenceToWire(r.Reference), Amount: moneyToWire(r.Amount),
		RefundIdsSeen: r.RefundIDsSeen, Bare: r.Bare,
	}
}

func searchToWire(r provider.SearchRequest) *providerv1.SearchRequest {
	out := &providerv1.SearchRequest{
		Call:           callToWire(r.Call),
		Purpose:        providerv1.Purpose_PURPOSE_RESOLVE,
		Reference:      referenceToWire(r.Reference),
		About:          kindToWire(r.About),
		AboutReference: r.AboutReference,
	}
	if r.Purpose == provider.PurposeClient {
		out.Purpose = providerv1.Purpose_PURPOSE_CLIENT
	}
	return out
}

func kindToWire(k provider.Kind) providerv1.OperationKind {
	for number, kind := range kinds {
		if kind == k {
			return number
		}
	}
	return providerv1.OperationKind_OPERATION_KIND_UNSPECIFIED
}

func checkMandateToWire(r provider.CheckMandateRequest) *providerv1.CheckMandateRequest {
	return &providerv1.CheckMandateRequest{
		Call: callToWire(r.Call), MandateToken: r.MandateToken.Reveal(), AuthorizeCard: r.AuthorizeCard,
	}
}

func expireMandateToWire(r provider.ExpireMandateRequest) *providerv1.ExpireMandateRequest {
	return &providerv1.ExpireMandateRequest{Call: callToWire(r.Call), MandateToken: r.MandateToken.Reveal()}
}

func notificationToWire(n provider.Notification) *providerv1.ParseNotificationRequest {
	out := &providerv1.ParseNotificationRequest{Method: n.Method, Url: n.URL, Body: n.Body}
	for _, h := range n.Headers {
		out.Headers = append(out.Headers, &providerv1.Header{Name: h[0], Value: h[1]})
	}
	return out
}
