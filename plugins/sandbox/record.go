package sandbox

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Kind says what an entry of the ledger did with money.
type Kind string

// The kinds of the ledger.
const (
	Charge    Kind = "charge"    // money was taken
	Authorize Kind = "authorize" // money was held
	Capture   Kind = "capture"   // held money was taken; the rest of the hold is released
	Void      Kind = "void"      // a hold was released, or a whole charge was undone
	Refund    Kind = "refund"    // taken money was given back, in part or whole
)

// Entry is one movement of money.
type Entry struct {
	// Seq orders entries and requests together, oldest first.
	Seq uint64 `json:"seq"`
	// At is the sandbox's clock.
	At time.Time `json:"at"`
	// Provider and Account name whose money it is.
	Provider string `json:"provider"`
	Account  string `json:"account"`
	// OrderID as the provider was told.
	OrderID string `json:"order_id"`
	// BaseOrderID is OrderID without a suffix for a second attempt (-2, -3, …), if the order before
	// the suffix was seen too; otherwise it equals OrderID.
	BaseOrderID string `json:"base_order_id"`
	// TransactionID is the provider's id of this movement, in text.
	TransactionID string `json:"transaction_id"`
	// OriginalTransactionID is the provider's id of the payment that a capture, void or refund belongs to.
	OriginalTransactionID string `json:"original_transaction_id,omitempty"`
	Kind                  Kind   `json:"kind"`
	// Amount in the currency's charge unit, always positive: 229 TWD is 229, 9.99 USD is 999.
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

// Request is one transmission that arrived.
type Request struct {
	Seq      uint64    `json:"seq"`
	At       time.Time `json:"at"`
	Provider string    `json:"provider"`
	// Operation is one of [Operations].
	Operation string `json:"operation"`
	// OrderID is empty if the request names none.
	OrderID     string `json:"order_id"`
	BaseOrderID string `json:"base_order_id"`
	// TraceID is the trace of the traceparent header; empty if there is none.
	TraceID string `json:"trace_id"`
	// Redelivered marks the second delivery of one transmission, which the client did not send:
	// the fault duplicate_delivery.
	Redelivered bool `json:"redelivered,omitzero"`
}

// Violation is something a client must never do, although the provider would let it pass.
type Violation struct {
	At       time.Time `json:"at"`
	Provider string    `json:"provider"`
	// Rule that was broken, such as iv_reused.
	Rule    string `json:"rule"`
	OrderID string `json:"order_id"`
}

// The words for what a request asks for.
const (
	OpPay            = "pay"
	OpCheck          = "check"
	OpDetails        = "details"
	OpAuthorizations = "authorizations"
	OpRequest        = "request"
	OpStatus         = "status"
	OpConfirm        = "confirm"
	OpCapture        = "capture"
	OpVoid           = "void"
	OpRefund         = "refund"
	OpSearch         = "search"
	OpMandatePay     = "mandate_pay"
	OpMandateCheck   = "mandate_check"
	OpMandateExpire  = "mandate_expire"
	// OpOther is a request to a path that the dialect does not serve. No fault can name it.
	OpOther = "other"
)

// Operations returns the words that a fault can name.
func Operations() []string {
	return []string{
		OpPay, OpCheck, OpDetails, OpAuthorizations, OpRequest, OpStatus, OpConfirm, OpCapture, OpVoid,
		OpRefund, OpSearch, OpMandatePay, OpMandateCheck, OpMandateExpire,
	}
}

// record is one line of the journal: one change, whole or not at all.
type record struct {
	Seq       uint64     `json:"seq"`
	Install   *install   `json:"install,omitzero"`
	Request   *Request   `json:"request,omitzero"`
	Entry     *Entry     `json:"entry,omitzero"`
	Violation *Violation `json:"violation,omitzero"`
	Clock     *clockSet  `json:"clock,omitzero"`
	Rows      []row      `json:"rows,omitempty"`
}

// install is the first line of a journal.
type install struct {
	// Format of the journal.
	Format int `json:"format"`
	// Base is where this sandbox's serial numbers start, so that two sandboxes differ.
	Base uint64 `json:"base"`
}

// clockSet is how far the sandbox's clock is ahead.
type clockSet struct {
	AheadMS int64 `json:"ahead_ms"`
}

// row is the new value of one key of one book.
type row struct {
	Book  string         `json:"book"`
	Key   string         `json:"key"`
	Value jsontext.Value `json:"value"`
}
