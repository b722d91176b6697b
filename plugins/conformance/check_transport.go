package conformance

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// disturbance is one transport fault with what may be said after it.
type disturbance struct {
	fault fault
	title string
	// allowed are the words of an honest answer.
	allowed []string
	// brief gives the call a short deadline, because nothing else ends it.
	brief bool
}

// heldCall is the deadline of a call that the gateway never answers.
const heldCall = 300 * time.Millisecond

func disturbances() []disturbance {
	unknown := []string{"unknown"}
	return []disturbance{
		{fault: faultResetOnAccept, title: "The gateway resets the connection as soon as it is made", allowed: []string{"unknown", "not_sent"}},
		{fault: faultDropBefore, title: "The gateway closes the connection after the request, without having done anything", allowed: unknown},
		{fault: faultDropAfter, title: "The gateway takes the money and closes the connection without an answer", allowed: unknown},
		{fault: faultResetAfter, title: "The gateway takes the money and the connection is reset", allowed: unknown},
		{fault: faultHangBefore, title: "The gateway never answers and does nothing", allowed: unknown, brief: true},
		{fault: faultHangAfter, title: "The gateway takes the money and never answers", allowed: unknown, brief: true},
		{fault: faultHangBody, title: "The answer stops in the middle of its body", allowed: unknown, brief: true},
		{fault: faultDrip, title: "The answer comes one byte at a time and not to its end", allowed: unknown, brief: true},
		{fault: faultTruncated, title: "The answer is cut off", allowed: unknown},
		{fault: faultGarbled, title: "The answer is not readable", allowed: unknown},
		{fault: faultEmpty, title: "The answer is 200 with an empty body", allowed: unknown},
		{fault: faultNoContent, title: "The answer is 204", allowed: unknown},
		{fault: faultEmptyObject, title: "The answer is {}", allowed: unknown},
		{fault: faultNull, title: "The answer is null", allowed: unknown},
		{fault: faultList, title: "The answer is a list", allowed: unknown},
		{fault: faultHTML, title: "The answer is 200 with a maintenance page", allowed: unknown},
		{fault: faultDeep, title: "The answer is nested nine thousand levels deep and not closed", allowed: unknown},
		{fault: faultTrailing, title: "The true answer is followed by a second one", allowed: unknown},
		{fault: faultHuge, title: "The true answer is followed by eight megabytes of white space", allowed: []string{"unknown", "approved"}},
		{fault: faultEndless, title: "The answer does not end", allowed: unknown, brief: true},
		{fault: faultNotHTTP, title: "The answer is no HTTP", allowed: unknown},
		{fault: faultRedirect, title: "The answer is a redirect; it is not followed", allowed: unknown},
		{fault: fault401, title: "Something in between answers 401 after the money was taken", allowed: unknown},
		{fault: fault403, title: "Something in between answers 403 after the money was taken", allowed: unknown},
		{fault: fault404, title: "Something in between answers 404 after the money was taken", allowed: unknown},
		{fault: fault429, title: "Something in between answers 429 after the money was taken", allowed: unknown},
		{fault: fault500Before, title: "The gateway answers 500 and has done nothing", allowed: unknown},
		{fault: fault500After, title: "The gateway answers 500 and has taken the money", allowed: unknown},
		{fault: fault502, title: "A proxy answers 502 after the money was taken", allowed: unknown},
		{fault: fault503, title: "A proxy answers 503 after the money was taken", allowed: unknown},
		{fault: fault504, title: "A proxy answers 504 after the money was taken", allowed: unknown},
	}
}

const transportWhy = "Nobody can know from this what the gateway has done. A \"declined\" or \"not sent\" here lets the shop charge twice, " +
	"and an \"approved\" hands over goods that are not paid."

func transportChecks() []Check {
	var list []Check
	for _, d := range disturbances() {
		list = append(list, Check{
			ID: "transport-" + strings.ReplaceAll(string(d.fault), "_", "-"), Title: d.title,
			Proves: "A charge through that fault is answered " + strings.Join(d.allowed, " or ") + ", and is not sent a second time.",
			Why:    transportWhy, run: disturbed(d),
		})
	}
	list = append(
		list,
		Check{
			ID: "transport-refused", Title: "The gateway cannot be reached: not sent",
			Proves: "Settings that lead to a port where nobody listens; the charge is answered \"not sent\".",
			Why:    "It is the one failure after which the platform may send again; as \"unknown\" each outage of the gateway blocks every till.", run: checkRefused,
		},
		Check{
			ID: "transport-slow", Title: "A slow answer is an answer",
			Proves: "A charge whose answer takes 0.3 s is approved.",
			Why:    "A limit of the plugin's own below the provider's usual time makes good payments unknown.", run: checkSlow,
		},
		Check{
			ID: "transport-delivered-twice", Title: "A request that the network delivers twice is not called declined",
			Proves: "The gateway gets the request twice and answers the second; approved and unknown are honest.",
			Why:    "The first delivery took the money, whatever the second answer says.", run: checkTwice,
		},
		Check{
			ID: "transport-stale-connection", Title: "A connection that the gateway has closed meanwhile costs no payment",
			Proves: "The gateway closes all idle connections; the next charge is approved, with one transmission.",
			Why:    "Gateways close idle connections all the time.", run: checkStale,
		},
		Check{
			ID: "transport-no-second-send", Title: "A request that broke on a kept connection is not sent again",
			Proves: "A charge on a kept connection is dropped after the gateway has read it: one transmission, unknown.",
			Why:    "HTTP libraries repeat such requests by themselves, and the payer pays twice.", run: checkNoSecondSend,
		},
	)
	return group("Transport", list...)
}

