package provider

import (
	"encoding/json"
	"math"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/payrack/payrack/plugins/internal/handshake"
	"github.com/payrack/payrack/plugins/internal/wire/providerv1"
)

// To the wire: what the plugin answers.

// contentTypeJSON is the only content type of a native body that the contract knows today.
const contentTypeJSON = "application/json"

func answerToWire(a Answer) *providerv1.Answer {
	out := &providerv1.Answer{Native: nativeToWire(a.native)}
	switch {
	case !sendable(a.native):
		// An answer whose body the client cannot be shown is not an answer. Whether money moved is open.
		out.Native = nil
		out.Known = &providerv1.Answer_Error{Error: badNative()}
	case a.result != nil:
		out.Known = &providerv1.Answer_Result{Result: resultToWire(a.outcome, a.result)}
	case a.failure != nil:
		out.Known = &providerv1.Answer_Error{Error: failureToWire(a.failure)}
	}
	return out
}

func sendable(n Native) bool {
	if len(n.Body) == 0 {
		return true
	}
	return len(n.Body) <= handshake.MaxNative && isObject(n.Body)
}

// isObject reports whether the bytes are one complete JSON object.
func isObject(b json.RawMessage) bool {
	for _, c := range b {
		switch c {
		case ' ', '\t', '\r', '\n':
			continue
		case '{':
			return json.Valid(b)
		}
		return false
	}
	return false
}

func nativeToWire(n Native) *providerv1.Native {
	if len(n.Body) == 0 {
		return nil
	}
	return &providerv1.Native{ContentType: contentTypeJSON, Body: n.Body, Sensitive: n.Sensitive}
}

func resultToWire(o Outcome, r *Result) *providerv1.Result {
	return &providerv1.Result{
		Outcome:              outcomeToWire(o),
		Reference:            referenceToWire(r.Reference),
		Authorized:           moneyToWire(r.Authorized),
		Captured:             moneyToWire(r.Captured),
		Refunded:             moneyToWire(r.Refunded),
		ProviderCode:         clean(r.Code, maxCode),
		DeclineCode:          clean(r.DeclineCode, maxCode),
		Action:               actionToWire(r.Action),
		Mandate:              mandateToWire(r.Mandate),
		ProviderTime:         timeToWire(r.ProviderTime),
		AuthorizationExpires: timeToWire(r.AuthorizationExpires),
	}
}

func outcomeToWire(o Outcome) providerv1.Outcome {
	switch o {
	case OutcomeApproved:
		return providerv1.Outcome_OUTCOME_APPROVED
	case OutcomeDeclined:
		return providerv1.Outcome_OUTCOME_DECLINED
	case OutcomeRequiresAction:
		return providerv1.Outcome_OUTCOME_REQUIRES_ACTION
	case OutcomeUnknown:
		return providerv1.Outcome_OUTCOME_UNKNOWN
	default:
		return providerv1.Outcome_OUTCOME_UNKNOWN
	}
}

func failureToWire(f *Failure) *providerv1.OpError {
	if f == nil {
		return nil
	}
	out := &providerv1.OpError{
		Effect:       providerv1.Effect_EFFECT_POSSIBLE,
		Reason:       reasonNumbers[f.Reason],
		ProviderCode: clean(f.Code, maxCode),
		Detail:       clean(f.Detail, maxDetail),
	}
	if f.Effect == EffectNone {
		out.Effect = providerv1.Effect_EFFECT_NONE
	}
	if f.RetryAfter > 0 {
		out.RetryAfter = durationpb.New(f.RetryAfter)
	}
	return out
}

// The longest texts of an answer in bytes.
const (
	maxDetail = 500
	maxCode   = 64
)

// clean keeps a text of the gateway within bounds; invalid UTF-8 would make the whole answer unreadable.
func clean(s string, most int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= most {
		return s
	}
	for most > 0 && s[most]&0xC0 == 0x80 { // not inside a UTF-8 sequence
		most--
	}
	return s[:most]
}

func referenceToWire(r Reference) *providerv1.Reference {
	if r == (Reference{}) {
		return nil
	}
	return &providerv1.Reference{
		OrderId:               r.OrderID,
		ProviderTransactionId: r.TransactionID,
		ClientReference:       r.ClientReference,
	}
}

func moneyToWire(m *Money) *providerv1.Money {
	if m == nil {
		return nil
	}
	return &providerv1.Money{Units: m.Units, Currency: m.Currency, Exponent: toUint32(m.Exponent)}
}

func toUint32(n int) uint32 {
	if n < 0 || n > math.MaxInt32 {
		return math.MaxInt32 // no currency has it: the other side refuses it
	}
	return uint32(n)
}

