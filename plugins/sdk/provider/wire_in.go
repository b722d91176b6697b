package provider

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/payrack/payrack/plugins/internal/wire/providerv1"
)

// From the wire: what the host asks. The way back is in wire_out.go; the host has the other two halves.

func callFromWire(c *providerv1.Call) Call {
	return Call{
		OperationID:    c.GetOperationId(),
		PaymentType:    c.GetPaymentType(),
		Environment:    c.GetEnvironment(),
		NotAfter:       timeFromWire(c.GetNotAfter()),
		MustUnderstand: c.GetMustUnderstand(),
		CredentialRef:  c.GetCredentialRef(),
		Account:        c.GetAccount(),
		Wire:           c.GetWire(),
		RequestID:      c.GetRequestId(),
		Credential:     NewDocument(c.GetCredentialJson()),
		Columns:        NewDocument(c.GetColumnsJson()),
	}
}

func timeFromWire(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

func moneyFromWire(m *providerv1.Money) Money {
	return Money{Units: m.GetUnits(), Currency: m.GetCurrency(), Exponent: int(m.GetExponent())}
}

func referenceFromWire(r *providerv1.Reference) Reference {
	return Reference{
		OrderID:         r.GetOrderId(),
		TransactionID:   r.GetProviderTransactionId(),
		ClientReference: r.GetClientReference(),
	}
}

func payFromWire(r *providerv1.PayRequest) PayRequest {
	out := PayRequest{
		Call:        callFromWire(r.GetCall()),
		Reference:   referenceFromWire(r.GetReference()),
		Amount:      moneyFromWire(r.GetAmount()),
		Capture:     r.GetCapture(),
		Description: r.GetDescription(),
	}
	switch means := r.GetMeans().(type) {
	case *providerv1.PayRequest_OneTimeCode:
		out.Code = NewSecret(means.OneTimeCode)
	case *providerv1.PayRequest_MandateToken:
		out.MandateToken = NewSecret(means.MandateToken)
	case *providerv1.PayRequest_Redirect:
		out.Redirect = &Redirect{
			ConfirmURL:  means.Redirect.GetConfirmUrl(),
			CancelURL:   means.Redirect.GetCancelUrl(),
			WantMandate: means.Redirect.GetWantMandate(),
		}
	}
	return out
}

func confirmFromWire(r *providerv1.ConfirmRequest) ConfirmRequest {
	return ConfirmRequest{
		Call:      callFromWire(r.GetCall()),
		Reference: referenceFromWire(r.GetReference()),
		Amount:    moneyFromWire(r.GetAmount()),
	}
}

func captureFromWire(r *providerv1.CaptureRequest) CaptureRequest {
	return CaptureRequest{
		Call:      callFromWire(r.GetCall()),
		Reference: referenceFromWire(r.GetReference()),
		Amount:    moneyFromWire(r.GetAmount()),
	}
}

func voidFromWire(r *providerv1.VoidRequest) VoidRequest {
	return VoidRequest{Call: callFromWire(r.GetCall()), Reference: referenceFromWire(r.GetReference())}
}

func refundFromWire(r *providerv1.RefundRequest) RefundRequest {
	return RefundRequest{
		Call:          callFromWire(r.GetCall()),
		Reference:     referenceFromWire(r.GetReference()),
		Amount:        moneyFromWire(r.GetAmount()),
		RefundIDsSeen: r.GetRefundIdsSeen(),
		Bare:          r.GetBare(),
	}
}

func searchFromWire(r *providerv1.SearchRequest) SearchRequest {
	out := SearchRequest{
		Call:           callFromWire(r.GetCall()),
		Reference:      referenceFromWire(r.GetReference()),
		About:          kindFromWire(r.GetAbout()),
		AboutReference: r.GetAboutReference(),
	}
	// Anything but PURPOSE_CLIENT is the cautious purpose.
	if r.GetPurpose() == providerv1.Purpose_PURPOSE_CLIENT {
		out.Purpose = PurposeClient
	}
	return out
}

func checkMandateFromWire(r *providerv1.CheckMandateRequest) CheckMandateRequest {
	return CheckMandateRequest{
		Call:          callFromWire(r.GetCall()),
		MandateToken:  NewSecret(r.GetMandateToken()),
		AuthorizeCard: r.GetAuthorizeCard(),
	}
}

func expireMandateFromWire(r *providerv1.ExpireMandateRequest) ExpireMandateRequest {
	return ExpireMandateRequest{Call: callFromWire(r.GetCall()), MandateToken: NewSecret(r.GetMandateToken())}
}

func notificationFromWire(r *providerv1.ParseNotificationRequest) Notification {
	out := Notification{Method: r.GetMethod(), URL: r.GetUrl(), Body: r.GetBody()}
	for _, h := range r.GetHeaders() {
		out.Headers = append(out.Headers, [2]string{h.GetName(), h.GetValue()})
	}
	return out
}

func kindFromWire(k providerv1.OperationKind) Kind {
	for kind, number := range kindNumbers {
		if number == k {
			return kind
		}
	}
	return ""
}
