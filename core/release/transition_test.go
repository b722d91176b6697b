package release_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/release"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func by() release.By { return release.By{At: noon, Actor: "ops", Reason: "because"} }

// phases are a channel in each of its phases.
func phases() map[string]release.Channel {
	c := release.Channel{Name: "till", Stable: "2", Previous: "1", Enabled: true, Generation: 7, Events: 7}
	with := func(change func(*release.Channel)) release.Channel {
		n := c
		change(&n)
		return n
	}
	return map[string]release.Channel{
		"idle": with(func(c *release.Channel) { c.Phase = release.Idle }),
		"preparing": with(func(c *release.Channel) {
			c.Phase, c.Before, c.Candidate, c.Goal, c.Until = release.Preparing, release.Idle, "3", release.ToServe, noon.Add(time.Minute)
		}),
		"preparing a canary": with(func(c *release.Channel) {
			c.Phase, c.Before, c.Candidate, c.Goal, c.Until = release.Preparing, release.RolledBack, "3", release.ToCanary, noon.Add(time.Minute)
			c.Weight = 10
		}),
		"preparing while baking": with(func(c *release.Channel) {
			c.Phase, c.Before, c.Candidate, c.Goal, c.Until = release.Preparing, release.Baking, "3", release.ToServe, noon.Add(time.Minute)
			c.BakesUntil = noon.Add(time.Hour)
		}),
		"rolling back": with(func(c *release.Channel) {
			c.Phase, c.Before, c.Candidate, c.Goal, c.Until = release.Preparing, release.Idle, "1", release.ToRollBack, noon.Add(time.Minute)
		}),
		"canary": with(func(c *release.Channel) {
			c.Phase, c.Candidate, c.Weight, c.Stores = release.InCanary, "3", 10, []string{"s1"}
		}),
		"promoting": with(func(c *release.Channel) {
			c.Phase, c.Candidate, c.Weight, c.Goal, c.Until = release.Promoting, "3", 10, release.ToServe, noon.Add(time.Minute)
		}),
		"baking":      with(func(c *release.Channel) { c.Phase, c.Until = release.Baking, noon.Add(time.Hour) }),
		"rolled back": with(func(c *release.Channel) { c.Phase, c.Previous = release.RolledBack, "3" }),
	}
}

func events() map[string]release.Event {
	soon := noon.Add(time.Minute)
	return map[string]release.Event{
		"prepare":        release.Prepare{By: by(), Version: "4", Goal: release.ToServe, Until: soon},
		"prepare canary": release.Prepare{By: by(), Version: "4", Goal: release.ToCanary, Weight: 5, Until: soon},
		"prepare stable": release.Prepare{By: by(), Version: "2", Goal: release.ToServe, Until: soon},
		"canary stable":  release.Prepare{By: by(), Version: "2", Goal: release.ToCanary, Until: soon},
		"ready":          release.Ready{By: by(), Bake: time.Hour},
		"refused":        release.Refused{By: by(), Version: "3", Why: "start_crashed: it crashed"},
		"given up":       release.GivenUp{By: by()},
		"weigh":          release.Weigh{By: by(), Weight: 50},
		"promote":        release.Promote{By: by(), Until: soon},
		"rollback":       release.Rollback{By: by(), Until: soon},
		"rollback cold":  release.Rollback{By: by(), Cold: true, Until: soon},
		"automatic":      release.Rollback{By: by(), Automatic: true, Evidence: "it broke", Until: soon},
		"baked":          release.Baked{By: by()},
		"disable":        release.SetEnabled{By: by()},
		"enable":         release.SetEnabled{By: by(), Enabled: true},
		"revoke stable":  release.Revoke{By: by(), Version: "2", Until: soon},
		"revoke 3":       release.Revoke{By: by(), Version: "3", Until: soon},
		"revoke 1":       release.Revoke{By: by(), Version: "1", Until: soon},
		"noted":          release.Noted{By: by(), What: "installed", Version: "5"},
	}
}

// brief is a channel in a line: phase, stable, candidate, previous, and what else matters in the phase.
func brief(c release.Channel) string {
	s := fmt.Sprintf("%s %s/%s/%s", c.Phase, c.Stable, c.Candidate, c.Previous)
	if c.Goal != "" {
		s += " " + string(c.Goal)
	}
	if c.Weight != 0 || len(c.Stores) > 0 {
		s += fmt.Sprintf(" %d%v", c.Weight, c.Stores)
	}
	if c.Before != "" {
		s += " after " + string(c.Before)
	}
	if !c.Enabled {
		s += " disabled"
	}
	return s
}

