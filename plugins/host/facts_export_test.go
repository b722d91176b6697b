package host

import "context"

// Facts hands facts on without a host.
type Facts struct{ host *Host }

// NewFacts makes one with a receiver.
func NewFacts(receive func(Fact)) Facts {
	h := &Host{}
	h.OnFact(receive)
	return Facts{host: h}
}

// Report is Host.report.
func (f Facts) Report(fact Fact) { f.host.report(fact) }

// End waits for what is queued.
func (f Facts) End() { f.host.facts.end() }

// NewLaunches is the wait of a new limit of starts.
func NewLaunches() func(context.Context) bool { return new(launches).wait }
