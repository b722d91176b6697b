package e2e_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// traffic pays orders of LINE Pay with several tills at once until it is told to stop.
type traffic struct {
	p       *platform
	running sync.WaitGroup
	end     chan struct{}
	mu      sync.Mutex
	orders  []string
	// by counts the payments of each release.
	by   map[string]int
	done atomic.Int64
}

// load starts tills. Every payment must succeed.
func (p *platform) load(name string, tills int) *traffic {
	l := &traffic{p: p, end: make(chan struct{}), by: map[string]int{}}
	for till := range tills {
		l.running.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-l.end:
					return
				default:
				}
				order := fmt.Sprintf("%s-%d-%d", name, till, n)
				a, err := p.send(http.MethodPost, p.HTTPURL+"/v2/payments", encode(p.t, p.neutralOrder(order, 229)), "Idempotency-Key", order)
				if err != nil || a.status != http.StatusCreated || a.member("state") != "SUCCEEDED" {
					p.t.Errorf("%s: %s %v", order, a, err)
				}
				l.mu.Lock()
				l.orders = append(l.orders, order)
				l.by[a.member("plugin_version")]++
				l.mu.Unlock()
				l.done.Add(1)
			}
		})
	}
	return l
}

// more waits until so many further payments have ended.
func (l *traffic) more(n int64) {
	l.p.t.Helper()
	from := l.done.Load()
	l.p.waitFor("payments under way", func() bool { return l.done.Load() >= from+n })
}

// stop ends the tills and compares what they were told with the provider's ledger.
func (l *traffic) stop() {
	l.p.t.Helper()
	close(l.end)
	l.running.Wait()
	charges := map[string]int{}
	var page struct {
		Entries []entry `json:"entries"`
	}
	decode(l.p.t, l.p.control(http.MethodGet, "ledger?provider=linepay", nil).body, &page)
	for _, e := range page.Entries {
		if e.Kind == "charge" {
			charges[e.OrderID]++
		}
	}
	for _, order := range l.orders {
		if charges[order] != 1 {
			l.p.t.Errorf("%s was charged %d times", order, charges[order])
		}
	}
	if len(l.orders) == 0 {
		l.p.t.Error("nobody paid")
	}
}

// TestSwapUnderLoad swaps the release back and forth while tills pay: nobody notices. Then a credential is rotated under the
// same load, without a restart.
func TestSwapUnderLoad(t *testing.T) {
	t.Parallel()
	const swaps, tills, between = 8, 4, 20
	p := releasing(t)
	l := p.load("SWAP", tills)
	for n := range swaps {
		version := []string{"1.1.0", "1.0.0"}[n%2]
		l.more(between)
		a := p.order("activate", jsonObject{"version": version, "reason": fmt.Sprintf("swap %d", n)})
		if a.member("version") != version || a.member("generation") == "" || a.member("took_ms") == "" {
			t.Errorf("%s", a)
		}
	}
	before := p.pids()["linepay"]
	for _, environment := range []string{"test", "live"} {
		l.more(10)
		a := p.admin(http.MethodPost, "credentials", jsonObject{
			"company_id": p.CompanyID, "store_id": p.StoreID, "type": "LINE_QRCODE_PAY", "environment": environment,
			"set": jsonObject{"channel_id": p.LinePay.ChannelID, "channel_secret": p.LinePay.ChannelSecret},
		})
		if a.status/100 != 2 {
			t.Errorf("rotate: %s", a)
		}
	}
	l.more(20)
	l.stop()
	if now := p.pids()["linepay"]; now != before {
		t.Errorf("the rotation of a credential restarted the plugin: %d, then %d", before, now)
	}
	// Of the payments that end between two swaps each till began at most one before the first of them.
	const least = swaps / 2 * (between - tills)
	for _, version := range []string{"1.0.0", "1.1.0"} {
		if n := l.by[version]; n < least {
			t.Errorf("%s took %d of %d payments, want at least %d: %v", version, n, len(l.orders), least, l.by)
		}
	}
	if n := len(p.happened("plugin.activated")); n < 9 {
		t.Errorf("%d activations are on record", n)
	}
	t.Logf("%d payments: %v", len(l.orders), l.by)
}

