package conformance

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// Enrol makes a credential valid.
func (g *scriptGateway) Enrol(paymentType string, credential json.RawMessage) error {
	var members map[string]any
	if err := json.Unmarshal(credential, &members); err != nil {
		return fmt.Errorf("credential: %w", err)
	}
	name := g.roles[paymentType]
	if name == "" {
		return errors.New("the credential schema has no member with the role account, and the script reads callers by it")
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.credential[fmt.Sprint(members[name])] = members
	return nil
}

// Offer makes a code valid.
func (g *scriptGateway) Offer(_, code string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.codes[code] = true
	return nil
}

// Approve acts for the payer.
func (g *scriptGateway) Approve(order, _ string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, b := range g.books {
		if b.order == order && b.waiting {
			b.approved = true
			return nil
		}
	}
	return errors.New("no payment waits for its payer")
}

// Arm arms a behaviour.
func (g *scriptGateway) Arm(b Behaviour, order string) error {
	made := slices.Contains([]Behaviour{
		BehaviourWrongAmount, BehaviourWrongOrder, BehaviourExtraMember, BehaviourDeliveredTwice,
	}, b)
	if !made && !slices.ContainsFunc(g.script.Routes, func(r ScriptRoute) bool { _, ok := r.Answers[string(b)]; return ok }) {
		return ErrNotPlayed
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.armed[order] = b
	return nil
}

// Disarm ends all behaviours.
func (g *scriptGateway) Disarm() {
	g.mu.Lock()
	defer g.mu.Unlock()
	clear(g.armed)
}

// Seen lists requests.
func (g *scriptGateway) Seen(order string) []Seen {
	g.mu.Lock()
	defer g.mu.Unlock()
	return filtered(g.seen, func(s Seen) bool { return order == "" || s.Order == order })
}

// Moved lists the books.
func (g *scriptGateway) Moved(order string) []Moved {
	g.mu.Lock()
	defer g.mu.Unlock()
	return filtered(g.moved, func(m Moved) bool { return order == "" || m.Order == order })
}

func filtered[T any](all []T, keep func(T) bool) []T {
	var out []T
	for _, v := range all {
		if keep(v) {
			out = append(out, v)
		}
	}
	return out
}

// Violations lists what was used twice.
func (g *scriptGateway) Violations() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.violations)
}

// Close implements Gateway.
func (*scriptGateway) Close() error { return nil }
