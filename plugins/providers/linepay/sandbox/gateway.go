package linepaysandbox

import (
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/payrack/payrack/plugins/sandbox"
)

const maxBody = 1 << 20

// gateway is LINE Pay's side. Books and index are touched inside Do only.
type gateway struct {
	env    *sandbox.Env
	orders *sandbox.Book[order]
	byID   map[int64]string // ids of payments and refunds, to keys of orders
	nonces *nonces
}

func newGateway(env *sandbox.Env) *gateway {
	g := &gateway{
		env:    env,
		orders: sandbox.NewBook[order](env, "orders"),
		byID:   map[int64]string{},
		nonces: newNonces(),
	}
	g.orders.All(func(_ string, o order) { g.index(o) })
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

// call is one request, taken apart.
type call struct {
	version   string // v2, v2.4 or v4
	operation string
	path      string // as sent
	query     string // as sent
	order     string // from the path
	txn       string // from the path
	body      []byte
	http      *http.Request
}

// ServeHTTP answers one request.
func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
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
	g.env.Serve(w, r, c.operation, g.orderOf(c), func(x *sandbox.Exchange) sandbox.Answer {
		return write(x, g.answer(x, c))
	})
}

// route finds the operation of a path. Each segment may be percent-encoded.
func route(method, path string) (call, bool) {
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for i, s := range segments {
		plain, err := url.PathUnescape(s)
		if err != nil {
			return call{}, false
		}
		segments[i] = plain
	}
	if len(segments) < 2 || !slices.Contains([]string{"v2", "v2.4", "v4"}, segments[0]) || segments[1] != "payments" {
		return call{}, false
	}
	c := call{version: segments[0], path: path}
	rest := segments[2:]
	switch {
	case method == http.MethodGet && len(rest) == 0:
		c.operation = sandbox.OpDetails
	case method == http.MethodGet && slices.Equal(rest, []string{"authorizations"}):
		c.operation = sandbox.OpAuthorizations
	case method == http.MethodPost && slices.Equal(rest, []string{"oneTimeKeys", "pay"}):
		c.operation = sandbox.OpPay
	case len(rest) == 3 && rest[0] == "orders":
		c.order = rest[1]
		c.operation = orderOperation(method, rest[2])
	case method == http.MethodPost && len(rest) == 2 && rest[1] == "refund":
		c.txn = rest[0]
		c.operation = sandbox.OpRefund
	}
	return c, c.operation != ""
}

func orderOperation(method, word string) string {
	switch method + " " + word {
	case "GET check":
		return sandbox.OpCheck
	case "POST capture":
		return sandbox.OpCapture
	case "POST void":
		return sandbox.OpVoid
	case "POST refund":
		return sandbox.OpRefund
	default:
		return ""
	}
}

// orderOf finds the order that a request is about, for the list of transmissions: it may be unsigned or
// wrong, and says nothing more.
func (g *gateway) orderOf(c call) string {
	if c.order != "" {
		return c.order
	}
	if c.operation == sandbox.OpPay {
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
	if g.env.Do(func(tx *sandbox.Tx) { found, _ = g.orders.Get(tx, g.byID[txn]) }) != nil {
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
