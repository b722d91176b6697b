package release_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/payrack/payrack/core/release"
)

// kind of behaviour: the chances of a technical failure and of a decline, and how long a call takes.
type kind struct {
	technical, declined float64
	took                func(*rand.Rand) time.Duration
}

// usual is 40 ms, give or take a factor of two, with a tail.
func usual(r *rand.Rand) time.Duration {
	took := time.Duration((20 + 60*r.Float64()) * float64(time.Millisecond))
	if r.IntN(30) == 0 {
		took *= 8
	}
	return took
}

func (k kind) call(r *rand.Rand, t *release.Tally) {
	t.Calls++
	t.Asks++
	took := usual
	if k.took != nil {
		took = k.took
	}
	t.Latency[release.Class(took(r))]++
	if r.Float64() < k.technical {
		t.Technical++
		t.Unknown++
		t.AsksFailed++
		return
	}
	if r.Float64() < k.declined {
		t.Declined++
	}
}

// watch draws calls, of which the share goes to the candidate, and judges after each; it returns the candidate's calls until
// the first breach, or false.
func watch(r *rand.Rand, stable, candidate kind, share float64, calls int) (needed int64, breach string, found bool) {
	s, c := release.Tally{Version: "1.0.0"}, release.Tally{Version: "1.1.0"}
	for range calls {
		if r.Float64() < share {
			candidate.call(r, &c)
		} else {
			stable.call(r, &s)
		}
		if breach, broken := release.Judge(s, c, release.Gates{}); broken {
			return c.Calls, breach, true
		}
	}
	return c.Calls, "", false
}

func TestNoiseFiresRarely(t *testing.T) {
	t.Parallel()
	draws := 10_000
	runs := 8
	all, fired := 0, 0
	for seed, k := range []kind{
		{},
		{technical: 0.001, declined: 0.02},
		{technical: 0.01, declined: 0.1},
		{technical: 0.05, declined: 0.3},
		{technical: 0.3, declined: 0.5},
		{technical: 0.6, declined: 0.9},
	} {
		for _, share := range []float64{0.01, 0.1, 0.5} {
			for run := range runs {
				r := rand.New(rand.NewPCG(uint64(seed), uint64(run)+uint64(1000*share)))
				all++
				if n, breach, found := watch(r, k, k, share, draws); found {
					fired++
					t.Logf("%+v at %v after %d calls: %s", k, share, n, breach)
				}
			}
		}
	}
	if fired*100 >= all {
		t.Errorf("%d of %d trials of equal releases were ended", fired, all)
	}
}

func TestDifferencesAreFound(t *testing.T) {
	t.Parallel()
	slower := func(by time.Duration) func(*rand.Rand) time.Duration {
		return func(r *rand.Rand) time.Duration { return usual(r) + by }
	}
	for name, c := range map[string]struct {
		stable, candidate kind
		share             float64
		within            int64
		says              string
	}{
		"5 % panics":                    {kind{declined: 0.1}, kind{declined: 0.1, technical: 0.05}, 0.1, 300, "technical failures"},
		"5 % panics, half of the calls": {kind{declined: 0.1}, kind{declined: 0.1, technical: 0.05}, 0.5, 700, "technical failures"},
		"30 % failures":                 {kind{declined: 0.1}, kind{declined: 0.1, technical: 0.3}, 0.1, 30, "technical failures"},
		"all fail":                      {kind{declined: 0.1}, kind{technical: 1}, 0.1, 10, "technical failures"},
		"all fail, half of the calls":   {kind{}, kind{technical: 1}, 0.5, 15, "technical failures"},
		"an outage, and worse":          {kind{technical: 0.3}, kind{technical: 0.9}, 0.2, 80, "technical failures"},
		"declines are swallowed":        {kind{declined: 0.2}, kind{}, 0.2, 250, "declines"},
		"everything is declined":        {kind{declined: 0.1}, kind{declined: 1}, 0.1, 15, "declines"},
		"more declines":                 {kind{declined: 0.1}, kind{declined: 0.3}, 0.1, 250, "declines"},
		"300 ms slower":                 {kind{}, kind{took: slower(300 * time.Millisecond)}, 0.1, 30, "slower: the median"},
		"twice as slow":                 {kind{took: func(r *rand.Rand) time.Duration { return 4 * usual(r) }}, kind{took: func(r *rand.Rand) time.Duration { return 9 * usual(r) }}, 0.1, 60, "slower"},
		"a slow tail": {kind{}, kind{took: func(r *rand.Rand) time.Duration {
			if r.IntN(5) == 0 {
				return usual(r) + 2*time.Second
			}
			return usual(r)
		}}, 0.1, 200, "95th"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			late := 0
			const runs = 60
			for run := range runs {
				r := rand.New(rand.NewPCG(7, uint64(run)))
				n, breach, found := watch(r, c.stable, c.candidate, c.share, int(float64(3*c.within)/c.share))
				if !found || n > c.within {
					late++
				}
				if found && !strings.Contains(breach, c.says) && run == 0 {
					t.Logf("found as %s", breach)
				}
				if run == 0 {
					t.Logf("%d calls: %s", n, breach)
				}
			}
			if late*20 > runs {
				t.Errorf("%d of %d trials took more than %d calls of the candidate", late, runs, c.within)
			}
		})
	}
}