// TestCanary gives a release 30 % of the payments. A payment stays with the release that it met, through its searches and
// refunds; promoting and rolling back are one step each, and the release that was rolled back to is the process that ran
// before.
func TestCanary(t *testing.T) {
	t.Parallel()
	p := releasing(t)
	p.order("canary", jsonObject{"version": "1.1.0", "weight": 30, "reason": "a third"})
	if c := p.linePayChannel(); c.Channel.Phase != "canary" || c.pid("1.0.0") == 0 || c.pid("1.1.0") == 0 {
		t.Fatalf("%+v", c)
	}
	const payments = 120
	by, sticky := map[string]int{}, map[string]int{}
	for n := range payments {
		id, version := p.paidBy(fmt.Sprintf("CANARY-%d", n))
		by[version]++
		if n%4 != 0 && sticky[version] > 0 { // chance must leave none out
			continue
		}
		a := p.post("/v2/payments/"+id+"/refunds", jsonObject{"amount": jsonObject{"amount": 29, "currency": "TWD"}}, "Idempotency-Key", "refund-"+id)
		shown := p.admin(http.MethodGet, "payments/"+id, nil)
		if a.status != http.StatusOK || shown.at("operation", "kind") != "refund" || shown.at("operation", "release") != "linepay@"+version {
			t.Errorf("paid by %s: %s, shown as %s", version, a, shown)
		}
		sticky[version]++
	}
	// 36 are expected of 120; a binomial far outside of this range has a chance of one in a million.
	if by["1.0.0"]+by["1.1.0"] != payments || by["1.1.0"] < 14 || by["1.1.0"] > 62 || sticky["1.0.0"] == 0 || sticky["1.1.0"] == 0 {
		t.Errorf("paid by release: %v, refunds %v", by, sticky)
	}

	// A store of its own goes to the candidate whole.
	p.order("canary", jsonObject{"version": "1.1.0", "weight": 0, "stores": []string{p.StoreID}})
	for n := range 8 {
		if _, version := p.paidBy(fmt.Sprintf("STORE-%d", n)); version != "1.1.0" {
			t.Errorf("a payment of the store was taken by %s", version)
		}
	}
	p.order("canary", jsonObject{"version": "1.1.0", "weight": 0})
	if _, version := p.paidBy("NOBODY-1"); version != "1.0.0" {
		t.Errorf("a share of nothing took a payment: %s", version)
	}

	old := p.linePayChannel().pid("1.0.0")
	p.order("promote", jsonObject{"reason": "it is good"})
	c := p.linePayChannel()
	if c.Channel.Stable != "1.1.0" || c.Channel.Previous != "1.0.0" || c.Channel.Phase != "baking" || c.pid("1.0.0") != old {
		t.Errorf("promoted: %+v", c)
	}
	if _, version := p.paidBy("PROMOTED-1"); version != "1.1.0" {
		t.Errorf("after the promotion %s took a payment", version)
	}
	p.order("rollback", jsonObject{"reason": "it is not"})
	c = p.linePayChannel()
	if c.Channel.Stable != "1.0.0" || c.Channel.Phase != "rolled_back" || c.pid("1.0.0") != old {
		t.Errorf("rolled back: %+v, the process before was %d", c, old)
	}
	if _, version := p.paidBy("ROLLED-1"); version != "1.0.0" {
		t.Errorf("after the rollback %s took a payment", version)
	}
	metrics := string(p.do(http.MethodGet, p.AdminURL+"/metrics", nil, "Authorization", "Bearer "+p.AdminToken).body)
	for _, want := range []string{
		`payrack_plugin_phase{phase="rolled_back",provider="linepay"} 1`, `payrack_plugin_swaps_total{provider="linepay"} 3`,
		`payrack_plugin_generation{provider="linepay"} `, `payrack_plugin_preparations_total{provider="linepay",result="ready",version="1.1.0"}`,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics lack %s:\n%s", want, regexp.MustCompile(`(?m)^payrack_plugin_.*$`).FindAllString(metrics, -1))
		}
	}
}

