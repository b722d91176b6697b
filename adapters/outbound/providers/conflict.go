package providers

import (
	"fmt"

	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/fault"
)

// conflict looks for a payment type or an alias route that another plugin has already, or that one plugin
// declares twice. Two owners would make it a matter of chance who charges.
func conflict(plugin string, candidate *description, others map[string]*description) error {
	routes := map[catalogue.Route]string{}
	for name, d := range others {
		if name == plugin {
			continue
		}
		for typeName, t := range d.types {
			if _, taken := candidate.types[typeName]; taken {
				return conflicting("payment type %s belongs to provider %s: provider %s cannot be activated beside it", typeName, name, plugin)
			}
			for r := range t.routes() {
				routes[r] = name
			}
		}
	}
	for typeName, t := range candidate.types {
		for r := range t.routes() {
			if owner, taken := routes[r]; taken {
				return conflicting("the route %s %s of payment type %s belongs to provider %s already", r.Method, r.Path, typeName, owner)
			}
			routes[r] = plugin
		}
	}
	return nil
}

// routes yields the alias routes of all operations.
func (t *paymentType) routes() func(yield func(catalogue.Route) bool) {
	return func(yield func(catalogue.Route) bool) {
		for _, o := range t.Operations {
			for _, r := range o.Aliases {
				if !yield(r) {
					return
				}
			}
		}
	}
}

func conflicting(format string, args ...any) error {
	return fault.New(fault.Conflict, "conflict", fmt.Sprintf(format, args...))
}
