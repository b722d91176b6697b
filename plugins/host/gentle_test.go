package host_test

import (
	"testing"
	"time"

	"github.com/payrack/payrack/plugins/host"
)

// Calls that waited come back one after the other, and the last of many within three times what one waits at most.
func TestFallIn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		waiting int64
		chance  float64
		want    time.Duration
	}{
		{1, 0, 0},
		{1, 0.5, 8 * time.Millisecond},
		{100, 0.5, 800 * time.Millisecond},
		{100, 0.25, 400 * time.Millisecond},
		{100_000, 0.5, 1500 * time.Millisecond},
	} {
		if got := host.FallIn(c.waiting, time.Second, c.chance); got != c.want {
			t.Errorf("%d wait, chance %v: after %s, want %s", c.waiting, c.chance, got, c.want)
		}
	}
}
