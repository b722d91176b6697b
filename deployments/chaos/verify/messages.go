package verify

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/payrack/payrack/deployments/chaos/record"
)

// messages is I11: the company's server heard of every final state, of each payment in the order in which it happened, under
// ids that stand for one event each, and signed.
func (j *judge) messages() {
	if !j.About.Hooked {
		return
	}
	type event struct {
		payment, typ string
		at           int64
	}
	ids, events := map[string]event{}, map[event]string{}
	taken := map[string][]record.Message{} // by payment, each message when it was taken first
	had := map[string]bool{}
	for _, m := range j.Messages {
		j.v.Messages++
		if !m.Signed {
			j.broken("I11", "message %s about %s is not signed", m.ID, m.Payment)
		}
		e := event{m.Payment, m.Type, m.AtUS}
		if before, ok := ids[m.ID]; ok {
			j.v.Repeated++
			if before != e {
				j.broken("I11", "message %s stands for %s of %s, and for %s of %s", m.ID, before.typ, before.payment, m.Type, m.Payment)
			}
		}
		if other, ok := events[e]; ok && other != m.ID {
			j.broken("I11", "%s of %s came under the ids %s and %s", m.Type, m.Payment, other, m.ID)
		}
		ids[m.ID], events[e] = e, m.ID
		if m.Taken() && !had[m.ID] {
			had[m.ID] = true
			taken[m.Payment] = append(taken[m.Payment], m)
		}
	}
	for _, p := range j.Payments {
		if open(p.State) {
			continue
		}
		all := taken[p.ID]
		if !slices.ContainsFunc(all, func(m record.Message) bool { return m.Type == eventOf(p.State) && m.State == p.State }) {
			j.broken("I11", "%s %s is %s, and nobody told the company", p.OrderNumber, p.ID, p.State)
		}
		j.inOrder(p, all)
	}
}

// audited is I12, as the program itself sees it.
func (j *judge) audited() {
	if why, failed := strings.CutPrefix(j.About.Audit, record.AuditFailed); failed {
		j.broken("I12", "payrack audit verify: %s", why)
	}
}

// inOrder holds the messages about a payment against its journal.
func (j *judge) inOrder(p record.Payment, all []record.Message) {
	states := j.states(p.ID)
	for i, m := range all {
		if i > 0 && m.AtUS < all[i-1].AtUS {
			j.broken("I11", "%s: %s came after %s, which happened later", p.ID, m.Type, all[i-1].Type)
			return
		}
		if strings.HasSuffix(m.Type, "_failed") {
			continue // an operation that failed: the payment is what it was
		}
		at := slices.IndexFunc(states, func(s string) bool { return eventOf(s) == m.Type })
		if at < 0 {
			j.broken("I11", "%s: the journal has no %s where it was told", p.ID, m.Type)
			return
		}
		states = states[at+1:]
	}
}

// states are those that a payment went through. What cannot be read is named elsewhere.
func (j *judge) states(id string) []string {
	var all []string
	for _, f := range j.facts[id] {
		var s told
		if json.Unmarshal(f.Body, &s) == nil {
			all = append(all, string(s.State))
		}
	}
	return all
}

// eventOf is the type of the event of having reached a state.
func eventOf(state string) string { return "payment." + strings.ToLower(state) }
