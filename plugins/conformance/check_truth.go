package conformance

import (
	"errors"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

func truthChecks() []Check {
	const lost = "A wrong \"declined\" loses the payer's money: the shop asks for it again, and the first payment stays."
	return group(
		"Truth",
		Check{
			ID: "pay-approved", Title: "A payment that the gateway takes is approved",
			Proves: "One payment, compared with the gateway's books: account, order, amount, currency and transaction id.",
			Why:    "Everything else rests on it.", run: checkApproved,
		},
		Check{
			ID: "pay-authorized", Title: "A payment with capture false holds the money and says so, or is refused before it is sent",
			Proves: "The books show an authorization and no charge; a type without capture answers \"not sent\".",
			Why:    "Money that was to be held and is taken has to be given back by somebody.", run: checkAuthorized,
		},
		Check{
			ID: "pay-declined", Title: "A documented decline is declined",
			Proves: "The gateway answers its definite no; the answer names the code and keeps the gateway's own body.",
			Why:    "An outcome that stays unknown blocks the till until a search has settled it.", run: checkDeclined,
		},
		Check{
			ID: "pay-undocumented-code", Title: "A return code that no document names is unknown",
			Proves: "A well-formed, authentic answer with such a code.",
			Why:    "Providers add codes without a word. " + lost, run: behaves(BehaviourUndocumented, "unknown"),
		},
		Check{
			ID: "pay-internal-error", Title: "The gateway's own internal error is unknown",
			Proves: "The gateway's documented code for it, in its own shape.",
			Why:    "The gateway says that it does not know; the plugin cannot know better.", run: behaves(BehaviourInternal, "unknown"),
		},
		Check{
			ID: "pay-duplicate-order", Title: "\"This order number was used\" is unknown, not a decline",
			Proves: "The gateway's documented answer to a second charge with the same order number.",
			Why:    "It is the usual answer to a request whose first delivery took the money. " + lost, run: behaves(BehaviourDuplicate, "unknown"),
		},
		Check{
			ID: "pay-wrong-amount", Title: "An answer that names another amount is reported as it is",
			Proves: "The gateway answers one unit more. The plugin says unknown, or passes the answered amount on for the platform to compare.",
			Why:    "A success for another amount settles nothing; an echo of the request's amount would hide it.", run: checkWrongAmount,
		},
		Check{
			ID: "pay-wrong-order", Title: "An answer about another order is reported as it is",
			Proves: "The gateway answers for another order. The plugin says unknown, or passes the answered order on.",
			Why:    "Answers get crossed behind load balancers; an echo of the request's order would hide it.", run: checkWrongOrder,
		},
		Check{
			ID: "pay-extra-member", Title: "A new member in an answer changes nothing",
			Proves: "A success with a member that no document names is approved.",
			Why:    "Providers add members without a word, and all payments would stop.", run: checkExtraMember,
		},
		Check{
			ID: "pay-native-body", Title: "A success and a decline carry the gateway's body for the client",
			Proves: "Both answers hold a JSON object of at most 64 KiB.",
			Why:    "It is what the client's integration was written for.", run: checkNativeBody,
		},
	)
}

// booked compares an approved order with the gateway's books.
func (t *trial) booked(o *order, kind string) {
	moved := t.gateway.Moved(o.id)
	if len(moved) != 1 {
		t.failf("the gateway's books hold %d movements of order %s, not one", len(moved), o.id)
		return
	}
	m := moved[0]
	t.expect(m.Kind == kind, "the books show %q, not %q", m.Kind, kind)
	t.expect(m.Order == o.id, "the gateway was told order %q in the place of %q", m.Order, o.id)
	t.expect(m.Units == o.amount.Units && m.Currency == o.amount.Currency,
		"%d %s were moved in the place of %d %s", m.Units, m.Currency, o.amount.Units, o.amount.Currency)
	t.expect(o.account == "" || m.Account == "" || m.Account == o.account, "the money went through account %q, not %q", m.Account, o.account)
}

func checkApproved(t *trial) {
	o := t.order()
	a := t.charge(o)
	if a.Outcome() != provider.OutcomeApproved {
		t.failf("answered %s, not approved", spell(a))
		return
	}
	t.booked(o, "charge")
	r := a.Result()
	t.expect(r.Reference.OrderID == "" || r.Reference.OrderID == o.id, "the answer names order %q, not %q", r.Reference.OrderID, o.id)
	for name, m := range map[string]*provider.Money{"captured": r.Captured, "authorized": r.Authorized} {
		t.expect(m == nil || *m == o.amount, "the answer says that %v were %s, not %v", m, name, o.amount)
	}
	t.expect(r.Refunded == nil || r.Refunded.Units == 0, "the answer to a payment names a refund")
	if moved := t.gateway.Moved(o.id); len(moved) == 1 && moved[0].TransactionID != "" {
		t.expect(o.transactionID == moved[0].TransactionID, "the answer names transaction %q, and the gateway gave %q", o.transactionID, moved[0].TransactionID)
	}
}

func checkAuthorized(t *trial) {
	o := t.order()
	o.capture = false
	if !t.separates() {
		ctx, cancel := t.brief()
		defer cancel()
		from := t.proxy.mark()
		a := t.pay(ctx, o)
		t.expect(word(a) == "not_sent", "the type has no capture, and capture false was answered %s", spell(a))
		t.expect(len(t.proxy.since(from)) == 0, "the type has no capture, and a request with capture false was sent")
		return
	}
	a := t.charge(o)
	if a.Outcome() != provider.OutcomeApproved {
		t.failf("answered %s, not approved", spell(a))
		return
	}
	t.booked(o, "authorize")
	r := a.Result()
	t.expect(r.Captured == nil || r.Captured.Units == 0, "money that is only held is reported as captured")
	t.expect(r.Authorized == nil || *r.Authorized == o.amount, "the answer says that %v were authorized, not %v", r.Authorized, o.amount)
}

// behave charges an order while the gateway behaves so. It returns false if the gateway cannot.
func (t *trial) behave(b Behaviour, o *order) (provider.Answer, bool) {
	t.ready(o)
	if !t.arm(b, o) {
		return provider.Answer{}, false
	}
	defer t.gateway.Disarm()
	return t.charge(o), true
}

// arm arms a behaviour, or says why the check is not applicable.
func (t *trial) arm(b Behaviour, o *order) bool {
	err := t.gateway.Arm(b, o.id)
	switch {
	case errors.Is(err, ErrNotPlayed):
		t.skip("the gateway of this subject does not play " + string(b))
		return false
	case err != nil:
		t.failf("the gateway does not play %s: %v", b, err)
		return false
	}
	return true
}

// behaves is a check with one behaviour and one right answer.
func behaves(b Behaviour, right string) func(*trial) {
	return func(t *trial) {
		if a, ok := t.behave(b, t.order()); ok {
			t.expect(word(a) == right, "answered %s, not %s", spell(a), right)
		}
	}
}

func checkDeclined(t *trial) {
	a, ok := t.behave(BehaviourDeclined, t.order())
	if !ok {
		return
	}
	if a.Outcome() != provider.OutcomeDeclined {
		t.failf("answered %s, not declined", spell(a))
		return
	}
	t.expect(a.Result().Code != "", "the gateway's return code is missing")
}

func checkWrongAmount(t *trial) {
	o := t.order()
	a, ok := t.behave(BehaviourWrongAmount, o)
	if !ok || word(a) == "unknown" {
		return
	}
	if a.Outcome() != provider.OutcomeApproved {
		t.failf("answered %s, not unknown", spell(a))
		return
	}
	r := a.Result()
	told := r.Captured != nil && *r.Captured != o.amount || r.Authorized != nil && *r.Authorized != o.amount
	t.expect(told, "approved, and the answer does not show the other amount that the gateway named")
}

func checkWrongOrder(t *trial) {
	o := t.order()
	a, ok := t.behave(BehaviourWrongOrder, o)
	if !ok || word(a) == "unknown" {
		return
	}
	if a.Outcome() != provider.OutcomeApproved {
		t.failf("answered %s, not unknown", spell(a))
		return
	}
	named := a.Result().Reference.OrderID
	t.expect(named != "" && named != o.id, "approved, and the answer does not show the other order that the gateway named")
}

func checkExtraMember(t *trial) {
	if a, ok := t.behave(BehaviourExtraMember, t.order()); ok {
		t.expect(word(a) == "approved", "answered %s, not approved", spell(a))
	}
}

func checkNativeBody(t *trial) {
	a := t.charge(t.order())
	t.expect(len(a.Native().Body) > 0, "a success (%s) has no native body", spell(a))
	if declined, ok := t.behave(BehaviourDeclined, t.order()); ok {
		t.expect(len(declined.Native().Body) > 0, "a decline (%s) has no native body", spell(declined))
	}
}
