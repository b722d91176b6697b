package ipass

import (
	"errors"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// findings says what a record means. The amounts are reported as they are; the platform compares them.
func (p *Provider) findings(found record, r provider.SearchRequest, c credential) (provider.Findings, error) {
	amount, err := found.Amount.units()
	if err != nil {
		return provider.Findings{}, err
	}
	f := provider.Findings{
		Finding:   provider.FindingInProgress,
		Reference: provider.Reference{OrderID: string(found.OrderNumber), TransactionID: string(found.transaction())},
	}
	refunded, err := found.refunds(&f, r)
	if err != nil {
		return provider.Findings{}, err
	}
	switch p.wire.PayStatus[string(found.PayStatus)] {
	case statusPaid, statusPartlyRefunded:
		if refunded == nil && r.About == provider.KindRefund {
			// Without a sum and without a list nothing tells whether a refund landed, and a second one would
			// give the money back twice: it stays open until a person looks.
			return f, nil
		}
		f.Finding, f.Complete, f.Captured, f.Refunded = provider.FindingFound, true, amount, refunded
	case statusRefunded:
		if refunded == nil {
			refunded = amount
		}
		f.Finding, f.Complete, f.Captured, f.Refunded = provider.FindingFound, true, amount, refunded
	case statusReversed, statusFailed:
		f.Finding, f.Complete = provider.FindingEnded, true
	case statusOpen:
		if c.SeparateCapture && amount != nil && found.transaction() != "" {
			// Said in full: held, and nothing of it taken.
			f.Finding, f.Complete, f.Authorized = provider.FindingFound, true, amount
			f.Captured = &provider.Money{Currency: currency}
		}
	}
	untouched := refunded == nil || refunded.Units == 0
	if r.Purpose == provider.PurposeResolve && r.About == provider.KindPay && c.AmountCheck == checkAtMost && untouched {
		// A discount made it less than was asked for, which this merchant accepts. A search is not told what
		// was asked for, and an amount that is not named is no difference.
		f.Captured = nil
	}
	return f, nil
}

// refunds reads the sum given back and lists each refund; nil if the record tells neither.
func (r record) refunds(f *provider.Findings, asked provider.SearchRequest) (*provider.Money, error) {
	sum, err := r.RefundedAmount.units()
	if err != nil || r.CancelList == nil {
		return sum, err
	}
	var listed int64
	for _, entry := range r.CancelList {
		amount, err := entry.Amount.units()
		if err != nil {
			return nil, err
		}
		if amount == nil {
			return nil, errors.New("a refund in the record has no amount")
		}
		listed += amount.Units
		m := provider.Movement{
			Kind: provider.KindRefund, ID: string(entry.CancelTransactionID), ClientReference: string(entry.ReqID),
			Amount: *amount, At: instant(entry.CancelDateTime),
		}
		if entry.is(asked) && asked.AboutReference != "" {
			m.ClientReference = asked.AboutReference
		}
		f.Movements = append(f.Movements, m)
	}
	if sum == nil {
		return &provider.Money{Units: listed, Currency: currency}, nil
	}
	if sum.Units != listed {
		return nil, errors.New("the sum of the refunds in the record is not the sum that it names")
	}
	return sum, nil
}

// is reports whether a refund is the one in doubt.
func (e cancel) is(asked provider.SearchRequest) bool {
	id, known := idInDoubt(asked)
	return known && asked.About == provider.KindRefund && strings.EqualFold(string(e.ReqID), id)
}

// idInDoubt is the id under which the operation in doubt was sent. It is known if the client gave one, or from our
// name of the operation.
func idInDoubt(asked provider.SearchRequest) (string, bool) {
	if asked.Call.RequestID == "" && asked.AboutReference == "" {
		return "", false
	}
	return requestID(asked.Call, asked.AboutReference), true
}

// asAnswered is the answer that the operation in doubt would have brought, as far as the record gives its
// members: what the client of that operation gets when it asks again. It is empty where the operation did not
// take effect, or where the record does not tell that it did.
func (w Wire) asAnswered(found record, r provider.SearchRequest, f provider.Findings) provider.Native {
	members, ok := found.answered(w, r, f)
	if !ok {
		return provider.Native{}
	}
	body, err := whole(members)
	if err != nil {
		return provider.Native{}
	}
	carrier := slices.ContainsFunc(members, func(m member) bool { return m.name == "electronic_invoice_carrier" && textOf(m.value) != "" })
	return provider.Native{Body: body, Sensitive: carrier}
}

func (r record) answered(w Wire, asked provider.SearchRequest, f provider.Findings) ([]member, bool) {
	taken := f.Finding == provider.FindingFound
	switch asked.About {
	case provider.KindPay:
		return r.pick(asked, payOrder), taken
	case provider.KindCapture:
		order := []string{"transaction_id", "transaction_date_time", "amount", "order_number", "return_code", "return_msg", "req_id"}
		return r.pick(asked, order), taken && w.PayStatus[string(r.PayStatus)] != statusOpen
	case provider.KindVoid:
		return r.pick(asked, voidOrder), w.PayStatus[string(r.PayStatus)] == statusReversed
	case provider.KindRefund:
		i := slices.IndexFunc(r.CancelList, func(e cancel) bool { return e.is(asked) })
		if !taken || i < 0 {
			return nil, false
		}
		e := r.CancelList[i]
		own := r
		own.members = append([]member{
			quoted("cancel_transaction_id", string(e.CancelTransactionID)),
			quoted("cancel_date_time", string(e.CancelDateTime)),
			{name: "amount", value: jsontext.Value(e.Amount)},
		}, slices.DeleteFunc(slices.Clone(r.members), func(m member) bool { return m.name == "amount" })...)
		return own.pick(asked, refundOrder), true
	case provider.KindConfirm, provider.KindSearch, provider.KindCheckMandate, provider.KindExpireMandate:
	}
	return nil, false
}

// pick takes the members of an answer out of the record, in the answer's order.
func (r record) pick(asked provider.SearchRequest, order []string) []member {
	var members []member
	for _, name := range order {
		i := slices.IndexFunc(r.members, func(m member) bool { return m.name == name })
		switch {
		case name == "req_id":
			// The record's own is the search's.
			if id, known := idInDoubt(asked); known {
				members = append(members, quoted(name, id))
			}
		case i >= 0:
			members = append(members, r.members[i])
		case name == "transaction_id" && r.OriginalTransactionID != "":
			members = append(members, quoted(name, string(r.OriginalTransactionID)))
		}
	}
	return members
}
