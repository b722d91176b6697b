package configstore_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/payrack/payrack/adapters/inbound/configstore"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/ports/inbound"
)

// replica is a process over a database with one channel: it applies the channel's generation with Converge, which takes
// a while, and Advance moves the channel on once it is applied.
type replica struct {
	inbound.Fleet

	hints chan struct{}

	mu      sync.Mutex
	stored  int
	busy    bool
	takes   time.Duration
	away    bool
	refused error
	inside  int
	did     done
}

// done is what a replica was led to do.
type done struct {
	// looks counts Converge, first and last are the times of two.
	looks       int
	first, last time.Time
	applied     int
	advanced    int
	overlaps    int
}

func newReplica() *replica {
	return &replica{hints: make(chan struct{}, 1)}
}

func (r *replica) Changes(context.Context) <-chan struct{} { return r.hints }

// save saves the next generation, elsewhere or here.
func (r *replica) save(busy bool) {
	r.mu.Lock()
	r.stored++
	r.busy = busy
	r.mu.Unlock()
	select {
	case r.hints <- struct{}{}:
	default:
	}
}

func (r *replica) Converge(ctx context.Context) error {
	r.mu.Lock()
	if r.did.last = time.Now(); r.did.looks == 0 {
		r.did.first = r.did.last
	}
	r.did.looks++
	r.inside++
	if r.inside > 1 {
		r.did.overlaps++
	}
	takes, stored := r.takes, r.stored
	r.mu.Unlock()
	select {
	case <-ctx.Done():
	case <-time.After(takes):
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inside--
	if r.away {
		return fault.New(fault.Unavailable, "store_unavailable", "no database")
	}
	r.did.applied = stored
	return r.refused
}

func (r *replica) Advance(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.inside > 0 {
		r.did.overlaps++
	}
	r.did.advanced++
	if r.away {
		return fault.New(fault.Unavailable, "store_unavailable", "no database")
	}
	return nil
}

func (r *replica) Busy() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.busy
}

// seen is what it did so far.
func (r *replica) seen() done {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.did
}

// do changes the replica.
func (r *replica) do(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
}

// watched runs a watcher over the replica while a test runs. It is stopped when the test ends.
func watched(t *testing.T, r *replica, log *slog.Logger) (stop func()) {
	t.Helper()
	w, err := configstore.NewFleet(configstore.FleetOptions{Fleet: r, Changes: r.Changes, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { w.Run(ctx); close(ended) }()
	return func() { cancel(); <-ended }
}

func silent() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestFleetLooksAtOnceAndFromTimeToTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newReplica()
		began := time.Now()
		stop := watched(t, r, silent())
		time.Sleep(5 * time.Minute)
		stop()
		if r.seen().looks < 50 || r.seen().looks > 75 || !r.seen().first.Equal(began) {
			t.Errorf("%d looks in five minutes, the first after %s; want one at once and one each five seconds, a fifth more or less",
				r.seen().looks, r.seen().first.Sub(began))
		}
		if r.seen().advanced != r.seen().looks {
			t.Errorf("%d looks and %d times moved on; want as many", r.seen().looks, r.seen().advanced)
		}
		before := r.seen().looks
		time.Sleep(time.Minute)
		synctest.Wait()
		if r.seen().looks != before {
			t.Error("it looks after the end")
		}
	})
}

func TestFleetFollowsAHintAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newReplica()
		stop := watched(t, r, silent())
		defer stop()
		time.Sleep(time.Second)
		saved := time.Now()
		r.save(false)
		synctest.Wait()
		if r.seen().applied != 1 || !r.seen().last.Equal(saved) {
			t.Errorf("generation %d is applied, want the one that was saved", r.seen().applied)
		}
	})
}

// TestFleetNeverLooksTwiceAtOnce saves while a look is on its way: what it has read already is not enough.
func TestFleetNeverLooksTwiceAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newReplica()
		r.takes = 3 * time.Second
		stop := watched(t, r, silent())
		defer stop()
		for range 20 {
			time.Sleep(700 * time.Millisecond)
			r.save(true)
		}
		time.Sleep(2 * r.takes)
		synctest.Wait()
		if r.seen().applied != 20 || r.seen().overlaps != 0 {
			t.Errorf("generation %d of 20 is applied, with %d overlaps", r.seen().applied, r.seen().overlaps)
		}
		if r.seen().looks > 10 {
			t.Errorf("%d looks for 20 hints in 14 seconds of looks of 3; want hints that wait to count as one", r.seen().looks)
		}
	})
}

