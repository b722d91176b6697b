package httpapi_test

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/payrack/payrack/core/access"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/journal"
	"github.com/payrack/payrack/core/mandate"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/inbound"
)

// Codes of payers that make the bank answer in other ways than "paid".
const (
	declinedCode = "declined"
	unknownCode  = "unknown"
)

// dawn is when everything happens.
var dawn = time.Date(2026, 11, 22, 2, 0, 0, 123456789, time.UTC)

// bank does what neutral requests ask for, on the records that the plane shows, and replays by key.
type bank struct {
	records  *fakeRecords
	mandates *fakeMandates
	kept     map[string]kept
}

// kept is what a key stands for: the operation as it ended and the stored body.
type kept struct {
	operation payment.Operation
	id        payment.ID
	body      []byte
}

func (b *bank) do(kind string, n inbound.Native) (inbound.Reply, error) {
	b.records.mu.Lock()
	defer b.records.mu.Unlock()
	key := string(n.Principal.Company) + "/" + kind + "/" + n.IdempotencyKey
	if old, ok := b.kept[key]; ok {
		r := b.records.of(n.Principal.Company, old.id)
		return inbound.Reply{
			Payment: old.id, State: r.Payment.State, Record: payment.Record{Payment: r.Payment, Operation: old.operation},
			Body: old.body, Replayed: true,
		}, nil
	}
	r, err := b.moved(kind, n)
	if err != nil {
		return inbound.Reply{}, err
	}
	id := r.Payment.ID
	reply := inbound.Reply{Payment: id, State: r.Payment.State, Record: *r, RetryAfter: 3 * time.Second}
	if r.Operation.Open() && r.Payment.State != payment.Reversing {
		reply.Class = inbound.ReplyPending
		return reply, nil
	}
	reply.Body = n.Render(inbound.Rendering{
		Record: *r, WebURL: "https://wallet.example/pay?a=1&b=2", AppURL: "wallet://pay", ActionExpires: dawn.Add(time.Hour),
	})
	if b.kept == nil {
		b.kept = map[string]kept{}
	}
	b.kept[key] = kept{operation: r.Operation, id: id, body: reply.Body}
	return reply, nil
}

// moved makes or changes a record.
func (b *bank) moved(kind string, n inbound.Native) (*payment.Record, error) {
	if kind == "pay" {
		return b.paid(n)
	}
	r := b.records.of(n.Principal.Company, n.Neutral.Payment)
	if r == nil {
		return nil, fault.New(fault.NotFound, "payment_not_found", "there is no such payment "+string(n.Neutral.Payment))
	}
	p, o := &r.Payment, &r.Operation
	if kind == "cancel" {
		if o.Open() {
			p.State = payment.Reversing
			return r, nil
		}
		kind = "void"
	}
	*o = payment.Operation{ID: "0190a1b2-0000-7000-8000-0000000000aa", Kind: payment.Kind(kind), State: payment.OperationSucceeded, Amount: p.Amount, OrderID: p.OrderNumber}
	switch kind {
	case "confirm":
		p.State, p.Captured = payment.Succeeded, p.Amount.Units
	case "capture":
		o.Amount = cmp.Or(n.Neutral.Values.Amount, p.Amount)
		p.State, p.Captured = payment.Succeeded, o.Amount.Units
	case "void":
		p.State = payment.Voided
	case "refund":
		o.Amount = cmp.Or(n.Neutral.Values.Amount, p.Amount)
		if p.Refunded+o.Amount.Units > p.Captured {
			f := fault.New(fault.Conflict, "amount_exceeds_remaining", "the amount is more than what is left")
			f.Payment = string(p.ID)
			return nil, f
		}
		p.Refunded += o.Amount.Units
		p.State = payment.PartiallyRefunded
	}
	p.Version++
	return r, nil
}

