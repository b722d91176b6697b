package verify

import (
	"bytes"
	"encoding/json"
	"slices"
	"time"

	"github.com/payrack/payrack/core/journal"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/deployments/chaos/record"
)

// told is a journal entry's body, as far as the checks read it.
type told struct {
	State          payment.State   `json:"state"`
	Failure        payment.Failure `json:"failure"`
	OperationState string          `json:"operation_state"`
}

// chains is I7 and I12: every change has its entry, the chain holds, only changes of the table occur, and no promise turns
// into the other one. It also measures how long each payment was in doubt.
func (j *judge) chains() {
	for _, p := range j.Payments {
		facts := j.facts[p.ID]
		if int64(len(facts)) != p.Version {
			j.broken("I12", "%s %s has version %d and %d journal entries", p.OrderNumber, p.ID, p.Version, len(facts))
			continue
		}
		states, ok := j.chain(p, facts)
		if !ok {
			continue
		}
		j.v.Changes += len(states)
		j.moves(p, states)
		j.doubts(facts, states)
	}
}

// chain checks hashes and reads the states.
func (j *judge) chain(p record.Payment, facts []record.Fact) ([]told, bool) {
	prev := make([]byte, len(journal.Hash{}))
	states := make([]told, len(facts))
	for i, f := range facts {
		var at journal.Hash
		copy(at[:], f.Prev)
		sum := journal.Sum(at, f.Stream, f.N, f.Body)
		if f.N != int64(i+1) || !bytes.Equal(f.Prev, prev) || !bytes.Equal(f.Hash, sum[:]) {
			j.broken("I12", "the chain of %s breaks at %d", p.ID, i+1)
			return nil, false
		}
		prev = f.Hash
		if err := json.Unmarshal(f.Body, &states[i]); err != nil {
			j.broken("I12", "entry %d of %s cannot be read: %v", i+1, p.ID, err)
			return nil, false
		}
	}
	if !bytes.Equal(prev, p.Chain) {
		j.broken("I12", "the head of %s is not its last entry", p.ID)
	}
	if last := states[len(states)-1]; string(last.State) != p.State {
		j.broken("I12", "%s is %s, its last entry says %s", p.ID, p.State, last.State)
	}
	return states, true
}

func (j *judge) moves(p record.Payment, states []told) {
	ever := payment.NothingPromised
	for i, s := range states {
		var from payment.State
		if i > 0 {
			from = states[i-1].State
			if !payment.Allowed(from, s.State) {
				j.broken("I7", "%s went from %s to %s", p.ID, from, s.State)
			}
		} else if s.State != payment.Sending {
			j.broken("I7", "%s began as %s", p.ID, s.State)
		}
		promise := s.State.Promise()
		if s.Failure == payment.NotSent {
			promise = payment.NothingPromised
		}
		if promise == payment.NothingPromised {
			continue
		}
		// A payment that was paid may be voided because the company asks for it: that is no broken promise.
		if ever != payment.NothingPromised && ever != promise && from != payment.Voiding {
			j.broken("I6", "%s was promised %s after the other one was promised", p.ID, s.State)
		}
		ever = promise
	}
}

// doubts measures how long a payment was in doubt.
func (j *judge) doubts(facts []record.Fact, states []told) {
	micros := func(from, to int64) time.Duration { return time.Duration(to-from) * time.Microsecond }
	doubted := false
	for i := 0; i < len(states); i++ {
		if states[i].OperationState != "UNKNOWN" {
			continue
		}
		doubted = true
		promised := next(states, i, func(s told) bool { return s.OperationState != "UNKNOWN" || s.State == payment.Reversing })
		settled := next(states, i, func(s told) bool { return !open(string(s.State)) })
		if promised < len(states) {
			j.v.Truth = append(j.v.Truth, micros(facts[i].AtUS, facts[promised].AtUS))
		}
		if settled < len(states) {
			j.v.Settled = append(j.v.Settled, micros(facts[i].AtUS, facts[settled].AtUS))
		}
		i = max(i, min(promised, settled)-1)
	}
	if doubted {
		j.v.Unknown++
	}
	// What was open when everything was repaired, a call of a dead process included.
	healed := j.About.HealedUS
	at := slices.IndexFunc(facts, func(f record.Fact) bool { return f.AtUS > healed }) - 1
	if at >= 0 && open(string(states[at].State)) {
		if end := next(states, at, func(s told) bool { return !open(string(s.State)) }); end < len(states) {
			j.v.Healed = append(j.v.Healed, micros(healed, facts[end].AtUS))
		}
	}
}

// next is the first place from i at which something holds.
func next(states []told, i int, holds func(told) bool) int {
	for ; i < len(states); i++ {
		if holds(states[i]) {
			return i
		}
	}
	return i
}
