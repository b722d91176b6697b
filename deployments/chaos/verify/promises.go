package verify

import (
	"maps"
	"slices"
	"strings"

	"github.com/payrack/payrack/deployments/chaos/record"
)

// promises is I2, I5, I6 and I14: what clients were told is what happened, and nobody heard both.
func (j *judge) promises() {
	books := j.booksByOrder()
	for _, order := range slices.Sorted(maps.Keys(j.orders)) {
		calls := j.orders[order]
		var held, paid, notPaid, undone bool
		var amount int64
		provider := calls[0].Provider
		for _, c := range calls {
			switch {
			case c.Kind == record.Cancel && c.Told == record.NotPaid:
				undone = true // even where it had been paid: the client asked for it
			case c.Told == record.Held:
				held = true
			case c.Told == record.Paid:
				paid = true
			case c.Told == record.NotPaid && c.State != "VOIDED":
				notPaid = true
			case c.Told == record.NotPaid:
				undone = true
			}
			if c.Payment != "" && c.Told != record.Nothing && c.Told != record.Refused && j.payments[c.Payment] == nil {
				j.broken("I14", "%s: a client heard %q about payment %s, which the database does not have", order, c.Told, c.Payment)
			}
			if c.Kind == record.Pay && c.Status == 200 && c.Told == record.Refused {
				j.broken("I2", "%s: a till with an order number of its own heard that it belongs to another payment", order)
			}
		}
		charges := 0
		for _, b := range books[provider+" "+order] {
			charges += b.charges
			amount += b.live()
		}
		if (held || paid) && notPaid {
			j.broken("I6", "%s was told paid and not paid", order)
		}
		if (held || paid) && charges == 0 {
			j.v.FalsePaid++
			j.broken("I2", "%s was told paid, and the provider never took it", order)
		}
		if (notPaid || undone) && amount > 0 {
			j.v.FalseNotPaid++
			j.broken("I5", "%s was told not paid, and the provider has %d", order, amount)
		}
	}
}

// booksByOrder are the provider's books of each order number of a client: one for each attempt that was sent.
func (j *judge) booksByOrder() map[string][]*book {
	all := map[string][]*book{}
	for key, b := range j.books {
		provider, _, _ := strings.Cut(key, " ")
		order := b.base
		if p := j.of[key]; p != nil {
			order = p.OrderNumber
		}
		all[provider+" "+order] = append(all[provider+" "+order], b)
	}
	return all
}
