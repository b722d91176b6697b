package settlement

import (
	"cmp"
	"slices"
	"time"

	"github.com/payrack/payrack/core/money"
	"github.com/payrack/payrack/core/payment"
)

// Period is the time that a report covers: from From on, before To.
type Period struct {
	From, To time.Time
	// Edge is how late a movement may stand in a report: what happened here within Edge of To may be in the next one.
	Edge time.Duration
}

// settled reports whether what happened here at a time must be in the report.
func (p Period) settled(t time.Time) bool { return !t.Before(p.From) && t.Before(p.To.Add(-p.Edge)) }

// Match brings lines and payments together. The zero Match is not ready; New makes one.
type Match struct {
	period   Period
	lines    []Line
	byOrder  map[string][]int
	byCharge map[string][]int
	payments []payment.Payment
	// owners are the payments that the lines are of, by their place, nobody for none so far.
	owners   []int
	repeated []Finding
}

const nobody = -1

// New takes the lines of a report.
func New(period Period, lines []Line) *Match {
	m := &Match{period: period, byOrder: map[string][]int{}, byCharge: map[string][]int{}}
	seen := map[Line]int{}
	for _, l := range lines {
		key := l
		key.Row = 0
		if first, again := seen[key]; again && l.Kind == Charge && l.Transaction != "" {
			m.repeated = append(m.repeated, Finding{Code: RowRepeated, Row: l.Row, OrderID: l.OrderID, Transaction: l.Transaction, There: m.lines[first].Amount})
			continue
		}
		n := len(m.lines)
		seen[key] = n
		m.lines = append(m.lines, l)
		for _, number := range OrderNumbers(l.OrderID) {
			m.byOrder[number] = append(m.byOrder[number], n)
		}
		if l.Transaction != "" {
			m.byCharge[l.Transaction] = append(m.byCharge[l.Transaction], n)
		}
	}
	m.owners = slices.Repeat([]int{nobody}, len(m.lines))
	return m
}

// Add gives a payment the lines that are rather of it than of another one. Each payment is added once, in any order.
func (m *Match) Add(p payment.Payment) {
	m.payments = append(m.payments, p)
	for _, n := range m.candidates(p) {
		if m.nearer(n, p) {
			m.owners[n] = len(m.payments) - 1
		}
	}
}

// nearer reports whether a line is of the payment rather than of its owner so far. Of two that are as near the later one has it.
func (m *Match) nearer(n int, p payment.Payment) bool {
	d := m.lines[n].distance(p)
	if d == ofAnother || m.owners[n] == nobody {
		return d != ofAnother
	}
	owner := m.payments[m.owners[n]]
	return cmp.Or(cmp.Compare(m.lines[n].distance(owner), d), p.CreatedAt.Compare(owner.CreatedAt), cmp.Compare(p.ID, owner.ID)) > 0
}

