package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"text/template"

	"github.com/payrack/payrack/plugins/host"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

// booking is one order in the books.
type booking struct {
	account, order, id, currency string
	held, taken, returned        int64
	voided                       bool
	// waiting is true until the payer has approved.
	waiting, approved bool
}

// scriptGateway runs a script.
type scriptGateway struct {
	script    Script
	mux       *http.ServeMux
	exponents map[string]int
	roles     map[string]string // payment type to its account member

	mu         sync.Mutex
	credential map[string]map[string]any // by account
	codes      map[string]bool
	books      map[string]*booking // by account and order
	once       map[string]bool
	armed      map[string]Behaviour
	seen       []Seen
	moved      []Moved
	violations []string
}

func newScriptGateway(s Script, info host.Info) (*scriptGateway, error) {
	g := &scriptGateway{
		script: s, mux: http.NewServeMux(), exponents: map[string]int{}, roles: map[string]string{},
		credential: map[string]map[string]any{}, codes: map[string]bool{}, books: map[string]*booking{},
		once: map[string]bool{}, armed: map[string]Behaviour{},
	}
	for _, t := range info.Types {
		for _, c := range t.Currencies {
			g.exponents[c.Code] = c.Exponent
		}
		if identity, err := parseSchema(t.Credential); err == nil {
			g.roles[t.Name], _, _ = identity.withRole("account")
		}
	}
	if !slices.Contains([]string{"", "units", "major", "hundredths"}, s.Amounts) {
		return nil, fmt.Errorf("gateway.script.amounts: units, major or hundredths, not %q", s.Amounts)
	}
	if err := g.mount(); err != nil {
		return nil, err
	}
	return g, nil
}

func (g *scriptGateway) mount() (err error) {
	defer func() {
		if p := recover(); p != nil { // http.ServeMux speaks by panics
			err = fmt.Errorf("gateway.script.routes: %v", p)
		}
	}()
	for i, route := range g.script.Routes {
		success := "approved"
		if route.Kind == provider.KindSearch {
			success = "found"
		}
		if _, ok := route.Answers[success]; !ok {
			return fmt.Errorf("gateway.script.routes[%d]: there is no answer %q", i, success)
		}
		g.mux.HandleFunc(route.Method+" "+route.Path, func(w http.ResponseWriter, r *http.Request) { g.serve(w, r, route) })
	}
	return nil
}

// ServeHTTP answers one request.
func (g *scriptGateway) ServeHTTP(w http.ResponseWriter, r *http.Request) { g.mux.ServeHTTP(w, r) }

// incoming is one request with what its texts say.
type incoming struct {
	*http.Request

	body      []byte
	functions template.FuncMap
}

func (g *scriptGateway) read(r *http.Request) *incoming {
	body, _ := io.ReadAll(r.Body) // it is in memory
	in := &incoming{Request: r, body: body}
	form, _ := url.ParseQuery(string(body)) // what cannot be parsed has no members
	in.functions = template.FuncMap{
		"header": r.Header.Get,
		"query":  r.URL.Query().Get,
		"path":   r.PathValue,
		"form":   form.Get,
		"json":   func(pointer string) string { return jsonAt(body, pointer) },
		"method": func() string { return r.Method }, "body": func() string { return string(body) },
		"url_path":  func() string { path, _, _ := strings.Cut(r.RequestURI, "?"); return path },
		"raw_query": func() string { return r.URL.RawQuery },
		"secret":    func(string) string { return "" },
	}
	return in
}

// text expands a text of the script; a text that cannot be expanded is empty.
func (in *incoming) text(s string) string {
	out, err := expandText(s, in.functions)
	if err != nil {
		return ""
	}
	return out
}

// jsonAt reads a text or the digits of a number.
func jsonAt(body []byte, pointer string) string {
	raw := json.RawMessage(body)
	for name := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		var members map[string]json.RawMessage
		if json.Unmarshal(raw, &members) != nil {
			return ""
		}
		raw = members[name]
	}
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	return string(bytes.TrimSpace(raw))
}

func (g *scriptGateway) serve(w http.ResponseWriter, r *http.Request, route ScriptRoute) {
	in := g.read(r)
	g.mu.Lock()
	defer g.mu.Unlock()
	account := in.text(g.script.Account)
	order, id := in.text(route.Order), in.text(route.Transaction)
	b := g.find(account, order, id)
	if order == "" && b != nil {
		order = b.order
	}
	g.seen = append(g.seen, Seen{Kind: route.Kind, Order: order})
	if !g.genuine(in, account) {
		g.answer(w, in, g.script.Stranger, nil, "")
		return
	}
	behaviour := g.armed[order]
	if a, ok := route.Answers[string(behaviour)]; ok && behaviour != "" {
		g.answer(w, in, a, b, behaviour)
		return
	}
	name, b := g.do(in, route, account, order, b)
	if behaviour == BehaviourDeliveredTwice {
		name, b = g.do(in, route, account, order, b)
	}
	a, ok := route.Answers[name]
	if !ok {
		if a, ok = route.Answers["declined"]; !ok || route.Kind == provider.KindSearch {
			a = g.script.Stranger
		}
	}
	g.answer(w, in, a, b, behaviour)
}

// genuine checks who calls. Each credential member is open to the texts of the script.
func (g *scriptGateway) genuine(in *incoming, account string) bool {
	set, known := g.credential[account]
	if !known {
		return false
	}
	in.functions["secret"] = func(name string) string { return fmt.Sprint(set[name]) }
	for _, pair := range g.script.Genuine {
		if in.text(pair[0]) != in.text(pair[1]) {
			return false
		}
	}
	if once := in.text(g.script.Once); once != "" {
		if g.once[once] {
			g.violations = append(g.violations, "a value that may be used once was used twice")
		}
		g.once[once] = true
	}
	return true
}

