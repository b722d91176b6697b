package release

import (
	"cmp"
	"fmt"
	"math"
	"time"
)

// Gates are the limits of a release on trial. Zero members have the defaults of WithDefaults.
type Gates struct {
	// Off judges nothing but breaches, crashes and what hangs.
	Off bool
	// FalseAlarm is the chance that one limit is found broken although the two releases do not differ, however long they are
	// watched; 0.001.
	FalseAlarm ratio
	// Technical, Unknown and Declined are by how much the share of calls may differ from the stable release's before it
	// counts, however certain the difference is: 0.02, 0.02 and 0.08. Declines count both ways: a release that reads answers
	// wrong shows as more of them or as fewer.
	Technical ratio
	Unknown   ratio
	Declined  ratio
	// TechnicalMax and UnknownMax are the shares that hold while the stable release has no calls, from half of MinCalls on:
	// 0.05.
	TechnicalMax ratio
	UnknownMax   ratio
	// MinCalls of each release before their speeds are compared; 20.
	MinCalls int64
	// Slower and SlowerTimes are the shift of the median or of the 95th percentile, whichever is less, that counts: 300 ms and
	// 2, but at least SlowerLeast, 50 ms.
	Slower      time.Duration
	SlowerTimes ratio
	SlowerLeast time.Duration
	// MemoryTimes and MemoryMore are the growth of the resident memory beyond the stable release's that counts, both of them:
	// 3 times, and 128 MiB more.
	MemoryTimes ratio
	MemoryMore  int64
	// Checks is about how many payments a second, on each replica, the other release is asked too: 5. None if it is negative.
	Checks int
}

// WithDefaults fills in what is zero.
func (g Gates) WithDefaults() Gates {
	g.FalseAlarm = cmp.Or(g.FalseAlarm, 0.001)
	g.Technical = cmp.Or(g.Technical, 0.02)
	g.Unknown = cmp.Or(g.Unknown, 0.02)
	g.Declined = cmp.Or(g.Declined, 0.08)
	g.TechnicalMax = cmp.Or(g.TechnicalMax, 0.05)
	g.UnknownMax = cmp.Or(g.UnknownMax, 0.05)
	g.MinCalls = cmp.Or(g.MinCalls, 20)
	g.Slower = cmp.Or(g.Slower, 300*time.Millisecond)
	g.SlowerTimes = cmp.Or(g.SlowerTimes, 2)
	g.SlowerLeast = cmp.Or(g.SlowerLeast, 50*time.Millisecond)
	g.MemoryTimes = cmp.Or(g.MemoryTimes, 3)
	g.MemoryMore = cmp.Or(g.MemoryMore, 128<<20)
	g.Checks = cmp.Or(g.Checks, 5)
	return g
}

// Alone are the gates for a release beside which no other one runs: the calls that it is measured against are of another
// time, and a slow moment of the machine or of the provider is not the release's. Only what is far slower, for longer, counts.
func (g Gates) Alone() Gates {
	g = g.WithDefaults()
	g.MinCalls *= 10
	g.Slower, g.SlowerTimes, g.SlowerLeast = 4*g.Slower, 2*g.SlowerTimes, 10*g.SlowerLeast
	return g
}

// What rates are expected before anything was seen. Failures of a release that serves are rare, those of one on trial may be
// anything but are rather few; the same holds of declines, less so; of a speed limit nothing is expected.
func (Gates) beliefs() (rare, trial, declines, anything belief) {
	return belief{0.5, 10}, belief{1, 3}, belief{1, 5}, belief{1, 1}
}

// Judge holds the release on trial against the stable one, by what their calls brought in the same time. What it says is the
// evidence for people.
func Judge(stable, candidate Tally, g Gates) (breach string, broken bool) {
	g = g.WithDefaults()
	switch {
	case candidate.Breaches > 0:
		return fmt.Sprintf("%s broke an invariant %d times: %s", candidate.Version, candidate.Breaches, candidate.Evidence), true
	case candidate.Crashes > 0:
		return fmt.Sprintf("%s crashed, hung or was not ready %d times: %s", candidate.Version, candidate.Crashes, candidate.Evidence), true
	case g.Off:
		return "", false
	}
	for _, limit := range []func(Tally, Tally) string{g.failing, g.deciding, g.slow, g.overrunning, g.growing} {
		if breach = limit(stable, candidate); breach != "" {
			return breach, true
		}
	}
	return "", false
}

// certain reports whether evidence is enough.
func (g Gates) certain(evidence ratio) bool { return evidence >= -math.Log(g.FalseAlarm) }

