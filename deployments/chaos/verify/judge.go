// Package verify judges a chaos run from what it wrote down: the provider's own ledger and list of requests, what clients
// heard and when, and the rows and the journal of the database. It uses nothing of the program's own code but the table of
// allowed changes and the form of a journal entry, and it works on old reports too.
package verify

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/payrack/payrack/deployments/chaos/record"
)

// Verdict is what a report proves.
type Verdict struct {
	About record.About
	// Evidence is the folder of the report, named where something is broken.
	Evidence string
	// Orders that clients asked for, and those of them for which the provider holds money at the end.
	Orders, Charged int
	Calls           int
	// The money columns, in payments.
	Double, Lost, FalsePaid, FalseNotPaid int
	// Open at the end, and those that wait for people.
	Open, Review int
	States       map[string]int
	// Kills by what was killed, and those of them that hit a payment in flight.
	Kills, KillsInFlight map[string]int
	Blows                map[string]int
	// Points are the crash points with how often each was hit, and PointStates in which state those payments ended.
	Points map[string]int
	Faults map[string]int
	// Unknown counts payments that were in doubt, Truth how long until each had a promise, Settled until nothing of it was open,
	// Healed the same for those that were in doubt when everything was repaired, from that moment on.
	Unknown        int
	Truth, Settled []time.Duration
	Healed         []time.Duration
	Histories      int
	Changes        int
	// Refunds, Captures and Confirmed are operations that clients asked for and that were made.
	Refunds, Captures, Confirmed int
	// Stored are the orders that charge a stored approval.
	Stored int
	// Messages are the webhooks that reached the company's server, Repeated those of them that it had or had refused before.
	Messages, Repeated int
	// Broken are the invariants that were broken, each with what broke it.
	Broken []string
}

// most bounds how much is told of one invariant.
const most = 12

// judge collects a verdict.
type judge struct {
	record.Report

	v     Verdict
	told  map[string]int
	books map[string]*book // by provider and order id
	// of is the payment of each order id at a provider.
	of       map[string]*record.Payment
	payments map[string]*record.Payment
	facts    map[string][]record.Fact
	orders   map[string][]record.Call
}

// Judge checks a report.
func Judge(r record.Report) Verdict {
	j := &judge{
		Report: r, told: map[string]int{}, books: map[string]*book{}, of: map[string]*record.Payment{}, payments: map[string]*record.Payment{},
		facts: map[string][]record.Fact{}, orders: map[string][]record.Call{},
		v: Verdict{
			About: r.About, States: map[string]int{}, Kills: map[string]int{}, KillsInFlight: map[string]int{}, Blows: map[string]int{},
			Points: map[string]int{}, Faults: map[string]int{}, Calls: len(r.Calls),
		},
	}
	j.index()
	j.count()
	j.ended()
	j.chains()
	j.money()
	j.transmissions()
	j.promises()
	j.histories()
	j.audited()
	j.messages()
	j.secrets()
	return j.v
}

// broken notes that an invariant does not hold.
func (j *judge) broken(invariant, format string, args ...any) {
	j.told[invariant]++
	switch n := j.told[invariant]; {
	case n <= most:
		j.v.Broken = append(j.v.Broken, invariant+": "+fmt.Sprintf(format, args...))
	case n == most+1:
		j.v.Broken = append(j.v.Broken, invariant+": and more")
	}
}

func (j *judge) index() {
	for i := range j.Payments {
		p := &j.Payments[i]
		j.payments[p.ID] = p
	}
	for _, o := range j.Operations {
		p := j.payments[o.Payment]
		if p == nil {
			j.broken("I12", "operation %s belongs to no payment", o.ID)
			continue
		}
		j.of[p.Provider+" "+o.OrderID] = p
	}
	for _, f := range j.Journal {
		if id, ok := strings.CutPrefix(f.Stream, "payment/"); ok {
			j.facts[id] = append(j.facts[id], f)
		}
	}
	for _, c := range j.Calls {
		j.orders[c.Order] = append(j.orders[c.Order], c)
	}
	for _, e := range j.Ledger {
		key := e.Provider + " " + e.OrderID
		if j.books[key] == nil {
			j.books[key] = &book{base: e.BaseOrderID}
		}
		j.books[key].add(e)
	}
}

func (j *judge) count() {
	j.v.Orders = len(j.orders)
	for _, calls := range j.orders {
		if calls[0].Stored {
			j.v.Stored++
		}
	}
	for _, b := range j.Blows {
		if b.Error != "" {
			continue
		}
		switch b.Kind {
		case record.Kill:
			j.v.Kills[b.Target]++
			if b.InFlight > 0 {
				j.v.KillsInFlight[b.Target]++
			}
		case record.Heal:
		default:
			j.v.Blows[b.Kind+" "+b.Target]++
		}
		if b.Point != "" {
			j.v.Points[b.Point]++
		}
	}
	for _, f := range j.Faults {
		if f.Fired > 0 {
			j.v.Faults[f.Fault] += f.Fired
		}
	}
	for _, o := range j.Operations {
		if o.Reversal || o.State != "SUCCEEDED" {
			continue
		}
		switch o.Kind {
		case "refund":
			j.v.Refunds++
		case "capture":
			j.v.Captures++
		case "confirm":
			j.v.Confirmed++
		}
	}
	charged := map[string]bool{}
	for key, b := range j.books {
		if b.live() > 0 {
			provider, _, _ := strings.Cut(key, " ")
			charged[provider+" "+b.base] = true
		}
	}
	j.v.Charged = len(charged)
}

// open are the states in which something is still to be found out or done.
func open(state string) bool {
	return slices.Contains([]string{"SENDING", "CAPTURING", "VOIDING", "REFUNDING", "UNKNOWN", "REVERSING", "MISMATCH"}, state)
}

// ended is I4.
func (j *judge) ended() {
	for _, p := range j.Payments {
		state := p.State
		if state == "FAILED" {
			state += " (" + p.Failure + ")"
		}
		j.v.States[state]++
		switch {
		case open(p.State):
			j.v.Open++
			j.broken("I4", "%s %s is still %s at the end", p.OrderNumber, p.ID, p.State)
		case p.State == "REVIEW":
			j.v.Review++
			j.broken("I4", "%s %s waits for people: nothing in this run should", p.OrderNumber, p.ID)
		}
	}
}

// secrets is I13, and what the harness itself says.
func (j *judge) secrets() {
	for _, s := range j.About.Secrets {
		switch {
		case s.Control && len(s.Found) == 0:
			j.broken("I13", "%s was not found by the search that must find it: the search proves nothing", s.Name)
		case !s.Control && len(s.Found) > 0:
			j.broken("I13", "%s stands in %s", s.Name, strings.Join(s.Found, ", "))
		}
	}
}
