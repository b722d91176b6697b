package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"text/template"
	"time"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// bench is one payment type on the kit's bench: how it is paid with, and two companies that use it.
type bench struct {
	*kit

	spec     SubjectType
	declared provider.Type
	columns  map[provider.Kind]schema
	identity schema
	first    *credential
	second   *credential
	// baseline is how many HTTP requests one undisturbed charge takes.
	baseline int
}

// credential is one company's set.
type credential struct {
	raw     json.RawMessage
	account string
	ref     string
}

func newBench(ctx context.Context, k *kit, spec SubjectType, declared provider.Type) (*bench, error) {
	b := &bench{kit: k, spec: spec, declared: declared, columns: map[provider.Kind]schema{}}
	for _, o := range declared.Operations {
		s, err := parseSchema(o.Columns)
		if err != nil {
			return nil, fmt.Errorf("columns of %s: %w", o.Kind, err)
		}
		b.columns[o.Kind] = s
	}
	var err error
	if b.identity, err = parseSchema(declared.Credential); err != nil {
		return nil, fmt.Errorf("credential: %w", err)
	}
	if !b.has(provider.KindPay) {
		return nil, errors.New("it has no operation pay")
	}
	if b.first, err = b.newCredential(nil); err != nil {
		return nil, err
	}
	if b.second, err = b.newCredential(nil); err != nil {
		return nil, err
	}
	t := &trial{bench: b, ctx: ctx}
	o := t.order()
	if t.ready(o); len(t.failures) == 0 { //nolint:contextcheck // a trial carries the context of its check
		from := k.proxy.mark()
		t.charge(o) //nolint:contextcheck // a trial carries the context of its check
		b.baseline = len(k.proxy.since(from))
	}
	b.baseline = max(b.baseline, 1)
	return b, nil
}

// has reports whether the type declares the operation.
func (b *bench) has(kind provider.Kind) bool {
	_, ok := b.operation(kind)
	return ok
}

func (b *bench) operation(kind provider.Kind) (provider.Operation, bool) {
	i := slices.IndexFunc(b.declared.Operations, func(o provider.Operation) bool { return o.Kind == kind })
	if i < 0 {
		return provider.Operation{}, false
	}
	return b.declared.Operations[i], true
}

// redirects reports whether the payer is sent to the wallet, so that a confirm takes the money.
func (b *bench) redirects() bool {
	_, _, code := b.columns[provider.KindPay].withRole("code")
	return !code && b.has(provider.KindConfirm)
}

// moneyKind is the operation that takes the money.
func (b *bench) moneyKind() provider.Kind {
	if b.redirects() {
		return provider.KindConfirm
	}
	return provider.KindPay
}

// separates reports whether money can be held first.
func (b *bench) separates() bool { return b.has(provider.KindCapture) }

// newCredential makes a set of another company or, with one to follow, the next one of the same account.
func (b *bench) newCredential(follows *credential) (*credential, error) {
	raw, err := b.credentialSet()
	if err != nil {
		return nil, fmt.Errorf("credential: %w", err)
	}
	var members map[string]any
	if err := json.Unmarshal(raw, &members); err != nil {
		return nil, fmt.Errorf("credential: %w", err)
	}
	c := &credential{raw: raw, ref: newUUID() + "/1"}
	if name, _, ok := b.identity.withRole("account"); ok {
		if follows != nil {
			members[name] = follows.account
			c.ref = follows.ref + "1"
		}
		c.account = fmt.Sprint(members[name])
		if c.raw, err = json.Marshal(members); err != nil {
			return nil, fmt.Errorf("credential: %w", err)
		}
	}
	for _, name := range b.identity.names() {
		if text, ok := members[name].(string); ok && b.identity.Properties[name].Secret {
			b.secrets.add("credential member "+name, text)
		}
	}
	if err := b.gateway.Enrol(b.declared.Name, c.raw); err != nil {
		return nil, fmt.Errorf("credential: the gateway does not take it: %w", err)
	}
	return c, nil
}

// credentialMaker is a gateway that makes credential sets by itself.
type credentialMaker interface {
	NewCredential(paymentType string) (json.RawMessage, error)
}

func (b *bench) credentialSet() (json.RawMessage, error) {
	maker, ok := b.gateway.(credentialMaker)
	if ok && len(b.spec.Credential) == 0 {
		return maker.NewCredential(b.declared.Name)
	}
	return expandJSON(b.spec.Credential, nil)
}

// order is one payment of the kit.
type order struct {
	id          string
	by          *credential
	amount      provider.Money
	code        string
	capture     bool
	description string
	wire        string
	account     string
	environment string
	ref         string
	operation   string
	notAfter    time.Time
	must        []string
	// transactionID is the provider's, once it is known.
	transactionID string
	prepared      bool
}

