package conformance

import (
	"slices"
	"strings"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

func contractChecks() []Check {
	return group(
		"Contract",
		Check{
			ID: "must-understand", Title: "A request with an addition that the plugin does not know is not sent",
			Proves: "A charge with must_understand: not sent, and the gateway got nothing.",
			Why:    "An old plugin that overlooks an addition does something else than was asked.", run: checkMustUnderstand,
		},
		Check{
			ID: "type-foreign", Title: "A payment type that the plugin does not serve is not sent",
			Proves: "A charge of another type: not sent, and the gateway got nothing.",
			Why:    "Types differ in what they charge and how.", run: checkForeignType,
		},
		Check{
			ID: "text-unicode", Title: "Texts reach the gateway as they are",
			Proves: "Charges with a description of Chinese, emoji, right-to-left text, quotes, angle brackets and a backslash are approved.",
			Why:    "A signature over other bytes than those sent is refused, and only for shops with such names.", run: checkUnicode,
		},
		Check{
			ID: "action-complete", Title: "A redirect names where the payer has to go",
			Proves: "Pay of a redirect type answers an https or http URL and the transaction id, and moves nothing.",
			Why:    "Without it nobody can pay, and without the id nobody can confirm.", run: checkAction,
		},
		Check{
			ID: "notification-garbage", Title: "What strangers push does not break the plugin",
			Proves: "Empty, broken, huge and foreign notifications are read without a failure and never ask for more than they hold.",
			Why:    "The callback is open to the internet.", whole: true, run: checkNotificationGarbage,
		},
		Check{
			ID: "notification-again", Title: "The same notification reads the same again",
			Proves: "Each example is read three times: the same order, the same reply.",
			Why:    "Providers repeat a notification until they like the reply.", whole: true, run: checkNotificationAgain,
		},
		Check{
			ID: "trace-passed-on", Title: "The platform's trace reaches the gateway",
			Proves: "A charge carries a traceparent of the call's own trace, if the plugin streams spans.",
			Why:    "At three in the morning it is how one payment is followed through four systems.", run: checkTrace,
		},
		Check{
			ID: "nothing-used-twice", Title: "Nothing that may be used once is used twice",
			Proves: "After all that went before, the gateway saw no nonce and no initialisation vector twice and no other forbidden thing.",
			Why:    "A repeated vector shows an attacker what is equal in two requests; a repeated nonce is a refused payment.", whole: true, run: checkViolations,
		},
	)
}

func checkMustUnderstand(t *trial) {
	o := t.order()
	t.ready(o)
	o.must = []string{"payrack.conformance/1"}
	t.notSent(o, "an addition that the plugin cannot know")
}

func checkForeignType(t *trial) {
	o := t.order()
	t.ready(o)
	b := *t.bench
	b.declared.Name = "PAYRACK_CONFORMANCE"
	foreign := &trial{bench: &b, ctx: t.ctx}
	foreign.notSent(o, "a foreign type")
	for _, f := range foreign.failures {
		t.failf("%s", f)
	}
}

func checkUnicode(t *trial) {
	for _, text := range []string{
		"珍珠奶茶 大杯", "🧋👨‍👩‍👧", "شاي بالحليب", "e\u0301clair", `a "quoted" \ back`, "<b>&amp;</b>", "50% & more + a=b", "\u2028line",
	} {
		o := t.order()
		o.description = text
		a := t.charge(o)
		t.expect(a.Outcome() == provider.OutcomeApproved, "the description %q was answered %s", text, spell(a))
	}
}

func checkAction(t *trial) {
	if !t.redirects() {
		t.skip("no payer is sent anywhere by this type")
		return
	}
	o := t.order()
	ctx, cancel := t.brief()
	defer cancel()
	a := t.pay(ctx, o)
	if a.Outcome() != provider.OutcomeRequiresAction {
		t.failf("answered %s, not requires_action", spell(a))
		return
	}
	action := a.Result().Action
	t.expect(action != nil && (strings.HasPrefix(action.WebURL, "http://") || strings.HasPrefix(action.WebURL, "https://")),
		"the answer has no URL for the payer's browser")
	t.expect(o.transactionID != "", "the answer has no transaction id")
	t.expect(len(t.gateway.Moved(o.id)) == 0, "money moved before the payer agreed")
}

// read calls ParseNotification.
func (t *trial) read(n provider.Notification) (provider.NotificationAnswer, bool) {
	ctx, cancel := t.brief()
	defer cancel()
	l, err := t.main.lease(ctx)
	if err != nil {
		t.failf("%v", err)
		return provider.NotificationAnswer{}, false
	}
	defer l.Close()
	a, err := l.ParseNotification(ctx, n)
	if err != nil {
		t.failf("a notification of %d bytes broke the call: %v", len(n.Body), err)
		return provider.NotificationAnswer{}, false
	}
	t.noteNative(a.Reply)
	return a, true
}

func checkNotificationGarbage(t *trial) {
	bodies := []string{
		"", "{", "null", "[]", `{"a":1}`, "\x00\xff\xfe", strings.Repeat(`{"a":`, 5000), "a=b&c=%zz", "<xml/>", strings.Repeat("x", 200<<10),
	}
	for _, example := range t.subject.Notifications {
		bodies = append(bodies, example.Body[:len(example.Body)/2], example.Body+example.Body)
	}
	for _, body := range bodies {
		for _, method := range []string{"POST", "GET"} {
			a, ok := t.read(provider.Notification{
				Method: method, URL: "/v1/payment/callback/x?a=%zz&b", Headers: [][2]string{{"Content-Type", "application/json"}, {"X-Signature", "\u2028"}},
				Body: []byte(body),
			})
			t.expect(!ok || len(a.About) <= 100, "a notification of %d bytes is about %d payments", len(body), len(a.About))
		}
	}
}

func checkNotificationAgain(t *trial) {
	if len(t.subject.Notifications) == 0 {
		t.skip("the subject has no example of a notification")
		return
	}
	for i, example := range t.subject.Notifications {
		n := provider.Notification{Method: example.Method, URL: example.URL, Headers: example.Headers, Body: []byte(example.Body)}
		first, ok := t.read(n)
		if !ok {
			return
		}
		t.expect(slices.ContainsFunc(first.About, func(r provider.Reference) bool { return r.OrderID == example.Order }),
			"notification %d is not read as being about order %s", i+1, example.Order)
		for range 2 {
			again, _ := t.read(n)
			t.expect(slices.Equal(first.About, again.About) && first.Status == again.Status && string(first.Reply.Body) == string(again.Reply.Body),
				"notification %d reads differently the second time", i+1)
		}
	}
}

func checkTrace(t *trial) {
	o := t.order()
	t.ready(o)
	from := t.proxy.mark()
	t.charge(o)
	if len(t.out.from(fromSpan)) == 0 {
		t.skip("the plugin streams no spans")
		return
	}
	ours := t.out.from(fromTrace)
	for _, h := range t.proxy.since(from) {
		parts := strings.Split(h.traceParent, "-")
		if len(parts) != 4 {
			t.failf("a request has no traceparent header")
			continue
		}
		t.expect(slices.Contains(ours, parts[1]), "a request carries another trace than the call's")
	}
}

func checkViolations(t *trial) {
	for _, v := range t.gateway.Violations() {
		t.failf("%s", v)
	}
}
