package provider

import (
	"cmp"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/payrack/payrack/plugins/internal/tunnel"
	"github.com/payrack/payrack/plugins/internal/wire/providerv1"
)

func infoToWire(name string, d Description) *providerv1.GetInfoResponse {
	out := &providerv1.GetInfoResponse{
		Name:             name,
		Version:          Version,
		ContractRevision: ContractRevision,
		Features:         []string{tunnel.Feature, featureExchanges, featureRehearsal},
		MessageFrom:      d.MessageFrom,
		SettingsSchema:   d.Settings,
		MaxInflight:      toUint32(d.MaxInflight),
	}
	for _, t := range d.Types {
		out.Types = append(out.Types, typeToWire(t))
	}
	return out
}

func typeToWire(t Type) *providerv1.PaymentType {
	out := &providerv1.PaymentType{Name: t.Name, CredentialSchema: t.Credential}
	for _, c := range t.Currencies {
		out.Currencies = append(out.Currencies, &providerv1.Currency{Code: c.Code, Exponent: toUint32(c.Exponent)})
	}
	for _, o := range t.Operations {
		out.Operations = append(out.Operations, operationToWire(o))
	}
	return out
}

func operationToWire(o Operation) *providerv1.Operation {
	out := &providerv1.Operation{
		Kind:             kindNumbers[o.Kind],
		ColumnsSchema:    o.Columns,
		AnswerSchema:     o.Answer,
		MovesMoney:       o.MovesMoney,
		OrderIdUnique:    o.OrderIDUnique,
		IdempotentReplay: o.IdempotentReplay,
		FoundByOrderId:   o.FoundByOrderID,
		CancelsUnlanded:  o.CancelsUnlanded,
		CarriesReference: o.CarriesReference,
		SearchLagMax:     spanToWire(o.SearchLagMax),
		LandingMax:       spanToWire(o.LandingMax),
		MaxDuration:      spanToWire(o.MaxDuration),
	}
	for _, r := range o.Aliases {
		out.Aliases = append(out.Aliases, &providerv1.Route{Method: r.Method, Path: r.Path})
	}
	for s, body := range o.Bodies {
		out.NativeBodies = append(out.NativeBodies, &providerv1.NativeBody{Situation: situationToWire(s), Body: body})
	}
	// A map has no order, and the same release must describe itself in the same bytes each time.
	slices.SortFunc(out.GetNativeBodies(), func(a, b *providerv1.NativeBody) int {
		return cmp.Compare(a.GetSituation(), b.GetSituation())
	})
	return out
}

func spanToWire(d time.Duration) *durationpb.Duration {
	if d == 0 {
		return nil
	}
	return durationpb.New(d)
}

func situationToWire(s Situation) providerv1.Situation {
	switch s {
	case SituationDuplicateOrder:
		return providerv1.Situation_SITUATION_DUPLICATE_ORDER
	case SituationInProgress:
		return providerv1.Situation_SITUATION_IN_PROGRESS
	case SituationReversing:
		return providerv1.Situation_SITUATION_REVERSING
	case SituationUnspecified:
		return providerv1.Situation_SITUATION_UNSPECIFIED
	default:
		return providerv1.Situation_SITUATION_UNSPECIFIED
	}
}

var kindNumbers = map[Kind]providerv1.OperationKind{
	KindPay:           providerv1.OperationKind_OPERATION_KIND_PAY,
	KindConfirm:       providerv1.OperationKind_OPERATION_KIND_CONFIRM,
	KindCapture:       providerv1.OperationKind_OPERATION_KIND_CAPTURE,
	KindVoid:          providerv1.OperationKind_OPERATION_KIND_VOID,
	KindRefund:        providerv1.OperationKind_OPERATION_KIND_REFUND,
	KindSearch:        providerv1.OperationKind_OPERATION_KIND_SEARCH,
	KindCheckMandate:  providerv1.OperationKind_OPERATION_KIND_CHECK_MANDATE,
	KindExpireMandate: providerv1.OperationKind_OPERATION_KIND_EXPIRE_MANDATE,
}

var reasonNumbers = map[Reason]providerv1.Reason{
	ReasonUnspecified: providerv1.Reason_REASON_UNSPECIFIED,
	ReasonInvalid:     providerv1.Reason_REASON_INVALID,
	ReasonAuth:        providerv1.Reason_REASON_AUTH,
	ReasonRateLimited: providerv1.Reason_REASON_RATE_LIMITED,
	ReasonUnavailable: providerv1.Reason_REASON_UNAVAILABLE,
	ReasonTimeout:     providerv1.Reason_REASON_TIMEOUT,
	ReasonBadAnswer:   providerv1.Reason_REASON_BAD_ANSWER,
	ReasonUnsupported: providerv1.Reason_REASON_UNSUPPORTED,
	ReasonInternal:    providerv1.Reason_REASON_INTERNAL,
}
