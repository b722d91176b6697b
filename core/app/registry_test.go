package app_test

import (
	"testing"

	"github.com/payrack/payrack/core/app"
	"github.com/payrack/payrack/ports/inbound"
)

// Two replicas change different members of one company, neither having seen the other's change.
func TestAChangeOfACompanyKeepsThatOfAnotherReplica(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	options := w.Options
	options.Boot = "boot-2"
	other, err := app.New(options)
	if err != nil {
		t.Fatal(err)
	}
	must(t)(nil, other.Directory().Reload(t.Context()))
	must(t)(w.Directory().SaveCompany(t.Context(), inbound.SaveCompany{ID: "co", Suspended: new(true)}))
	got, err := other.Directory().SaveCompany(t.Context(), inbound.SaveCompany{ID: "co", Name: new("Another name")})
	if err != nil || !got.Suspended || got.Name != "Another name" {
		t.Errorf("%+v, %v", got, err)
	}
	stored, err := w.Options.Directory.Snapshot(t.Context())
	if err != nil || len(stored.Companies) != 1 || !stored.Companies[0].Suspended || stored.Companies[0].Name != "Another name" {
		t.Errorf("%+v, %v", stored.Companies, err)
	}
}