func timeToWire(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

func actionToWire(a *Action) *providerv1.Action {
	if a == nil {
		return nil
	}
	return &providerv1.Action{WebUrl: a.WebURL, AppUrl: a.AppURL, Expires: timeToWire(a.Expires), Token: a.Token.Reveal()}
}

func mandateToWire(m *Mandate) *providerv1.Mandate {
	if m == nil {
		return nil
	}
	out := &providerv1.Mandate{Token: m.Token.Reveal(), Label: clean(m.Label, maxDetail), Expires: timeToWire(m.Expires)}
	switch m.State {
	case MandateActive:
		out.State = providerv1.MandateState_MANDATE_STATE_ACTIVE
	case MandateDead:
		out.State = providerv1.MandateState_MANDATE_STATE_DEAD
	case MandateUnspecified:
		out.State = providerv1.MandateState_MANDATE_STATE_UNSPECIFIED
	}
	return out
}

func searchToWire(a SearchAnswer) *providerv1.SearchResponse {
	out := &providerv1.SearchResponse{Native: nativeToWire(a.Native)}
	switch {
	case !sendable(a.Native):
		out.Native = nil
		out.Known = &providerv1.SearchResponse_Error{Error: badNative()}
	case a.Findings != nil:
		out.Known = &providerv1.SearchResponse_Findings{Findings: findingsToWire(a.Findings)}
	default:
		out.Known = &providerv1.SearchResponse_Error{Error: failureOrEmpty(a.Failure)}
	}
	return out
}

func badNative() *providerv1.OpError {
	return failureToWire(&Failure{Reason: ReasonBadAnswer, Detail: "the native body is longer than 64 KiB or no JSON object"})
}

func failureOrEmpty(f *Failure) *providerv1.OpError {
	if f == nil {
		f = &Failure{Reason: ReasonInternal, Detail: "the plugin gave an empty answer"}
	}
	return failureToWire(f)
}

func findingsToWire(f *Findings) *providerv1.Findings {
	out := &providerv1.Findings{
		Finding:    findingToWire(f.Finding),
		Complete:   f.Complete,
		Reference:  referenceToWire(f.Reference),
		Authorized: moneyToWire(f.Authorized),
		Captured:   moneyToWire(f.Captured),
		Refunded:   moneyToWire(f.Refunded),
		Mandate:    mandateToWire(f.Mandate),
	}
	for _, m := range f.Movements {
		out.Movements = append(out.Movements, &providerv1.Movement{
			Kind:            kindNumbers[m.Kind],
			Id:              m.ID,
			ClientReference: m.ClientReference,
			Amount:          moneyToWire(&m.Amount),
			At:              timeToWire(m.At),
		})
	}
	return out
}

func findingToWire(f Finding) providerv1.Finding {
	switch f {
	case FindingFound:
		return providerv1.Finding_FINDING_FOUND
	case FindingNotFound:
		return providerv1.Finding_FINDING_NOT_FOUND
	case FindingAwaitingPayer:
		return providerv1.Finding_FINDING_AWAITING_PAYER
	case FindingPayerApproved:
		return providerv1.Finding_FINDING_PAYER_APPROVED
	case FindingEnded:
		return providerv1.Finding_FINDING_ENDED
	case FindingInProgress:
		return providerv1.Finding_FINDING_IN_PROGRESS
	default:
		return providerv1.Finding_FINDING_IN_PROGRESS
	}
}

func mandateKnown(a MandateAnswer) (*providerv1.Mandate, *providerv1.OpError, *providerv1.Native) {
	switch {
	case !sendable(a.Native):
		return nil, badNative(), nil
	case a.Mandate != nil:
		return mandateToWire(a.Mandate), nil, nativeToWire(a.Native)
	default:
		return nil, failureOrEmpty(a.Failure), nativeToWire(a.Native)
	}
}

func checkMandateToWire(a MandateAnswer) *providerv1.CheckMandateResponse {
	mandate, failure, native := mandateKnown(a)
	out := &providerv1.CheckMandateResponse{Native: native}
	if mandate != nil {
		out.Known = &providerv1.CheckMandateResponse_Mandate{Mandate: mandate}
	} else {
		out.Known = &providerv1.CheckMandateResponse_Error{Error: failure}
	}
	return out
}

func expireMandateToWire(a MandateAnswer) *providerv1.ExpireMandateResponse {
	mandate, failure, native := mandateKnown(a)
	out := &providerv1.ExpireMandateResponse{Native: native}
	if mandate != nil {
		out.Known = &providerv1.ExpireMandateResponse_Mandate{Mandate: mandate}
	} else {
		out.Known = &providerv1.ExpireMandateResponse_Error{Error: failure}
	}
	return out
}

func notificationToWire(a NotificationAnswer) *providerv1.ParseNotificationResponse {
	out := &providerv1.ParseNotificationResponse{Status: toUint32(a.Status)}
	if sendable(a.Reply) {
		out.Reply = nativeToWire(a.Reply)
	}
	for _, r := range a.About {
		if w := referenceToWire(r); w != nil {
			out.About = append(out.About, w)
		}
	}
	return out
}
