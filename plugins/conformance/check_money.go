package conformance

import (
	"github.com/payrack/payrack/plugins/sdk/provider"
)

func moneyChecks() []Check {
	const digits = "An amount that is scaled wrongly takes a hundred times too much, or a hundredth."
	return group(
		"Money",
		Check{
			ID: "amount-exact", Title: "Every amount reaches the gateway exactly",
			Proves: "Each amount of the subject, in the type's first currency, compared with the books.", Why: digits, run: checkAmounts,
		},
		Check{
			ID: "amount-currencies", Title: "Every declared currency is charged in its own unit",
			Proves: "An amount in each declared currency, compared with the books in units and currency.", Why: digits, run: checkCurrencies,
		},
		Check{
			ID: "amount-answered", Title: "The amount that the gateway answers is reported in the same unit",
			Proves: "Where an answer names an amount it equals the books, in every declared currency.", Why: digits, run: checkAmountsAnswered,
		},
		Check{
			ID: "amount-not-positive", Title: "An amount of nothing or less is not sent",
			Proves: "Charges of 0 and -1: not sent, and the gateway got nothing.",
			Why:    "Some gateways take a negative charge for a refund.", run: checkNotPositive,
		},
		Check{
			ID: "currency-foreign", Title: "A currency that the type does not take is not sent",
			Proves: "A charge in XTS, the code for tests: not sent, and the gateway got nothing.",
			Why:    "Without a currency in the request the gateway takes its own.", run: checkForeignCurrency,
		},
		Check{
			ID: "exponent-disagreed", Title: "Host and plugin have to agree on the decimals of a currency",
			Proves: "A charge whose exponent is one more than declared: not sent, and the gateway got nothing.", Why: digits, run: checkExponent,
		},
	)
}

// chargeOf charges an amount and compares it with the books.
func (t *trial) chargeOf(amount provider.Money) (provider.Answer, *order) {
	o := t.order()
	o.amount = amount
	a := t.charge(o)
	if a.Outcome() != provider.OutcomeApproved {
		t.failf("%d %s: answered %s, not approved", amount.Units, amount.Currency, spell(a))
		return a, o
	}
	t.booked(o, "charge")
	return a, o
}

func checkAmounts(t *trial) {
	for _, units := range t.spec.Amounts {
		t.chargeOf(t.money(units, t.spec.Currency))
	}
}

// awkward makes an amount whose decimals are not even, for a currency that has some.
func (t *trial) awkward(c provider.Currency) provider.Money {
	largest := t.spec.Amounts[0]
	for _, units := range t.spec.Amounts {
		largest = max(largest, units)
	}
	return provider.Money{Units: largest, Currency: c.Code, Exponent: c.Exponent}
}

func checkCurrencies(t *trial) {
	for _, c := range t.declared.Currencies {
		t.chargeOf(t.awkward(c))
	}
}

func checkAmountsAnswered(t *trial) {
	answered := false
	for _, c := range t.declared.Currencies {
		a, o := t.chargeOf(t.awkward(c))
		r := a.Result()
		if r == nil {
			continue
		}
		for name, m := range map[string]*provider.Money{"captured": r.Captured, "authorized": r.Authorized} {
			answered = answered || m != nil
			t.expect(m == nil || *m == o.amount, "the answer says that %v were %s, and %v were moved", m, name, o.amount)
		}
	}
	if !answered {
		t.skip("the gateway's answers name no amount")
	}
}

// notSent expects that a charge is refused before anything leaves.
func (t *trial) notSent(o *order, what string) {
	from := t.proxy.mark()
	a := t.charge(o)
	t.expect(word(a) == "not_sent", "%s: answered %s, not \"not sent\"", what, spell(a))
	t.expect(len(t.proxy.since(from)) == 0, "%s: a request was sent", what)
}

func checkNotPositive(t *trial) {
	for _, units := range []int64{0, -1} {
		o := t.order()
		t.ready(o)
		o.amount.Units = units
		t.notSent(o, "an amount that is not positive")
	}
}

func checkForeignCurrency(t *trial) {
	o := t.order()
	t.ready(o)
	o.amount.Currency, o.amount.Exponent = "XTS", 2
	t.notSent(o, "a foreign currency")
}

func checkExponent(t *trial) {
	o := t.order()
	t.ready(o)
	o.amount.Exponent++
	t.notSent(o, "another exponent")
}
