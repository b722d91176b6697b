package app

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/journal"
	"github.com/payrack/payrack/core/money"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/core/webhook"
)

// asked adds to the entry of an intent who asked for it. Nobody did where the platform acts by itself.
func (d draft) asked(b *fact) { b.some("client", d.command.Principal.Client) }

// told is what an entry of a payment's journal says: what facts wrote.
type told struct {
	At                  time.Time              `json:"at"`
	Event               string                 `json:"event"`
	State               payment.State          `json:"state"`
	Failure             payment.Failure        `json:"failure"`
	Type                string                 `json:"type"`
	Provider            string                 `json:"provider"`
	Account             string                 `json:"account"`
	Environment         company.Environment    `json:"environment"`
	Company             company.ID             `json:"company"`
	Store               company.StoreID        `json:"store"`
	Client              string                 `json:"client"`
	OrderNumber         string                 `json:"order_number"`
	OrderID             string                 `json:"order_id"`
	Currency            money.Currency         `json:"currency"`
	Amount              int64                  `json:"amount"`
	Authorized          int64                  `json:"authorized"`
	Captured            int64                  `json:"captured"`
	Refunded            int64                  `json:"refunded"`
	RefundReserved      int64                  `json:"refund_reserved"`
	ProviderTransaction string                 `json:"provider_transaction_id"`
	Code                string                 `json:"code"`
	DeclineCode         string                 `json:"decline_code"`
	Operation           payment.OperationID    `json:"operation_id"`
	Kind                payment.Kind           `json:"operation_kind"`
	OperationState      payment.OperationState `json:"operation_state"`
	OperationFailure    payment.Failure        `json:"operation_failure"`
	OperationAmount     int64                  `json:"operation_amount"`
	Reversal            *int64                 `json:"reversal"`
	Checks              int                    `json:"checks"`
	OperationCode       string                 `json:"operation_code"`
	Epoch               int64                  `json:"epoch"`
	Release             string                 `json:"release"`
	TraceID             string                 `json:"trace_id"`
	Actor               string                 `json:"actor"`
	Approver            string                 `json:"approver"`
	Evidence            string                 `json:"evidence"`
}

// paymentStream is how the name of a payment's journal begins.
const paymentStream = "payment/"

// paymentOf is the payment whose journal a stream is.
func paymentOf(stream string) (payment.ID, bool) {
	id, ok := strings.CutPrefix(stream, paymentStream)
	return payment.ID(id), ok
}

// unreadable is the code of an entry that cannot be read.
const unreadable = "journal_unreadable"

// read reads an entry of a payment's journal.
func read(e journal.Entry) (told, error) {
	var t told
	if err := json.Unmarshal(e.Body, &t); err != nil {
		return told{}, fault.Wrap(fault.Internal, unreadable,
			"an entry of the journal cannot be read; payrack audit verify says whether it was changed", err)
	}
	return t, nil
}

// change is the part of an entry that decides which event it is.
func (t told) change() webhook.Change {
	return webhook.Change{State: t.State, Kind: t.Kind, Operation: t.OperationState, Reversal: t.Reversal != nil}
}

// then is the record as it was after the entry: what never changes is taken from the record as it is.
func (t told) then(now payment.Record) payment.Record {
	p, o := &now.Payment, &now.Operation
	p.State, p.Failure, p.Code, p.DeclineCode = t.State, t.Failure, t.Code, t.DeclineCode
	p.Authorized, p.Captured, p.Refunded, p.RefundReserved = t.Authorized, t.Captured, t.Refunded, t.RefundReserved
	p.ProviderTransaction, p.UpdatedAt = t.ProviderTransaction, t.At
	o.OrderID = t.OrderID
	if t.OrderID == "" {
		o.OrderID = p.OrderNumber
	}
	return now
}
