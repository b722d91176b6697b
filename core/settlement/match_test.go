package settlement_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/payrack/payrack/core/money"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/core/settlement"
)

// The report is that of one day; what happens in its last hour may be in the next one.
var (
	day    = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	period = settlement.Period{From: day, To: day.AddDate(0, 0, 1), Edge: time.Hour}
)

func twd(units int64) money.Amount { return money.Amount{Units: units, Currency: money.TWD} }

// paid is a payment of 229 TWD that was made at noon; change makes another one of it.
func paid(change func(*payment.Payment)) payment.Payment {
	p := payment.Payment{
		ID: "p1", OrderNumber: "A", Attempt: 1, Amount: twd(229), Captured: 229, State: payment.Succeeded, ProviderTransaction: "T1",
		CreatedAt: day.Add(12 * time.Hour), UpdatedAt: day.Add(12 * time.Hour),
	}
	if change != nil {
		change(&p)
	}
	return p
}

func charge(order, transaction string, units int64) settlement.Line {
	return settlement.Line{Kind: settlement.Charge, OrderID: order, Transaction: transaction, Amount: twd(units)}
}

func yen(order string) settlement.Line {
	return settlement.Line{Kind: settlement.Charge, OrderID: order, Transaction: "T5", Amount: money.Amount{Units: 5, Currency: money.JPY}}
}

func refund(units int64) settlement.Line {
	return settlement.Line{Kind: settlement.Refund, OrderID: "A", Amount: twd(units)}
}

func in(state payment.State) func(*payment.Payment) {
	return func(p *payment.Payment) { p.State, p.Captured, p.ProviderTransaction = state, 0, "" }
}

