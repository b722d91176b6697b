package linepaysandbox

import (
	"net/url"
	"strconv"
	"time"

	"github.com/payrack/payrack/plugins/sandbox"
)

// maxIDs is how many ids one query may name.
const maxIDs = 100

// seen is what a query sees of an order: what happened lately may be hidden.
func seen(x *sandbox.Exchange, o order, now time.Time) (order, bool) {
	if now.Before(o.HiddenUntil) {
		return o.asOf(o.HiddenFrom)
	}
	lag := x.Lag()
	if lag == 0 {
		return o, true
	}
	old, there := o.asOf(now.Add(-lag))
	if there && old.State == o.State && len(old.Refunds) == len(o.Refunds) {
		return o, true
	}
	x.Fire(sandbox.FaultSearchLag)
	return old, there
}

// check tells where a payment stands.
func (g *gateway) check(x *sandbox.Exchange, c call, m merchant) envelope {
	var o order
	var there bool
	key := order{Account: m.channelID, OrderID: c.order}.key()
	g.with(x, func() string { return key }, func(tx *sandbox.Tx, found order, known bool) {
		o, there = found, known
		if known {
			o, there = seen(x, found, tx.Now())
		}
	})
	if !there || o.Online {
		return refused(codeNotFound)
	}
	switch o.State {
	case authReady:
		return succeeded(paidInfo{Status: "AUTH_READY"})
	case failed:
		return succeeded(paidInfo{Status: "FAIL"})
	case voided, expired:
		return succeeded(paidInfo{Status: "CANCEL"})
	case authorized, captured:
		info := g.completed(x, c, o)
		info.Status = "COMPLETE"
		return succeeded(info)
	default:
		return refused(codeNotFound)
	}
}

// asked is what a query for records names.
type asked struct {
	orders []string
	ids    []int64
}

func readQuery(raw string) (asked, *envelope) {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return asked{}, wrong("query")
	}
	a := asked{orders: query["orderId"]}
	for _, text := range query["transactionId"] {
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			e := badID()
			return asked{}, &e
		}
		a.ids = append(a.ids, id)
	}
	if len(a.orders)+len(a.ids) == 0 {
		return asked{}, wrong("orderId or transactionId: NotNull")
	}
	if len(a.orders)+len(a.ids) > maxIDs {
		return asked{}, refusal(codeTooManyIDs)
	}
	return a, nil
}

// records answers details and authorizations: a list of what is on record.
func (g *gateway) records(x *sandbox.Exchange, c call, m merchant) envelope {
	a, refusal := readQuery(c.query)
	if refusal != nil {
		return *refusal
	}
	list := []detail{}
	for _, id := range a.orders {
		key := order{Account: m.channelID, OrderID: id}.key()
		list = g.record(x, c, func() string { return key }, list, func(o order) *refund {
			return nil
		}, func(o order) bool {
			return len(a.ids) == 0 || a.names(o)
		})
	}
	if len(a.orders) == 0 {
		for _, id := range a.ids {
			list = g.record(x, c, func() string { return g.byID[id] }, list, func(o order) *refund {
				return o.refundWith(id)
			}, func(o order) bool { return o.Account == m.channelID })
		}
	}
	if len(list) == 0 {
		return refused(codeNotFound)
	}
	return succeeded(list)
}

// names reports whether the query names the order by an id too: with both, both must fit.
func (a asked) names(o order) bool {
	for _, id := range a.ids {
		if o.TransactionID == id || o.refundWith(id) != nil {
			return true
		}
	}
	return false
}

func (o order) refundWith(id int64) *refund {
	for _, r := range o.Refunds {
		if r.ID == id {
			return &r
		}
	}
	return nil
}

// record adds an order, or one refund of it, to the list, if it is there, wanted, and listed here.
func (g *gateway) record(
	x *sandbox.Exchange, c call, find func() string, list []detail, refundOf func(order) *refund, wanted func(order) bool,
) []detail {
	g.with(x, find, func(tx *sandbox.Tx, o order, found bool) {
		if !found || !wanted(o) {
			return
		}
		o, there := seen(x, o, tx.Now())
		if !there || !listed(c, o) {
			return
		}
		if r := refundOf(o); r != nil {
			list = append(list, refundDetail(x, c, o, *r))
			return
		}
		list = append(list, paymentDetail(x, c, o))
	})
	return list
}

// listed: details show what was taken, and since v4 what is held; authorizations show what is or was held
// and never taken. Online, details show all of it since v3.
func listed(c call, o order) bool {
	if o.Online && c.signed() {
		return c.operation == sandbox.OpDetails && o.State != failed
	}
	switch o.State {
	case captured:
		return c.operation == sandbox.OpDetails
	case authorized:
		return c.operation == sandbox.OpAuthorizations || c.version == "v4"
	case voided, expired:
		return c.operation == sandbox.OpAuthorizations
	case authReady, failed:
		return false
	default:
		return false
	}
}

func paymentDetail(x *sandbox.Exchange, c call, o order) detail {
	d := detail{
		TransactionID:   o.TransactionID,
		TransactionDate: stamp(o.At),
		TransactionType: "PAYMENT",
		ProductName:     o.ProductName,
		Currency:        o.Currency,
		PayInfo:         parts(x, o),
		OrderID:         orderID(x, o),
		PaymentProvider: providerOf(c.version),
	}
	if c.operation == sandbox.OpAuthorizations || c.signed() {
		d.PayStatus = string(o.State)
	}
	if c.signed() {
		d.MerchantName = "Sandbox"
		d.Packages = o.Packages
	}
	if !o.ExpiresAt.IsZero() && o.State != captured {
		d.AuthorizationExpireDate = stamp(o.ExpiresAt)
	}
	for _, r := range o.Refunds {
		d.RefundList = append(d.RefundList, refundRecord{
			RefundTransactionID:   r.ID,
			TransactionType:       r.kind(),
			RefundAmount:          amount{units: -r.Amount, exponent: o.exponent()},
			RefundTransactionDate: stamp(r.At),
		})
	}
	return d
}

// refundDetail is the record of a refund that was asked for by its own id.
func refundDetail(x *sandbox.Exchange, c call, o order, r refund) detail {
	d := paymentDetail(x, c, o)
	d.TransactionID, d.TransactionDate, d.TransactionType = r.ID, stamp(r.At), r.kind()
	d.RefundList = nil
	d.OriginalTransactionID = o.TransactionID
	d.PayInfo = []payInfo{{Method: o.PayInfo[0].Method, Amount: amount{units: -r.Amount, exponent: o.exponent()}}}
	return d
}

func (r refund) kind() string {
	if r.Partial {
		return "PARTIAL_REFUND"
	}
	return "PAYMENT_REFUND"
}
