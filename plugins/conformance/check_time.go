package conformance

import (
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"time"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// release is how long a plugin may take to let go of a call that has ended. It is long, because it shall
// fail for a plugin that does not let go at all and never for a machine that is busy.
const release = 5 * time.Second

func timeChecks() []Check {
	const held = "Calls that nobody waits for pile up until the plugin has no connection left, in the very minute in which the gateway hangs."
	return group(
		"Time",
		Check{
			ID: "deadline-kept", Title: "A call lets go of the gateway when its deadline has passed",
			Proves: "The gateway never answers a charge with a deadline of 0.3 s: the plugin closes the connection.", Why: held, run: checkDeadline,
		},
		Check{
			ID: "cancel-kept", Title: "A call lets go of the gateway when it is cancelled",
			Proves: "A charge is cancelled while the gateway holds it: the plugin closes the connection.", Why: held, run: checkCancel,
		},
		Check{
			ID: "search-deadline-kept", Title: "A search lets go of the gateway when its deadline has passed",
			Proves: "The gateway never answers a search with a deadline of 0.3 s.", Why: held, run: checkSearchDeadline,
		},
		Check{
			ID: "own-limit", Title: "The plugin's own time limit makes a charge unknown and a search a failure",
			Proves: "With the subject's impatient settings the gateway never answers, before and after it took the money, and the call's deadline is far away.",
			Why:    "The gateway may take the money a second later; a \"declined\" would charge the payer again.", run: checkOwnLimit,
		},
		Check{
			ID: "not-after-past", Title: "After the latest moment to send nothing is sent",
			Proves: "Charges whose not_after has passed, a second and a day ago: not sent, and the gateway got nothing.",
			Why:    "The platform has told the shop by then that nobody was charged.", run: checkNotAfter,
		},
		Check{
			ID: "clock-any-zone", Title: "The plugin's times do not depend on the machine's time zone",
			Proves: "The same payment by a plugin in UTC and one in UTC+14: both are approved, and a time that the answer names is now.",
			Why:    "Codes are judged by the time in the request; on a server in another zone every payment is declined as expired.", run: checkZones,
		},
	)
}

// heldHit waits until the plugin has let go of the request that came after the mark.
func (t *trial) heldHit(from int, what string) {
	hits := t.proxy.since(from)
	if len(hits) == 0 {
		t.failf("the %s never reached the gateway: the check proves nothing", what)
		return
	}
	for _, h := range hits {
		select {
		case <-h.released:
		case <-time.After(release):
			t.failf("the %s has ended and the plugin still holds the connection after %s", what, release)
			return
		case <-t.ctx.Done():
			return
		}
	}
}

func checkDeadline(t *trial) {
	t.through(held(), func(ctx context.Context) func() {
		o := t.order()
		t.ready(o) //nolint:contextcheck // a trial carries the context of its check
		from := t.proxy.mark()
		t.proxy.arm(faultHangBefore)
		a := t.chargeIn(ctx, o)
		return func() {
			t.expect(word(a) == "unknown", "answered %s, not unknown", spell(a))
			t.heldHit(from, "charge")
		}
	})
}

// held is a call that the gateway never answers.
func held() disturbance { return disturbance{fault: faultHangBefore, brief: true} }

func checkCancel(t *trial) {
	o := t.order()
	t.ready(o)
	ctx, cancel := t.brief()
	defer cancel()
	from := t.proxy.mark()
	t.proxy.arm(faultHangBefore)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 200 { // until it has arrived
			if len(t.proxy.since(from)) > 0 || ctx.Err() != nil {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		cancel()
	}()
	a := t.chargeIn(ctx, o)
	<-done
	t.expect(word(a) == "unknown", "answered %s, not unknown", spell(a))
	t.heldHit(from, "charge")
}

func checkSearchDeadline(t *trial) {
	o, ok := t.searched()
	if !ok {
		return
	}
	t.through(held(), func(ctx context.Context) func() {
		from := t.proxy.mark()
		t.proxy.arm(faultHangBefore)
		a := t.search(ctx, o, provider.PurposeResolve, provider.Reference{OrderID: o.id, TransactionID: o.transactionID})
		return func() {
			t.inconclusive(a)
			t.heldHit(from, "search")
		}
	})
}

func checkOwnLimit(t *trial) {
	if len(t.subject.Impatient) == 0 {
		t.skip("the subject has no impatient settings")
		return
	}
	var paid *order
	if t.has(provider.KindSearch) {
		paid, _ = t.charged(true)
	}
	faults := []fault{faultHangBefore, faultHangAfter}
	var orders []*order
	for range 3 * len(faults) {
		o := t.order()
		t.ready(o)
		orders = append(orders, o)
	}
	settings, err := expandSettings(t.subject.Impatient, t.proxy.urls)
	if err == nil {
		err = t.main.slot.Reconfigure(t.ctx, settings)
	}
	if err != nil {
		t.failf("the plugin did not take the impatient settings: %v", err)
		return
	}
	defer t.leadBack()
	for i, f := range faults {
		var a provider.Answer
		for try := range 3 { // on a busy machine the limit may pass before anything is sent
			from := t.proxy.struck.Load()
			t.proxy.arm(f)
			if a = t.charge(orders[3*i+try]); t.proxy.struck.Load() > from {
				break
			}
		}
		t.expect(word(a) == "unknown", "%s: answered %s, not unknown", f, spell(a))
		if paid != nil {
			t.inconclusive(t.ask(paid))
		}
		t.proxy.disarm()
	}
}

func checkNotAfter(t *trial) {
	for _, ago := range []time.Duration{time.Second, 24 * time.Hour} {
		o := t.order()
		t.ready(o)
		o.notAfter = time.Now().Add(-ago)
		from := t.proxy.mark()
		a := t.charge(o)
		t.expect(word(a) == "not_sent", "%s after the latest moment: answered %s, not \"not sent\"", ago, spell(a))
		t.expect(len(t.proxy.since(from)) == 0, "%s after the latest moment a request was sent", ago)
	}
}

func checkZones(t *trial) {
	t.timely("in UTC")
	dir, err := os.MkdirTemp("", "payrack-zone-")
	if err != nil {
		t.failf("%v", err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	zone := filepath.Join(dir, "zone")
	if err := os.WriteFile(zone, fixedZone(14*time.Hour), 0o644); err != nil { //nolint:gosec // the plugin has to read it
		t.failf("%v", err)
		return
	}
	far, ok := t.another("TZ=" + zone)
	if !ok {
		return
	}
	defer far.close()
	far.timely("in UTC+14")
}

// timely charges and looks at the time in the answer.
func (t *trial) timely(where string) {
	a := t.charge(t.order())
	if a.Outcome() != provider.OutcomeApproved {
		t.failf("%s: a payment was answered %s", where, spell(a))
		return
	}
	at := a.Result().ProviderTime
	if away := time.Until(at).Abs(); !at.IsZero() && away > 10*time.Minute {
		t.failf("%s: the answer names a time that is %s away from now", where, away.Round(time.Minute))
	}
}

// fixedZone is a time zone file, RFC 9636 version 1, with one offset.
func fixedZone(offset time.Duration) []byte {
	seconds := uint32(offset / time.Second) //nolint:gosec // less than a day
	file := append([]byte("TZif"), make([]byte, 16)...)
	for _, count := range []byte{0, 0, 0, 0, 1, 4} { // one type, four characters
		file = append(file, 0, 0, 0, count)
	}
	file = binary.BigEndian.AppendUint32(file, seconds)
	return append(file, 0, 0, 'K', 'I', 'T', 0)
}

// elsewhere is a trial on an instance of its own.
type elsewhere struct {
	*trial
	outer *trial
}

// another starts a second instance of the plugin for a part of this check.
func (t *trial) another(env ...string) (*elsewhere, bool) {
	settings, err := t.settings(nil)
	if err != nil {
		t.failf("%v", err)
		return nil, false
	}
	p, err := t.start(t.ctx, settings, env...)
	if err != nil {
		t.failf("%v", err)
		return nil, false
	}
	k := *t.kit
	k.main = p
	b := *t.bench
	b.kit = &k
	return &elsewhere{trial: &trial{bench: &b, ctx: t.ctx}, outer: t}, true
}

// close ends the instance and hands its problems over.
func (e *elsewhere) close() {
	e.main.close(e.ctx)
	for _, f := range e.failures {
		e.outer.failf("%s", f)
	}
}
