package app

import (
	"fmt"
	"strconv"

	"github.com/payrack/payrack/core/payment"
)

// column is one column of a row, with the name of its member in the journal.
type column struct{ name, member, value string }

func units(name, member string, value int64) column {
	return column{name, member, strconv.FormatInt(value, 10)}
}

// differing names the columns whose values are not those that were told.
func differing(row string, have, want []column, compared func(member string) bool) []string {
	var all []string
	for i, c := range have {
		if c.value != want[i].value && compared(c.member) {
			all = append(all, fmt.Sprintf("%s %s is %q, the journal says %q", row, c.name, c.value, want[i].value))
		}
	}
	return all
}

// paymentColumns are those of a payment that entries tell.
func paymentColumns(t told) []column {
	return []column{
		{"state", "state", string(t.State)},
		{"failure", "failure", string(t.Failure)},
		{"type", "type", t.Type},
		{"provider", "provider", t.Provider},
		{"account", "account", t.Account},
		{"environment", "environment", string(t.Environment)},
		{"company_id", "company", string(t.Company)},
		{"store", "store", string(t.Store)},
		{"order_number", "order_number", t.OrderNumber},
		{"currency", "currency", string(t.Currency)},
		units("amount", "amount", t.Amount),
		units("authorized", "authorized", t.Authorized),
		units("captured", "captured", t.Captured),
		units("refunded", "refunded", t.Refunded),
		units("refund_reserved", "refund_reserved", t.RefundReserved),
		{"provider_transaction", "provider_transaction_id", t.ProviderTransaction},
		{"code", "code", t.Code},
		{"decline_code", "decline_code", t.DeclineCode},
	}
}

// operationColumns are those of an operation that entries tell, but for what a claim changes without an entry.
func operationColumns(t told) []column {
	reversal := int64(-1)
	if t.Reversal != nil {
		reversal = *t.Reversal
	}
	order := t.OrderID
	if order == "" {
		order = t.OrderNumber
	}
	return []column{
		{"id", "operation_id", string(t.Operation)},
		{"kind", "operation_kind", string(t.Kind)},
		{"state", "operation_state", string(t.OperationState)},
		{"failure", "operation_failure", string(t.OperationFailure)},
		{"currency", "currency", string(t.Currency)},
		units("amount", "operation_amount", t.OperationAmount),
		{"order_id", "order_id", order},
		{"code", "operation_code", t.OperationCode},
		units("reversal and attempt", "reversal", reversal),
	}
}

// heldPayment and heldOperation are rows in the words of an entry.
func heldPayment(p payment.Payment) told {
	return told{
		State: p.State, Failure: p.Failure, Type: p.Type, Provider: p.Provider, Account: p.Account, Environment: p.Environment,
		Company: p.Company, Store: p.Store, OrderNumber: p.OrderNumber, Currency: p.Amount.Currency, Amount: p.Amount.Units,
		Authorized: p.Authorized, Captured: p.Captured, Refunded: p.Refunded, RefundReserved: p.RefundReserved,
		ProviderTransaction: p.ProviderTransaction, Code: p.Code, DeclineCode: p.DeclineCode,
	}
}

func heldOperation(o payment.Operation) told {
	t := told{
		Operation: o.ID, Kind: o.Kind, OperationState: o.State, OperationFailure: o.Failure, Currency: o.Amount.Currency,
		OperationAmount: o.Amount.Units, OrderID: o.OrderID, OperationCode: o.Code,
	}
	if o.Reversal {
		attempt := int64(o.Attempt)
		t.Reversal = &attempt
	}
	return t
}
