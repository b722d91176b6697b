package linepaysandbox

import (
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/payrack/payrack/plugins/sandbox"
)

// confirm takes the money of a customer who approved. A merchant who asks too early loses the reservation.
func (g *gateway) confirm(x *sandbox.Exchange, c call, m merchant) envelope {
	var body struct {
		Amount   jsontext.Value `json:"amount"`
		Currency string         `json:"currency"`
	}
	if err := json.Unmarshal(c.body, &body); err != nil || len(body.Amount) == 0 || body.Currency == "" {
		return parameter("amount and currency: NotNull")
	}
	if _, err := strconv.ParseInt(c.txn, 10, 64); err != nil {
		return badID()
	}
	var answer envelope
	var o order
	x.Do(func(tx *sandbox.Tx) {
		r, known := g.reservations.Get(tx, c.txn)
		if !known || r.Account != m.channelID {
			answer = refused(codeNotFound)
			return
		}
		asked, code := parseAmount(string(body.Amount), exponents[r.Currency])
		if code != "" {
			answer = refused(code)
			return
		}
		if code := g.confirmable(tx, r, asked.units, body.Currency); code != "" {
			answer = refused(code)
			return
		}
		o, answer = g.take(tx, x, r, m)
	})
	if answer.ReturnCode != codeOK {
		return answer
	}
	answer.Info = confirmedAs(x, c, o)
	return answer
}

// confirmable says why a reservation cannot be confirmed, and ends it where that is the consequence.
func (g *gateway) confirmable(tx *sandbox.Tx, r reservation, units int64, currency string) string {
	switch r.now(tx.Now()) {
	case confirmed:
		return codeOrderUsed
	case reserved:
		r.Step = rejected
		g.putReservation(tx, r)
		return codeNotAuthenticated
	case cancelled:
		if r.Step == cancelled {
			return codeNoRequest
		}
		return codeTooLate
	case rejected:
		return codeNoRequest
	case authenticated:
	}
	if units != r.Amount || currency != r.Currency {
		return codeAmountDiffers
	}
	if _, used := g.orders.Get(tx, order{Account: r.Account, OrderID: r.OrderID}.key()); used {
		return codeOrderUsed
	}
	return ""
}

// take makes the payment, and the stored approval where one was asked for.
func (g *gateway) take(tx *sandbox.Tx, x *sandbox.Exchange, r reservation, m merchant) (order, envelope) {
	o := order{
		Account: r.Account, OrderID: r.OrderID, TransactionID: r.TransactionID, Currency: r.Currency, Requested: r.Amount,
		Capture: r.Capture, ProductName: r.ProductName, Packages: r.Packages, At: tx.Now(), Online: true,
		Decline: declineOf(r.Customer, r.Amount),
	}
	if o.Decline != "" {
		r.Step = rejected
		g.putReservation(tx, r)
		return o, refused(o.Decline)
	}
	method := r.Customer.Method
	if method == "" && r.Preapproved {
		method = methodCard
	}
	o.PayInfo = split(r.Amount, o.exponent(), method, m.SeparatePoint)
	if r.Preapproved {
		k := mandate{Account: r.Account, RegKey: newRegKey(g.env.Rand()), Method: method, UsedAt: tx.Now()}
		g.mandates.Put(tx, k.RegKey, k)
		o.RegKey = k.RegKey
		o.Nickname = "card" + sandbox.RandomDigits(g.env.Rand(), 4)
	}
	r.Step = confirmed
	g.putReservation(tx, r)
	o = o.hidden(tx, x)
	o = g.decide(tx, o)
	return o, succeeded(nil)
}

// declineOf is the return code with which a customer's wallet refuses, or "".
func declineOf(customer sandbox.CodeOptions, units int64) string {
	if customer.Decline == "" && customer.Balance != nil && *customer.Balance < units {
		return codeBalance
	}
	return customer.Decline
}

// confirmedAs writes the info of a confirm.
func confirmedAs(x *sandbox.Exchange, c call, o order) confirmedInfo {
	info := confirmedInfo{
		OrderID: orderID(x, o), TransactionID: o.TransactionID, PayInfo: parts(x, o), RegKey: o.RegKey,
	}
	for i := range info.PayInfo {
		if info.PayInfo[i].Method == methodCard {
			info.PayInfo[i].CreditCardNickname = o.Nickname
			info.PayInfo[i].CreditCardBrand = "VISA"
		}
	}
	if o.State == authorized {
		info.AuthorizationExpireDate = stamp(o.ExpiresAt)
	}
	if c.version != "v2" {
		info.Packages = packagesOf(o.Packages)
	}
	if c.version == "v4" {
		info.PaymentProvider = providerOf(c.version)
	}
	return info
}

// packagesOf shows the packages of a request without their products.
func packagesOf(raw jsontext.Value) []packageInfo {
	var list []packageInfo
	if len(raw) == 0 || json.Unmarshal(raw, &list) != nil {
		return nil
	}
	return list
}
