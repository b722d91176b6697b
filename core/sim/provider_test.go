package sim_test

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/money"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
)

// The promises of the provider, which its simulation keeps.
const (
	maxDuration = 10 * time.Second
	landing     = 20 * time.Second
	lag         = 6 * time.Second
)

// faultsOf are how often things go wrong in one seed, per mille. They are drawn per seed, so that some seeds have none of a kind
// and others much: rare combinations would never meet otherwise.
type faultsOf struct {
	lost, silent, late, garbled, declined, notSent, wrongAmount, wrongAnswer, redelivered, undecided int
	searchFails, down, commitFails, commitDoubt, kill, stall                                         int
	unique                                                                                           bool
}

// book is the provider: its own record of what it took and gave back. It is outside of everything that is killed, and the referee.
type book struct {
	w      *world
	faults *faultsOf
	healed bool
	orders map[string]*entry
	// wallets are what payers were asked for, by order: they approve, refuse, or never look.
	wallets map[string]*wallet
	// sent counts the transmissions that arrived, by operation; the second of a redelivery is no second transmission.
	sent map[payment.OperationID]int
	next int
	// unsigned are the calls that came without a credential.
	unsigned []string
}

// entry is one order at the provider. charges counts the charges under its id: more than one only where ids are not unique.
type entry struct {
	at                time.Time
	held, taken, back int64
	charges           int
	ended             bool
	refunds           []refund
	transaction       string
}

// wallet is a payer who was asked.
type wallet struct {
	// number is the company's, of which the order id is made.
	number   string
	at       time.Time
	approved bool
	ended    bool
}

// over reports whether the request can never be confirmed any more: the payer refused, or it was not confirmed in time.
func (a *wallet) over(now time.Time) bool { return a.ended || now.Sub(a.at) > walletLife }

type refund struct {
	id     string
	amount int64
	at     time.Time
}

func twd(units int64) money.Amount { return money.Amount{Units: units, Currency: money.TWD} }

// land performs an instruction.
func (b *book) land(i outbound.Instruction) outbound.Answer {
	order, amount := i.Operation.OrderID, i.Operation.Amount.Units
	e := b.orders[order]
	b.next++
	refuse := outbound.Answer{
		Known: payment.KnownDeclined, Native: []byte(`{"code":"51"}`), Evidence: payment.Evidence{Code: "51", OrderID: order},
	}
	answer := outbound.Answer{
		Known: payment.KnownApproved, Native: fmt.Appendf(nil, `{"code":"0000","kind":%q}`, i.Kind),
		Evidence: payment.Evidence{OrderID: order, Code: "0000"},
	}
	ev := &answer.Evidence
	b.w.log("provider: %s %s %d", i.Kind, order, amount)
	switch i.Kind {
	case payment.KindPay, payment.KindConfirm:
		if i.Payment.Type == walletPay {
			switch asked := b.wallets[order]; {
			case i.Kind == payment.KindPay && asked == nil:
				b.wallets[order] = &wallet{number: i.Payment.OrderNumber, at: time.Now()}
				return outbound.Answer{
					Known: payment.KnownAction, Native: []byte(`{"code":"WAIT"}`), WebURL: "https://wallet.example/" + order,
					Evidence: payment.Evidence{OrderID: order, ProviderTransaction: "tx-" + order, Code: "WAIT"},
				}
			case i.Kind == payment.KindPay:
				return outbound.Answer{Native: []byte(`{"code":"DUP"}`), Evidence: payment.Evidence{Code: "DUP"}}
			case asked == nil || asked.over(time.Now()) || !asked.approved:
				return refuse
			case e != nil:
				return outbound.Answer{Native: []byte(`{"code":"DUP"}`), Evidence: payment.Evidence{Code: "DUP"}}
			}
		}
		if e != nil && b.faults.unique {
			// A duplicate is no decline: the first one may have been charged.
			return outbound.Answer{Native: []byte(`{"code":"DUP"}`), Evidence: payment.Evidence{Code: "DUP"}}
		}
		if e == nil {
			e = &entry{at: time.Now(), transaction: "tx-" + order}
			b.orders[order] = e
		}
		e.charges++
		e.held += amount
		if i.Payment.Capture {
			e.taken += amount
			ev.Captured = twd(amount)
		} else {
			ev.Authorized = twd(amount)
		}
		ev.ProviderTransaction = e.transaction
	case payment.KindCapture:
		if e == nil || e.ended || e.taken > 0 || amount > e.held {
			return refuse
		}
		e.taken = amount
		ev.Captured = twd(amount)
	case payment.KindVoid:
		if e == nil || e.ended || e.taken > 0 {
			return refuse
		}
		e.ended = true
	case payment.KindRefund:
		if e == nil || e.ended || amount > e.taken-e.back {
			return refuse
		}
		e.back += amount
		id := fmt.Sprintf("rf-%s-%d", order, b.next)
		e.refunds = append(e.refunds, refund{id, amount, time.Now()})
		ev.ProviderTransaction, ev.Refunded = id, twd(amount)
	}
	return answer
}

