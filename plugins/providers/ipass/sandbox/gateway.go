package ipasssandbox

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/payrack/payrack/plugins/sandbox"
)

const maxBody = 1 << 20

// gateway is iPASS's side. Books and index are touched inside Do only.
type gateway struct {
	env    *sandbox.Env
	orders *sandbox.Book[order]
	byID   map[string]string // transaction ids, to keys of orders
	reqIDs map[string]string // merchant and reqId of a payment, to keys of orders
	ivs    *ivs
}

func newGateway(env *sandbox.Env) *gateway {
	g := &gateway{
		env:    env,
		orders: sandbox.NewBook[order](env, "orders"),
		byID:   map[string]string{},
		reqIDs: map[string]string{},
		ivs:    &ivs{new: map[string]struct{}{}, old: map[string]struct{}{}},
	}
	g.orders.All(func(_ string, o order) { g.index(o) })
	return g
}

func (g *gateway) index(o order) {
	if o.TransactionID != "" {
		g.byID[o.TransactionID] = o.key()
	}
	if o.ReqID != "" {
		g.reqIDs[o.Merchant+"/"+strings.ToLower(o.ReqID)] = o.key()
	}
}

func (g *gateway) put(tx *sandbox.Tx, o order) {
	g.orders.Put(tx, o.key(), o)
	g.index(o)
}

// operations are the paths.
var operations = map[string]string{
	"/offline/pay":     sandbox.OpPay,
	"/offline/capture": sandbox.OpCapture,
	"/offline/refund":  sandbox.OpRefund,
	"/offline/void":    sandbox.OpVoid,
	"/offline/search":  sandbox.OpSearch,
}

// call is one request that was deciphered.
type call struct {
	merchant string
	key      string
	switches switches
	text     []byte
	iv       string
}

// ServeHTTP answers one request.
func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "the body cannot be read, or is too large", http.StatusRequestEntityTooLarge)
		return
	}
	operation := operations[g.env.Path(r)]
	if operation == "" || r.Method != http.MethodPost {
		g.env.Serve(w, r, sandbox.OpOther, "", func(*sandbox.Exchange) sandbox.Answer {
			return answer(http.StatusNotFound, nil, []byte(`{"error":"not found"}`))
		})
		return
	}
	c, status := g.decipher(r, body)
	g.env.Serve(w, r, operation, g.orderOf(c), func(x *sandbox.Exchange) sandbox.Answer {
		if status != 0 {
			return nobody(status)
		}
		g.watchIV(x, c)
		if x.Fire(faultResetBefore) {
			reset(w)
		}
		if x.Fire(fault9999Before) {
			return g.encipher(x, c.key, encode(x, refused(codeUnexpected)))
		}
		r := g.handle(x, operation, c)
		if x.Fire(faultResetAfter) {
			reset(w)
		}
		return g.encipher(x, c.key, encode(x, spoil(x, r)))
	})
}

// reset breaks the connection without a goodbye: the client sees a reset and not an end.
func reset(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // what is not sent is dropped, and the other side is told so
		}
		_ = conn.Close()
	}
	panic(http.ErrAbortHandler)
}

// decipher finds the merchant and reads the clear text; a status other than 0 says why not.
func (g *gateway) decipher(r *http.Request, body []byte) (call, int) {
	c := call{merchant: r.Header.Get(headerMerchant), iv: r.Header.Get(headerIV)}
	account, known := g.env.Account(c.merchant)
	if !known {
		return c, http.StatusUnauthorized
	}
	cred, err := parseCredential(account.Credential)
	if err != nil {
		return c, http.StatusUnauthorized
	}
	c.key = cred.Key
	if c.switches, err = switchesOf(account); err != nil {
		g.env.Log().WarnContext(r.Context(), "the options of an account cannot be read",
			slog.String("merchantid", c.merchant), slog.Any("error", err))
		return c, http.StatusUnauthorized
	}
	if c.text, err = open(c.key, c.iv, body); err != nil {
		return c, http.StatusBadRequest
	}
	return c, 0
}

