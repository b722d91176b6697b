package app_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/payrack/payrack/core/app"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/ports/inbound"
)

// shelfOf is a runtime that finds one release at every path and counts what it keeps.
type shelfOf struct {
	noRuntime

	found release.Release
	kept  int
}

func (s *shelfOf) Describe(context.Context, string) (release.Release, error) { return s.found, nil }

func (s *shelfOf) Keep(_ context.Context, r release.Release) (release.Release, error) {
	s.kept++
	return r, nil
}

// judge demands the report "good".
type judge struct{}

func (judge) Judge(_ context.Context, _ release.Release, report []byte) (bool, error) {
	switch {
	case report == nil:
		return false, fault.New(fault.Invalid, "report_missing", "no report")
	case !bytes.Equal(report, []byte("good")):
		return false, fault.New(fault.Invalid, "report_invalid", "a bad report")
	}
	return true, nil
}

func TestInstallDemandsAReport(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.Options
	shelf := &shelfOf{found: release.Release{Name: "acme", Version: "1.0.0", SHA256: "aa"}}
	o.Runtime, o.Boot = shelf, "boot-2"
	before, err := app.New(o)
	if err != nil {
		t.Fatal(err)
	}
	install := func(a *app.App, report []byte) (release.Release, error) {
		return a.Plugins().Install(t.Context(), inbound.InstallPlugin{Path: "/p", Actor: "ops", Report: report})
	}
	if r, err := install(before, nil); err != nil || r.Status != release.Installed {
		t.Errorf("nothing is demanded: %v, %v", r.Status, err)
	}

	o.Reports = judge{}
	now, err := app.New(o)
	if err != nil {
		t.Fatal(err)
	}
	shelf.kept = 0
	if r, err := install(now, nil); err != nil || r.Status != release.Installed {
		t.Errorf("what was installed before stays: %v, %v", r.Status, err)
	}
	if _, err := install(now, []byte("bad")); fault.CodeOf(err) != "report_invalid" {
		t.Errorf("a bad report of what is installed: %v", err)
	}
	shelf.found.Version, shelf.kept = "1.1.0", 0
	for code, report := range map[string][]byte{"report_missing": nil, "report_invalid": []byte("bad")} {
		if _, err := install(now, report); fault.CodeOf(err) != code || fault.KindOf(err) != fault.Invalid {
			t.Errorf("got %v, want %s", err, code)
		}
	}
	if rows, err := o.Releases.List(t.Context(), "acme"); err != nil || len(rows) != 1 || shelf.kept != 0 {
		t.Errorf("a refused release left %d rows and %d files (%v)", len(rows)-1, shelf.kept, err)
	}
	if r, err := install(now, []byte("good")); err != nil || r.Status != release.Verified {
		t.Errorf("a good report: %v, %v", r.Status, err)
	}
}