// disturbed charges once through the fault.
func disturbed(d disturbance) func(*trial) {
	return func(t *trial) {
		t.through(d, func(ctx context.Context) func() {
			o := t.order()
			t.ready(o) //nolint:contextcheck // a trial carries the context of its check
			if d.fault == faultResetOnAccept {
				t.proxy.dropIdle()
			}
			from := t.proxy.mark()
			t.proxy.arm(d.fault)
			a := t.chargeIn(ctx, o)
			return func() {
				t.expect(slices.Contains(d.allowed, word(a)), "answered %s, not %s", spell(a), strings.Join(d.allowed, " or "))
				t.sentOnce(o, from)
			}
		})
	}
}

// through tries something through a fault and judges it. A call with a short deadline that has not reached
// the gateway, because the machine is busy, proves nothing and is tried again with a longer one.
func (t *trial) through(d disturbance, try func(context.Context) (judge func())) {
	limit := callMax
	if d.brief {
		limit = heldCall
	}
	for {
		ctx, cancel := context.WithTimeout(t.ctx, limit)
		from := t.proxy.struck.Load()
		judge := try(ctx)
		t.proxy.disarm()
		cancel()
		reached := t.proxy.struck.Load() > from
		if reached || limit > callMax/2 {
			t.expect(reached || d.fault == faultResetOnAccept, "the call never reached the gateway: the check proves nothing")
			judge()
			return
		}
		limit *= 4
	}
}

// sentOnce looks at the transmissions of one charge since the mark.
func (t *trial) sentOnce(o *order, from int) {
	sent := t.proxy.since(from)
	t.expect(len(sent) <= t.baseline, "the charge was sent %d times, and an undisturbed one takes %d requests", len(sent), t.baseline)
	charges := 0
	for _, m := range t.gateway.Moved(o.id) {
		if m.Kind == "charge" || m.Kind == "authorize" {
			charges++
		}
	}
	t.expect(charges <= 1, "the payer was charged %d times", charges)
}

// deadPort is an address where nobody listens: port 1 of this machine, which only root could serve.
const deadPort = "http://127.0.0.1:1"

func checkRefused(t *trial) {
	o := t.order()
	t.ready(o)
	if !t.lead(map[string]string{"test": deadPort, "live": deadPort}) {
		return
	}
	defer t.leadBack()
	a := t.charge(o)
	t.expect(word(a) == "not_sent", "answered %s, not \"not sent\"", spell(a))
	asked := t.ask(o)
	t.expect(asked.Failure != nil, "a search of a gateway that cannot be reached was answered %s", spellSearch(asked))
}

// lead gives the plugin settings with other addresses.
func (t *trial) lead(urls map[string]string) bool {
	settings, err := t.settings(urls)
	if err == nil {
		err = t.main.slot.Reconfigure(t.ctx, settings)
	}
	if err != nil {
		t.failf("the plugin did not take other addresses: %v", err)
	}
	return err == nil
}

func (t *trial) leadBack() { t.lead(nil) }

func checkSlow(t *trial) {
	o := t.order()
	t.ready(o)
	t.proxy.arm(faultSlow)
	a := t.charge(o)
	t.expect(word(a) == "approved", "answered %s, not approved", spell(a))
}

func checkTwice(t *trial) {
	o := t.order()
	t.ready(o)
	from := t.proxy.mark()
	a, ok := t.behave(BehaviourDeliveredTwice, o)
	if !ok {
		return
	}
	t.expect(slices.Contains([]string{"approved", "unknown"}, word(a)), "answered %s, not approved or unknown", spell(a))
	t.expect(len(t.proxy.since(from)) <= t.baseline, "the plugin itself sent the request again")
}

// checkStale tries three times: between the gateway's close and the plugin's notice of it a byte may leave,
// and then unknown is the honest answer.
func checkStale(t *trial) {
	approved := false
	for range 3 {
		t.charge(t.order()) // leaves a kept connection
		o := t.order()
		t.ready(o)
		time.Sleep(20 * time.Millisecond) // the server calls it idle a moment after its answer
		t.proxy.dropIdle()
		time.Sleep(100 * time.Millisecond)
		from := t.proxy.mark()
		a := t.charge(o)
		approved = approved || word(a) == "approved"
		t.expect(word(a) != "declined", "answered %s", spell(a))
		t.sentOnce(o, from)
		if approved {
			break
		}
	}
	t.expect(approved, "of three charges none was approved after the gateway had closed the idle connections")
}

func checkNoSecondSend(t *trial) {
	for _, f := range []fault{faultDropBefore, faultDropAfter, faultResetAfter} {
		if t.charge(t.order()).Outcome() != provider.OutcomeApproved {
			t.failf("a charge before the disturbance failed")
			return
		}
		o := t.order()
		t.ready(o)
		from := t.proxy.mark()
		t.proxy.arm(f)
		a := t.charge(o)
		t.proxy.disarm()
		t.expect(word(a) == "unknown", "%s: answered %s, not unknown", f, spell(a))
		t.sentOnce(o, from)
	}
}
