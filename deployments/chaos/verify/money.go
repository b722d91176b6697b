package verify

import (
	"strings"

	"github.com/payrack/payrack/deployments/chaos/record"
)

// book is what the provider did for one order id.
type book struct {
	base              string
	charges           int
	held, taken, back int64
	account, currency string
	asked             int64
}

func (b *book) add(e record.Entry) {
	switch e.Kind {
	case "charge":
		b.charges++
		b.taken += e.Amount
		b.asked, b.account, b.currency = e.Amount, e.Account, e.Currency
	case "authorize":
		b.charges++
		b.held += e.Amount
		b.asked, b.account, b.currency = e.Amount, e.Account, e.Currency
	case "capture":
		b.taken += e.Amount
		b.held = 0
	case "void":
		b.held, b.taken, b.back = 0, 0, 0
	case "refund":
		b.back += e.Amount
	}
}

// live is the money that is held or taken at the end.
func (b *book) live() int64 {
	if b == nil {
		return 0
	}
	return b.held + b.taken - b.back
}

// money is I1, I3 and I8: the ledger of the provider against the rows.
func (j *judge) money() {
	live := map[string]int{}
	for key, b := range j.books {
		provider, order, _ := strings.Cut(key, " ")
		p := j.of[key]
		if b.charges > 1 {
			j.v.Double++
			j.broken("I1", "%s was charged %d times under one order id", key, b.charges)
		}
		if b.live() > 0 {
			live[provider+" "+b.base]++
		}
		if b.live() < 0 {
			j.broken("I8", "%s: more was given back than taken", key)
		}
		if p == nil {
			if b.live() > 0 {
				j.v.Lost++
			}
			j.broken("I3", "the provider has an order %s (%s) that no payment knows", order, provider)
			continue
		}
		if b.account != p.Account || b.currency != p.Currency || b.asked != p.Amount {
			j.broken("I2", "%s: the provider charged %d %s at %s, the payment says %d %s at %s", order, b.asked, b.currency, b.account, p.Amount, p.Currency, p.Account)
		}
	}
	for order, n := range live {
		if n > 1 {
			j.v.Double++
			j.broken("I1", "%s has %d live charges", order, n)
		}
	}
	for _, p := range j.Payments {
		j.agrees(p)
	}
}

// agrees holds one payment against the book of its order ids.
func (j *judge) agrees(p record.Payment) {
	var got, back int64
	seen := map[string]bool{}
	for _, o := range j.Operations {
		if o.Payment != p.ID || seen[o.OrderID] {
			continue
		}
		seen[o.OrderID] = true
		if b := j.books[p.Provider+" "+o.OrderID]; b != nil {
			got, back = got+b.live(), back+b.back
		}
	}
	var want int64
	switch p.State {
	case "AUTHORIZED":
		want = p.Authorized
	case "SUCCEEDED", "PARTIALLY_REFUNDED":
		want = p.Captured - p.Refunded
	case "REVIEW":
		return // people look at the provider's book themselves
	}
	switch {
	case got > want:
		j.v.Lost++
		j.broken("I3", "%s %s is %s with %d, the provider has %d", p.OrderNumber, p.ID, p.State, want, got)
	case got < want:
		j.v.FalsePaid++
		j.broken("I2", "%s %s is %s with %d, the provider has %d", p.OrderNumber, p.ID, p.State, want, got)
	}
	if (p.State == "SUCCEEDED" || p.State == "PARTIALLY_REFUNDED" || p.State == "REFUNDED") && p.Refunded != back {
		j.broken("I8", "%s %s gave back %d, the provider %d", p.OrderNumber, p.ID, p.Refunded, back)
	}
	if p.Reserved != 0 && !open(p.State) {
		j.broken("I8", "%s %s still reserves %d", p.OrderNumber, p.ID, p.Reserved)
	}
	if p.Refunded+p.Reserved > p.Captured || p.Captured > p.Authorized {
		j.broken("I8", "%s %s: amounts that cannot be: authorized %d, captured %d, refunded %d", p.OrderNumber, p.ID, p.Authorized, p.Captured, p.Refunded)
	}
}

// transmissions is I10: no operation reaches the provider more than once, and one that was "not sent" never.
func (j *judge) transmissions() {
	type key struct{ provider, order, operation string }
	may, came := map[key]int{}, map[key]int{}
	for _, o := range j.Operations {
		if o.State == "FAILED" && o.Failure == "not_sent" {
			continue
		}
		if p := j.payments[o.Payment]; p != nil {
			may[key{p.Provider, o.OrderID, o.Kind}]++
		}
	}
	for _, r := range j.Requests {
		if r.Operation == "mandate_pay" {
			r.Operation = "pay" // a charge of a stored approval
		}
		switch r.Operation {
		case "pay", "confirm", "capture", "void", "refund":
			if !r.Redelivered && r.OrderID != "" {
				came[key{r.Provider, r.OrderID, r.Operation}]++
			}
		}
	}
	for k, n := range came {
		if n > may[k] {
			j.broken("I10", "%d requests to %s %s reached %s, for %d operations that may have been sent", n, k.operation, k.order, k.provider, may[k])
		}
	}
}
