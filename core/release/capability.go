package release

import (
	"slices"

	"github.com/payrack/payrack/core/catalogue"
)

// Compatible names what the old release offers and the new one does not: payment types, operations, currencies, routes and
// members, and whatever a request may say today and could not tomorrow. Open payments and clients that were written for the
// old release may need it. Empty if there is nothing.
func Compatible(old, offered []catalogue.Type) []string {
	var missing []string
	for _, was := range old {
		i := slices.IndexFunc(offered, func(t catalogue.Type) bool { return t.Name == was.Name })
		if i < 0 {
			missing = append(missing, "the payment type "+was.Name)
			continue
		}
		missing = append(missing, typeLacks(was, offered[i])...)
	}
	return missing
}

func typeLacks(was, now catalogue.Type) []string {
	var missing []string
	lacks := func(what string) { missing = append(missing, was.Name+": "+what) }
	for _, c := range was.Currencies {
		i := slices.IndexFunc(now.Currencies, func(o catalogue.Currency) bool { return o.Code == c.Code })
		switch {
		case i < 0:
			lacks("the currency " + c.Code)
		case now.Currencies[i].Exponent != c.Exponent:
			lacks("the charge unit of " + c.Code)
		}
	}
	if was.ChecksMandates && !now.ChecksMandates {
		lacks("asking about a stored approval")
	}
	if was.EndsMandates && !now.EndsMandates {
		lacks("ending a stored approval")
	}
	if was.AccountMember != now.AccountMember || was.WireMember != now.WireMember {
		lacks("the members of a credential set that are pinned on payments")
	}
	for _, what := range tightened(was.Credential, now.Credential) {
		lacks("credentials: " + what)
	}
	for _, o := range was.Operations {
		other, ok := now.Find(o.Kind)
		if !ok {
			lacks("the operation " + string(o.Kind))
			continue
		}
		for _, what := range operationLacks(o, other) {
			lacks(string(o.Kind) + ": " + what)
		}
	}
	return missing
}

func operationLacks(was, now catalogue.Operation) []string {
	var missing []string
	for _, r := range was.Aliases {
		if !slices.Contains(now.Aliases, r) {
			missing = append(missing, "the route "+r.Method+" "+r.Path)
		}
	}
	if was.FoundByOrderID && !now.FoundByOrderID {
		missing = append(missing, "finding it by its order id")
	}
	return append(missing, tightened(was.Columns, now.Columns)...)
}