// authenticated notes a call without a credential: a provider would refuse it, for certain or not.
func (b *book) authenticated(what string, credential []byte) {
	if string(credential) != "{}" {
		b.unsigned = append(b.unsigned, what)
	}
}

// live is what the payer has paid for an order.
func (e *entry) live() int64 {
	switch {
	case e == nil || e.ended:
		return 0
	case e.taken > 0:
		return e.taken - e.back
	default:
		return e.held
	}
}

// find is the provider's record as far as it shows.
func (b *book) find(order string, visible time.Duration) outbound.Findings {
	e := b.orders[order]
	now := time.Now()
	if asked := b.wallets[order]; asked != nil && (e == nil || now.Sub(e.at) < visible) && now.Sub(asked.at) >= visible {
		f := outbound.Findings{
			Finding: payment.FindingAwaitingPayer, Complete: true,
			Evidence: payment.Evidence{OrderID: order, ProviderTransaction: "tx-" + order},
		}
		switch {
		case asked.over(now):
			f.Finding = payment.FindingEnded
		case asked.approved:
			f.Finding = payment.FindingPayerApproved
		}
		return f
	}
	if e == nil || now.Sub(e.at) < visible {
		return outbound.Findings{Finding: payment.FindingNotFound, Complete: true}
	}
	f := outbound.Findings{
		Finding: payment.FindingFound, Complete: true, Native: []byte(`{"code":"0000","found":true}`),
		Evidence: payment.Evidence{
			OrderID: order, ProviderTransaction: e.transaction, Authorized: twd(e.held), Captured: twd(e.taken), Refunded: twd(0),
		},
	}
	for _, r := range e.refunds {
		if now.Sub(r.at) < visible {
			continue
		}
		f.Evidence.Refunded.Units += r.amount
		f.Evidence.RefundIDs = append(f.Evidence.RefundIDs, r.id)
	}
	if e.ended {
		f.Finding = payment.FindingEnded
	}
	return f
}

// providers is the port of one process.
type providers struct {
	p *process
}

const (
	codePay   = "SIM_PAY"
	walletPay = "SIM_WALLET"
	// walletLife is when the provider ends a request that was not confirmed.
	walletLife = 3 * time.Minute
)

// walletType leads the payer away and takes the money by a confirm.
func walletType() catalogue.Type {
	t := described()
	t.Name = walletPay
	pay := &t.Operations[0]
	pay.MovesMoney, pay.Attended = false, false
	confirm := t.Operations[1]
	confirm.Kind = catalogue.Confirm
	t.Operations = append(t.Operations, confirm)
	return t
}

func described() catalogue.Type {
	operation := func(k catalogue.Kind) catalogue.Operation {
		return catalogue.Operation{
			Kind: k, MovesMoney: true, Attended: true, MaxDuration: maxDuration, LandingMax: landing, SearchLagMax: lag,
			Bodies: map[catalogue.Situation][]byte{catalogue.Reversing: []byte(`{"code":"REV"}`)},
		}
	}
	return catalogue.Type{
		Name: codePay, Provider: "sim", Version: "1", MessageFrom: "SIM",
		Operations: []catalogue.Operation{
			operation(catalogue.Pay), operation(catalogue.Capture), operation(catalogue.Void), operation(catalogue.Refund),
			{Kind: catalogue.Search, MaxDuration: maxDuration, SearchLagMax: lag},
		},
	}
}

func (x providers) Open(_ context.Context, r outbound.Route) (outbound.Session, error) {
	x.p.port("open " + string(r.Payment))
	if !x.p.book.healed && x.p.w.chance("provider down", x.p.book.faults.down) {
		return nil, fault.New(fault.Unavailable, "provider_unavailable", "the provider is down")
	}
	return session{x.p, r.Type}, nil
}

func (providers) Types() []catalogue.Type { return []catalogue.Type{described(), walletType()} }

func (providers) Read(_ string, k catalogue.Kind, native []byte) (outbound.Form, error) {
	return session{}.Form(k, native)
}

func (providers) Credential(string, []byte) (outbound.CredentialForm, error) {
	return outbound.CredentialForm{Provider: "sim", Account: "account", Wire: "v1", Set: []byte(`{}`)}, nil
}

type session struct {
	p    *process
	name string
}

func (s session) Type() catalogue.Type {
	if s.name == walletPay {
		return walletType()
	}
	return described()
}

func (session) Close() {}

// request is the native request of the simulation.
type request struct {
	Order  string `json:"order"`
	Req    string `json:"req"`
	Amount int64  `json:"amount"`
	Hold   bool   `json:"hold"`
	Own    bool   `json:"own"`
}

