package sqlstore

import (
	"encoding/json"
	"time"

	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/journal"
	"github.com/payrack/payrack/core/money"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
)

// paymentRow is a payment as it is read. Columns are listed, never *, so that a new column may be there
// before the program knows it.
type paymentRow struct {
	ID                  string  `bun:"id"`
	CompanyID           string  `bun:"company_id"`
	Environment         string  `bun:"environment"`
	Store               string  `bun:"store"`
	Type                string  `bun:"type"`
	Provider            string  `bun:"provider"`
	Account             string  `bun:"account"`
	Wire                string  `bun:"wire"`
	OrderNumber         string  `bun:"order_number"`
	Attempt             int64   `bun:"attempt"`
	Currency            string  `bun:"currency"`
	Amount              int64   `bun:"amount"`
	Capture             bool    `bun:"capture"`
	Authorized          int64   `bun:"authorized"`
	Captured            int64   `bun:"captured"`
	Refunded            int64   `bun:"refunded"`
	RefundReserved      int64   `bun:"refund_reserved"`
	State               string  `bun:"state"`
	Failure             string  `bun:"failure"`
	Code                string  `bun:"code"`
	DeclineCode         string  `bun:"decline_code"`
	ProviderTransaction *string `bun:"provider_transaction"`
	AuthorizationEnds   *int64  `bun:"authorization_ends"`
	ReturnURL           string  `bun:"return_url"`
	CancelURL           string  `bun:"cancel_url"`
	Mandate             string  `bun:"mandate"`
	CredentialRef       string  `bun:"credential_ref"`
	PluginRelease       string  `bun:"plugin_release"`
	Version             int64   `bun:"version"`
	Chain               []byte  `bun:"chain"`
	CreatedAt           int64   `bun:"created_at"`
	UpdatedAt           int64   `bun:"updated_at"`
}

func paymentColumns() []string {
	return []string{
		"id", "company_id", "environment", "store", "type", "provider", "account", "wire", "order_number",
		"attempt", "currency", "amount", "capture", "authorized", "captured", "refunded", "refund_reserved", "state",
		"failure", "code", "decline_code", "provider_transaction", "authorization_ends", "return_url",
		"cancel_url", "mandate", "credential_ref", "plugin_release", "version", "chain", "created_at", "updated_at",
	}
}

func (r paymentRow) payment() payment.Payment {
	p := payment.Payment{
		ID:                  payment.ID(r.ID),
		Company:             company.ID(r.CompanyID),
		Environment:         company.Environment(r.Environment),
		Store:               company.StoreID(r.Store),
		Type:                r.Type,
		Provider:            r.Provider,
		Account:             r.Account,
		Wire:                r.Wire,
		OrderNumber:         r.OrderNumber,
		Attempt:             int(r.Attempt),
		Amount:              money.Amount{Units: r.Amount, Currency: money.Currency(r.Currency)},
		Capture:             r.Capture,
		Authorized:          r.Authorized,
		Captured:            r.Captured,
		Refunded:            r.Refunded,
		RefundReserved:      r.RefundReserved,
		State:               payment.State(r.State),
		Failure:             payment.Failure(r.Failure),
		Code:                r.Code,
		DeclineCode:         r.DeclineCode,
		ProviderTransaction: text(r.ProviderTransaction),
		AuthorizationEnds:   instant(r.AuthorizationEnds),
		ReturnURL:           r.ReturnURL,
		CancelURL:           r.CancelURL,
		Mandate:             r.Mandate,
		CredentialRef:       r.CredentialRef,
		Release:             r.PluginRelease,
		Version:             r.Version,
		CreatedAt:           utc(r.CreatedAt),
		UpdatedAt:           utc(r.UpdatedAt),
	}
	copy(p.Chain[:], r.Chain)
	return p
}

// operationRow is an operation as it is read.
type operationRow struct {
	ID                  string  `bun:"id"`
	PaymentID           string  `bun:"payment_id"`
	Kind                string  `bun:"kind"`
	State               string  `bun:"state"`
	Failure             string  `bun:"failure"`
	Currency            string  `bun:"currency"`
	Amount              int64   `bun:"amount"`
	OrderID             string  `bun:"order_id"`
	RequestID           string  `bun:"request_id"`
	Reversal            bool    `bun:"reversal"`
	Attempt             int64   `bun:"attempt"`
	RetryOf             string  `bun:"retry_of"`
	ProviderTransaction *string `bun:"provider_transaction"`
	RefundIDsSeen       string  `bun:"refund_ids_seen"`
	Epoch               int64   `bun:"epoch"`
	OwnerBoot           string  `bun:"owner_boot"`
	SendDeadline        *int64  `bun:"send_deadline"`
	NextCheckAt         *int64  `bun:"next_check_at"`
	Checks              int64   `bun:"checks"`
	WatchedMS           int64   `bun:"watched_ms"`
	Absences            int64   `bun:"absences"`
	AbsentMS            int64   `bun:"absent_ms"`
	Code                string  `bun:"code"`
	DeclineCode         string  `bun:"decline_code"`
	PluginRelease       string  `bun:"plugin_release"`
	TraceID             string  `bun:"trace_id"`
	SealedCredential    []byte  `bun:"sealed_credential"`
	SealedReply         []byte  `bun:"sealed_reply"`
	CreatedAt           int64   `bun:"created_at"`
	UpdatedAt           int64   `bun:"updated_at"`
}