func (b *bank) paid(n inbound.Native) (*payment.Record, error) {
	v := n.Neutral.Values
	if id := n.Neutral.Mandate; id != "" {
		if m := b.mandates.of(n.Principal.Company, id); m == nil {
			return nil, fault.New(fault.NotFound, "mandate_not_found", "there is no such approval "+string(id))
		}
	}
	id := payment.ID("0190a1b2-0000-7000-8000-1000000000" + string('a'+rune(len(b.records.records)/10)) + string('0'+rune(len(b.records.records)%10)))
	r := payment.Record{
		Payment: payment.Payment{
			ID: id, Company: n.Principal.Company, Environment: n.Environment, Type: n.Type, Provider: "demo", OrderNumber: v.OrderNumber,
			Amount: v.Amount, Capture: v.Capture == nil || *v.Capture, State: payment.Succeeded, Authorized: v.Amount.Units,
			Captured: v.Amount.Units, Mandate: string(n.Neutral.Mandate), ProviderTransaction: "2019049910005496810",
			Release: "demo@1.2.3", Version: 2, CreatedAt: dawn, UpdatedAt: dawn,
		},
		Operation: payment.Operation{
			ID: "0190a1b2-0000-7000-8000-0000000000ee", Payment: id, Kind: payment.KindPay, State: payment.OperationSucceeded,
			Amount: v.Amount, OrderID: v.OrderNumber,
		},
	}
	p, o := &r.Payment, &r.Operation
	switch {
	case v.Code == declinedCode:
		p.State, p.Failure, p.Authorized, p.Captured = payment.Failed, payment.Declined, 0, 0
		o.State, o.Failure, o.Code, o.DeclineCode = payment.OperationFailed, payment.Declined, "1106", "insufficient_funds"
		p.Code, p.DeclineCode = o.Code, o.DeclineCode
	case v.Code == unknownCode:
		p.State, p.Authorized, p.Captured = payment.Unknown, 0, 0
		o.State, o.NextCheckAt = payment.OperationUnknown, dawn.Add(time.Second)
	case v.Code == "" && n.Neutral.Mandate == "":
		p.State, p.Authorized, p.Captured = payment.RequiresAction, 0, 0
	case !p.Capture:
		p.State, p.Captured = payment.Authorized, 0
	}
	b.records.records = append(b.records.records, r)
	return &b.records.records[len(b.records.records)-1], nil
}

// fakeRecords keeps payments by company, and a journal of each.
type fakeRecords struct {
	mu      sync.Mutex
	records []payment.Record
	queries []inbound.RecordsQuery
	fails   error
}

// of is a company's record, nil for anyone else's.
func (f *fakeRecords) of(co company.ID, id payment.ID) *payment.Record {
	i := slices.IndexFunc(f.records, func(r payment.Record) bool { return r.Payment.ID == id && r.Payment.Company == co })
	if i < 0 {
		return nil
	}
	return &f.records[i]
}

func (f *fakeRecords) Get(_ context.Context, p access.Principal, id payment.ID) (payment.Record, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fails != nil {
		return payment.Record{}, f.fails
	}
	if r := f.of(p.Company, id); r != nil {
		return *r, nil
	}
	return payment.Record{}, fault.New(fault.NotFound, "not_found", "no payment "+string(id))
}

func (f *fakeRecords) List(_ context.Context, p access.Principal, q inbound.RecordsQuery) (inbound.RecordsPage, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fails != nil {
		return inbound.RecordsPage{}, f.fails
	}
	f.queries = append(f.queries, q)
	var page inbound.RecordsPage
	for _, r := range f.records {
		if r.Payment.Company == p.Company && (q.State == "" || q.State == r.Payment.State) && string(r.Payment.ID) > q.Cursor {
			page.Payments = append(page.Payments, r.Payment)
		}
	}
	sort.Slice(page.Payments, func(i, j int) bool { return page.Payments[i].ID < page.Payments[j].ID })
	if q.Limit > 0 && len(page.Payments) > q.Limit {
		page.Payments = page.Payments[:q.Limit]
		page.Next = string(page.Payments[q.Limit-1].ID)
	}
	return page, nil
}