// failing compares the shares of calls that failed.
func (g Gates) failing(stable, candidate Tally) string {
	rare, onTrial, _, _ := g.beliefs()
	for _, x := range []struct {
		what           string
		before, now    happened
		more, absolute ratio
	}{
		{
			"technical failures",
			happened{stable.Technical, stable.Calls},
			happened{candidate.Technical, candidate.Calls},
			g.Technical, g.TechnicalMax,
		},
		{
			"unknown outcomes",
			happened{stable.Unknown, stable.Calls},
			happened{candidate.Unknown, candidate.Calls},
			g.Unknown, g.UnknownMax,
		},
		{
			"calls that the plugin refused to send",
			happened{stable.Refused, stable.Calls},
			happened{candidate.Refused, candidate.Calls},
			g.Technical, g.TechnicalMax,
		},
		{
			"searches that found nothing out",
			happened{stable.AsksFailed, stable.Asks},
			happened{candidate.AsksFailed, candidate.Asks},
			g.Technical, g.TechnicalMax,
		},
	} {
		found := x.now.rate() >= x.before.rate()+x.more && g.certain(against(x.before, x.now, rare, onTrial))
		if x.before.of == 0 {
			found = x.now.of >= g.MinCalls/2 && g.certain(above(x.now, x.absolute, onTrial))
		}
		if found {
			return compared(x.what, stable, candidate, x.before, x.now)
		}
	}
	return ""
}

// deciding compares the shares of definite declines among the calls that the provider decided.
func (g Gates) deciding(stable, candidate Tally) string {
	_, _, declines, _ := g.beliefs()
	before := happened{stable.Declined, stable.Calls - stable.Technical}
	now := happened{candidate.Declined, candidate.Calls - candidate.Technical}
	if math.Abs(now.rate()-before.rate()) < g.Declined || !g.certain(against(before, now, declines, declines)) {
		return ""
	}
	return compared("declines", stable, candidate, before, now)
}

func compared(what string, stable, candidate Tally, before, now happened) string {
	return fmt.Sprintf("%s: %d of %d calls (%.1f %%) with %s, %d of %d (%.1f %%) with %s", what,
		now.times, now.of, 100*now.rate(), candidate.Version, before.times, before.of, 100*before.rate(), stable.Version)
}

// slow compares the speeds: the median, and the 95th percentile.
func (g Gates) slow(stable, candidate Tally) string {
	if stable.timed() < g.MinCalls || candidate.timed() < g.MinCalls {
		return ""
	}
	rare, onTrial, _, anything := g.beliefs()
	for _, x := range []struct {
		what          string
		part          ratio
		first, second belief
	}{{"median", 0.5, anything, anything}, {"95th percentile", 0.95, rare, onTrial}} {
		before, now := stable.quantile(x.part), candidate.quantile(x.part)
		limit := max(min(before+g.Slower, time.Duration(g.SlowerTimes*ratio(before))), before+g.SlowerLeast)
		if now < limit {
			continue
		}
		if g.certain(against(stable.slowerThan(limit), candidate.slowerThan(limit), x.first, x.second)) {
			return fmt.Sprintf("slower: the %s of %d calls is %s with %s, that of %d calls %s with %s", x.what,
				candidate.timed(), now.Round(time.Millisecond), candidate.Version, stable.timed(), before.Round(time.Millisecond), stable.Version)
		}
	}
	return ""
}

// overranLeast is how many calls must have gone on after their time: one may be an accident.
const overranLeast = 2

// overrunning looks for calls that went on in the plugin when nobody waited for them any more: it promises to stop by then, and a
// payment that is looked up meanwhile may still become one. A plugin that keeps the promise has none, so a few are enough, unless
// the stable release breaks it, too.
func (g Gates) overrunning(stable, candidate Tally) string {
	if candidate.Overran < overranLeast {
		return ""
	}
	rare, onTrial, _, _ := g.beliefs()
	of := func(t Tally) happened { return happened{t.Overran, max(t.Calls+t.Asks, t.Overran)} }
	before, now := of(stable), of(candidate)
	if before.times > 0 && (now.rate() <= before.rate() || !g.certain(against(before, now, rare, onTrial))) {
		return ""
	}
	return fmt.Sprintf("calls that went on after their time: %d of %d with %s, %d of %d with %s",
		now.times, now.of, candidate.Version, before.times, before.of, stable.Version)
}

// growing compares the largest resident memory.
func (g Gates) growing(stable, candidate Tally) string {
	if stable.RSS == 0 || candidate.RSS-stable.RSS <= g.MemoryMore || ratio(candidate.RSS) <= g.MemoryTimes*ratio(stable.RSS) {
		return ""
	}
	return fmt.Sprintf("memory: %d MiB with %s, %d MiB with %s", candidate.RSS>>20, candidate.Version, stable.RSS>>20, stable.Version)
}
