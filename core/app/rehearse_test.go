package app_test

import (
	"context"
	"errors"
	"testing"

	"github.com/payrack/payrack/adapters/outbound/memory"
	"github.com/payrack/payrack/core/app"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/ports/inbound"
)

// stage rehearses releases whose version is what they would send.
type stage struct {
	recorded []string
	asked    []string
	wait     chan struct{}
	err      error
}

func (s *stage) Recorded(_ context.Context, _ string, last int) ([]string, error) {
	return s.recorded[:min(last, len(s.recorded))], nil
}

func (s *stage) Rehearse(ctx context.Context, r release.Release, ids []string) ([]release.Rehearsed, error) {
	if s.wait != nil {
		select {
		case <-s.wait:
		case <-ctx.Done():
		}
	}
	s.asked = append(s.asked, r.Version)
	var out []release.Rehearsed
	for _, id := range ids {
		out = append(out, release.Rehearsed{Exchange: id, Operation: "pay", Sent: []release.Sent{{Path: "/" + r.Version}}})
	}
	return out, s.err
}

func rehearsalsOf(t *testing.T, s *stage) inbound.Rehearsals {
	t.Helper()
	store := memory.New()
	for _, r := range []release.Release{
		{Name: "shop", Version: "1", SHA256: "a", Status: release.Installed},
		{Name: "shop", Version: "2", SHA256: "b", Status: release.Verified},
		{Name: "shop", Version: "3", SHA256: "c", Status: release.Revoked},
	} {
		if err := store.Releases().Add(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	out, err := app.NewRehearsals(store.Releases(), s)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestDiffRunsTheOldReleaseTwice(t *testing.T) {
	t.Parallel()
	s := &stage{recorded: []string{"a", "b", "c"}}
	got, err := rehearsalsOf(t, s).Diff(t.Context(), inbound.RehearsePlugin{Name: "shop", Old: "1", New: "2", Last: 2})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.asked) != 3 || s.asked[0] != "1" || s.asked[1] != "1" || s.asked[2] != "2" {
		t.Errorf("asked %v", s.asked)
	}
	if got.Name != "shop" || got.Old != "1" || got.New != "2" || got.Replayed != 2 || len(got.Differences) != 1 || got.Differences[0].New != "/2" {
		t.Errorf("got %+v", got)
	}
}

func TestDiffRefuses(t *testing.T) {
	t.Parallel()
	s := &stage{recorded: []string{"a"}}
	port := rehearsalsOf(t, s)
	for name, x := range map[string]struct {
		order inbound.RehearsePlugin
		kind  fault.Kind
		code  string
	}{
		"too many":      {inbound.RehearsePlugin{Name: "shop", Old: "1", New: "2", Last: inbound.MaxRehearsed + 1}, fault.Invalid, "invalid_request"},
		"negative":      {inbound.RehearsePlugin{Name: "shop", Old: "1", New: "2", Last: -1}, fault.Invalid, "invalid_request"},
		"not installed": {inbound.RehearsePlugin{Name: "shop", Old: "1", New: "9"}, fault.NotFound, ""},
		"revoked":       {inbound.RehearsePlugin{Name: "shop", Old: "3", New: "1"}, fault.Conflict, "revoked"},
	} {
		_, err := port.Diff(t.Context(), x.order)
		f, ok := errors.AsType[*fault.Error](err)
		if !ok || f.Kind != x.kind || (x.code != "" && f.Code != x.code) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(s.asked) != 0 {
		t.Errorf("a refused order started %v", s.asked)
	}
	_, err := rehearsalsOf(t, &stage{}).Diff(t.Context(), inbound.RehearsePlugin{Name: "shop", Old: "1", New: "2"})
	if f, ok := errors.AsType[*fault.Error](err); !ok || f.Code != "nothing_recorded" {
		t.Errorf("nothing recorded: %v", err)
	}
}

// One rehearsal at a time: three processes are enough beside those that take payments.
func TestOneRehearsalAtATime(t *testing.T) {
	t.Parallel()
	s := &stage{recorded: []string{"a"}, wait: make(chan struct{})}
	port := rehearsalsOf(t, s)
	order := inbound.RehearsePlugin{Name: "shop", Old: "1", New: "2"}
	first := make(chan error, 1)
	go func() {
		_, err := port.Diff(t.Context(), order)
		first <- err
	}()
	s.wait <- struct{}{} // it is under way
	_, err := port.Diff(t.Context(), order)
	if f, ok := errors.AsType[*fault.Error](err); !ok || f.Kind != fault.Unavailable || f.Code != "rehearsal_busy" {
		t.Errorf("the second one: %v", err)
	}
	close(s.wait)
	if err := <-first; err != nil {
		t.Error(err)
	}
	if _, err := port.Diff(t.Context(), order); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