// Every phase with every event: what becomes of the channel, "same" if nothing, "-" for a refusal.
func TestEveryPhaseKnowsEveryEvent(t *testing.T) {
	t.Parallel()
	const (
		idle     = "idle 2//1"
		prep     = "preparing 2/3/1 serve after idle"
		prepC    = "preparing 2/3/1 canary 10[] after rolled_back"
		prepB    = "preparing 2/3/1 serve after baking"
		rolling  = "preparing 2/1/1 roll_back after idle"
		canary   = "canary 2/3/1 10[s1]"
		promote  = "promoting 2/3/1 serve 10[]"
		baking   = "baking 2//1"
		rolled   = "rolled_back 2//3"
		dropped  = "rolled_back 2//1"
		back     = "preparing 2/1/1 roll_back after baking"
		orphaned = "preparing /1/ roll_back after idle"
	)
	want := map[string]map[string]string{
		"idle": {
			"prepare": "preparing 2/4/1 serve after idle", "prepare canary": "preparing 2/4/1 canary 5[] after idle",
			"prepare stable": "same", "canary stable": "-", "ready": "-", "refused": idle, "given up": "-", "weigh": "-", "promote": "-",
			"rollback": rolling, "rollback cold": rolling, "automatic": rolling, "baked": "-", "disable": idle + " disabled", "enable": "same",
			"revoke stable": orphaned, "revoke 3": idle, "revoke 1": "idle 2//", "noted": idle,
		},
		"preparing": {
			"prepare": "-", "prepare canary": "-", "prepare stable": "-", "canary stable": "-", "ready": "baking 3//2", "refused": idle,
			"given up": idle, "weigh": "-", "promote": "-", "rollback": idle, "rollback cold": idle, "automatic": "-", "baked": "-",
			"disable": prep + " disabled", "enable": "same", "revoke stable": "preparing /3/1 serve after idle", "revoke 3": idle,
			"revoke 1": "preparing 2/3/ serve after idle", "noted": prep,
		},
		"preparing a canary": {
			"prepare": "-", "prepare canary": "-", "prepare stable": "-", "canary stable": "-", "ready": "canary 2/3/1 10[]", "refused": dropped,
			"given up": dropped, "weigh": "-", "promote": "-", "rollback": dropped, "rollback cold": dropped, "automatic": "-", "baked": "-",
			"disable": prepC + " disabled", "enable": "same", "revoke stable": orphaned, "revoke 3": dropped,
			"revoke 1": "preparing 2/3/ canary 10[] after rolled_back", "noted": prepC,
		},
		"preparing while baking": {
			"prepare": "-", "prepare canary": "-", "prepare stable": "-", "canary stable": "-", "ready": "baking 3//2", "refused": baking,
			"given up": baking, "weigh": "-", "promote": "-", "rollback": baking, "rollback cold": baking, "automatic": "rolled_back 1//2", "baked": "-",
			"disable": prepB + " disabled", "enable": "same", "revoke stable": "preparing 1/3/ serve after rolled_back", "revoke 3": baking,
			"revoke 1": "preparing 2/3/ serve after idle", "noted": prepB,
		},
		"rolling back": {
			"prepare": "-", "prepare canary": "-", "prepare stable": "-", "canary stable": "-", "ready": "rolled_back 1//2", "refused": rolling,
			"given up": idle, "weigh": "-", "promote": "-", "rollback": "-", "rollback cold": "-", "automatic": "-", "baked": "-",
			"disable": rolling + " disabled", "enable": "same", "revoke stable": "preparing /1/ roll_back after idle", "revoke 3": rolling,
			"revoke 1": "idle 2//", "noted": rolling,
		},
		"canary": {
			"prepare": "-", "prepare canary": "-", "prepare stable": "-", "canary stable": "-", "ready": "-", "refused": canary, "given up": "-",
			"weigh": "canary 2/3/1 50[]", "promote": "promoting 2/3/1 serve 10[s1]", "rollback": dropped, "rollback cold": dropped,
			"automatic": dropped, "baked": "-", "disable": canary + " disabled", "enable": "same", "revoke stable": orphaned, "revoke 3": dropped,
			"revoke 1": "canary 2/3/ 10[s1]", "noted": canary,
		},
		"promoting": {
			"prepare": "-", "prepare canary": "-", "prepare stable": "-", "canary stable": "-", "ready": "baking 3//2",
			"refused": "canary 2/3/1 10[]", "given up": "canary 2/3/1 10[]", "weigh": "-", "promote": "same", "rollback": dropped,
			"rollback cold": dropped, "automatic": dropped, "baked": "-", "disable": promote + " disabled", "enable": "same",
			"revoke stable": orphaned, "revoke 3": dropped, "revoke 1": "promoting 2/3/ serve 10[]", "noted": promote,
		},
		"baking": {
			"prepare": "preparing 2/4/1 serve after baking", "prepare canary": "preparing 2/4/1 canary 5[] after baking", "prepare stable": "same",
			"canary stable": "-", "ready": "-", "refused": baking, "given up": "-", "weigh": "-", "promote": "-", "rollback": "rolled_back 1//2",
			"rollback cold": back, "automatic": "rolled_back 1//2", "baked": idle, "disable": baking + " disabled", "enable": "same",
			"revoke stable": "rolled_back 1//", "revoke 3": baking, "revoke 1": "idle 2//", "noted": baking,
		},
		"rolled back": {
			"prepare": "preparing 2/4/3 serve after rolled_back", "prepare canary": "preparing 2/4/3 canary 5[] after rolled_back",
			"prepare stable": "same", "canary stable": "-", "ready": "-", "refused": rolled, "given up": "-", "weigh": "-", "promote": "-",
			"rollback": "-", "rollback cold": "-", "automatic": "-", "baked": "-", "disable": rolled + " disabled", "enable": "same",
			// What it was rolled back from must not come back unasked.
			"revoke stable": "idle //3", "revoke 3": "rolled_back 2//", "revoke 1": rolled, "noted": rolled,
		},
	}
	for phase, c := range phases() {
		for event, e := range events() {
			t.Run(phase+"/"+event, func(t *testing.T) {
				t.Parallel()
				next, err := release.Apply(c, e)
				got := brief(next)
				switch {
				case err != nil && fault.CodeOf(err) == "wrong_phase" && fault.KindOf(err) == fault.Conflict:
					got = "-"
				case err != nil:
					t.Fatal(err)
				case next.Generation == c.Generation:
					got = "same"
				}
				if got != want[phase][event] {
					t.Errorf("%s, want %s", got, want[phase][event])
				}
				if got == "-" || got == "same" {
					if diff := cmp.Diff(c, next); diff != "" {
						t.Errorf("the channel changed: %s", diff)
					}
					return
				}
				if next.Generation != 8 || next.Events != 8 || next.UpdatedBy != "ops" || next.Reason != "because" || !next.UpdatedAt.Equal(noon) {
					t.Errorf("%+v", next)
				}
				if moved := !slices.Equal(c.Serving(), next.Serving()); moved != (next.Since == next.Generation) {
					t.Errorf("serving %v, then %v, since %d", c.Serving(), next.Serving(), next.Since)
				}
				if name := release.Name(e, c, next); !strings.HasPrefix(name, "plugin.") || name == "plugin.changed" {
					t.Errorf("the event has the name %q", name)
				}
			})
		}
	}
}

