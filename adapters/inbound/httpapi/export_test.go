package httpapi

import (
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/payrack/payrack/ports/inbound"
)

// Routes are the routes that the plane serves, in the document's spelling.
func Routes(c inbound.Catalogue) []string {
	a := &api{methods: make(map[string][]string)}
	a.Payments = struct{ inbound.Payments }{} // nobody calls it
	if err := a.routes(echo.New()); err != nil {
		panic(err)
	}
	var all []string
	for path, methods := range a.methods {
		for _, m := range methods {
			all = append(all, m+" "+strings.ReplaceAll(path, ":id", "{id}"))
		}
	}
	for _, t := range c.All() {
		for _, o := range t.Operations {
			for _, r := range o.Aliases {
				all = append(all, r.Method+" "+r.Path)
			}
		}
	}
	slices.Sort(all)
	return all
}
