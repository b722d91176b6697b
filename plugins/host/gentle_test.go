package host_test

import (
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/payrack/payrack/plugins/host"
)

// What would come at once comes one after the other, and the last of many in the end.
func TestSpread(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		n      int64
		chance float64
		want   time.Duration
	}{
		{1, 0, 0},
		{1, 0.5, 8 * time.Millisecond},
		{100, 0.5, 800 * time.Millisecond},
		{100, 0.25, 400 * time.Millisecond},
		{100_000, 0.5, 1500 * time.Millisecond},
	} {
		if got := host.Spread(c.n, 16*time.Millisecond, 3*time.Second, c.chance); got != c.want {
			t.Errorf("%d at once, chance %v: after %s, want %s", c.n, c.chance, got, c.want)
		}
	}
}

// Those that waited for a plugin hold no place while they fall in: the places are for calls that come after its return.
func TestWhoFallsInHoldsNoPlace(t *testing.T) {
	t.Parallel()
	const most, calls = 100, 200 // the plugin takes so many at once; the others queue for a place
	h := newHost(t, func(o *host.Options) { o.BackoffBase = 4 * time.Second })
	activate(t, h, role{Version: "1.0.0"}, `{"label":"1.0.0"}`)
	for range 2 { // the restart after the second crash has a back-off
		eventually(t, "it serves", func() bool { return servingPID(h, "1.0.0") != 0 })
		pid := servingPID(h, "1.0.0")
		_ = syscall.Kill(pid, syscall.SIGKILL)
		eventually(t, "the crash is seen", func() bool { return servingPID(h, "1.0.0") != pid })
	}
	slot := h.Slot(pluginName)
	var work sync.WaitGroup
	for range calls {
		work.Go(func() {
			lease, err := slot.Acquire(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			lease.Close()
		})
	}
	eventually(t, "all places wait", func() bool {
		waiting, places := slot.Waiting()
		return waiting == most && places == most
	})
	eventually(t, "most of them fall in and hold no place", func() bool {
		waiting, places := slot.Waiting()
		return waiting > calls/2 && places < calls/4
	})
	work.Wait()
	if waiting, places := slot.Waiting(); waiting != 0 || places != 0 {
		t.Errorf("in the end %d wait and %d places are taken", waiting, places)
	}
}