func (b *bench) expand(text string) string {
	out, err := expandText(text, nil)
	if err != nil {
		return text // the subject's mistake shows as a refused request
	}
	return out
}

func (b *bench) money(units int64, currency string) provider.Money {
	m := provider.Money{Units: units, Currency: currency}
	for _, c := range b.declared.Currencies {
		if c.Code == currency {
			m.Exponent = c.Exponent
		}
	}
	return m
}

// order makes a payment of the first company that a gateway would accept.
func (t *trial) order() *order { return t.orderOf(t.first) }

func (t *trial) orderOf(by *credential) *order {
	o := &order{
		id: t.expand(t.spec.Order), by: by, capture: true, description: t.spec.Description,
		amount:  t.money(t.spec.Amounts[len(t.spec.Amounts)/2], t.spec.Currency),
		account: by.account, ref: by.ref, environment: provider.EnvironmentTest, operation: newUUID(),
	}
	t.newCode(o)
	return o
}

// newCode gives the order a code that works.
func (t *trial) newCode(o *order) {
	if t.redirects() {
		return
	}
	o.code = t.expand(t.spec.Code)
	t.secrets.add("one-time code", o.code)
	if err := t.gateway.Offer(t.declared.Name, o.code); err != nil {
		t.failf("the gateway takes no one-time code: %v", err)
	}
}

// callMax bounds a call whose own time is not the subject of a check.
const callMax = 30 * time.Second

func (t *trial) brief() (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.ctx, callMax)
}

func (t *trial) call(o *order, kind provider.Kind) provider.Call {
	columns, err := expandJSON(t.spec.Columns[kind], template.FuncMap{
		"order_id":       func() string { return o.id },
		"transaction_id": func() string { return o.transactionID },
	})
	if err != nil {
		t.failf("columns of %s: %v", kind, err)
	}
	notAfter := o.notAfter
	if notAfter.IsZero() {
		notAfter = time.Now().Add(time.Minute)
	}
	return provider.Call{
		OperationID: o.operation, PaymentType: t.declared.Name, Environment: o.environment, NotAfter: notAfter,
		MustUnderstand: o.must, CredentialRef: o.ref, Account: o.account, Wire: o.wire,
		Credential: provider.NewDocument(o.by.raw), Columns: provider.NewDocument(columns),
	}
}

func (o *order) reference() provider.Reference {
	return provider.Reference{OrderID: o.id, TransactionID: o.transactionID, ClientReference: o.operation}
}

// pay calls Pay.
func (t *trial) pay(ctx context.Context, o *order) provider.Answer {
	r := provider.PayRequest{
		Call: t.call(o, provider.KindPay), Reference: provider.Reference{OrderID: o.id, ClientReference: o.operation},
		Amount: o.amount, Capture: o.capture, Description: o.description,
	}
	if t.redirects() {
		r.Redirect = &provider.Redirect{ConfirmURL: "https://shop.example/confirm", CancelURL: "https://shop.example/cancel"}
	} else {
		r.Code = provider.NewSecret(o.code)
	}
	l, err := t.main.lease(ctx)
	if err != nil {
		return t.noLease(err)
	}
	defer l.Close()
	return t.note(o, l.Pay(ctx, r))
}

// confirm calls Confirm.
func (t *trial) confirm(ctx context.Context, o *order) provider.Answer {
	l, err := t.main.lease(ctx)
	if err != nil {
		return t.noLease(err)
	}
	defer l.Close()
	return t.note(o, l.Confirm(ctx, provider.ConfirmRequest{
		Call: t.call(o, provider.KindConfirm), Reference: o.reference(), Amount: o.amount,
	}))
}

// follow calls an operation on a payment that was charged.
func (t *trial) follow(ctx context.Context, o *order, kind provider.Kind, units int64) provider.Answer {
	l, err := t.main.lease(ctx)
	if err != nil {
		return t.noLease(err)
	}
	defer l.Close()
	later := *o
	later.operation = newUUID()
	call, ref, amount := t.call(&later, kind), later.reference(), t.money(units, o.amount.Currency)
	switch kind {
	case provider.KindCapture:
		return t.note(nil, l.Capture(ctx, provider.CaptureRequest{Call: call, Reference: ref, Amount: amount}))
	case provider.KindVoid:
		return t.note(nil, l.Void(ctx, provider.VoidRequest{Call: call, Reference: ref}))
	case provider.KindRefund:
		return t.note(nil, l.Refund(ctx, provider.RefundRequest{Call: call, Reference: ref, Amount: amount}))
	case provider.KindPay, provider.KindConfirm, provider.KindSearch, provider.KindCheckMandate, provider.KindExpireMandate:
	}
	t.failf("the kit cannot call %s", kind)
	return provider.Answer{}
}