func (session) Form(_ catalogue.Kind, native []byte) (outbound.Form, error) {
	var c request
	if err := json.Unmarshal(native, &c); err != nil {
		return outbound.Form{}, fault.New(fault.Invalid, "malformed_json", "not a request")
	}
	f := outbound.Form{
		OrderNumber: c.Order, RequestID: c.Req, Columns: []byte(`{}`),
		Meaning: fmt.Appendf(nil, "%s %d %s %v", c.Order, c.Amount, c.Req, c.Hold),
	}
	if c.Amount > 0 {
		f.Amount = twd(c.Amount)
	}
	if c.Own {
		f.Credential, f.Account, f.Wire = []byte(`{}`), "account", "v1"
	}
	if c.Hold {
		f.Capture = new(false)
	}
	return f, nil
}

func (session) Compose(catalogue.Kind, catalogue.Values) ([]byte, error) {
	return nil, fault.New(fault.Unsupported, "unsupported", "the simulation speaks native only")
}

func (session) Mandate(context.Context, outbound.MandateQuestion) outbound.MandateAnswer {
	return outbound.MandateAnswer{}
}

// Send is the way to the provider and back. Whatever happens to the caller, what arrived is performed.
func (s session) Send(ctx context.Context, i outbound.Instruction) outbound.Answer {
	p, b := s.p, s.p.book
	p.port("send " + string(i.Operation.ID))
	b.authenticated("a "+string(i.Kind), i.Credential)
	f := b.faults
	if b.healed {
		f = &faultsOf{unique: f.unique}
	}
	w := p.w
	if w.chance("not sent", f.notSent) || time.Now().After(i.NotAfter) {
		return outbound.Answer{Known: payment.KnownNotSent, Reason: "unavailable"}
	}
	b.sent[i.Operation.ID]++
	w.log("%s: sends %s %s for %s, op %s", p.name, i.Kind, i.Operation.OrderID, i.Payment.OrderNumber, i.Operation.ID)
	if w.chance("lost on the way", f.lost) {
		return s.silence(ctx, i)
	}
	if w.chance("declined", f.declined) {
		return outbound.Answer{Known: payment.KnownDeclined, Native: []byte(`{"code":"51"}`), Evidence: payment.Evidence{Code: "51"}}
	}
	if w.chance("undecided, nothing taken", f.undecided) {
		return outbound.Answer{Native: []byte(`{"code":"9999"}`), Evidence: payment.Evidence{Code: "9999"}}
	}
	if w.chance("wrong amount", f.wrongAmount) && i.Kind == payment.KindPay {
		i.Operation.Amount.Units += 7
	}
	if w.chance("lands late", f.late) {
		// The caller gives up; it lands within the provider's promise, counted from the last moment at which it may have left.
		delay := time.Until(i.Operation.SendDeadline) + time.Duration(w.rng.Int64N(int64(landing)))
		go func() {
			time.Sleep(delay)
			w.yield("landing " + string(i.Operation.ID))
			b.land(i)
		}()
		return s.silence(ctx, i)
	}
	time.Sleep(time.Duration(w.rng.Int64N(int64(2 * time.Second))))
	w.yield("arrives " + string(i.Operation.ID)) // it arrives even if its sender is dead by now
	answer := b.land(i)
	// Only what the provider tells apart by its order id survives being delivered twice; a refund has no id of ours.
	if i.Kind == payment.KindPay && b.faults.unique && w.chance("redelivered", f.redelivered) {
		answer = b.land(i) // a proxy below us sent it twice, and brings the second answer
	}
	if answer.Known == payment.KnownApproved && i.Kind == payment.KindPay && w.chance("wrong amount in the answer", f.wrongAnswer) {
		answer.Evidence.Captured.Units += 9
	}
	if w.chance("answer lost", f.silent) {
		return s.silence(ctx, i)
	}
	p.port("answer " + string(i.Operation.ID))
	if w.chance("garbled", f.garbled) {
		return outbound.Answer{Reason: "bad_answer"}
	}
	return answer
}

// silence is no answer until the caller gives up.
func (s session) silence(ctx context.Context, i outbound.Instruction) outbound.Answer {
	<-ctx.Done()
	s.p.port("timeout " + string(i.Operation.ID))
	return outbound.Answer{Reason: "timeout"}
}

func (s session) Ask(_ context.Context, q outbound.Question) outbound.Findings {
	p, b := s.p, s.p.book
	p.port("ask " + q.OrderID + " " + string(q.About))
	b.authenticated("a search", q.Credential)
	f := b.faults
	if b.healed {
		f = &faultsOf{}
	}
	if p.w.chance("search fails", f.searchFails) {
		return outbound.Findings{Failed: true, Reason: "timeout"}
	}
	visible := time.Duration(0)
	if !b.healed {
		visible = time.Duration(p.w.rng.Int64N(int64(lag)))
	}
	found := b.find(q.OrderID, visible)
	p.port("found " + q.OrderID + " " + string(q.About))
	p.w.log("%s: search of %s about %s: %d captured %d refunded %d", p.name, q.OrderID, q.About, found.Finding,
		found.Evidence.Captured.Units, found.Evidence.Refunded.Units)
	return found
}
