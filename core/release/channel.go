package release

import (
	"hash/fnv"
	"reflect"
	"slices"
	"time"

	"github.com/payrack/payrack/core/journal"
)

// Phase is what a channel is doing.
type Phase string

// The phases, in the words of the admin plane. A disabled channel is shown as "disabled" whatever its phase is.
const (
	// Idle: the stable release serves alone.
	Idle Phase = "idle"
	// Preparing: every live replica starts the candidate; it has no traffic anywhere.
	Preparing Phase = "preparing"
	// InCanary: the candidate serves its share.
	InCanary Phase = "canary"
	// Promoting: a candidate that served its share becomes stable as soon as every live replica has it ready.
	Promoting Phase = "promoting"
	// Baking: the stable release is new, and the one before is kept warm until Channel.Until.
	Baking Phase = "baking"
	// RolledBack: the release before serves again, because an operator or a gate said so.
	RolledBack Phase = "rolled_back"
)

// Goal is what a preparation leads to.
type Goal string

// The goals of Preparing and Promoting.
const (
	ToServe  Goal = "serve"
	ToCanary Goal = "canary"
	// ToRollBack brings a release back that is no longer warm.
	ToRollBack Goal = "roll_back"
)

// Channel says which releases of a provider serve. It is the desired state of the fleet: every replica converges to it.
type Channel struct {
	Name string
	// Stable serves every payment that the candidate does not; empty before the first activation.
	Stable string
	// Candidate is prepared or takes its share; empty if there is none.
	Candidate string
	// Previous served before Stable; empty if there was none. It is warm while Phase is Baking.
	Previous string
	// Weight is the candidate's share of payments in percent, 0 to 100.
	Weight int
	// Stores whose payments all go to the candidate.
	Stores []string
	Phase  Phase
	Goal   Goal
	// Until is when Preparing is given up, or when Baking ends. Zero in other phases.
	Until time.Time
	// Before is the phase to which a preparation returns that leads to nothing; empty in other phases.
	Before Phase
	// BakesUntil is the end of the baking that a preparation interrupted: Previous stays warm meanwhile, and may still be
	// rolled back to.
	BakesUntil time.Time
	// Since is the generation with which the present set of serving releases began: calls are counted from there.
	Since int64
	// Enabled is false while the operator takes no new payments for this provider; open ones go on.
	Enabled bool
	// Generation grows by one with every saved change.
	Generation int64
	// Events counts the entries of the channel's journal stream, "plugin/<name>", and Chain is the hash of the last one. A
	// channel that an older program made has fewer events than generations.
	Events    int64
	Chain     journal.Hash
	UpdatedAt time.Time
	UpdatedBy string
	Reason    string
}

// Stream names the channel's journal.
func (c Channel) Stream() string { return "plugin/" + c.Name }

// OnlyNoted reports whether the channel says the same in a later generation: what came between was written into its
// journal and changed nothing else.
func (c Channel) OnlyNoted(later Channel) bool {
	c.Generation, c.Events, c.Chain = later.Generation, later.Events, later.Chain
	c.UpdatedAt, c.UpdatedBy, c.Reason = later.UpdatedAt, later.UpdatedBy, later.Reason
	same := slices.Equal(c.Stores, later.Stores) && c.Until.Equal(later.Until) && c.BakesUntil.Equal(later.BakesUntil)
	c.Stores, c.Until, c.BakesUntil = nil, time.Time{}, time.Time{}
	later.Stores, later.Until, later.BakesUntil = nil, time.Time{}, time.Time{}
	return same && reflect.DeepEqual(c, later)
}

// shares is the number of parts into which payments are divided.
const shares = 10_000

// Pick is the version that serves a payment. It is the same on every replica and for every operation of the payment
// while the channel stands: the first call and the follow-ups of a payment meet the same release without anybody
// remembering it. A payment that has no id yet counts by its store alone.
func (c Channel) Pick(payment, store string) string {
	if !c.Shares() {
		return c.Stable
	}
	if store != "" && slices.Contains(c.Stores, store) {
		return c.Candidate
	}
	if payment != "" && share(payment) < uint32(c.Weight)*shares/100 { //nolint:gosec // 0 to 100
		return c.Candidate
	}
	return c.Stable
}

// Shares reports whether the candidate takes a share of the payments.
func (c Channel) Shares() bool {
	return c.Candidate != "" && (c.Phase == InCanary || c.Phase == Promoting)
}

// Bakes reports whether the release before the stable one is kept warm.
func (c Channel) Bakes() bool {
	return c.Previous != "" && (c.Phase == Baking || c.Phase == Preparing && c.Before == Baking)
}

// Serving are the versions that take payments, the stable one first.
func (c Channel) Serving() []string {
	var all []string
	if c.Stable != "" {
		all = append(all, c.Stable)
	}
	if c.Shares() {
		all = append(all, c.Candidate)
	}
	return all
}

func share(payment string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(payment))
	sum := h.Sum32()
	// FNV's low bits of similar texts are similar; the finalizer of MurmurHash3 mixes them.
	sum ^= sum >> 16
	sum *= 0x85ebca6b
	sum ^= sum >> 13
	sum *= 0xc2b2ae35
	sum ^= sum >> 16
	return sum % shares
}

// Wanted are the versions that every replica keeps ready, the stable one first.
func (c Channel) Wanted() []string {
	var all []string
	add := func(v string) {
		if v != "" && !slices.Contains(all, v) {
			all = append(all, v)
		}
	}
	add(c.Stable)
	add(c.Candidate)
	if c.Bakes() {
		add(c.Previous)
	}
	return all
}
