package sqlstore_test

import (
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/payrack/payrack/adapters/outbound/sqlstore"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/ports/outbound"
)

// spans remembers what a store traced.
type spans struct {
	mu    sync.Mutex
	ended []ended
}

type ended struct {
	sqlstore.Span
	sqlstore.SpanEnd
}

func (s *spans) trace(_ context.Context, span sqlstore.Span) func(sqlstore.SpanEnd) {
	return func(end sqlstore.SpanEnd) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.ended = append(s.ended, ended{Span: span, SpanEnd: end})
	}
}

func (s *spans) named(name string) []ended {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []ended
	for _, e := range s.ended {
		if e.Name == name {
			all = append(all, e)
		}
	}
	return all
}

// held keeps the writer busy until the returned function is called.
func held(t *testing.T, s *sqlstore.Store) (release func()) {
	t.Helper()
	busy, free, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() { done <- sqlstore.Hold(context.WithoutCancel(t.Context()), s, busy, free) }()
	<-busy
	return sync.OnceFunc(func() {
		close(free)
		if err := <-done; err != nil {
			t.Errorf("Hold: %v", err)
		}
	})
}

// waiting returns when so many changes wait for the writer.
func waiting(s *sqlstore.Store, n int) {
	for sqlstore.Waiting(s) < n {
		runtime.Gosched()
	}
}

func TestWhatQueuesIsCommittedTogether(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		oneByOne bool
		batch    int
	}{"group": {false, 40}, "one by one": {true, 1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var seen spans
			s := opened(t, sqlstore.Options{
				URL: filepath.Join(t.TempDir(), "payrack.db"), Trace: seen.trace, OneByOne: c.oneByOne,
			})
			release := held(t, s)
			var wg sync.WaitGroup
			for range 40 {
				wg.Go(func() {
					if got, err := s.Ledger().Commit(t.Context(), newPayment(t)); err != nil || got.Loss != outbound.NoLoss {
						t.Errorf("Commit = %+v, %v", got, err)
					}
				})
			}
			waiting(s, 40)
			release()
			wg.Wait()
			commits := seen.named("ledger.commit")
			if len(commits) != 40 {
				t.Fatalf("%d spans, want 40", len(commits))
			}
			for _, e := range commits {
				if e.Batch != c.batch {
					t.Errorf("a change was committed with %d, want %d", e.Batch, c.batch)
				}
			}
		})
	}
}

func TestCallerTakesBackWhatStillWaits(t *testing.T) {
	t.Parallel()
	s := onSQLite(t)
	release := held(t, s)
	defer release()
	ctx, cancel := context.WithCancelCause(t.Context())
	impatient, patient := newPayment(t), newPayment(t)
	done := make(chan error, 2)
	go func() { _, err := s.Ledger().Commit(ctx, impatient); done <- err }()
	waiting(s, 1)
	gone := errors.New("the client hung up")
	cancel(gone)
	err := <-done
	if fault.KindOf(err) != fault.Unavailable || fault.CodeOf(err) != "store_unavailable" || !errors.Is(err, gone) {
		t.Errorf("Commit: %v, want store_unavailable because the client hung up", err)
	}
	go func() { _, err := s.Ledger().Commit(t.Context(), patient); done <- err }()
	waiting(s, 2)
	release()
	if err := <-done; err != nil {
		t.Errorf("the change behind it: %v", err)
	}
	if _, err := s.Ledger().Load(t.Context(), tenant, impatient.Record.Payment.ID); fault.KindOf(err) != fault.NotFound {
		t.Errorf("what was taken back is stored: %v", err)
	}
	if _, err := s.Ledger().Load(t.Context(), tenant, patient.Record.Payment.ID); err != nil {
		t.Errorf("the change behind it is not stored: %v", err)
	}
}

func TestCallerStaysOnceTheChangeIsHandedOver(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	r := sqlstore.HandedOver()
	returned := make(chan struct{})
	go func() { defer close(returned); r.Wait(ctx) }()
	cancel()
	select {
	case <-returned:
		t.Fatal("the caller left before it knew how its change ended")
	default:
	}
	r.Finish()
	<-returned
	if err := r.Err(); err != nil {
		t.Errorf("the change ended with %v, want nothing", err)
	}
}

func TestCloseFinishesWhatWaits(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "payrack.db")
	s := opened(t, sqlstore.Options{URL: path})
	release := held(t, s)
	c := newPayment(t)
	done := make(chan error, 1)
	go func() { _, err := s.Ledger().Commit(t.Context(), c); done <- err }()
	waiting(s, 1)
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	release()
	if err := <-done; err != nil {
		t.Errorf("Commit: %v", err)
	}
	if err := <-closed; err != nil {
		t.Errorf("Close: %v", err)
	}
	_, err := s.Ledger().Commit(t.Context(), newPayment(t))
	if fault.CodeOf(err) != "store_unavailable" {
		t.Errorf("Commit after Close: %v, want store_unavailable", err)
	}
	again := opened(t, sqlstore.Options{URL: path})
	if _, err := again.Ledger().Load(t.Context(), tenant, c.Record.Payment.ID); err != nil {
		t.Errorf("what was confirmed is gone: %v", err)
	}
}

func TestSpansHoldNoValues(t *testing.T) {
	t.Parallel()
	var seen spans
	s := opened(t, sqlstore.Options{URL: filepath.Join(t.TempDir(), "payrack.db"), Trace: seen.trace})
	c := newPayment(t)
	won(t, s.Ledger(), c)
	if _, err := s.Ledger().Load(t.Context(), tenant, c.Record.Payment.ID); err != nil {
		t.Fatal(err)
	}
	_, err := s.Ledger().Load(t.Context(), tenant, "unknown")
	if err == nil {
		t.Fatal("an unknown payment was found")
	}
	loads := seen.named("ledger.load")
	if len(loads) != 2 || loads[0].Err != nil || !errors.Is(loads[1].Err, err) {
		t.Errorf("spans of Load = %+v", loads)
	}
	for _, e := range append(loads, seen.named("ledger.commit")...) {
		if e.System != "sqlite" || e.Statement == "" {
			t.Errorf("span %+v lacks a member", e.Span)
		}
		for _, value := range []string{string(tenant), string(c.Record.Payment.ID), c.Record.Payment.OrderNumber} {
			if contains(e.Statement, value) {
				t.Errorf("span %s shows %q", e.Name, value)
			}
		}
	}
}
