package main

import "github.com/payrack/payrack/core/settlement"

// nextOf says what to do about a finding.
func nextOf(code settlement.Code) string {
	switch code {
	case settlement.ChargedTwice:
		return "look at both charges with the provider; give the one back that the platform does not name (provider_transaction_id)"
	case settlement.NotPaidHere:
		return "payrack payment recheck ID asks the provider again and gives back what it finds; --recheck does so for all of them"
	case settlement.UnknownHere:
		return "find out whose it is: another system's of the same account, another company's, or a payment that the database lost; the last has to be given back at the provider"
	case settlement.AmountDiffers:
		return "compare with payrack payment explain ID, then clarify it with the provider"
	case settlement.RefundUnknownHere:
		return "somebody gave money back at the provider itself; the payment's record does not know of it"
	case settlement.RefundMissingThere:
		return "look into the next report; if the refund is not there either, clarify it with the provider"
	case settlement.MissingThere:
		return "look into the next report; if the charge is not there either, clarify it with the provider before the goods are counted as paid"
	case settlement.OpenHere:
		return "payrack payment explain ID says what it waits for; one in REVIEW waits for two people"
	case settlement.RowRepeated:
		return "make sure that no report was given twice"
	}
	return ""
}
