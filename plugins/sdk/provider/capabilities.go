package provider

import "fmt"

// implements reports whether p has the interface that an operation needs.
func implements(p Provider, k Kind) (name string, ok bool) {
	switch k {
	case KindPay:
		_, ok = p.(Payer)
		return "Payer", ok
	case KindConfirm:
		_, ok = p.(Confirmer)
		return "Confirmer", ok
	case KindCapture:
		_, ok = p.(Capturer)
		return "Capturer", ok
	case KindVoid:
		_, ok = p.(Voider)
		return "Voider", ok
	case KindRefund:
		_, ok = p.(Refunder)
		return "Refunder", ok
	case KindSearch:
		_, ok = p.(Searcher)
		return "Searcher", ok
	case KindCheckMandate:
		_, ok = p.(MandateChecker)
		return "MandateChecker", ok
	case KindExpireMandate:
		_, ok = p.(MandateExpirer)
		return "MandateExpirer", ok
	default:
		return "", false
	}
}

// mismatches lists where the description and the implemented interfaces disagree.
func mismatches(p Provider, d Description) []string {
	var out []string
	if len(d.Types) == 0 {
		out = append(out, "Describe names no payment type")
	}
	declared := map[Kind]bool{}
	for _, t := range d.Types {
		for _, o := range t.Operations {
			declared[o.Kind] = true
			if _, known := kindNumbers[o.Kind]; !known {
				out = append(out, fmt.Sprintf("%s declares the operation %q, which the contract does not have", t.Name, o.Kind))
				continue
			}
			if name, ok := implements(p, o.Kind); !ok {
				out = append(out, fmt.Sprintf("%s declares the operation %q, but the provider is no %s", t.Name, o.Kind, name))
			}
		}
	}
	for _, k := range []Kind{
		KindPay, KindConfirm, KindCapture, KindVoid, KindRefund, KindSearch, KindCheckMandate, KindExpireMandate,
	} {
		if name, ok := implements(p, k); ok && !declared[k] {
			out = append(out, fmt.Sprintf("the provider is a %s, but no type declares the operation %q", name, k))
		}
	}
	return out
}