func TestAnInterruptedBakingGoesOn(t *testing.T) {
	t.Parallel()
	c := phases()["baking"]
	next := applied(t, c, events()["prepare"])
	if !next.Bakes() || !slices.Contains(next.Wanted(), "1") || !next.BakesUntil.Equal(c.Until) {
		t.Errorf("while another release is prepared the one before is not kept: %+v", next)
	}
	next = applied(t, next, release.Refused{By: by(), Version: "4", Why: "start_timeout: hung"})
	if next.Phase != release.Baking || !next.Until.Equal(c.Until) || !next.BakesUntil.IsZero() {
		t.Errorf("%+v", next)
	}
}

func applied(t *testing.T, c release.Channel, e release.Event) release.Channel {
	t.Helper()
	next, err := release.Apply(c, e)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

func TestTheFirstReleaseDoesNotBake(t *testing.T) {
	t.Parallel()
	c := applied(t, release.Channel{Name: "till", Enabled: true}, release.Prepare{By: by(), Version: "1", Goal: release.ToServe, Until: noon.Add(time.Minute)})
	if c.Phase != release.Preparing || c.Generation != 1 || c.Since != 0 || c.Pick("p", "s") != "" {
		t.Errorf("%+v", c)
	}
	if c = applied(t, c, release.Ready{By: by(), Bake: time.Hour}); c.Phase != release.Idle || c.Stable != "1" || c.Since != 2 {
		t.Errorf("%+v", c)
	}
}

// Random orders, by the rules that no order of them may break.
func TestNoOrderBreaksTheChannel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(1000) {
		r := rand.New(rand.NewPCG(seed, 1))
		c := release.Channel{Name: "till", Enabled: true}
		revoked := map[string]bool{}
		var story []string
		for range 40 {
			e := anyEvent(r, revoked)
			if x, ok := e.(release.Revoke); ok {
				revoked[x.Version] = true
			}
			next, err := release.Apply(c, e)
			story = append(story, fmt.Sprintf("%T%v → %s", e, err, brief(next)))
			fail := func(what string) { t.Fatalf("seed %d: %s:\n%s", seed, what, strings.Join(story, "\n")) }
			if err != nil {
				if k := fault.KindOf(err); k != fault.Conflict && k != fault.Invalid {
					fail("a refusal of another kind")
				}
				if !cmp.Equal(c, next) && c.Phase != "" {
					fail("a refused order changed the channel")
				}
				continue
			}
			switch {
			case next.Generation != c.Generation && next.Generation != c.Generation+1:
				fail("the generation does not grow by one")
			case revoked[next.Stable] || revoked[next.Candidate] || revoked[next.Previous]:
				fail("a revoked release stayed")
			case next.Phase == release.Preparing && slices.Contains(next.Serving(), next.Candidate):
				fail("a candidate serves before it is ready")
			case (next.Phase == release.Preparing || next.Shares()) && next.Candidate == "":
				fail("there is no candidate")
			case next.Candidate != "" && next.Candidate == next.Stable:
				fail("the candidate is the stable release")
			case next.Phase == release.Baking && (next.Previous == "" || next.Until.IsZero()):
				fail("nothing bakes")
			}
			steady(fail, c, next, r)
			c = next
		}
	}
}

