package release

import "time"

// EventKind names an event of a channel.
type EventKind string

// The events.
const (
	OnPrepare    EventKind = "prepare"
	OnReady      EventKind = "ready"
	OnRefused    EventKind = "refused"
	OnGivenUp    EventKind = "given_up"
	OnWeigh      EventKind = "weigh"
	OnPromote    EventKind = "promote"
	OnRollback   EventKind = "rollback"
	OnBaked      EventKind = "baked"
	OnSetEnabled EventKind = "set_enabled"
	OnRevoke     EventKind = "revoke"
	OnNoted      EventKind = "noted"
)

// Event is something that happens to a channel: an order, or what became of one.
type Event interface {
	Kind() EventKind
	by() By
}

// By says when, by whom and why.
type By struct {
	At     time.Time
	Actor  string
	Reason string
}

func (b By) by() By { return b }

// Prepare orders that every live replica starts a release beside the others.
type Prepare struct {
	By
	Version string
	Goal    Goal
	// Weight and Stores that the release will take, with ToCanary.
	Weight int
	Stores []string
	// Until is when the order is given up.
	Until time.Time
}

// Ready says that every live replica has the candidate ready. Bake is how long the release before it is kept warm.
type Ready struct {
	By
	Bake time.Duration
}

// Refused says that a release could not be prepared.
type Refused struct {
	By
	Version string
	Why     string
}

// GivenUp says that a preparation took too long.
type GivenUp struct{ By }

// Weigh changes the candidate's share.
type Weigh struct {
	By
	Weight int
	Stores []string
}

// Promote orders that the candidate becomes stable, once every live replica has it ready.
type Promote struct {
	By
	Until time.Time
}

// Rollback takes the candidate's share away, or brings the release before the stable one back.
type Rollback struct {
	By
	// Automatic is true if a gate ordered it; Evidence says what it saw.
	Automatic bool
	Evidence  string
	// Cold says that some replica does not have the release before ready: it is prepared first, until Until at most.
	Cold  bool
	Until time.Time
}

// Baked says that the new stable release stood the time of trial.
type Baked struct{ By }

// SetEnabled stops or takes up new payments.
type SetEnabled struct {
	By
	Enabled bool
}

// Revoke takes a version out of the channel, whatever it does there. Until bounds the preparation of the release before.
type Revoke struct {
	By
	Version string
	Until   time.Time
}

// Noted keeps something in the channel's journal that changes nothing about what serves.
type Noted struct {
	By
	// What happened, one word, such as installed or removed.
	What    string
	Version string
	Text    string
}

// Kind is OnPrepare.
func (Prepare) Kind() EventKind { return OnPrepare }

// Kind is OnReady.
func (Ready) Kind() EventKind { return OnReady }

// Kind is OnRefused.
func (Refused) Kind() EventKind { return OnRefused }

// Kind is OnGivenUp.
func (GivenUp) Kind() EventKind { return OnGivenUp }

// Kind is OnWeigh.
func (Weigh) Kind() EventKind { return OnWeigh }

// Kind is OnPromote.
func (Promote) Kind() EventKind { return OnPromote }

// Kind is OnRollback.
func (Rollback) Kind() EventKind { return OnRollback }

// Kind is OnBaked.
func (Baked) Kind() EventKind { return OnBaked }

// Kind is OnSetEnabled.
func (SetEnabled) Kind() EventKind { return OnSetEnabled }

// Kind is OnRevoke.
func (Revoke) Kind() EventKind { return OnRevoke }

// Kind is OnNoted.
func (Noted) Kind() EventKind { return OnNoted }

// Name is how the journal calls an event that led to the channel after.
func Name(e Event, before, after Channel) string {
	switch e := e.(type) {
	case Prepare:
		return "plugin.preparing"
	case Ready:
		switch before.Goal {
		case ToCanary:
			return "plugin.canary"
		case ToRollBack:
			return "plugin.rolled_back"
		case ToServe:
		}
		return "plugin.activated"
	case Refused:
		return "plugin.refused"
	case GivenUp:
		return "plugin.given_up"
	case Weigh:
		return "plugin.weighed"
	case Promote:
		return "plugin.promoting"
	case Rollback:
		switch {
		case after.Phase == Preparing:
			return "plugin.preparing"
		case before.Phase == Preparing && after.Phase != RolledBack:
			return "plugin.cancelled"
		case before.Phase == Preparing && after.Stable == before.Stable:
			return "plugin.cancelled"
		}
		return "plugin.rolled_back"
	case Baked:
		return "plugin.baked"
	case SetEnabled:
		if e.Enabled {
			return "plugin.enabled"
		}
		return "plugin.disabled"
	case Revoke:
		return "plugin.revoked"
	case Noted:
		return "plugin." + e.What
	}
	return "plugin.changed"
}