func TestFleetLooksMoreOftenWhileAChannelMoves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newReplica()
		stop := watched(t, r, silent())
		defer stop()
		r.save(true)
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := r.seen().looks; n < 50 || n > 77 {
			t.Errorf("%d looks in a busy minute, want one a second", n)
		}
		r.save(false)
		time.Sleep(time.Second)
		synctest.Wait()
		before := r.seen().looks
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := r.seen().looks - before; n < 9 || n > 16 {
			t.Errorf("%d looks in a quiet minute, want one each five seconds", n)
		}
	})
}

func TestFleetIsBackSoonAfterTheDatabase(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		r := newReplica()
		stop := watched(t, r, slog.New(slog.NewTextHandler(&out, nil)))
		defer stop()
		time.Sleep(10 * time.Second)
		r.do(func() { r.away = true; r.stored = 7 })
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		advanced := r.seen().advanced
		r.do(func() { r.away = false })
		time.Sleep(1200 * time.Millisecond)
		synctest.Wait()
		if r.seen().applied != 7 {
			t.Error("the database was back for more than a second, and this process is behind")
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := strings.Count(out.String(), "level=WARN"); n != 1 || !strings.Contains(out.String(), "no database") {
			t.Errorf("the failure is told %d times:\n%s", n, out.String())
		}
		if n := strings.Count(out.String(), "level=INFO"); n != 1 {
			t.Errorf("the recovery is told %d times:\n%s", n, out.String())
		}
		if advanced > 5 {
			t.Errorf("channels were moved on %d times by a process that could not read them", advanced)
		}
	})
}

// TestFleetWithARefusedRelease has a release that cannot be started here: its channel moves on all the same, nobody
// starts it each second, and it is told once.
func TestFleetWithARefusedRelease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		r := newReplica()
		r.refused = errors.Join(errors.New("till is late"), fault.New(fault.Invalid, "start_crashed", "till 1.1.0 ended"))
		stop := watched(t, r, slog.New(slog.NewTextHandler(&out, nil)))
		defer stop()
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := r.seen().looks; n < 10 || n > 16 || r.seen().advanced != n {
			t.Errorf("%d looks in a minute, %d times moved on; want one each five seconds", n, r.seen().advanced)
		}
		if n := strings.Count(out.String(), "level=WARN"); n != 1 {
			t.Errorf("told %d times:\n%s", n, out.String())
		}
		// The database goes too: that is another trouble.
		r.do(func() { r.away = true })
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if n := strings.Count(out.String(), "level=WARN"); n != 2 || !strings.Contains(out.String(), "no database") {
			t.Errorf("told %d times:\n%s", n, out.String())
		}
		// Beside a refusal it is seen all the same.
		r.do(func() {
			r.away, r.refused = false, errors.Join(r.refused, fault.New(fault.Unavailable, "store_unavailable", "no report"))
		})
		time.Sleep(2 * time.Second)
		synctest.Wait()
		before := r.seen().looks
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := r.seen().looks - before; n < 50 {
			t.Errorf("%d looks in a minute without a database, want one a second", n)
		}
	})
}

func TestFleetGoesOnWhenTheHintsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newReplica()
		stop := watched(t, r, silent())
		defer stop()
		close(r.hints)
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := r.seen().looks; n < 10 || n > 16 {
			t.Errorf("%d looks in a minute, want one each five seconds", n)
		}
	})
}

func TestNewFleetRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	r := newReplica()
	for name, o := range map[string]configstore.FleetOptions{
		"no fleet":          {Changes: r.Changes, Log: silent()},
		"no changes":        {Fleet: r, Log: silent()},
		"no log":            {Fleet: r, Changes: r.Changes},
		"negative interval": {Fleet: r, Changes: r.Changes, Log: silent(), Interval: -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := configstore.NewFleet(o); err == nil {
				t.Error("no error")
			}
		})
	}
}