func (g *scriptGateway) find(account, order, id string) *booking {
	if order != "" {
		return g.books[account+"\n"+order]
	}
	for _, b := range g.books {
		if id != "" && b.id == id && b.account == account {
			return b
		}
	}
	return nil
}

// do changes the books and returns the name of the answer.
func (g *scriptGateway) do(in *incoming, route ScriptRoute, account, order string, b *booking) (string, *booking) {
	amount, amountOK := g.units(in.text(route.Amount), in.text(route.Currency), b)
	switch route.Kind {
	case provider.KindPay:
		return g.pay(in, route, account, order, b)
	case provider.KindConfirm:
		if b == nil || !b.waiting || !b.approved {
			return "declined", b
		}
		b.waiting = false
		b.taken = b.held
		b.held = 0
		g.move(b, "charge", b.id, b.taken)
		return "approved", b
	case provider.KindSearch:
		return found(route, b), b
	case provider.KindCapture:
		if b == nil || b.held == 0 || b.voided || !amountOK || amount > b.held {
			return "declined", b
		}
		b.taken, b.held = amount, 0
		g.move(b, "capture", newID(), amount)
		return "approved", b
	case provider.KindVoid:
		if b == nil || b.voided || b.returned > 0 {
			return "declined", b
		}
		b.voided = true
		g.move(b, "void", newID(), b.held+b.taken)
		return "approved", b
	case provider.KindRefund:
		if b == nil || b.voided || !amountOK || amount <= 0 || b.returned+amount > b.taken {
			return "declined", b
		}
		b.returned += amount
		g.move(b, "refund", newID(), amount)
		return "approved", b
	case provider.KindCheckMandate, provider.KindExpireMandate:
	}
	return "approved", b
}

func (g *scriptGateway) pay(in *incoming, route ScriptRoute, account, order string, b *booking) (string, *booking) {
	currency := in.text(route.Currency)
	if currency == "" && len(g.exponents) == 1 && route.Currency == "" {
		for only := range g.exponents {
			currency = only
		}
	}
	units, ok := g.units(in.text(route.Amount), currency, nil)
	if _, known := g.exponents[currency]; order == "" || !ok || units <= 0 || !known {
		return "declined", nil
	}
	if b != nil {
		return "duplicate", b
	}
	if code := in.text(route.Code); route.Code != "" {
		if !g.codes[code] {
			return "declined", nil
		}
		delete(g.codes, code)
	}
	b = &booking{account: account, order: order, id: newID(), currency: currency}
	g.books[account+"\n"+order] = b
	switch {
	case g.script.Approve:
		b.waiting, b.held = true, units
	case in.text(route.Hold) == "true":
		b.held = units
		g.move(b, "authorize", b.id, units)
	default:
		b.taken = units
		g.move(b, "charge", b.id, units)
	}
	return "approved", b
}

// newID has 19 digits, more than a float can hold.
func newID() string { return "20" + randomOf("0123456789", 17) }

func (g *scriptGateway) move(b *booking, kind, id string, units int64) {
	g.moved = append(g.moved, Moved{
		Kind: kind, Account: b.account, Order: b.order, TransactionID: id, Units: units, Currency: b.currency,
	})
}

// found is the name of the answer to a search.
func found(route ScriptRoute, b *booking) string {
	name := "found"
	switch {
	case b == nil || b.waiting:
		return "not_found"
	case b.voided:
		name = "found_voided"
	case b.returned > 0:
		name = "found_refunded"
	case b.held > 0:
		name = "found_authorized"
	}
	if _, ok := route.Answers[name]; !ok {
		return "found"
	}
	return name
}

// answer writes an answer. A nil booking has empty values.
func (g *scriptGateway) answer(w http.ResponseWriter, in *incoming, a ScriptAnswer, b *booking, behaviour Behaviour) {
	body, err := g.body(in, a, b, behaviour)
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotImplemented)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	for name, value := range a.Header {
		w.Header().Set(name, in.text(value))
	}
	if a.Status == 0 {
		a.Status = http.StatusOK
	}
	w.WriteHeader(a.Status)
	_, _ = w.Write(body) // whoever left does not read it
}

func (g *scriptGateway) body(in *incoming, a ScriptAnswer, b *booking, behaviour Behaviour) ([]byte, error) {
	if b == nil {
		b = &booking{}
	}
	order, more := b.order, int64(0)
	switch behaviour { //nolint:exhaustive // the others are answers of their own
	case BehaviourWrongOrder:
		order += "-OTHER"
	case BehaviourWrongAmount:
		more = 1
	}
	functions := template.FuncMap{
		"order_id": func() string { return order }, "transaction_id": func() string { return b.id },
		"currency":   func() string { return b.currency },
		"amount":     func() string { return g.spell(b.held+b.taken+more, b.currency) },
		"captured":   func() string { return g.spell(b.taken+more, b.currency) },
		"authorized": func() string { return g.spell(b.held, b.currency) },
		"refunded":   func() string { return g.spell(b.returned, b.currency) },
	}
	maps.Copy(functions, in.functions)
	var text string
	if json.Unmarshal(a.Body, &text) == nil {
		out, err := expandText(text, functions)
		return []byte(out), err
	}
	out, err := expandJSON(a.Body, functions)
	if err == nil && behaviour == BehaviourExtraMember && bytes.HasPrefix(out, []byte("{")) {
		out = append([]byte(`{"payrackConformance":{"new":["member",1,null]},`), out[1:]...)
	}
	return out, err
}