// Beside a release that serves alone nothing runs: a slow second after the swap is not its fault, being slow for good is.
func TestASlowMomentOfALoneReleaseIsForgiven(t *testing.T) {
	t.Parallel()
	tally := func(version string, calls int64, took time.Duration) release.Tally {
		y := release.Tally{Version: version, Calls: calls}
		y.Latency[release.Class(took)] = calls * 9 / 10
		y.Latency[release.Class(3*took)] = calls - calls*9/10
		return y
	}
	before := tally("1.0.1", 2000, 30*time.Millisecond)
	// As the first swap run saw it: 113 calls with a 95th percentile of 226 ms, beside 89 ms of another minute.
	moment := tally("1.0.2", 113, 75*time.Millisecond)
	if _, broken := release.Judge(before, moment, release.Gates{}); !broken {
		t.Error("beside a release that runs at the same time this is a difference")
	}
	if breach, broken := release.Judge(before, moment, release.Gates{}.Alone()); broken {
		t.Error(breach)
	}
	if _, broken := release.Judge(before, tally("1.0.2", 600, 2*time.Second), release.Gates{}.Alone()); !broken {
		t.Error("a release that is slow for good stays")
	}
}

// A plugin that stops at its deadline has no call that goes on: two are enough, unless the other release has them, too.
func TestCallsThatGoOnAfterTheirTime(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		stable, candidate release.Tally
		broken            bool
	}{
		"one":                         {release.Tally{Calls: 3000}, release.Tally{Calls: 1000, Overran: 1}, false},
		"two":                         {release.Tally{Calls: 3000}, release.Tally{Calls: 1000, Overran: 2}, true},
		"searches that nobody counts": {release.Tally{}, release.Tally{Calls: 1, Overran: 40}, true},
		"both do":                     {release.Tally{Calls: 3000, Overran: 30}, release.Tally{Calls: 1000, Overran: 10}, false},
		"both do, and it is worse":    {release.Tally{Calls: 3000, Overran: 30}, release.Tally{Calls: 1000, Overran: 60}, true},
		"the stable one does":         {release.Tally{Calls: 3000, Overran: 300}, release.Tally{Calls: 1000, Overran: 2}, false},
	} {
		breach, broken := release.Judge(c.stable, c.candidate, release.Gates{})
		if broken != c.broken || broken && !strings.Contains(breach, "calls that went on after their time") {
			t.Errorf("%s: %v %q", name, broken, breach)
		}
		if _, broken := release.Judge(c.stable, c.candidate, release.Gates{Off: true}); broken {
			t.Errorf("%s: judged although the gates are off", name)
		}
	}
}