func TestMatch(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		payment payment.Payment
		lines   []settlement.Line
		want    string
	}{
		"paid, and charged":           {paid(nil), []settlement.Line{charge("A", "T1", 229)}, ""},
		"found by its order alone":    {paid(nil), []settlement.Line{charge("A", "", 229)}, ""},
		"found by its charge alone":   {paid(nil), []settlement.Line{charge("", "T1", 229)}, ""},
		"another amount":              {paid(nil), []settlement.Line{charge("A", "T1", 228)}, "amount_differs 229 TWD, 228 TWD"},
		"another currency":            {paid(nil), []settlement.Line{{Kind: settlement.Charge, OrderID: "A", Amount: money.Amount{Units: 229, Currency: money.JPY}}}, "amount_differs 229 TWD, 229 JPY"},
		"not charged":                 {paid(nil), nil, "missing_there 229 TWD, 0 TWD"},
		"paid in the last hour":       {paid(func(p *payment.Payment) { p.CreatedAt = period.To.Add(-time.Minute) }), nil, ""},
		"paid before the day":         {paid(func(p *payment.Payment) { p.CreatedAt = day.Add(-time.Minute) }), nil, ""},
		"charged twice":               {paid(nil), []settlement.Line{charge("A", "T1", 229), charge("A", "T2", 229)}, "charged_twice 229 TWD, 458 TWD"},
		"the second one given back":   {paid(nil), []settlement.Line{charge("A", "T1", 229), charge("A", "T2", 229), refund(229)}, "amount_differs 229 TWD, 458 TWD; refund_unknown_here 0 TWD, 229 TWD"},
		"a row twice":                 {paid(nil), []settlement.Line{charge("A", "T1", 229), charge("A", "T1", 229)}, "row_repeated  , 229 TWD"},
		"taken in two parts":          {paid(nil), []settlement.Line{charge("A", "T1", 200), charge("A", "T2", 29)}, ""},
		"declined":                    {paid(in(payment.Failed)), nil, ""},
		"declined, and charged":       {paid(in(payment.Failed)), []settlement.Line{charge("A", "T1", 229)}, "not_paid_here 0 TWD, 229 TWD"},
		"declined, charged, returned": {paid(in(payment.Failed)), []settlement.Line{charge("A", "T1", 229), refund(229)}, ""},
		"declined, half returned":     {paid(in(payment.Failed)), []settlement.Line{charge("A", "T1", 229), refund(100)}, "not_paid_here 0 TWD, 129 TWD"},
		"declined, charged twice":     {paid(in(payment.Failed)), []settlement.Line{charge("A", "T1", 229), charge("A", "T2", 229)}, "charged_twice 0 TWD, 458 TWD"},
		"reversed, and kept":          {paid(in(payment.Reversed)), []settlement.Line{charge("A", "T1", 229)}, "not_paid_here 0 TWD, 229 TWD"},
		"voided in the last hour": {paid(func(p *payment.Payment) {
			p.State, p.UpdatedAt = payment.Voided, period.To.Add(-time.Minute)
		}), []settlement.Line{charge("A", "T1", 229)}, ""},
		"being given back":     {paid(in(payment.Reversing)), []settlement.Line{charge("A", "T1", 229)}, "open_here 0 TWD, 229 TWD"},
		"unknown, and charged": {paid(in(payment.Unknown)), []settlement.Line{charge("A", "T1", 229)}, "open_here 0 TWD, 229 TWD"},
		"unknown, not charged": {paid(in(payment.Unknown)), nil, ""},
		"held, and charged":    {paid(in(payment.Authorized)), []settlement.Line{charge("A", "T1", 229)}, "amount_differs 0 TWD, 229 TWD"},
		"held":                 {paid(in(payment.Authorized)), nil, ""},
		"refunded":             {paid(func(p *payment.Payment) { p.State, p.Refunded = payment.Refunded, 229 }), []settlement.Line{charge("A", "T1", 229), refund(200), refund(29)}, ""},
		"refunded here alone":  {paid(func(p *payment.Payment) { p.State, p.Refunded = payment.PartiallyRefunded, 100 }), []settlement.Line{charge("A", "T1", 229)}, "refund_missing_there 100 TWD, 0 TWD"},
		"refunded on the next day": {paid(func(p *payment.Payment) {
			p.State, p.Refunded, p.UpdatedAt = payment.PartiallyRefunded, 100, period.To.Add(time.Hour)
		}), []settlement.Line{charge("A", "T1", 229)}, ""},
		"charged on the day before": {paid(func(p *payment.Payment) {
			p.State, p.Refunded, p.CreatedAt = payment.PartiallyRefunded, 100, day.Add(-time.Hour)
		}), []settlement.Line{refund(100)}, ""},
		"refunded there alone":         {paid(nil), []settlement.Line{charge("A", "T1", 229), refund(100)}, "refund_unknown_here 0 TWD, 100 TWD"},
		"a refund under way":           {paid(func(p *payment.Payment) { p.State, p.RefundReserved = payment.Refunding, 100 }), []settlement.Line{charge("A", "T1", 229), refund(100)}, ""},
		"a stranger":                   {paid(nil), []settlement.Line{charge("A", "T1", 229), charge("B", "T9", 5)}, "unknown_here  , 5 TWD"},
		"an order that only begins so": {paid(nil), []settlement.Line{charge("A", "T1", 229), charge("A-1", "T9", 5)}, "unknown_here  , 5 TWD"},
		"a later attempt":              {paid(func(p *payment.Payment) { p.Attempt = 2 }), []settlement.Line{charge("A-2-0a1b2c", "", 229)}, ""},
		"another attempt":              {paid(func(p *payment.Payment) { p.Attempt = 3 }), []settlement.Line{charge("A-2-0a1b2c", "", 229)}, "unknown_here  , 229 TWD; missing_there 229 TWD, 0 TWD"},
		"the first attempt's":          {paid(func(p *payment.Payment) { p.Attempt = 2 }), []settlement.Line{charge("A", "", 229)}, "unknown_here  , 229 TWD; missing_there 229 TWD, 0 TWD"},
		"a retry of a redirect":        {paid(nil), []settlement.Line{charge("A-r3-0a1b2c", "", 229)}, ""},
		"two parts, refunded on the next day": {paid(func(p *payment.Payment) {
			p.State, p.Refunded, p.UpdatedAt = payment.PartiallyRefunded, 100, period.To.Add(time.Hour)
		}), []settlement.Line{charge("A", "T1", 200), charge("A", "T2", 29)}, ""},
		"two parts, reversed on the next day": {paid(func(p *payment.Payment) {
			p.State, p.Refunded, p.UpdatedAt = payment.Reversed, 229, period.To.Add(time.Hour)
		}), []settlement.Line{charge("A", "T1", 200), charge("A", "T2", 29)}, ""},
		"unknown, in two parts":  {paid(in(payment.Unknown)), []settlement.Line{charge("A", "T1", 200), charge("A", "T2", 29)}, "open_here 0 TWD, 229 TWD"},
		"declined, in two parts": {paid(in(payment.Failed)), []settlement.Line{charge("A", "T1", 200), charge("A", "T2", 29)}, "not_paid_here 0 TWD, 229 TWD"},
		"held, and captured on the next day": {paid(func(p *payment.Payment) {
			p.Capture, p.UpdatedAt = false, period.To.Add(time.Hour)
		}), nil, ""},
		"taken at once, and changed on the next day": {paid(func(p *payment.Payment) {
			p.Capture, p.UpdatedAt = true, period.To.Add(time.Hour)
		}), nil, "missing_there 229 TWD, 0 TWD"},
		"a second charge in another currency": {paid(nil), []settlement.Line{charge("A", "T1", 229), yen("A")}, "amount_differs 229 TWD, 5 JPY"},
		"declined, charged in another one":    {paid(in(payment.Failed)), []settlement.Line{yen("A")}, "not_paid_here 0 TWD, 5 JPY"},
		"more than there is":                  {paid(nil), []settlement.Line{charge("A", "T1", math.MaxInt64), charge("A", "T2", math.MaxInt64)}, "amount_differs 229 TWD, 9223372036854775807 TWD"},
		"an order with six digits behind it":  {paid(nil), []settlement.Line{charge("A", "T1", 229), charge("A-000123", "T9", 5)}, "unknown_here  , 5 TWD"},
		"an order with a first attempt":       {paid(nil), []settlement.Line{charge("A", "T1", 229), charge("A-1-000123", "T9", 5)}, "unknown_here  , 5 TWD"},
		"an order that reads like an attempt": {paid(func(p *payment.Payment) { p.OrderNumber = "A-2-0a1b2c" }), []settlement.Line{charge("A-2-0a1b2c-ffffff", "", 229)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for i := range c.lines {
				c.lines[i].Row = i + 2
			}
			m := settlement.New(period, c.lines)
			m.Add(c.payment)
			var got []string
			for _, f := range m.Report().Findings {
				got = append(got, strings.TrimSpace(string(f.Code)+" "+amountText(f.Here)+", "+amountText(f.There)))
			}
			if diff := cmp.Diff(c.want, strings.Join(got, "; ")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func amountText(a money.Amount) string {
	if a.IsZero() {
		return " "
	}
	return a.String()
}

// The lines of two payments of one order number, and of strangers, go where they belong.
func TestMatchOfManyPayments(t *testing.T) {
	t.Parallel()
	m := settlement.New(period, []settlement.Line{
		{Row: 2, Kind: settlement.Charge, OrderID: "X", Transaction: "T9", Amount: twd(1)},
		{Row: 3, Kind: settlement.Charge, OrderID: "A", Transaction: "T1", Amount: twd(229)},
		{Row: 4, Kind: settlement.Charge, OrderID: "A-2-00ff00", Transaction: "T2", Amount: twd(229)},
		{Row: 5, Kind: settlement.Charge, OrderID: "OLD", Transaction: "T0", Amount: twd(10)},
	})
	m.Add(paid(in(payment.Failed)))
	m.Add(paid(func(p *payment.Payment) { p.ID, p.Attempt, p.ProviderTransaction = "p2", 2, "T2" }))
	left := m.Left()
	if len(left) != 2 || left[0].OrderID != "X" || left[1].OrderID != "OLD" {
		t.Fatalf("left: %+v", left)
	}
	m.Add(paid(func(p *payment.Payment) {
		p.ID, p.OrderNumber, p.Captured, p.ProviderTransaction, p.CreatedAt = "p0", "OLD", 10, "T0", day.AddDate(0, 0, -1)
	}))
	r := m.Report()
	want := settlement.Report{Lines: 4, Matched: 3, Payments: 3, Findings: []settlement.Finding{
		{Code: settlement.NotPaidHere, Row: 3, Payment: "p1", State: payment.Failed, OrderID: "A", Transaction: "T1", Here: twd(0), There: twd(229)},
		{Code: settlement.UnknownHere, Row: 2, OrderID: "X", Transaction: "T9", There: twd(1)},
	}}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Error(diff)
	}
}

// A line that more than one payment may be behind goes to the right one, whichever is added first.
func TestMatchDoesNotDependOnTheOrder(t *testing.T) {
	t.Parallel()
	notSent := func(p *payment.Payment) {
		in(payment.Failed)(p)
		p.Failure, p.CreatedAt = payment.NotSent, p.CreatedAt.Add(time.Minute) // it was tried again after
	}
	second := paid(func(p *payment.Payment) { p.ID, p.ProviderTransaction = "p2", "T2" })
	retried := func(p *payment.Payment) { p.ID, p.Attempt, p.ProviderTransaction = "p2", 2, "T2" }
	for name, c := range map[string]struct {
		payments [2]payment.Payment
		lines    []settlement.Line
		want     string
	}{
		"one was never sent":             {[2]payment.Payment{paid(notSent), second}, []settlement.Line{charge("A", "", 229)}, ""},
		"one was never sent, by charge":  {[2]payment.Payment{paid(notSent), second}, []settlement.Line{charge("A", "T2", 229)}, ""},
		"never sent, the other is twice": {[2]payment.Payment{paid(notSent), second}, []settlement.Line{charge("A", "T2", 229), charge("A", "T3", 229)}, "charged_twice p2"},
		"a retry of the first one": {
			[2]payment.Payment{paid(in(payment.Failed)), paid(retried)},
			[]settlement.Line{charge("A-r4-0a1b2c", "T9", 229), charge("A-2-00ff00", "T2", 229)},
			"not_paid_here p1",
		},
		"an order with the name of an attempt": {
			[2]payment.Payment{paid(retried), paid(func(p *payment.Payment) { p.OrderNumber = "A-2-000123" })},
			[]settlement.Line{charge("A-2-000123", "", 229), charge("A-2-00ff00", "", 229)},
			"",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for range 2 {
				slices.Reverse(c.payments[:])
				m := settlement.New(period, c.lines)
				for _, p := range c.payments {
					m.Add(p)
				}
				var got []string
				for _, f := range m.Report().Findings {
					got = append(got, string(f.Code)+" "+string(f.Payment))
				}
				if diff := cmp.Diff(c.want, strings.Join(got, "; ")); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

func TestOrderNumbers(t *testing.T) {
	t.Parallel()
	for id, want := range map[string][]string{
		"A":                 {"A"},
		"A-2-0a1b2c":        {"A-2-0a1b2c", "A-2", "A"},
		"A-r4-0a1b2c":       {"A-r4-0a1b2c", "A-r4", "A"},
		"A-2-0a1b2c-ffffff": {"A-2-0a1b2c-ffffff", "A-2-0a1b2c"},
		"-0a1b2c":           {"-0a1b2c"},
		"":                  {""},
	} {
		if got := settlement.OrderNumbers(id); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", id, got, want)
		}
	}
}
