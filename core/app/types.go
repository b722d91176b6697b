package app

import (
	"github.com/payrack/payrack/core/catalogue"
)

// types implements inbound.Catalogue.
type types struct{ *App }

// Route returns what an alias route leads to.
func (a types) Route(method, path string) (catalogue.Alias, bool) {
	for _, t := range a.Providers.Types() {
		for _, o := range t.Operations {
			for _, r := range o.Aliases {
				if r.Method == method && r.Path == path {
					return catalogue.Alias{Type: t.Name, Kind: o.Kind}, true
				}
			}
		}
	}
	return catalogue.Alias{}, false
}

// All returns every payment type, by name.
func (a types) All() []catalogue.Type { return a.Providers.Types() }