// orderOf finds the order that a request is about, for the list of transmissions.
func (g *gateway) orderOf(c call) string {
	var named struct {
		OrderNumber   string `json:"orderNumber"`
		TransactionID string `json:"transactionId"`
	}
	if c.text == nil || json.Unmarshal(c.text, &named) != nil {
		return ""
	}
	if named.OrderNumber != "" || named.TransactionID == "" {
		return named.OrderNumber
	}
	var found order
	if g.env.Do(func(tx *sandbox.Tx) { found, _ = g.orders.Get(tx, g.byID[named.TransactionID]) }) != nil {
		return ""
	}
	return found.Number
}

func (g *gateway) handle(x *sandbox.Exchange, operation string, c call) reply {
	var echo struct {
		ReqID string `json:"reqId"`
	}
	if json.Unmarshal(c.text, &echo) != nil {
		return refused(codeMalformed)
	}
	r := g.decide(x, operation, c, echo.ReqID)
	if r.ReturnCode != codeUnexpected {
		r.ReqID = echo.ReqID
	}
	return r
}

func (g *gateway) decide(x *sandbox.Exchange, operation string, c call, reqID string) reply {
	if code, armed := x.FireCode(); armed {
		return refused(code)
	}
	if !validReqID(reqID) {
		return malformed("reqId")
	}
	switch operation {
	case sandbox.OpPay:
		return g.pay(x, c)
	case sandbox.OpSearch:
		return g.search(x, c)
	case sandbox.OpVoid:
		return g.void(x, c)
	case sandbox.OpRefund:
		return g.refund(x, c)
	case sandbox.OpCapture:
		return g.capture(x, c)
	default:
		return refused(codeMalformed)
	}
}

// watchIV reports a client that breaks the one rule of the iv: a new one for each request.
func (g *gateway) watchIV(x *sandbox.Exchange, c call) {
	if x.Redelivered {
		return
	}
	if c.iv != strings.ToLower(c.iv) {
		g.env.Violation("iv_not_lower_case", g.orderOf(c))
	}
	if !g.ivs.fresh(c.merchant + "/" + strings.ToLower(c.iv)) {
		g.env.Violation("iv_reused", g.orderOf(c))
	}
	if bytes.HasPrefix(c.text, []byte("\xef\xbb\xbf")) {
		g.env.Violation("byte_order_mark", g.orderOf(c))
	}
}

// ivGeneration is how many ivs a generation holds. Two are kept; a restart forgets them.
const ivGeneration = 1 << 18

// ivs remembers what was used.
type ivs struct {
	mu       sync.Mutex
	new, old map[string]struct{}
}

func (v *ivs) fresh(iv string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	_, inNew := v.new[iv]
	_, inOld := v.old[iv]
	if inNew || inOld {
		return false
	}
	if len(v.new) >= ivGeneration {
		v.old, v.new = v.new, map[string]struct{}{}
	}
	v.new[iv] = struct{}{}
	return true
}

// with runs act on an order, after whatever time has done to it. find returns the order's key.
func (g *gateway) with(x *sandbox.Exchange, find func() string, act func(tx *sandbox.Tx, o order, found bool)) {
	for again := true; again; {
		again = false
		x.Do(func(tx *sandbox.Tx) {
			o, found := g.orders.Get(tx, find())
			if found && o.State == authorized && !tx.Now().Before(o.ExpiresAt) {
				o.State, o.VoidedAt = reversed, o.ExpiresAt
				o.enter(tx, sandbox.Void, o.TransactionID, o.Amount)
				g.put(tx, o)
				again = true
				return
			}
			act(tx, o, found)
		})
	}
}

// seen is what a search sees of an order: what happened lately may be hidden.
func seen(x *sandbox.Exchange, o order, now time.Time, s switches) (order, bool) {
	if now.Before(o.HiddenUntil) {
		return o.asOf(o.HiddenFrom)
	}
	if s.SearchLag > 0 {
		var there bool
		if o, there = o.asOf(now.Add(-time.Duration(s.SearchLag) * time.Second)); !there {
			return o, false
		}
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