// search calls Search.
func (t *trial) search(ctx context.Context, o *order, purpose provider.Purpose, ref provider.Reference) provider.SearchAnswer {
	l, err := t.main.lease(ctx)
	if err != nil {
		t.failf("%v", err)
		return provider.SearchAnswer{Failure: &provider.Failure{Detail: err.Error()}}
	}
	defer l.Close()
	asks := *o
	asks.operation = newUUID()
	a := l.Search(ctx, provider.SearchRequest{
		Call: t.call(&asks, provider.KindSearch), Purpose: purpose, Reference: ref, About: t.moneyKind(), AboutReference: o.operation,
	})
	t.noteFailure(a.Failure)
	t.noteNative(a.Native)
	return a
}

// ask searches as the platform does to settle an order.
func (t *trial) ask(o *order) provider.SearchAnswer {
	ctx, cancel := t.brief()
	defer cancel()
	return t.search(ctx, o, provider.PurposeResolve, provider.Reference{OrderID: o.id, TransactionID: o.transactionID})
}

// ready brings an order as far as the operation that takes the money.
func (t *trial) ready(o *order) {
	if o.prepared || !t.redirects() {
		return
	}
	o.prepared = true
	ctx, cancel := t.brief()
	defer cancel()
	a := t.pay(ctx, o)
	if a.Outcome() != provider.OutcomeRequiresAction {
		t.failf("pay answered %s and should have sent the payer to the wallet", spell(a))
		return
	}
	if err := t.gateway.Approve(o.id, o.transactionID); err != nil {
		t.failf("the gateway's payer does not approve: %v", err)
	}
}

// charge runs the operation that takes the money.
func (t *trial) charge(o *order) provider.Answer {
	t.ready(o)
	ctx, cancel := t.brief()
	defer cancel()
	return t.chargeIn(ctx, o)
}

// chargeIn is charge for an order that is ready.
func (t *trial) chargeIn(ctx context.Context, o *order) provider.Answer {
	if t.redirects() {
		return t.confirm(ctx, o)
	}
	return t.pay(ctx, o)
}

// charged makes an order that is paid, or notes why it could not.
func (t *trial) charged(capture bool) (*order, bool) {
	o := t.order()
	o.capture = capture
	a := t.charge(o)
	if a.Outcome() != provider.OutcomeApproved {
		t.failf("a payment that the gateway accepts was answered %s", spell(a))
		return o, false
	}
	return o, true
}

func (t *trial) noLease(err error) provider.Answer {
	t.failf("%v", err)
	return provider.NotSent(provider.ReasonUnavailable, "", err.Error())
}

// note keeps what an answer holds for the checks about secrets, and looks at what every answer has to be.
func (t *trial) note(o *order, a provider.Answer) provider.Answer {
	t.noteFailure(a.Failure())
	t.noteNative(a.Native())
	if r := a.Result(); r != nil {
		t.out.add(fromAnswer, r.Code+" "+r.DeclineCode)
		if o != nil && r.Reference.TransactionID != "" {
			o.transactionID = r.Reference.TransactionID
		}
	}
	return a
}

// fromAnswer is where answers come from.
const fromAnswer = "answer"

func (t *trial) noteFailure(f *provider.Failure) {
	if f == nil {
		return
	}
	t.out.add(fromAnswer, f.Code+" "+f.Detail)
	if f.Reason == provider.ReasonInternal && f.Effect == provider.EffectPossible {
		t.failf("the plugin failed internally: %s", f.Detail)
	}
}

func (t *trial) noteNative(n provider.Native) {
	if len(n.Body) == 0 {
		return
	}
	t.out.add(fromAnswer, string(n.Body))
	var members map[string]json.RawMessage
	t.expect(json.Unmarshal(n.Body, &members) == nil, "a native body is no JSON object: %.80q", n.Body)
	t.expect(len(n.Body) <= 64<<10, "a native body has %d bytes; at most 64 KiB are kept", len(n.Body))
}

// secrets are what must not come out of a plugin but to the gateway.
type secrets struct {
	mu   sync.Mutex
	list []secret
}

type secret struct{ what, value string }

func (s *secrets) add(what, value string) {
	if len(value) < 8 {
		return // a short text is found everywhere
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, secret{what, value})
}

func (s *secrets) all() []secret {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.list)
}
