package linepaysandbox

import (
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/payrack/payrack/plugins/sandbox"
)

// approvalLife is how long a customer has to approve, and the merchant to confirm, from the request on.
const approvalLife = 20 * time.Minute

// step is how far an online payment came before its confirm.
type step string

const (
	reserved      step = "RESERVED"
	authenticated step = "AUTHENTICATED"
	cancelled     step = "CANCELLED"
	rejected      step = "FAILED"
	confirmed     step = "CONFIRMED"
)

// reservation is an online payment that was asked for. The payment itself is an order, made by the confirm.
type reservation struct {
	Account       string         `json:"account"`
	TransactionID int64          `json:"transaction_id"`
	Version       string         `json:"version"`
	OrderID       string         `json:"order_id"`
	Currency      string         `json:"currency"`
	Amount        int64          `json:"amount"`
	Capture       bool           `json:"capture"`
	Preapproved   bool           `json:"preapproved"`
	ProductName   string         `json:"product_name"`
	Packages      jsontext.Value `json:"packages,omitzero"`
	ConfirmURL    string         `json:"confirm_url"`
	CancelURL     string         `json:"cancel_url"`
	ConfirmType   string         `json:"confirm_type"`
	Token         string         `json:"token"`
	At            time.Time      `json:"at"`
	Step          step           `json:"step"`
	// Customer is who approved.
	Customer sandbox.CodeOptions `json:"customer,omitzero"`
}

func (r reservation) key() string { return strconv.FormatInt(r.TransactionID, 10) }

// now is the step with time taken into account: nobody has more than approvalLife.
func (r reservation) now(t time.Time) step {
	if (r.Step == reserved || r.Step == authenticated) && t.Sub(r.At) >= approvalLife {
		return cancelled
	}
	return r.Step
}

// reserve answers a request: it hands out the page on which the customer approves.
func (g *gateway) reserve(x *sandbox.Exchange, c call, m merchant) envelope {
	w, refusal := readRequest(c, m)
	if refusal != nil {
		return *refusal
	}
	var answer envelope
	x.Do(func(tx *sandbox.Tx) {
		if _, used := g.orders.Get(tx, order{Account: m.channelID, OrderID: w.OrderID}.key()); used {
			answer = refused(codeOrderUsed)
			return
		}
		w.Account, w.Version, w.At, w.Step = m.channelID, c.version, tx.Now(), reserved
		w.TransactionID = newID(tx, idPayment)
		w.Token = sandbox.RandomHex(g.env.Rand(), 40)
		g.putReservation(tx, w)
		answer = succeeded(reservedInfo{
			PaymentURL: paymentURL{
				Web: "http://" + c.http.Host + pagePath + "?" + pageToken + "=" + w.Token,
				App: "line://pay/payment/" + w.Token,
			},
			TransactionID: w.TransactionID, PaymentAccessToken: sandbox.RandomDigits(g.env.Rand(), 12),
		})
	})
	return answer
}

func (g *gateway) putReservation(tx *sandbox.Tx, r reservation) {
	g.reservations.Put(tx, r.key(), r)
	g.byToken[r.Token] = r.key()
}

// status tells how far the customer came, in the return code.
func (g *gateway) status(x *sandbox.Exchange, c call, m merchant) envelope {
	if _, err := strconv.ParseInt(c.txn, 10, 64); err != nil {
		return badID()
	}
	code := codeNotFound
	x.Do(func(tx *sandbox.Tx) {
		r, known := g.reservations.Get(tx, c.txn)
		if !known || r.Account != m.channelID {
			return
		}
		switch r.now(tx.Now()) {
		case reserved:
			code = codeOK
		case authenticated:
			code = codeAuthenticated
		case cancelled:
			code = codeCancelled
		case rejected:
			code = codeFailed
		case confirmed:
			code = codeCompleted
		}
	})
	if code == codeOK {
		return envelope{ReturnCode: codeOK, ReturnMessage: "reserved transaction."}
	}
	return refused(code)
}

// act is what a customer does with a reservation; the outcome says what became of it.
func (g *gateway) act(find func() string, do func(*reservation, *sandbox.Tx)) (r reservation, outcome string, err error) {
	err = g.env.Do(func(tx *sandbox.Tx) {
		found, known := g.reservations.Get(tx, find())
		if !known {
			outcome = "no such online payment"
			return
		}
		if at := found.now(tx.Now()); at != reserved {
			outcome = "the payment is " + string(at)
			return
		}
		do(&found, tx)
		g.putReservation(tx, found)
		r = found
	})
	return r, outcome, err
}