func operationColumns() []string {
	return []string{
		"id", "payment_id", "kind", "state", "failure", "currency", "amount", "order_id", "request_id", "reversal",
		"attempt", "retry_of", "provider_transaction", "refund_ids_seen", "epoch", "owner_boot", "send_deadline", "next_check_at", "checks",
		"watched_ms", "absences", "absent_ms", "code", "decline_code", "plugin_release", "trace_id", "sealed_credential", "sealed_reply",
		"created_at", "updated_at",
	}
}

func (r operationRow) operation() (payment.Operation, error) {
	var seen []string
	if err := json.Unmarshal([]byte(r.RefundIDsSeen), &seen); err != nil {
		return payment.Operation{}, internal(err)
	}
	if len(seen) == 0 {
		seen = nil
	}
	return payment.Operation{
		ID:                  payment.OperationID(r.ID),
		Payment:             payment.ID(r.PaymentID),
		Kind:                payment.Kind(r.Kind),
		State:               payment.OperationState(r.State),
		Failure:             payment.Failure(r.Failure),
		Amount:              money.Amount{Units: r.Amount, Currency: money.Currency(r.Currency)},
		OrderID:             r.OrderID,
		RequestID:           r.RequestID,
		Reversal:            r.Reversal,
		Attempt:             int(r.Attempt),
		RetryOf:             payment.OperationID(r.RetryOf),
		ProviderTransaction: text(r.ProviderTransaction),
		RefundIDsSeen:       seen,
		Epoch:               r.Epoch,
		OwnerBoot:           r.OwnerBoot,
		SendDeadline:        instant(r.SendDeadline),
		NextCheckAt:         instant(r.NextCheckAt),
		Checks:              int(r.Checks),
		WatchedMS:           r.WatchedMS,
		Absences:            int(r.Absences),
		AbsentMS:            r.AbsentMS,
		Code:                r.Code,
		DeclineCode:         r.DeclineCode,
		Release:             r.PluginRelease,
		TraceID:             r.TraceID,
		SealedCredential:    filled(r.SealedCredential),
		SealedReply:         filled(r.SealedReply),
		CreatedAt:           utc(r.CreatedAt),
		UpdatedAt:           utc(r.UpdatedAt),
	}, nil
}

// recordRow is a payment beside its current operation.
type recordRow struct {
	Payment   paymentRow   `bun:"embed:p__"`
	Operation operationRow `bun:"embed:o__"`
}

func (r recordRow) record() (payment.Record, error) {
	o, err := r.Operation.operation()
	if err != nil {
		return payment.Record{}, err
	}
	return payment.Record{Payment: r.Payment.payment(), Operation: o}, nil
}

// journalRow is an entry of the journal as it is read.
type journalRow struct {
	Stream string `bun:"stream"`
	N      int64  `bun:"n"`
	At     int64  `bun:"at"`
	Event  string `bun:"event"`
	Body   []byte `bun:"body"`
	Prev   []byte `bun:"prev"`
	Hash   []byte `bun:"hash"`
}

func journalColumns() []string { return []string{"stream", "n", "at", "event", "body", "prev", "hash"} }

func (r journalRow) entry() journal.Entry {
	e := journal.Entry{Stream: r.Stream, N: r.N, At: utc(r.At), Event: r.Event, Body: filled(r.Body)}
	copy(e.Prev[:], r.Prev)
	copy(e.Hash[:], r.Hash)
	return e
}

// claimRow is a stored claim.
type claimRow struct {
	CompanyID   string `bun:"company_id"`
	Environment string `bun:"environment"`
	Scope       string `bun:"scope"`
	KeyHash     []byte `bun:"key_hash"`
	Fingerprint []byte `bun:"fingerprint"`
	PaymentID   string `bun:"payment_id"`
	OperationID string `bun:"operation_id"`
	ClaimedAt   int64  `bun:"claimed_at"`
}

func claimColumns() []string {
	return []string{
		"company_id", "environment", "scope", "key_hash", "fingerprint", "payment_id", "operation_id", "claimed_at",
	}
}

func (r claimRow) claim() outbound.Claim {
	c := outbound.Claim{
		ClaimKey: outbound.ClaimKey{
			Company:     company.ID(r.CompanyID),
			Environment: company.Environment(r.Environment),
			Scope:       outbound.ClaimScope(r.Scope),
		},
		Payment:   payment.ID(r.PaymentID),
		Operation: payment.OperationID(r.OperationID),
		At:        utc(r.ClaimedAt),
	}
	copy(c.Hash[:], r.KeyHash)
	copy(c.Fingerprint[:], r.Fingerprint)
	return c
}

func utc(micro int64) time.Time { return time.UnixMicro(micro).UTC() }

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// filled is b, or nil if there is nothing in it.
func filled(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}
