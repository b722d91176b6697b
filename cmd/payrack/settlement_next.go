package main

import (
	"slices"

	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/core/settlement"
)

// next is what to do about some findings.
type next struct {
	code  settlement.Code
	text  string
	count int
}

// nextsOf says once what to do about findings that call for the same.
func nextsOf(all []settlement.Finding) []next {
	var nexts []next
	for _, f := range all {
		text := nextOf(f)
		i := slices.IndexFunc(nexts, func(n next) bool { return n.code == f.Code && n.text == text })
		if i < 0 {
			i, nexts = len(nexts), append(nexts, next{code: f.Code, text: text})
		}
		nexts[i].count++
	}
	return nexts
}

// endedUnpaid reports whether the platform has ended the payment as not paid and asks no provider about it any more: only a charge
// behind a FAILED is given back by itself.
func endedUnpaid(f settlement.Finding) bool {
	return f.State.Promise() == payment.NotPaid && f.State != payment.Failed && f.State != payment.Reversing
}

// recheckThem says how money behind a "not paid" is given back.
const recheckThem = "payrack payment recheck ID asks the provider again and gives back what it finds; --recheck does so for all of them"

// nextOf says what to do about a finding.
func nextOf(f settlement.Finding) string {
	switch {
	case f.Code != settlement.ChargedTwice && f.Code != settlement.NotPaidHere:
	case endedUnpaid(f):
		return "these payments have ended, and no recheck asks about them: look them up with the provider, and if the money was not given back meanwhile, give it back there"
	case f.State == payment.Failed:
		return recheckThem + "; what a second look still finds has to be given back at the provider"
	}
	switch f.Code {
	case settlement.ChargedTwice:
		return "look at both charges with the provider; give the one back that the platform does not name (provider_transaction_id)"
	case settlement.NotPaidHere:
		return recheckThem
	case settlement.UnknownHere:
		return "find out whose it is: another system's of the same account, another company's, one that was made before the period (a row without an order id does not find it: begin earlier with --from), or a payment that the database lost; the last has to be given back at the provider"
	case settlement.AmountDiffers:
		return "compare with payrack payment explain ID, then clarify it with the provider"
	case settlement.RefundUnknownHere:
		return "somebody gave money back at the provider itself; the payment's record does not know of it"
	case settlement.RefundMissingThere:
		return "look into the next report; if the refund is not there either, clarify it with the provider"
	case settlement.MissingThere:
		return "look into the next report; if the charge is not there either, clarify it with the provider before the goods are counted as paid"
	case settlement.OpenHere:
		return "payrack payment recheck ID asks the provider now, payrack payment explain ID says what it waits for; one in REVIEW waits for two people"
	case settlement.RowRepeated:
		return "make sure that no report was given twice"
	}
	return ""
}