// steady holds what serves payments before and after a change against each other.
func steady(fail func(string), before, after release.Channel, r *rand.Rand) {
	for i := range 20 {
		id, store := fmt.Sprintf("payment-%d-%d", i, r.IntN(5)), fmt.Sprintf("s%d", r.IntN(3))
		was, now := before.Pick(id, store), after.Pick(id, store)
		switch {
		case now != after.Pick(id, store):
			fail("a payment is picked twice differently")
		case now != "" && !slices.Contains(after.Wanted(), now):
			fail("a release serves that nobody keeps ready")
		case slices.Equal(before.Serving(), after.Serving()) && before.Weight == after.Weight &&
			slices.Equal(before.Stores, after.Stores) && was != now:
			fail("a payment moved although nothing changed")
		case before.Shares() && after.Shares() && after.Weight >= before.Weight && slices.Equal(before.Stores, after.Stores) &&
			was == before.Candidate && now != was:
			fail("a payment left the candidate whose share grew")
		}
	}
}

func anyEvent(r *rand.Rand, revoked map[string]bool) release.Event {
	version := func() string { return string(rune('1' + r.IntN(5))) }
	good := func() string {
		for range 50 {
			if v := version(); !revoked[v] {
				return v
			}
		}
		return "9"
	}
	until := noon.Add(time.Minute)
	switch r.IntN(16) {
	case 0, 1:
		return release.Prepare{By: by(), Version: good(), Goal: release.ToServe, Until: until}
	case 2, 3:
		return release.Prepare{By: by(), Version: good(), Goal: release.ToCanary, Weight: r.IntN(101), Stores: []string{"s1"}, Until: until}
	case 4, 5, 6, 7:
		return release.Ready{By: by(), Bake: time.Duration(r.IntN(2)) * time.Hour}
	case 8:
		return release.Refused{By: by(), Version: version(), Why: "unhealthy: no"}
	case 9:
		return release.GivenUp{By: by()}
	case 10:
		return release.Weigh{By: by(), Weight: r.IntN(101), Stores: []string{"s1"}}
	case 11:
		return release.Promote{By: by(), Until: until}
	case 12:
		return release.Rollback{By: by(), Automatic: r.IntN(2) == 0, Cold: r.IntN(3) == 0, Until: until}
	case 13:
		return release.Baked{By: by()}
	case 14:
		return release.SetEnabled{By: by(), Enabled: r.IntN(2) == 0}
	default:
		if r.IntN(4) > 0 {
			return release.Noted{By: by(), What: "installed", Version: version()}
		}
		return release.Revoke{By: by(), Version: version(), Until: until}
	}
}

func TestSharesAreWhatTheyAreSaidToBe(t *testing.T) {
	t.Parallel()
	for _, weight := range []int{0, 1, 10, 30, 50, 99, 100} {
		c := release.Channel{Name: "till", Stable: "1", Candidate: "2", Phase: release.InCanary, Weight: weight, Stores: []string{"pilot"}}
		n := 0
		for i := range 20_000 {
			if c.Pick(fmt.Sprintf("019ab%07d", i), "shop") == "2" {
				n++
			}
		}
		if got := float64(n) / 200; got < float64(weight)-1 || got > float64(weight)+1 {
			t.Errorf("a weight of %d %% is %.1f %%", weight, got)
		}
		if c.Pick("x", "pilot") != "2" || c.Pick("", "pilot") != "2" || c.Pick("", "shop") != "1" {
			t.Error("a store of the candidate, or a payment without an id, is served by another release")
		}
	}
}
