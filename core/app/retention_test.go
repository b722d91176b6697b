package app_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/payrack/payrack/core/app"
)

// shelf remembers up to which time keys were removed.
type shelf struct {
	before time.Time
	err    error
}

func (s *shelf) PruneKeys(_ context.Context, before time.Time) (int, bool, error) {
	s.before = before
	return 7, true, s.err
}

// stopped is a clock that stands.
type stopped time.Time

func (s stopped) Now() time.Time { return time.Time(s) }

func TestKeysOutliveTheirPromise(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	s := &shelf{}
	r, err := app.NewRetention(app.RetentionOptions{Keys: s, Clock: stopped(now)})
	if err != nil {
		t.Fatal(err)
	}
	removed, more, err := r.Prune(t.Context())
	if removed != 7 || !more || err != nil {
		t.Errorf("Prune = %d, %v, %v; want what the store said", removed, more, err)
	}
	// Clients are promised thirty days.
	if age := now.Sub(s.before); age < 31*24*time.Hour || age > 60*24*time.Hour {
		t.Errorf("keys are removed after %s", age)
	}
	s.err = errors.New("no database")
	if _, _, err := r.Prune(t.Context()); !errors.Is(err, s.err) {
		t.Errorf("Prune: %v, want what the store said", err)
	}
	if _, err := app.NewRetention(app.RetentionOptions{Keys: s}); err == nil {
		t.Error("retention without a clock was made")
	}
}
