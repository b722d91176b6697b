package release

import (
	"slices"
	"time"

	"github.com/payrack/payrack/core/fault"
)

// deed is what an event does to a channel. same says that nothing is to be done: the channel is so already.
type deed func(c Channel, e Event) (next Channel, same bool, err error)

// Apply is the channel after an event. An event that does not fit the phase is fault.Conflict code wrong_phase, in words
// that say what to do. An order that is fulfilled already returns the channel as it is, with the same generation; every
// other change has the next one. Neither channel shares memory with the other.
func Apply(c Channel, e Event) (Channel, error) {
	if c.Phase == "" {
		c.Phase = Idle
	}
	do := table()[c.Phase][e.Kind()]
	if do == nil {
		return c, fault.New(fault.Internal, "unknown_event", "the channel knows no such phase or event")
	}
	next := c
	next.Stores = slices.Clone(c.Stores)
	next, same, err := do(next, e)
	if err != nil || same {
		return c, err
	}
	next.Generation, next.Events = c.Generation+1, c.Events+1
	next.UpdatedAt, next.UpdatedBy, next.Reason = e.by().At, e.by().Actor, e.by().Reason
	if !slices.Equal(next.Serving(), c.Serving()) {
		next.Since = next.Generation
	}
	return next, nil
}

// table says what each event does in each phase.
func table() map[Phase]map[EventKind]deed {
	always := func(own map[EventKind]deed) map[EventKind]deed {
		own[OnSetEnabled], own[OnRevoke], own[OnNoted] = switched, revoked, noted
		return own
	}
	const (
		nothingPrepared = "nothing is being prepared for this provider"
		noCandidate     = "there is no candidate: give a release a share first (payrack plugin canary), or activate it"
		notBaking       = "no new release is on trial"
		preparing       = "a release is being prepared: wait for it, or cancel it (payrack plugin rollback)"
		canary          = "another release has a share of the payments: promote it or roll it back first"
		promoting       = "the candidate is being promoted: wait for it, or roll it back"
		already         = "the channel was rolled back already: activate the release that shall serve"
	)
	resting := func(rollback, baked deed) map[EventKind]deed {
		return always(map[EventKind]deed{
			OnPrepare: prepared, OnRefused: noted, OnRollback: rollback, OnBaked: baked,
			OnReady: not(nothingPrepared), OnGivenUp: not(nothingPrepared), OnWeigh: not(noCandidate), OnPromote: not(noCandidate),
		})
	}
	return map[Phase]map[EventKind]deed{
		Idle:       resting(broughtBack, not(notBaking)),
		RolledBack: resting(not(already), not(notBaking)),
		Baking:     resting(swapped, baked),
		Preparing: always(map[EventKind]deed{
			OnPrepare: joined(preparing), OnReady: begun, OnRefused: refused, OnGivenUp: givenUp, OnWeigh: not(preparing),
			OnPromote: not(preparing), OnRollback: cancelled, OnBaked: not(preparing),
		}),
		InCanary: always(map[EventKind]deed{
			OnPrepare: not(canary), OnReady: not(nothingPrepared), OnRefused: noted, OnGivenUp: not(nothingPrepared), OnWeigh: weighed,
			OnPromote: promoted, OnRollback: dropped, OnBaked: not(notBaking),
		}),
		Promoting: always(map[EventKind]deed{
			OnPrepare: not(promoting), OnReady: begun, OnRefused: refused, OnGivenUp: givenUp, OnWeigh: not(promoting),
			OnPromote: unchanged, OnRollback: dropped, OnBaked: not(notBaking),
		}),
	}
}

func wrongPhase(words string) error { return fault.New(fault.Conflict, "wrong_phase", words) }

func not(words string) deed {
	return func(c Channel, _ Event) (Channel, bool, error) { return c, false, wrongPhase(words) }
}

func unchanged(c Channel, _ Event) (Channel, bool, error) { return c, true, nil }

func noted(c Channel, _ Event) (Channel, bool, error) { return c, false, nil }

func switched(c Channel, e Event) (Channel, bool, error) {
	want := e.(SetEnabled).Enabled //nolint:forcetypeassert // the table leads here by the event's kind
	same := c.Enabled == want
	c.Enabled = want
	return c, same, nil
}

// prepared begins to prepare a release beside what serves.
func prepared(c Channel, e Event) (Channel, bool, error) {
	p := e.(Prepare) //nolint:forcetypeassert // the table leads here by the event's kind
	switch {
	case p.Version == "" || p.Weight < 0 || p.Weight > 100:
		return c, false, fault.New(fault.Invalid, "out_of_range", "a version is needed, and a weight of 0 to 100 percent")
	case p.Version == c.Stable && p.Goal == ToServe:
		return c, true, nil
	case p.Version == c.Stable:
		return c, false, wrongPhase(p.Version + " is the stable release and has all payments: a canary is another version")
	case p.Goal == ToCanary && c.Stable == "":
		return c, false, wrongPhase("no release serves beside which a canary could run: activate " + p.Version)
	}
	if p.Goal != ToCanary {
		p.Weight, p.Stores = 0, nil
	}
	return preparation(c, p.Version, p.Goal, p.Weight, p.Stores, p.Until), false, nil
}

func preparation(c Channel, version string, goal Goal, weight int, stores []string, until time.Time) Channel {
	c.Before, c.BakesUntil = c.Phase, time.Time{}
	if c.Phase == Baking {
		c.BakesUntil = c.Until
	}
	c.Phase, c.Candidate, c.Goal, c.Until = Preparing, version, goal, until
	c.Weight, c.Stores = weight, slices.Clone(stores)
	return c
}

