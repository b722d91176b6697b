package icashpaysandbox

import (
	"strconv"
	"time"

	"github.com/payrack/payrack/plugins/sandbox"
	"github.com/payrack/payrack/plugins/sandbox/charges"
)

func (g *gateway) pay(tx *sandbox.Tx, x *sandbox.Exchange, c call, b body4All, amount int64) reply {
	o, verdict, decline := g.book.Pay(tx, x, charges.Payment{
		Account: c.MerchantID, Number: b.MerchantTradeNo, Code: b.Barcode, Amount: amount, CodeLife: codeLife,
		DeclineBurns: c.switches.DeclineBurnsOrder,
	})
	if verdict == charges.Refused {
		return refused(decline)
	}
	if verdict != charges.Done {
		return refused(codeOf(verdict))
	}
	return succeeded(c, paidRecord(tx, o))
}

func (g *gateway) void(tx *sandbox.Tx, x *sandbox.Exchange, c call, b body4All) reply {
	// Whoever lost the answer to the payment has no TransactionID.
	if o, _ := g.book.Get(tx, c.MerchantID, b.MerchantTradeNo); b.TransactionID != "" && o.TransactionID != b.TransactionID {
		return refused(codeNotFound)
	}
	if c.switches.VoidPaid != "reverse" {
		return refused(codeWrongState)
	}
	o, verdict := g.book.Void(tx, x, c.MerchantID, b.MerchantTradeNo)
	if verdict != charges.Done {
		return refused(codeOf(verdict))
	}
	return succeeded(c, &record{MMemberID: "", MobileInvoiceCarry: o.Carrier})
}

func (g *gateway) refund(tx *sandbox.Tx, x *sandbox.Exchange, c call, b body4All, amount int64) reply {
	if o, _ := g.book.Get(tx, c.MerchantID, b.OMerchantTradeNo); o.TransactionID != b.TransactionID {
		return refused(codeNotFound)
	}
	o, refund, verdict := g.book.Refund(tx, x, c.MerchantID, b.OMerchantTradeNo, b.MerchantTradeNo, amount)
	if verdict != charges.Done {
		return refused(codeOf(verdict))
	}
	return succeeded(c, refundRecord(tx, o, refund))
}

// query tells where an order or a refund stands, by the number that the merchant gave it.
func (g *gateway) query(tx *sandbox.Tx, x *sandbox.Exchange, c call, b body4All) reply {
	if o, found := g.book.Seen(tx, x, c.MerchantID, b.MerchantTradeNo); found {
		r := paidRecord(tx, o)
		r.TradeStatus, r.TradeType, r.AllocateStatus = tradeStatus(o), "0", "0"
		if given := o.Refunded(); given > 0 && c.switches.RefundTotal {
			r.RefundTotalAmount = cents(given)
		}
		return succeeded(c, r)
	}
	o, refund, found := g.book.SeenRefund(tx, x, c.MerchantID, b.MerchantTradeNo)
	if !found {
		return refused(codeNotFound)
	}
	r := refundRecord(tx, o, refund)
	r.TradeStatus, r.TradeType, r.AllocateStatus = "1", "1", "0"
	return succeeded(c, r)
}

func tradeStatus(o charges.Order) string {
	switch o.State {
	case charges.Voided:
		return "4"
	case charges.Declined:
		return "7"
	case charges.Paid:
		switch o.Refunded() {
		case 0:
			return "1"
		case o.Amount:
			return "2"
		default:
			return "3"
		}
	default:
		return "7"
	}
}

func paidRecord(tx *sandbox.Tx, o charges.Order) *record {
	r := &record{
		MerchantTradeNo: o.Number, TransactionID: o.TransactionID, TotalAmount: cents(o.Amount), PaymentDate: stamp(o.At),
		MobileInvoiceCarry: o.Carrier, Timestamp: stamp(tx.Now()), IsFiscTWQC: new(int),
	}
	if o.TransactionID != "" {
		r.ICPAccount, r.ICPAmount, r.BonusAmt, r.PaymentType = "1234567890123456", cents(o.Amount), "0", "1"
	}
	if o.Method != "" {
		r.PaymentType = o.Method
	}
	return r
}

func refundRecord(tx *sandbox.Tx, o charges.Order, refund charges.Refund) *record {
	return &record{
		MerchantTradeNo: refund.Number, TransactionID: refund.ID, PaymentDate: stamp(refund.At), OMerchantTradeNo: o.Number,
		RefundTotalAmount: cents(refund.Amount), RefundICPAmount: cents(refund.Amount), RefundBonusAmt: "0",
		OTotalAmount: cents(o.Amount), OICPAmount: cents(o.Amount), OBonusAmt: "0", Timestamp: stamp(tx.Now()),
	}
}

// cents writes whole dollars as hundredths.
func cents(dollars int64) string {
	if dollars == 0 {
		return "0"
	}
	return strconv.FormatInt(dollars, 10) + "00"
}

// sum reads amounts of which the first is the sum of the others, in whole dollars.
func sum(total string, parts ...string) (int64, bool) {
	const maxHundredths = 1_000_000_000_000
	whole, err := strconv.ParseInt(total, 10, 64)
	if err != nil || whole < 100 || whole > maxHundredths || whole%100 != 0 {
		return 0, false
	}
	left := whole
	for _, part := range parts {
		n, err := strconv.ParseInt(part, 10, 64)
		if err != nil || n < 0 || n%100 != 0 {
			return 0, false
		}
		left -= n
	}
	return whole / 100, left == 0
}

func number(text string) bool { return text != "" && len(text) <= 50 }

const layout = "2006/01/02 15:04:05"

var taipei = time.FixedZone("Asia/Taipei", 8*60*60)

func stamp(t time.Time) string { return t.In(taipei).Format(layout) }

func date(text string) bool {
	_, err := time.ParseInLocation(layout, text, taipei)
	return err == nil
}
