package linepaysandbox

import (
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/payrack/payrack/plugins/sandbox"
)

const maxBody = 1 << 20

// gateway is LINE Pay's side. Books and index are touched inside Do only.
type gateway struct {
	env          *sandbox.Env
	orders       *sandbox.Book[order]
	reservations *sandbox.Book[reservation]
	mandates     *sandbox.Book[mandate]
	byID         map[int64]string  // ids of payments and refunds, to keys of orders
	byToken      map[string]string // tokens of customers' pages, to keys of reservations
	nonces       *nonces
	servers      *http.Client // calls merchants' servers
}

func newGateway(env *sandbox.Env) *gateway {
	g := &gateway{
		env:          env,
		orders:       sandbox.NewBook[order](env, "orders"),
		reservations: sandbox.NewBook[reservation](env, "reservations"),
		mandates:     sandbox.NewBook[mandate](env, "mandates"),
		byID:         map[int64]string{},
		byToken:      map[string]string{},
		nonces:       newNonces(),
		servers: &http.Client{Timeout: serverCall, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // what the merchant's server answered is what counts
		}},
	}
	g.orders.All(func(_ string, o order) { g.index(o) })
	g.reservations.All(func(key string, r reservation) { g.byToken[r.Token] = key })
	return g
}

func (g *gateway) index(o order) {
	if o.TransactionID != 0 {
		g.byID[o.TransactionID] = o.key()
	}
	for _, r := range o.Refunds {
		g.byID[r.ID] = o.key()
	}
}

// put saves an order and makes it findable by its ids.
func (g *gateway) put(tx *sandbox.Tx, o order) {
	g.orders.Put(tx, o.key(), o)
	g.index(o)
}

// ServeHTTP answers one request.
func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if g.env.Path(r) == pagePath {
		g.customerPage(w, r)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "the body cannot be read, or is too large", http.StatusRequestEntityTooLarge)
		return
	}
	c, known := route(r.Method, g.env.Path(r))
	if !known {
		g.env.Serve(w, r, sandbox.OpOther, "", func(*sandbox.Exchange) sandbox.Answer {
			return sandbox.Answer{Status: http.StatusNotFound, Body: []byte(`{"status":404,"error":"Not Found"}`)}
		})
		return
	}
	c.query, c.body, c.http = r.URL.RawQuery, body, r
	g.env.Serve(w, r, c.operation, g.orderOf(c), func(x *sandbox.Exchange) sandbox.Answer { //nolint:contextcheck // it is in c
		return write(x, g.answer(x, c))
	})
}

// orderOf finds the order that a request is about, for the list of transmissions: it may be unsigned or
// wrong, and says nothing more.
func (g *gateway) orderOf(c call) string {
	if c.order != "" {
		return c.order
	}
	switch c.operation {
	case sandbox.OpPay, sandbox.OpRequest, sandbox.OpMandatePay:
		var named struct {
			OrderID string `json:"orderId"`
		}
		if json.Unmarshal(c.body, &named) != nil {
			return ""
		}
		return named.OrderID
	}
	query, err := url.ParseQuery(c.query)
	if err != nil {
		return ""
	}
	if id := query.Get("orderId"); id != "" {
		return id
	}
	txn, err := strconv.ParseInt(c.txn+query.Get("transactionId"), 10, 64)
	if err != nil {
		return ""
	}
	var found order
	find := func(tx *sandbox.Tx) {
		var known bool
		if found, known = g.orders.Get(tx, g.byID[txn]); !known {
			asked, _ := g.reservations.Get(tx, strconv.FormatInt(txn, 10))
			found.OrderID = asked.OrderID
		}
	}
	if g.env.Do(find) != nil {
		return ""
	}
	return found.OrderID
}

// answer checks the request and does what it asks for.
func (g *gateway) answer(x *sandbox.Exchange, c call) envelope {
	m, code := g.authenticate(x, c)
	if code != "" {
		return refused(code)
	}
	if code, armed := x.FireCode(); armed {
		g.struck(x, c, code)
		return refused(code)
	}
	if len(c.body) > 0 && !jsontext.Value(c.body).IsValid() {
		return refused(codeMalformed)
	}
	switch c.operation {
	case sandbox.OpPay:
		return g.pay(x, c, m)
	case sandbox.OpCheck:
		return g.check(x, c, m)
	case sandbox.OpDetails, sandbox.OpAuthorizations:
		return g.records(x, c, m)
	case sandbox.OpCapture:
		return g.capture(x, c, m)
	case sandbox.OpVoid:
		return g.void(x, c, m)
	case sandbox.OpRefund:
		return g.refund(x, c, m)
	case sandbox.OpRequest:
		return g.reserve(x, c, m)
	case sandbox.OpStatus:
		return g.status(x, c, m)
	case sandbox.OpConfirm:
		return g.confirm(x, c, m)
	case sandbox.OpMandatePay:
		return g.payAgain(x, c, m)
	case sandbox.OpMandateCheck:
		return g.checkKey(x, c, m)
	case sandbox.OpMandateExpire:
		return g.expireKey(x, c, m)
	default:
		return refused(codeParameter)
	}
}

// with runs act on an order, after whatever time has done to it. find returns the order's key.
func (g *gateway) with(x *sandbox.Exchange, find func() string, act func(tx *sandbox.Tx, o order, found bool)) {
	for again := true; again; {
		again = false
		x.Do(func(tx *sandbox.Tx) {
			o, found := g.orders.Get(tx, find())
			if found && o.due(tx.Now()) {
				g.settle(tx, o)
				again = true
				return
			}
			act(tx, o, found)
		})
	}
}

// due reports whether time alone changes the order.
func (o order) due(now time.Time) bool {
	return (o.State == authReady && !now.Before(o.ReadyAt)) || (o.State == authorized && !now.Before(o.ExpiresAt))
}

// settle makes that change.
func (g *gateway) settle(tx *sandbox.Tx, o order) {
	if o.State == authReady {
		g.decide(tx, o)
		return
	}
	o.State = expired
	o.EndedAt = o.ExpiresAt
	o.enter(tx, sandbox.Void, o.TransactionID, o.paid())
	g.put(tx, o)
}