// joined takes an order that is being fulfilled already.
func joined(words string) deed {
	return func(c Channel, e Event) (Channel, bool, error) {
		p := e.(Prepare) //nolint:forcetypeassert // the table leads here by the event's kind
		if p.Version == c.Candidate && p.Goal == c.Goal &&
			(p.Goal != ToCanary || p.Weight == c.Weight && slices.Equal(p.Stores, c.Stores)) {
			return c, true, nil
		}
		return c, false, wrongPhase(words)
	}
}

// begun lets the candidate do what it was prepared for.
func begun(c Channel, e Event) (Channel, bool, error) {
	r := e.(Ready) //nolint:forcetypeassert // the table leads here by the event's kind
	goal := c.Goal
	c.Goal, c.Before, c.Until, c.BakesUntil = "", "", time.Time{}, time.Time{}
	if goal == ToCanary {
		c.Phase = InCanary
		return c, false, nil
	}
	c.Stable, c.Previous = c.Candidate, c.Stable
	c.Candidate, c.Weight, c.Stores = "", 0, nil
	switch {
	case goal == ToRollBack:
		c.Phase = RolledBack
	case c.Previous != "" && r.Bake > 0:
		c.Phase, c.Until = Baking, r.At.Add(r.Bake)
	default:
		c.Phase = Idle
	}
	return c, false, nil
}

// refused ends the preparation of the candidate; what else was refused is only noted.
func refused(c Channel, e Event) (Channel, bool, error) {
	if e.(Refused).Version == c.Candidate { //nolint:forcetypeassert // the table leads here by the event's kind
		c = putBack(c)
	}
	return c, false, nil
}

func givenUp(c Channel, _ Event) (Channel, bool, error) { return putBack(c), false, nil }

// putBack is the channel as it was before a preparation.
func putBack(c Channel) Channel {
	if c.Phase == Promoting {
		c.Phase, c.Goal, c.Until = InCanary, "", time.Time{}
		return c
	}
	c.Phase, c.Until = c.Before, time.Time{}
	if c.Before == Baking {
		c.Until = c.BakesUntil
	}
	if c.Phase == "" {
		c.Phase = Idle
	}
	c.Candidate, c.Goal, c.Weight, c.Stores, c.Before, c.BakesUntil = "", "", 0, nil, "", time.Time{}
	return c
}

func weighed(c Channel, e Event) (Channel, bool, error) {
	w := e.(Weigh) //nolint:forcetypeassert // the table leads here by the event's kind
	if w.Weight < 0 || w.Weight > 100 {
		return c, false, fault.New(fault.Invalid, "out_of_range", "a weight is 0 to 100 percent")
	}
	same := c.Weight == w.Weight && slices.Equal(c.Stores, w.Stores)
	c.Weight, c.Stores = w.Weight, slices.Clone(w.Stores)
	return c, same, nil
}

// promoted goes on with the candidate's share until every replica is known to have it ready.
func promoted(c Channel, e Event) (Channel, bool, error) {
	c.Phase, c.Goal, c.Until = Promoting, ToServe, e.(Promote).Until //nolint:forcetypeassert // the table leads here by the event's kind
	return c, false, nil
}

func baked(c Channel, _ Event) (Channel, bool, error) {
	c.Phase, c.Until = Idle, time.Time{}
	return c, false, nil
}

// dropped takes the candidate's share away.
func dropped(c Channel, _ Event) (Channel, bool, error) {
	c.Candidate, c.Weight, c.Stores = "", 0, nil
	c.Phase, c.Goal, c.Until = RolledBack, "", time.Time{}
	return c, false, nil
}

// swapped brings the warm release before the stable one back in one change; a cold one is prepared first.
func swapped(c Channel, e Event) (Channel, bool, error) {
	r := e.(Rollback) //nolint:forcetypeassert // the table leads here by the event's kind
	if r.Cold {
		return preparation(c, c.Previous, ToRollBack, 0, nil, r.Until), false, nil
	}
	return swap(c), false, nil
}

func swap(c Channel) Channel {
	c.Stable, c.Previous = c.Previous, c.Stable
	c.Candidate, c.Weight, c.Stores = "", 0, nil
	c.Phase, c.Goal, c.Before, c.Until, c.BakesUntil = RolledBack, "", "", time.Time{}, time.Time{}
	return c
}

// broughtBack prepares the release before the stable one, which is not warm any more.
func broughtBack(c Channel, e Event) (Channel, bool, error) {
	if c.Previous == "" {
		return c, false, wrongPhase("there is no release before the stable one: activate the release that shall serve")
	}
	return preparation(c, c.Previous, ToRollBack, 0, nil, e.(Rollback).Until), false, nil //nolint:forcetypeassert // by the table
}

// cancelled ends a preparation. A gate means the stable release: if the one before is still warm, that is brought back.
func cancelled(c Channel, e Event) (Channel, bool, error) {
	r := e.(Rollback) //nolint:forcetypeassert // the table leads here by the event's kind
	switch {
	case c.Goal == ToRollBack:
		return c, false, wrongPhase(c.Candidate + " is being brought back already: wait for it")
	case r.Automatic && !c.Bakes():
		return c, false, wrongPhase("nothing serves that could be rolled back")
	case r.Automatic && r.Cold:
		c = putBack(c)
		return preparation(c, c.Previous, ToRollBack, 0, nil, r.Until), false, nil
	case r.Automatic:
		return swap(c), false, nil
	}
	return putBack(c), false, nil
}
