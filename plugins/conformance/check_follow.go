package conformance

import (
	"context"
	"slices"
	"strings"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

func followChecks() []Check {
	const gone = "Money that was given back twice, or not at all, is found by an accountant weeks later."
	list := []Check{
		{
			ID: "refund-full", Title: "A whole payment can be given back",
			Proves: "A refund of the whole amount: the books show it once, and a search shows the sum as positive.", Why: gone, run: checkRefundFull,
		},
		{
			ID: "refund-partial", Title: "Two parts can be given back, and the search adds them up",
			Proves: "Two refunds of a part each; the books show both, a search shows their sum.", Why: gone, run: checkRefundPartial,
		},
		{
			ID: "refund-exact", Title: "The amount that is asked for is given back",
			Proves: "A refund of one charge unit moves one charge unit.", Why: gone, run: checkRefundExact,
		},
		{
			ID: "capture-exact", Title: "A held amount is captured",
			Proves: "Authorize and capture; the books show the capture, a search shows it as captured.",
			Why:    "A hold that nobody captures lapses, and the shop is not paid.", run: checkCapture,
		},
		{
			ID: "void-releases", Title: "A payment is voided",
			Proves: "Void of a held amount, or of a charge where the type has no capture; the books show the void and a search does not show money that stays.",
			Why:    "The payer's money stays blocked.", run: checkVoid,
		},
		{
			ID: "follow-declined", Title: "A declined follow-up is declined or unknown, never done",
			Proves: "The gateway refuses each follow-up of the type.", Why: gone, run: checkFollowDeclined,
		},
		{
			ID: "follow-undocumented-code", Title: "An undocumented code leaves a follow-up unknown",
			Proves: "The gateway answers each follow-up with a code that no document names.", Why: gone, run: checkFollowUndocumented,
		},
		{
			ID: "follow-wrong-order", Title: "An answer about another order does not settle a follow-up",
			Proves: "The gateway answers each follow-up for another order: unknown, or the other order is passed on.", Why: gone, run: checkFollowWrongOrder,
		},
		{
			ID: "follow-without-reference", Title: "A follow-up without any id of the payment is not sent",
			Proves: "Each follow-up with neither order nor transaction: not sent, and the gateway got nothing.",
			Why:    "A refund that names no payment gives back somebody else's.", run: checkFollowNoReference,
		},
		{
			ID: "follow-by-order", Title: "A follow-up works without the provider's transaction id",
			Proves: "Each follow-up with the order number alone, as after a lost answer: done, or refused before it is sent.",
			Why:    "After a lost answer the platform does not have the transaction id, and the money has to come back all the same.", run: checkFollowByOrder,
		},
	}
	for _, f := range []fault{
		faultDropBefore, faultDropAfter, faultHangAfter, faultTruncated, faultGarbled, faultEmpty, fault401, fault500After,
	} {
		d := disturbances()[slices.IndexFunc(disturbances(), func(d disturbance) bool { return d.fault == f })]
		list = append(list, Check{
			ID: "follow-" + strings.ReplaceAll(string(f), "_", "-"), Title: "Follow-ups: " + d.title + ": unknown, and sent once",
			Proves: "Each follow-up of the type through that fault.", Why: gone, run: followDisturbed(d),
		})
	}
	return group("Follow-ups", list...)
}

// followUps are the follow-ups that the type has.
func (t *trial) followUps() []provider.Kind {
	var kinds []provider.Kind
	for _, kind := range []provider.Kind{provider.KindCapture, provider.KindVoid, provider.KindRefund} {
		if t.has(kind) {
			kinds = append(kinds, kind)
		}
	}
	if len(kinds) == 0 {
		t.skip("the type has no capture, void or refund")
	}
	return kinds
}

// followed makes a payment that the follow-up can be asked for.
func (t *trial) followed(kind provider.Kind) (*order, bool) {
	held := kind == provider.KindCapture || kind == provider.KindVoid && t.separates()
	return t.charged(!held)
}

func (t *trial) followUp(o *order, kind provider.Kind, units int64) provider.Answer {
	ctx, cancel := t.brief()
	defer cancel()
	return t.follow(ctx, o, kind, units)
}

// sum adds the movements of one kind.
func (t *trial) sum(o *order, kind string) (n int, units int64) {
	for _, m := range t.gateway.Moved(o.id) {
		if m.Kind == kind {
			n++
			units += m.Units
		}
	}
	return n, units
}

func (t *trial) needs(kind provider.Kind) bool {
	if !t.has(kind) {
		t.skip("the type has no " + string(kind))
	}
	return t.has(kind)
}

// refund gives back and compares with the books and with a search.
func (t *trial) refund(o *order, parts ...int64) {
	total := int64(0)
	for i, units := range parts {
		a := t.followUp(o, provider.KindRefund, units)
		if a.Outcome() != provider.OutcomeApproved {
			t.failf("refund %d of %d was answered %s", i+1, units, spell(a))
			return
		}
		if r := a.Result().Refunded; r != nil {
			t.expect(r.Units == units && r.Currency == o.amount.Currency, "the answer says that %v were given back, not %d", r, units)
		}
		total += units
		n, moved := t.sum(o, "refund")
		t.expect(n == i+1 && moved == total, "the books show %d refunds of %d together, not %d of %d", n, moved, i+1, total)
	}
	a := t.ask(o)
	if a.Findings == nil {
		t.failf("the search after the refund was answered %s", spellSearch(a))
		return
	}
	t.expect(a.Findings.Refunded != nil && a.Findings.Refunded.Units == total, "the search found %v refunded, not %d", a.Findings.Refunded, total)
}

func checkRefundFull(t *trial) {
	if !t.needs(provider.KindRefund) {
		return
	}
	if o, ok := t.charged(true); ok {
		t.refund(o, o.amount.Units)
	}
}

func checkRefundPartial(t *trial) {
	if !t.needs(provider.KindRefund) {
		return
	}
	if o, ok := t.charged(true); ok {
		t.refund(o, o.amount.Units/4, o.amount.Units/2)
	}
}

func checkRefundExact(t *trial) {
	if !t.needs(provider.KindRefund) {
		return
	}
	if o, ok := t.charged(true); ok {
		t.refund(o, 1)
	}
}

func checkCapture(t *trial) {
	if !t.needs(provider.KindCapture) {
		return
	}
	o, ok := t.charged(false)
	if !ok {
		return
	}
	a := t.followUp(o, provider.KindCapture, o.amount.Units)
	if a.Outcome() != provider.OutcomeApproved {
		t.failf("the capture was answered %s", spell(a))
		return
	}
	n, units := t.sum(o, "capture")
	t.expect(n == 1 && units == o.amount.Units, "the books show %d captures of %d, not one of %d", n, units, o.amount.Units)
	found := t.ask(o)
	t.expect(found.Findings != nil && found.Findings.Captured != nil && *found.Findings.Captured == o.amount,
		"the search after the capture was answered %s with %+v", spellSearch(found), found.Findings)
}

func checkVoid(t *trial) {
	if !t.needs(provider.KindVoid) {
		return
	}
	o, ok := t.followed(provider.KindVoid)
	if !ok {
		return
	}
	a := t.followUp(o, provider.KindVoid, 0)
	if a.Outcome() != provider.OutcomeApproved {
		t.failf("the void was answered %s", spell(a))
		return
	}
	n, _ := t.sum(o, "void")
	t.expect(n == 1, "the books show %d voids, not one", n)
	found := t.ask(o)
	if found.Findings == nil || found.Findings.Finding != provider.FindingFound {
		return // ended, not found, in progress: no money is claimed to be there
	}
	f := found.Findings
	back := f.Refunded != nil && f.Captured != nil && f.Refunded.Units >= f.Captured.Units
	t.expect(back, "the search after the void found money that stays: %+v", f)
}

func checkFollowDeclined(t *trial) {
	t.eachFollowUp(BehaviourDeclined, func(kind provider.Kind, a provider.Answer, _ *order) {
		t.expect(slices.Contains([]string{"declined", "unknown"}, word(a)), "%s was answered %s, not declined", kind, spell(a))
	})
}

func checkFollowUndocumented(t *trial) {
	t.eachFollowUp(BehaviourUndocumented, func(kind provider.Kind, a provider.Answer, _ *order) {
		t.expect(word(a) == "unknown", "%s was answered %s, not unknown", kind, spell(a))
	})
}

func checkFollowWrongOrder(t *trial) {
	t.eachFollowUp(BehaviourWrongOrder, func(kind provider.Kind, a provider.Answer, o *order) {
		if a.Outcome() == provider.OutcomeApproved && t.wrongOrderShown(kind) {
			named := a.Result().Reference.OrderID
			t.expect(named != "" && named != o.id, "%s was approved, and the answer does not show the other order that the gateway named", kind)
			return
		}
		t.expect(slices.Contains([]string{"unknown", "approved"}, word(a)), "%s was answered %s, not unknown", kind, spell(a))
	})
}

// wrongOrderShown reports whether the gateway's answers to the follow-up name the order at all, so that
// another one can be seen.
func (t *trial) wrongOrderShown(kind provider.Kind) bool {
	o, ok := t.followed(kind)
	if !ok {
		return false
	}
	a := t.followUp(o, kind, o.amount.Units)
	return strings.Contains(string(a.Native().Body), o.id)
}

// eachFollowUp asks for each follow-up while the gateway behaves so.
func (t *trial) eachFollowUp(b Behaviour, judge func(provider.Kind, provider.Answer, *order)) {
	for _, kind := range t.followUps() {
		o, ok := t.followed(kind)
		if !ok || !t.arm(b, o) {
			return
		}
		a := t.followUp(o, kind, o.amount.Units)
		t.gateway.Disarm()
		judge(kind, a, o)
	}
}

func checkFollowNoReference(t *trial) {
	for _, kind := range t.followUps() {
		o, ok := t.followed(kind)
		if !ok {
			return
		}
		nameless := *o
		nameless.id, nameless.transactionID = "", ""
		from := t.proxy.mark()
		a := t.followUp(&nameless, kind, o.amount.Units)
		t.expect(word(a) == "not_sent", "%s without a reference was answered %s, not \"not sent\"", kind, spell(a))
		t.expect(len(t.proxy.since(from)) == 0, "%s without a reference was sent", kind)
	}
}

func checkFollowByOrder(t *trial) {
	for _, kind := range t.followUps() {
		o, ok := t.followed(kind)
		if !ok {
			return
		}
		byOrder := *o
		byOrder.transactionID = ""
		a := t.followUp(&byOrder, kind, o.amount.Units)
		t.expect(slices.Contains([]string{"approved", "not_sent"}, word(a)), "%s by the order number was answered %s", kind, spell(a))
	}
}

func followDisturbed(d disturbance) func(*trial) {
	return func(t *trial) {
		for _, kind := range t.followUps() {
			o, ok := t.followed(kind)
			if !ok {
				return
			}
			t.through(d, func(ctx context.Context) func() {
				t.proxy.arm(d.fault)
				a := t.follow(ctx, o, kind, o.amount.Units)
				return func() {
					t.expect(slices.Contains(d.allowed, word(a)), "%s was answered %s, not %s", kind, spell(a), strings.Join(d.allowed, " or "))
					n, _ := t.sum(o, string(kind))
					t.expect(n <= 1, "%s moved money %d times", kind, n)
				}
			})
		}
	}
}