func (m *Match) candidates(p payment.Payment) []int {
	all := slices.Clone(m.byOrder[p.OrderNumber])
	if p.ProviderTransaction != "" {
		all = append(all, m.byCharge[p.ProviderTransaction]...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Left are the lines that have no payment so far: those of payments that were made before the period, and strangers.
func (m *Match) Left() []Line {
	var left []Line
	for n, owner := range m.owners {
		if owner == nobody {
			left = append(left, m.lines[n])
		}
	}
	return left
}

// Unsure are the lines that may be of a payment that was not added: those without one, and charges that only the order number,
// and neither the transaction nor the very order id, gives to the one that they have.
func (m *Match) Unsure() []Line {
	var unsure []Line
	for n, owner := range m.owners {
		l := m.lines[n]
		if owner == nobody || l.Kind == Charge && l.distance(m.payments[owner]) > byOrderID {
			unsure = append(unsure, l)
		}
	}
	return unsure
}

// Report compares each payment with its lines, and with their absence if the payment was made in the period. A line without a
// payment has none.
func (m *Match) Report() Report {
	own := make([][]Line, len(m.payments))
	left := m.Left()
	for n, owner := range m.owners {
		if owner != nobody {
			own[owner] = append(own[owner], m.lines[n])
		}
	}
	all := slices.Clone(m.repeated)
	for i, p := range m.payments {
		m.compare(p, own[i], func(f Finding) { all = append(all, f) })
	}
	for _, l := range left {
		all = append(all, Finding{Code: UnknownHere, Row: l.Row, OrderID: l.OrderID, Transaction: l.Transaction, There: l.Amount})
	}
	codes := Codes()
	slices.SortStableFunc(all, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(slices.Index(codes, a.Code), slices.Index(codes, b.Code)), cmp.Compare(a.Row, b.Row), cmp.Compare(a.Payment, b.Payment))
	})
	return Report{Lines: len(m.lines), Matched: len(m.lines) - len(left), Payments: len(m.payments), Findings: all}
}

// Report is how a comparison ended.
type Report struct {
	// Lines of the report without repeated rows, how many of them have a payment, and how many Payments were compared.
	Lines    int
	Matched  int
	Payments int
	// Findings are what does not agree, the gravest first.
	Findings []Finding
}

// sums are what the lines of one payment moved.
type sums struct {
	charged, refunded money.Amount
	charges           int
	row               int
	order, charge     string
	// foreign is the first line that is no part of the sums: of another currency, or more than there is.
	foreign *Line
}

func sum(p payment.Payment, lines []Line) sums {
	s := sums{charged: money.Amount{Currency: p.Amount.Currency}, refunded: money.Amount{Currency: p.Amount.Currency}}
	for i, l := range lines {
		if i == 0 {
			s.row, s.order, s.charge = l.Row, l.OrderID, l.Transaction
		}
		to := &s.refunded
		if l.Kind == Charge {
			to = &s.charged
			s.charges++
		}
		more, err := to.Add(l.Amount)
		if err != nil {
			if s.foreign == nil {
				s.foreign = &l
			}
			continue
		}
		*to = more
	}
	s.order, s.charge = cmp.Or(s.order, p.OrderNumber), cmp.Or(s.charge, p.ProviderTransaction)
	return s
}

// compare holds a payment against what the report moved for it.
func (m *Match) compare(p payment.Payment, lines []Line, add func(Finding)) {
	s := sum(p, lines)
	amount := func(units int64) money.Amount { return money.Amount{Units: units, Currency: p.Amount.Currency} }
	find := func(c Code, here, there money.Amount) {
		add(Finding{Code: c, Row: s.row, Payment: p.ID, State: p.State, OrderID: s.order, Transaction: s.charge, Here: here, There: there})
	}
	if l := s.foreign; l != nil {
		s.row, s.order, s.charge = l.Row, cmp.Or(l.OrderID, s.order), cmp.Or(l.Transaction, s.charge)
		if p.State.Promise() == payment.NotPaid && p.State != payment.Reversing && l.Kind == Charge {
			find(NotPaidHere, amount(0), l.Amount)
			return
		}
		find(AmountDiffers, amount(p.Captured), l.Amount)
		return
	}
	once := p.Captured
	if once == 0 { // it is not known here that any was taken
		once = p.Amount.Units
	}
	if s.charges > 1 && s.charged.Units > once && s.charged.Units-s.refunded.Units > p.Captured-p.Refunded {
		find(ChargedTwice, amount(p.Captured), s.charged)
		return
	}
	switch p.State.Promise() {
	case payment.Paid:
		m.paid(p, s, find)
	case payment.NotPaid:
		kept := s.charged.Units - s.refunded.Units
		switch {
		case kept <= 0:
		case p.State == payment.Reversing:
			find(OpenHere, amount(0), amount(kept))
		case p.State == payment.Failed || p.UpdatedAt.Before(m.period.To.Add(-m.period.Edge)):
			find(NotPaidHere, amount(0), amount(kept))
		} // else it was given back in the last moments, which may stand in the next report
	case payment.NothingPromised:
		switch {
		case s.charges == 0:
		case p.State == payment.Authorized: // nobody here has captured it
			find(AmountDiffers, amount(p.Captured), s.charged)
		default:
			find(OpenHere, amount(p.Captured), s.charged)
		}
	}
}

// paid compares a payment whose client was told "paid".
func (m *Match) paid(p payment.Payment, s sums, find func(c Code, here, there money.Amount)) {
	captured, refunded := money.Amount{Units: p.Captured, Currency: p.Amount.Currency}, money.Amount{Units: p.Refunded, Currency: p.Amount.Currency}
	switch {
	case s.charges == 0 && m.period.settled(p.CreatedAt) && (p.Capture || m.period.settled(p.UpdatedAt)):
		// What was only held at first may have been captured after the period.
		find(MissingThere, captured, s.charged)
	case s.charges > 0 && s.charged != captured:
		find(AmountDiffers, captured, s.charged)
	}
	switch {
	case s.refunded.Units > p.Refunded+p.RefundReserved:
		find(RefundUnknownHere, refunded, s.refunded)
	case s.refunded.Units < p.Refunded && s.charges > 0 && m.period.settled(p.CreatedAt) && m.period.settled(p.UpdatedAt):
		find(RefundMissingThere, refunded, s.refunded)
	}
}
