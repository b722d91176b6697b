package main_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/payrack/payrack/deployments/chaos/record"
	swap "github.com/payrack/payrack/deployments/swap"
)

// Every planted bug fits the tree and compiles: one that was not planted proves nothing.
func TestBuildsFitTheTree(t *testing.T) {
	t.Parallel()
	for folder, least := range map[string]int{"broken": 6, "canaries": 20} {
		builds, bad := swap.ReadBuilds(folder, "../..")
		if err := errors.Join(bad...); err != nil {
			t.Error(err)
		}
		if len(builds) < least {
			t.Errorf("%s: %d builds, want at least %d", folder, len(builds), least)
		}
		for _, b := range builds {
			if (b.Code != "") != (folder == "broken") {
				t.Errorf("%s/%s: code %q; what must be refused says with which code, a canary has none", folder, b.Name, b.Code)
			}
		}
	}
}

func TestConclude(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(*swap.Run)
		want  string // part of what is said; empty is green
	}{
		"nobody noticed": {func(*swap.Run) {}, ""},
		"a payment failed": {func(r *swap.Run) {
			r.Add(swap.Payment{At: 12 * time.Second, Took: time.Millisecond, Status: 503})
		}, "1 payments failed"},
		"a payment was declined that should not": {func(r *swap.Run) {
			r.Add(swap.Payment{At: 12 * time.Second, Took: time.Millisecond, Told: record.NotPaid, Status: 200})
		}, "1 payments failed"},
		"a payment became unknown": {func(r *swap.Run) {
			r.Add(swap.Payment{At: 12 * time.Second, Took: time.Second, Told: record.Pending, Status: 504})
		}, "1 payments became unknown"},
		"a payment had no answer": {func(r *swap.Run) {
			r.Add(swap.Payment{At: 12 * time.Second, Took: time.Second})
		}, "1 payments became unknown"},
		"the other provider's payments suffer from its own killed process": {func(r *swap.Run) {
			r.Add(swap.Payment{At: 41 * time.Second, Took: time.Second, Other: true, Told: record.Pending, Status: 504})
		}, ""},
		"this provider's payments suffer from the other's killed process": {func(r *swap.Run) {
			r.Add(swap.Payment{At: 41 * time.Second, Took: time.Millisecond, Status: 503})
		}, "SIGKILL of the other provider's process: 1 payments"},
		"slow beside a killed process":    {func(r *swap.Run) { r.Slow(40*time.Second, 43*time.Second, 90*time.Millisecond) }, "SIGKILL of the other provider's process: p99"},
		"slow beside a stopped process":   {func(r *swap.Run) { r.Slow(46*time.Second, 49*time.Second, 90*time.Millisecond) }, "SIGSTOP of the other provider's process: p99"},
		"slow while swapping":             {func(r *swap.Run) { r.Slow(12*time.Second, 12200*time.Millisecond, 100*time.Millisecond) }, "p99 in swap windows"},
		"a gate took a good release back": {func(r *swap.Run) { r.Alarm("slower") }, "a gate took back a good release: slower"},
		"charged twice":                   {(*swap.Run).Doubled, "money columns"},
		"refused for another reason":      {func(r *swap.Run) { r.Refuse("a", "unhealthy") }, "a: 0 unhealthy, not start_crashed"},
		"a broken release was taken":      {func(r *swap.Run) { r.Refuse("b", "") }, "b: 0 , not start_crashed"},
		"a broken release served":         {func(r *swap.Run) { r.Serve("1.1.3", 1) }, "1.1.3, which must not serve"},
		"one version hardly served":       {func(r *swap.Run) { r.Serve("1.0.2", 300) }, "1.0.2 served 300"},
		"too few payments were sent": {func(r *swap.Run) {
			r.Keep(func(at, _ time.Duration) bool { return at < 55*time.Second })
		}, "speeds say nothing"},
		"nothing in flight at the flips": {func(r *swap.Run) {
			r.Keep(func(at, end time.Duration) bool {
				second := at.Truncate(time.Second) + 200*time.Millisecond
				return at < 10*time.Second || at > 20*time.Second || at > second || end < second
			})
		}, "calls in flight at 0 of 10"},
		"a fleet that agrees":                {func(r *swap.Run) { r.Fleet(0, 7, 7, 7) }, ""},
		"a fleet that does not":              {func(r *swap.Run) { r.Fleet(0, 7, 6, 7) }, "did not converge"},
		"traffic on what is not ready there": {func(r *swap.Run) { r.Fleet(2, 7, 7, 7) }, "2 payments on a version"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := swap.GoodRun()
			c.spoil(r)
			err := r.Judge()
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}
