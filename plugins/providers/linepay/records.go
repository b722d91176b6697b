package linepay

import (
	"errors"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

var (
	errOtherPayment = errors.New("the answer is about another payment than the one asked for")
	errManyPayments = errors.New("the answer shows several payments where one was asked for")
)

// read says what LINE Pay's records mean for the payment that was asked for, and which record is the payment's; -1 is
// none.
func (s inquiry) read(records []record) (f provider.Findings, at int, err error) {
	at = -1
	for i, r := range records {
		switch {
		case !s.matches(r):
			return f, -1, errOtherPayment
		case r.isPayment() && at >= 0:
			return f, -1, errManyPayments
		case r.isPayment():
			at = i
		}
	}
	switch {
	case len(records) == 0:
		return provider.Findings{Finding: provider.FindingNotFound, Complete: true}, -1, nil
	case at < 0:
		// Records of refunds only: the id that was asked for is a refund's.
		f, err = refundFindings(records[0])
	default:
		f, err = records[at].findings()
	}
	return f, at, err
}

// matches reports whether a record is about what was asked for. An absent member is no difference; the id
// may also be that of one of the payment's refunds.
func (s inquiry) matches(r record) bool {
	if s.asked.OrderID != "" && r.OrderID != "" && r.OrderID != s.asked.OrderID {
		return false
	}
	if s.asked.TransactionID == "" || r.TransactionID == "" {
		return true
	}
	asked := number(s.asked.TransactionID)
	if r.TransactionID == asked || r.OriginalTransactionID == asked {
		return true
	}
	for _, refund := range r.RefundList {
		if refund.RefundTransactionID == asked {
			return true
		}
	}
	return false
}

// isPayment: a record with a list of refunds is the payment's, whatever its type says of the last movement.
func (r record) isPayment() bool {
	return r.TransactionType == "" || r.TransactionType == "PAYMENT" || (len(r.RefundList) > 0 && r.OriginalTransactionID == "")
}

func refundFindings(r record) (provider.Findings, error) {
	f := provider.Findings{Finding: provider.FindingInProgress, Reference: provider.Reference{OrderID: r.OrderID}}
	if r.OriginalTransactionID == "" {
		return f, nil
	}
	id, err := r.OriginalTransactionID.id()
	if err != nil {
		return provider.Findings{}, err
	}
	f.Finding, f.Reference.TransactionID = provider.FindingFound, id
	return f, nil
}

// findings reads the amounts of one payment. Where the status is absent, as in v2, payment details
// show captured payments and authorization details authorized ones.
func (r record) findings() (provider.Findings, error) {
	id, err := r.TransactionID.id()
	if err != nil {
		return provider.Findings{}, err
	}
	amount, err := sum(r.PayInfo, r.Currency)
	if err != nil {
		return provider.Findings{}, err
	}
	f := provider.Findings{
		Finding:   provider.FindingFound,
		Complete:  true,
		Reference: provider.Reference{OrderID: r.OrderID, TransactionID: id},
	}
	status := r.PayStatus
	if status == "" {
		status = "CAPTURE"
		if r.authorized {
			status = "AUTHORIZATION"
		}
	}
	switch status {
	case "CAPTURE":
		f.Captured = amount
	case "AUTHORIZATION":
		f.Authorized, f.Captured = amount, nothing(r.Currency)
		return f, nil
	case "VOIDED_AUTHORIZATION", "EXPIRED_AUTHORIZATION":
		f.Finding = provider.FindingEnded
		return f, nil
	default:
		f.Finding, f.Complete = provider.FindingInProgress, false
		return f, nil
	}
	return r.withRefunds(f)
}

// withRefunds adds what was given back, which may be nothing. LINE Pay writes it negative.
func (r record) withRefunds(f provider.Findings) (provider.Findings, error) {
	exponent, ok := exponents[r.Currency]
	if !ok {
		if len(r.RefundList) == 0 {
			return f, nil
		}
		return provider.Findings{}, errNotAmount
	}
	total := provider.Money{Currency: r.Currency, Exponent: exponent}
	for _, entry := range r.RefundList {
		id, err := entry.RefundTransactionID.id()
		if err != nil {
			return provider.Findings{}, err
		}
		v, err := entry.RefundAmount.units(exponent)
		if err != nil {
			return provider.Findings{}, err
		}
		v = max(v, -v)
		if v < 0 || total.Units+v < total.Units {
			return provider.Findings{}, errNotAmount
		}
		total.Units += v
		f.Movements = append(f.Movements, provider.Movement{
			Kind: provider.KindRefund, ID: id, At: instant(entry.RefundTransactionDate),
			Amount: provider.Money{Units: v, Currency: r.Currency, Exponent: exponent},
		})
	}
	f.Refunded = &total
	return f, nil
}