// TestBadCanaryIsRolledBack gives half of the payments to releases that are built wrong. Each loses its share by itself, the
// reason stands in the event, and no payment is told something that is not so.
func TestBadCanaryIsRolledBack(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		with bug
		// ends is how the payments end that met the release, and books what the provider's ledger shows of them then: the good
		// release finds the charge out, or gives money back of which the payer was told something else.
		ends  string
		books int
	}{
		"crashes":     {crashes, "SUCCEEDED", 1},
		"overcharges": {overcharges, "REVERSED", 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			recovery, limits := shortWindows()
			file := configFile(t, t.TempDir(), "dev", jsonObject{"recovery": recovery, "plugins": jsonObject{"limits": limits}})
			p := releasing(t, "--config", file)
			p.install(linePayRelease(t, "2.0.0", c.with))
			p.order("canary", jsonObject{"version": "2.0.0", "weight": 50, "reason": "a bad idea"})
			name := strings.ToUpper(name)
			touched := map[string]string{}
			for n := range 200 {
				order := fmt.Sprintf("%s-%d", name, n)
				a := p.post("/v2/payments", p.neutralOrder(order, 229), "Idempotency-Key", order)
				switch a.status {
				case http.StatusCreated:
				case http.StatusAccepted:
					touched[order] = a.member("id")
				default:
					t.Errorf("%s: %s", order, a)
				}
				if p.linePayChannel().Channel.Phase != "canary" {
					break
				}
				time.Sleep(20 * time.Millisecond)
			}
			is := p.eventually("the automatic rollback", func(c channel) bool { return c.Channel.Phase == "rolled_back" })
			if is.Channel.Stable != "1.0.0" || is.Channel.Candidate != "" {
				t.Errorf("%+v", is)
			}
			back := p.happened("plugin.rolled_back")
			if len(back) != 1 || back[0].Body.Actor != "system" || back[0].Body.Evidence == "" || back[0].Body.Stable != "1.0.0" {
				t.Errorf("on record: %+v", back)
			}
			if len(touched) == 0 {
				t.Error("no payment met the bad release")
			}
			for n := range 10 {
				if _, version := p.paidBy(fmt.Sprintf("%s-AFTER-%d", name, n)); version != "1.0.0" {
					t.Errorf("after the rollback %s took a payment", version)
				}
			}
			for order, id := range touched {
				p.waitFor(order+" to be known", func() bool { return p.state(id) == c.ends })
				if got := p.ledger(order); len(got) != c.books || got[0].Amount != "229" {
					t.Errorf("%s: ledger %+v", order, got)
				}
			}
			t.Logf("%d payments met it: %s", len(touched), back[0].Body.Evidence)
		})
	}
}