// Events has as many entries as the payment has versions.
func (f *fakeRecords) Events(_ context.Context, p access.Principal, id payment.ID, after int64, limit int) ([]journal.Entry, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fails != nil {
		return nil, f.fails
	}
	r := f.of(p.Company, id)
	if r == nil {
		return nil, fault.New(fault.NotFound, "payment_not_found", "no payment "+string(id))
	}
	var (
		all  []journal.Entry
		prev journal.Hash
	)
	for n := int64(1); n <= r.Payment.Version; n++ {
		body, err := json.Marshal(map[string]any{
			"at": dawn, "event": "payment.sending", "state": "SENDING", "type": r.Payment.Type, "provider": "demo", "account": "canary-account",
			"environment": "test", "store": "", "order_number": r.Payment.OrderNumber, "currency": "TWD", "amount": 229, "authorized": 0,
			"captured": 0, "refunded": 0, "refund_reserved": 0, "operation_id": r.Operation.ID, "operation_kind": "pay",
			"operation_state": "SENDING", "operation_amount": 229, "epoch": 4711, "release": "demo@1.2.3", "trace_id": "4bf9",
			"actor": "canary-actor", "approver": "canary-approver", "evidence": "canary-evidence",
		})
		if err != nil {
			return nil, err
		}
		e := journal.Link(prev, r.Payment.Stream(), n, dawn.Add(time.Duration(n)*time.Second), "payment.sending", body)
		if prev = e.Hash; n > after && len(all) < limit {
			all = append(all, e)
		}
	}
	return all, nil
}

// fakeMandates keeps approvals by company.
type fakeMandates struct {
	mu    sync.Mutex
	all   []mandate.Mandate
	asked []string
	fails error
}

func (f *fakeMandates) of(co company.ID, id mandate.ID) *mandate.Mandate {
	i := slices.IndexFunc(f.all, func(m mandate.Mandate) bool { return m.ID == id && m.Company == co })
	if i < 0 {
		return nil
	}
	return &f.all[i]
}

func (f *fakeMandates) ask(what string, p access.Principal, id mandate.ID, change func(*mandate.Mandate)) (mandate.Mandate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, what)
	if f.fails != nil {
		return mandate.Mandate{}, f.fails
	}
	m := f.of(p.Company, id)
	if m == nil {
		return mandate.Mandate{}, fault.New(fault.NotFound, "mandate_not_found", "no mandate "+string(id))
	}
	change(m)
	return *m, nil
}

func (f *fakeMandates) Get(_ context.Context, p access.Principal, id mandate.ID) (mandate.Mandate, error) {
	return f.ask("get", p, id, func(*mandate.Mandate) {})
}

func (f *fakeMandates) Check(_ context.Context, p access.Principal, id mandate.ID, card bool) (mandate.Mandate, error) {
	what := "check"
	if card {
		what = "check card"
	}
	return f.ask(what, p, id, func(m *mandate.Mandate) { m.Label = "**** 1111" })
}

func (f *fakeMandates) Expire(_ context.Context, p access.Principal, id mandate.ID) (mandate.Mandate, error) {
	return f.ask("expire", p, id, func(m *mandate.Mandate) { m.State = mandate.Dead })
}

// fakeNotices knows where payers are sent.
type fakeNotices struct {
	mu    sync.Mutex
	to    map[payment.ID]string
	asked []payment.ID
	fails error
}

func (f *fakeNotices) Return(_ context.Context, id payment.ID) (inbound.ReturnTo, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, id)
	if f.fails != nil {
		return inbound.ReturnTo{}, f.fails
	}
	url, ok := f.to[id]
	if !ok {
		return inbound.ReturnTo{}, fault.New(fault.NotFound, "payment_not_found", "no payment "+string(id))
	}
	return inbound.ReturnTo{URL: url, Payment: id, State: payment.Succeeded}, nil
}