// TestDisabledProvider takes no new payments, and follows up those that there are. Revoked and needed releases keep out and
// stay.
func TestDisabledProvider(t *testing.T) {
	t.Parallel()
	p := releasing(t)
	id, _ := p.paidBy("BEFORE-1")
	p.order("disable", jsonObject{"reason": "a night without it"})
	for path, body := range map[string]any{"/v2/payments": p.neutralOrder("NIGHT-1", 229), linePayPath: p.linePay("NIGHT-2")} {
		a := p.post(path, body, "Idempotency-Key", "night"+path)
		if a.status != http.StatusServiceUnavailable || a.member("code") != "provider_unavailable" || a.header.Get("Retry-After") == "" {
			t.Errorf("%s: %s", path, a)
		}
	}
	if n := len(p.requests("linepay", "NIGHT-1")) + len(p.requests("linepay", "NIGHT-2")); n != 0 {
		t.Errorf("%d requests reached the provider", n)
	}
	found := p.post(integrate+"search", jsonObject{
		"type": "LINE_QRCODE_PAY", "store_id": p.StoreID, "is_test": true, "request": jsonObject{"orderId": "BEFORE-1"},
	})
	refund := p.post("/v2/payments/"+id+"/refunds", jsonObject{}, "Idempotency-Key", "refund")
	if found.status != http.StatusOK || refund.status != http.StatusOK || p.state(id) != "REFUNDED" {
		t.Errorf("search: %s, refund: %s, the payment is %s", found, refund, p.state(id))
	}
	p.order("enable", jsonObject{})
	p.paidBy("MORNING-1")

	// The release that serves is needed, one that was revoked is never started again, and one that nothing needs can go.
	if a := p.admin(http.MethodDelete, "plugins/linepay/releases/1.0.0", nil); a.status != http.StatusConflict || a.member("code") != "release_in_use" {
		t.Errorf("remove what serves: %s", a)
	}
	if a := p.admin(http.MethodDelete, "plugins/linepay/releases/7.7.7", nil); a.status != http.StatusNotFound {
		t.Errorf("remove what is not there: %s", a)
	}
	p.order("activate", jsonObject{"version": "1.1.0"})
	p.order("releases/1.1.0/revoke", jsonObject{"reason": "it steals"})
	c := p.eventually("the release before", func(c channel) bool { return c.Channel.Stable == "1.0.0" && c.pid("1.0.0") != 0 })
	if _, version := p.paidBy("REVOKED-1"); version != "1.0.0" {
		t.Errorf("after the revocation %s took a payment: %+v", version, c)
	}
	if a := p.admin(http.MethodPost, "plugins/linepay/activate", jsonObject{"version": "1.1.0"}); a.status != http.StatusConflict || a.member("code") != "revoked" {
		t.Errorf("activate what was revoked: %s", a)
	}
	p.waitFor("the end of the process that was revoked", func() bool { return p.linePayChannel().pid("1.1.0") == 0 })
}

// TestOpenPaymentsOutliveReleases lets payments wait over a canary, a swap and a rollback: one for its payer, one for the
// outcome of its refund, and a stored approval for its next charge. Whatever release serves goes on with them.
func TestOpenPaymentsOutliveReleases(t *testing.T) {
	t.Parallel()
	recovery, limits := shortWindows()
	file := configFile(t, t.TempDir(), "dev", jsonObject{"recovery": recovery, "plugins": jsonObject{"limits": limits}})
	p := shop{releasing(t, "--config", file)}
	name := numbered("WAITS")
	mandate := p.approved(name())
	steps := []struct {
		verb string
		body jsonObject
	}{
		{"canary", jsonObject{"version": "1.1.0", "weight": 50}},
		{"promote", jsonObject{}},
		{"rollback", jsonObject{}},
		{"activate", jsonObject{"version": "1.1.0"}},
	}
	type waiting struct {
		step   string
		online begun
		refund string
		order  string
	}
	var all []waiting
	for n, s := range steps {
		w := waiting{step: s.verb, online: p.begin(name(), 168, nil), order: fmt.Sprintf("REFUND-%d", n)}
		w.refund, _ = p.paidBy(w.order)
		p.lineFault("drop_after_commit", "refund", w.order, 0, 1)
		p.lineFault("http_500_before_commit", "check", w.order, 0, 3)
		if a := p.post("/v2/payments/"+w.refund+"/refunds", jsonObject{}, "Idempotency-Key", w.order); a.status != http.StatusAccepted {
			t.Errorf("a refund whose answer is lost: %s", a)
		}
		all = append(all, w)
		p.order(s.verb, s.body)
	}
	for n, w := range all {
		back := p.approve(w.online.transaction, fields{"method": "CREDIT_CARD"})
		if a := p.open(back.ConfirmURL); a.status != http.StatusSeeOther {
			t.Errorf("%s: the payer's way back: %s", w.step, a)
		}
		p.waitFor("the payment of "+w.step, func() bool { return p.state(w.online.id) == "SUCCEEDED" })
		p.waitFor("the refund of "+w.step, func() bool { return p.state(w.refund) == "REFUNDED" })
		if got := p.ledger(w.order); len(got) != 2 {
			t.Errorf("%s: ledger %+v", w.step, got)
		}
		if a := p.charge(mandate, fmt.Sprintf("CHARGE-%d", n), 10); a.status != http.StatusCreated {
			t.Errorf("a charge of a stored approval: %s", a)
		}
	}
}
