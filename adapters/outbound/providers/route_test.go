package providers_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/payrack/payrack/adapters/outbound/providers"
	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/plugins/host"
	"github.com/payrack/payrack/ports/outbound"
)

func version(v string) role {
	r := alpha()
	r.Version = v
	return r
}

func (p platform) prepare(tb testing.TB, releases ...release.Release) {
	tb.Helper()
	for _, r := range releases {
		if err := p.Runtime().Prepare(tb.Context(), r); err != nil {
			tb.Fatal(err)
		}
	}
}

func (p platform) route(tb testing.TB, c release.Channel, releases ...release.Release) {
	tb.Helper()
	if err := p.Runtime().Route(tb.Context(), c, releases); err != nil {
		tb.Fatal(err)
	}
}

func (p platform) process(tb testing.TB, v string) release.Instance {
	tb.Helper()
	for _, i := range p.Instances("alpha") {
		if i.Version == v && (i.State == "serving" || i.State == "ready") {
			return i
		}
	}
	return release.Instance{}
}

func opened(tb testing.TB, p platform, r outbound.Route) outbound.Session {
	tb.Helper()
	r.Type = "ALPHA_PAY"
	s, err := p.Open(tb.Context(), r)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Close)
	return s
}

func canaryOf(stable, candidate release.Release, weight int, stores ...string) release.Channel {
	return release.Channel{
		Name: stable.Name, Stable: stable.Version, Candidate: candidate.Version, Weight: weight, Stores: stores,
		Phase: release.InCanary, Enabled: true, Generation: 2,
	}
}

// Two releases are live: each payment meets the one that the channel picks, each time; the other stores and payments
// meet the stable one. Back is a pointer store: the process of the stable release never ends.
func TestCanaryRouting(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	one, two := binary(t, version("1.0.0")), binary(t, version("2.0.0"))
	p.prepare(t, one, two)
	c := canaryOf(one, two, 30, "S-9")
	p.route(t, c, one, two)
	stable := p.process(t, "1.0.0")
	if stable.State != "serving" || p.process(t, "2.0.0").State != "serving" {
		t.Errorf("instances %+v", p.Instances("alpha"))
	}
	seen := map[string]int{}
	for n := range 200 {
		id := payment.ID(fmt.Sprintf("payment-%d", n))
		want := c.Pick(string(id), "S-1")
		for _, existing := range []bool{false, true} {
			s := opened(t, p, outbound.Route{Payment: id, Store: "S-1", Existing: existing})
			if got := s.Type().Version; got != want {
				t.Fatalf("%s (existing %t) meets %s, want %s", id, existing, got, want)
			}
			s.Close()
		}
		seen[want]++
	}
	if seen["1.0.0"] < 100 || seen["2.0.0"] < 30 {
		t.Errorf("served %v", seen)
	}
	if got := opened(t, p, outbound.Route{Payment: "x", Store: "S-9"}).Type().Version; got != "2.0.0" {
		t.Errorf("a store of the canary meets %s", got)
	}
	for _, v := range []string{"1.0.0", "2.0.0"} {
		if got := opened(t, p, outbound.Route{Payment: "x", Version: v}).Type().Version; got != v {
			t.Errorf("pinned to %s, met %s", v, got)
		}
	}
	if _, err := p.Open(t.Context(), outbound.Route{Type: "ALPHA_PAY", Version: "3.0.0"}); fault.CodeOf(err) != "provider_unavailable" {
		t.Errorf("pinned to a release that is not there: %v", err)
	}
	if got := p.Types()[0].Version; got != "1.0.0" {
		t.Errorf("the types are those of %s", got)
	}
	// Promote, with the one before kept warm, and back again.
	baking := release.Channel{Name: "alpha", Stable: "2.0.0", Previous: "1.0.0", Phase: release.Baking, Enabled: true, Generation: 3}
	p.route(t, baking, one, two)
	if got := opened(t, p, outbound.Route{Payment: "x"}).Type().Version; got != "2.0.0" || p.Types()[0].Version != "2.0.0" {
		t.Errorf("promoted: %s serves", got)
	}
	if i := p.process(t, "1.0.0"); i.State != "ready" || i.PID != stable.PID {
		t.Errorf("the release before: %+v", i)
	}
	p.route(t, release.Channel{Name: "alpha", Stable: "1.0.0", Previous: "2.0.0", Phase: release.RolledBack, Enabled: true, Generation: 4}, one)
	if i := p.process(t, "1.0.0"); i.State != "serving" || i.PID != stable.PID {
		t.Errorf("rolled back to %+v, want the process %d", i, stable.PID)
	}
	if got := opened(t, p, outbound.Route{Payment: "x"}).Type().Version; got != "1.0.0" {
		t.Errorf("rolled back: %s serves", got)
	}
}

// eventually waits for something that happens by itself.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("never happened: %s", what)
}

// A routing that what serves cannot follow is refused, and the one before goes on.
func TestRouteRefusesWhatIsNotReady(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	one, two := binary(t, version("1.0.0")), binary(t, version("2.0.0"))
	p.activate(t, one)
	for name, c := range map[string]release.Channel{
		"the stable release":    {Name: "alpha", Stable: "2.0.0", Previous: "1.0.0", Phase: release.Baking, Enabled: true},
		"a serving candidate":   canaryOf(one, two, 10),
		"a release without row": {Name: "alpha", Stable: "7.0.0", Phase: release.Idle, Enabled: true},
	} {
		if err := p.Runtime().Route(t.Context(), c, []release.Release{one, two}); fault.KindOf(err) != fault.Conflict || fault.CodeOf(err) != "not_ready" {
			t.Errorf("%s: %v", name, err)
		}
		if got := opened(t, p, outbound.Route{Payment: "x"}).Type().Version; got != "1.0.0" {
			t.Errorf("%s: %s serves", name, got)
		}
	}
	// A candidate that only prepares is not waited for.
	preparing := release.Channel{Name: "alpha", Stable: "1.0.0", Candidate: "2.0.0", Phase: release.Preparing, Goal: release.ToServe, Enabled: true}
	p.route(t, preparing, one, two)
	// Once it is ready it stays so, without traffic.
	p.prepare(t, two)
	p.route(t, preparing, one, two)
	pid := p.process(t, "2.0.0").PID
	p.route(t, canaryOf(one, two, 100), one, two)
	if got := opened(t, p, outbound.Route{Payment: "x"}).Type().Version; got != "2.0.0" || p.process(t, "2.0.0").PID != pid {
		t.Errorf("%s serves", got)
	}
}

// A release that an order prepared is left alone by a routing that was made before the order.
func TestPreparedReleasesSurviveAnOlderRouting(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	one, two := binary(t, version("1.0.0")), binary(t, version("2.0.0"))
	p.activate(t, one)
	p.prepare(t, two)
	pid := p.process(t, "2.0.0").PID
	old := release.Channel{Name: "alpha", Stable: "1.0.0", Phase: release.Idle, Enabled: true}
	p.route(t, old, one)
	if got := p.process(t, "2.0.0").PID; got != pid || pid == 0 {
		t.Fatalf("the prepared process %d is %d", pid, got)
	}
	// A channel that named it and then lets it go ends that.
	p.route(t, release.Channel{Name: "alpha", Stable: "1.0.0", Candidate: "2.0.0", Phase: release.Preparing, Enabled: true}, one, two)
	p.route(t, old, one)
	eventually(t, "it is stopped", func() bool { return len(p.Instances("alpha")) == 1 })
}

// A channel without a stable release takes nobody's payment, and keeps the types known.
func TestNothingServes(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.activate(t, binary(t, alpha()))
	p.route(t, release.Channel{Name: "alpha", Phase: release.Idle, Enabled: true})
	_, err := p.Open(t.Context(), outbound.Route{Type: "ALPHA_PAY", Existing: true})
	if fault.CodeOf(err) != "provider_unavailable" {
		t.Error(err)
	}
	eventually(t, "its process is stopped", func() bool { return len(p.Instances("alpha")) == 0 })
	if len(p.Types()) != 1 {
		t.Error("its types are forgotten")
	}
}

// Switched off means: no new payment, and everything else as before.
func TestSwitchedOff(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	one := binary(t, alpha())
	p.activate(t, one)
	off := release.Channel{Name: "alpha", Stable: "1.0.0", Phase: release.Idle}
	p.route(t, off, one)
	_, err := p.Open(t.Context(), outbound.Route{Type: "ALPHA_PAY", Payment: "new"})
	if fault.KindOf(err) != fault.Unavailable || fault.CodeOf(err) != "provider_unavailable" || !strings.Contains(err.Error(), "switched off") {
		t.Errorf("a new payment: %v", err)
	}
	s := opened(t, p, outbound.Route{Payment: "old", Existing: true})
	if a := s.Send(within(t, 10*time.Second), instruction(payment.KindRefund, "")); a.Known != payment.KnownApproved {
		t.Errorf("a refund: %+v", a)
	}
	opened(t, p, outbound.Route{Version: "1.0.0"})
}

// What a kept release offers is told without its process, and by the row of another machine.
func TestTypesOfARelease(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	kept, err := p.Keep(t.Context(), binary(t, alpha()))
	if err != nil {
		t.Fatal(err)
	}
	kept.Path = "/elsewhere/sha256/" + kept.SHA256
	types, err := p.Runtime().Types(t.Context(), kept)
	if err != nil || len(types) != 1 || types[0].Name != "ALPHA_PAY" || types[0].Version != "1.0.0" {
		t.Errorf("%+v, %v", types, err)
	}
	if len(p.Types()) != 0 || p.Instances("alpha") != nil {
		t.Error("it was started, or is served")
	}
	p.activate(t, kept)
	if _, err := p.Runtime().Types(t.Context(), release.Release{Name: "alpha", Version: "9.9.9", SHA256: kept.SHA256, Path: kept.Path}); fault.CodeOf(err) != "info_mismatch" {
		t.Errorf("another version under the digest: %v", err)
	}
}

// A candidate that crashed costs nobody anything: its payments go to the stable release at once, also those that it
// began, and nothing is sent twice.
func TestACrashedCandidateFallsToTheStableRelease(t *testing.T) {
	t.Parallel()
	var facts factList
	p := newFactsPlatform(t, &facts, func(o *host.Options) { o.CrashLimit = 1 })
	one, two := binary(t, version("1.0.0")), binary(t, version("2.0.0"))
	p.prepare(t, one, two)
	p.route(t, canaryOf(one, two, 100), one, two)
	began := opened(t, p, outbound.Route{Payment: "P"})
	if got := began.Type().Version; got != "2.0.0" {
		t.Fatalf("served by %s", got)
	}
	if err := syscall.Kill(p.process(t, "2.0.0").PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the fact is told", func() bool { return facts.has(release.FactQuarantined, "2.0.0") })
	if !facts.has(release.FactCrashed, "2.0.0") || facts.has(release.FactCrashed, "1.0.0") {
		t.Error("the crash is told of the wrong release")
	}
	for _, existing := range []bool{false, true} {
		s := opened(t, p, outbound.Route{Payment: "P", Existing: existing})
		if got := s.Type().Version; got != "1.0.0" {
			t.Errorf("existing %t: %s serves", existing, got)
		}
		if a := s.Send(within(t, 10*time.Second), instruction(payment.KindCapture, "")); a.Known != payment.KnownApproved {
			t.Errorf("existing %t: %+v", existing, a)
		}
	}
	// The channel can be moved away from it.
	p.route(t, release.Channel{Name: "alpha", Stable: "1.0.0", Phase: release.RolledBack, Enabled: true}, one)
	eventually(t, "nothing of it is left", func() bool { return len(p.Instances("alpha")) == 1 })
}

// While the release before is warm it stands in for the new stable one, at once.
func TestTheWarmReleaseStandsIn(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, func(o *host.Options) { o.CrashLimit = 1 })
	one, two := binary(t, version("1.0.0")), binary(t, version("2.0.0"))
	p.prepare(t, one, two)
	p.route(t, release.Channel{Name: "alpha", Stable: "2.0.0", Previous: "1.0.0", Phase: release.Baking, Enabled: true}, one, two)
	pid := p.process(t, "2.0.0").PID
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the end is seen", func() bool { return p.process(t, "2.0.0").PID != pid })
	if got := opened(t, p, outbound.Route{Payment: "new"}).Type().Version; got != "1.0.0" {
		t.Errorf("%s serves", got)
	}
}

// A new payment never meets a candidate that it was not picked for, whatever happens to the stable release.
func TestACandidateIsNoStandIn(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, func(o *host.Options) { o.CrashLimit = 1 })
	one, two := binary(t, version("1.0.0")), binary(t, version("2.0.0"))
	p.prepare(t, one, two)
	p.route(t, canaryOf(one, two, 0), one, two)
	pid := p.process(t, "1.0.0").PID
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the end is seen", func() bool { return p.process(t, "1.0.0").PID != pid })
	if _, err := p.Open(t.Context(), outbound.Route{Type: "ALPHA_PAY", Payment: "new"}); fault.CodeOf(err) != "provider_unavailable" {
		t.Errorf("a new payment: %v", err)
	}
	if got := opened(t, p, outbound.Route{Payment: "old", Existing: true}).Type().Version; got != "2.0.0" {
		t.Errorf("a follow-up meets %s", got)
	}
}

// While a release is being prepared nothing meets it, not even a follow-up whose own release is gone for a moment.
func TestNothingMeetsWhatIsBeingPrepared(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, func(o *host.Options) { o.CrashLimit = 1 })
	one, two := binary(t, version("1.0.0")), binary(t, version("2.0.0"))
	p.prepare(t, one, two)
	c := canaryOf(one, two, 100)
	c.Phase, c.Goal = release.Preparing, release.ToCanary
	p.route(t, c, one, two)
	pid := p.process(t, "1.0.0").PID
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the end is seen", func() bool { return p.process(t, "1.0.0").PID != pid })
	for _, existing := range []bool{false, true} {
		s, err := p.Open(t.Context(), outbound.Route{Type: "ALPHA_PAY", Payment: "P", Existing: existing})
		if err == nil {
			t.Errorf("existing %t: meets %s", existing, s.Type().Version)
			s.Close()
		} else if fault.CodeOf(err) != "provider_unavailable" {
			t.Errorf("existing %t: %v", existing, err)
		}
	}
}

// A candidate that is being promoted serves its share, and is shown so.
func TestACandidateServesWhileItIsPromoted(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	one, two := binary(t, version("1.0.0")), binary(t, version("2.0.0"))
	p.prepare(t, one, two)
	c := canaryOf(one, two, 100)
	c.Phase, c.Goal = release.Promoting, release.ToServe
	p.route(t, c, one, two)
	if got := opened(t, p, outbound.Route{Payment: "P"}).Type().Version; got != "2.0.0" {
		t.Errorf("%s serves", got)
	}
	if got := p.process(t, "2.0.0").State; got != "serving" {
		t.Errorf("it is shown as %q", got)
	}
}

type factList struct {
	mu  sync.Mutex
	all []release.Fact
}

func (f *factList) add(fact release.Fact) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = append(f.all, fact)
}

func (f *factList) has(kind release.FactKind, version string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, fact := range f.all {
		if fact.Kind == kind && fact.Name == "alpha" && fact.Version == version {
			return true
		}
	}
	return false
}

func newFactsPlatform(t *testing.T, facts *factList, change func(*host.Options)) platform {
	t.Helper()
	base := newPlatform(t, change)
	return newAdapter(t, base.host, base.dir, func(o *providers.Options) { o.Facts = facts.add })
}

// Every kind of fact that a host tells has the same word in the core, and every member arrives.
func TestFactsArriveWhole(t *testing.T) {
	t.Parallel()
	for from, to := range map[host.FactKind]release.FactKind{
		host.FactCrashed: release.FactCrashed, host.FactWedged: release.FactWedged, host.FactQuarantined: release.FactQuarantined,
		host.FactRestarted: release.FactRestarted, host.FactOverdrawn: release.FactOverdrawn, host.FactMemory: release.FactMemory,
		host.FactOverran: release.FactOverran, host.FactUnready: release.FactUnready, host.FactReady: release.FactReady,
	} {
		at := time.Unix(1, 0)
		got := providers.FactToCore(host.Fact{Kind: from, Name: "n", Version: "v", SHA256: "s", Detail: "d", Value: 7, At: at})
		if diff := cmp.Diff(release.Fact{Kind: to, Name: "n", Version: "v", SHA256: "s", Detail: "d", Value: 7, At: at}, got); diff != "" {
			t.Error(diff)
		}
	}
}

// While the provider does not answer new payments are refused before anything is recorded; follow-ups and searches go
// on, the other environment and the other provider never notice, and an answer opens the way again.
func TestTheBreakerSheds(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.activate(t, binary(t, alpha()))
	s := opened(t, p, outbound.Route{Payment: "x", Environment: "test"})
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if a := s.Send(within(t, time.Second), instruction(payment.KindPay, "hang")); a.Known != payment.KnownNothing {
				t.Errorf("%+v", a)
			}
		})
	}
	all.Wait()
	_, err := p.Open(t.Context(), outbound.Route{Type: "ALPHA_PAY", Payment: "new", Environment: "test"})
	if f, ok := errors.AsType[*fault.Error](err); !ok || f.Kind != fault.Unavailable || f.Code != "provider_unavailable" || f.RetryAfter <= 0 {
		t.Fatalf("a new payment: %v", err)
	}
	if diff := cmp.Diff([]providers.Breaker{{Provider: "alpha", Type: "ALPHA_PAY", Environment: "test", State: "open"}}, p.Breakers()); diff != "" {
		t.Error(diff)
	}
	opened(t, p, outbound.Route{Payment: "new", Environment: "live"})
	again := opened(t, p, outbound.Route{Payment: "x", Existing: true})
	if a := again.Send(within(t, 10*time.Second), instruction(payment.KindRefund, "")); a.Known != payment.KnownApproved {
		t.Errorf("a follow-up: %+v", a)
	}
	off := newAdapter(t, p.host, p.dir, func(o *providers.Options) { o.NoBreaker = map[string]bool{"alpha": true} })
	off.activate(t, binary(t, alpha()))
	loud := opened(t, off, outbound.Route{Payment: "x", Environment: "test"})
	for range 20 {
		loud.Send(within(t, time.Nanosecond), instruction(payment.KindPay, "hang"))
	}
	opened(t, off, outbound.Route{Payment: "new", Environment: "test"})
}

// Declines, however many, are the provider at work.
func TestDeclinesAreNoTrouble(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.activate(t, binary(t, alpha()))
	s := opened(t, p, outbound.Route{Payment: "x", Environment: "test"})
	for range 20 {
		for _, code := range []string{"decline", "not sent", "undecided", "unknown"} { // the last two have the provider's own words
			s.Send(within(t, 10*time.Second), instruction(payment.KindPay, code))
		}
	}
	opened(t, p, outbound.Route{Payment: "new", Environment: "test"})
}

// A provider whose process is killed, and one whose process is stopped, take nothing from another one.
func TestOneProvidersTroubleIsItsOwn(t *testing.T) {
	t.Parallel()
	for name, signal := range map[string]syscall.Signal{"killed": syscall.SIGKILL, "stopped": syscall.SIGSTOP} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlatform(t, func(o *host.Options) {
				// The other provider is pinged at the same pace: a ping that it misses on a slow machine must not cost it a call.
				o.PingEvery, o.PingTimeout, o.RestartWait, o.MaxInflight = 200*time.Millisecond, time.Second, 3*time.Second, 16
			})
			beta := alpha()
			beta.Name, beta.Type = "beta", "BETA_PAY"
			p.activate(t, binary(t, alpha()))
			p.activate(t, binary(t, beta))
			sick, well := startLoad(t, p, "ALPHA_PAY", 32), startLoad(t, p, "BETA_PAY", 8)
			eventually(t, "both serve", func() bool { return sick.good.Load() > 200 && well.good.Load() > 200 })
			pid := p.process(t, "1.0.0").PID
			if err := syscall.Kill(pid, signal); err != nil {
				t.Fatal(err)
			}
			before := well.good.Load()
			// A restart that is quick enough costs nobody but the calls in flight.
			eventually(t, "the sick one is noticed", func() bool { return sick.bad.Load() > 0 || p.process(t, "1.0.0").PID != pid })
			eventually(t, "the sick one is replaced", func() bool {
				i := p.process(t, "1.0.0")
				return i.State == "serving" && i.PID != pid
			})
			// Calls of a stopped process end when it is killed; the new one takes calls again.
			again := sick.good.Load()
			eventually(t, "the sick one serves again", func() bool { return sick.good.Load() > again+50 })
			sick.stop()
			well.stop()
			if well.bad.Load() != 0 || well.good.Load() <= before {
				t.Errorf("the other provider: %d good, %d bad; %d when it happened", well.good.Load(), well.bad.Load(), before)
			}
		})
	}
}

// load is clients that pay one after the other.
type load struct {
	good, bad atomic.Int64
	end       context.CancelFunc
	clients   sync.WaitGroup
}

func startLoad(t *testing.T, p platform, typeName string, clients int) *load {
	t.Helper()
	ctx, end := context.WithCancel(t.Context())
	l := &load{end: end}
	i := instruction(payment.KindPay, "ok")
	i.Payment.Type, i.NotAfter = typeName, time.Now().Add(time.Hour)
	for range clients {
		l.clients.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				if l.pay(context.WithoutCancel(ctx), p, typeName, i) {
					l.good.Add(1)
				} else {
					l.bad.Add(1)
				}
				time.Sleep(time.Millisecond) // leaves the processor to the pings and to the start
			}
		})
	}
	t.Cleanup(l.stop)
	return l
}

func (*load) pay(ctx context.Context, p platform, typeName string, i outbound.Instruction) bool {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	s, err := p.Open(ctx, outbound.Route{Type: typeName, Payment: "P", Environment: company.Test})
	if err != nil {
		return false
	}
	defer s.Close()
	return s.Send(ctx, i).Known == payment.KnownApproved
}

func (l *load) stop() {
	l.end()
	l.clients.Wait()
}

// A first start makes the types of a provider known before its process is there.
func TestTypesAreKnownBeforeTheProcessIs(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	kept, err := p.Keep(t.Context(), binary(t, alpha()))
	if err != nil {
		t.Fatal(err)
	}
	next := p.again(t)
	next.prepare(t, kept)
	if _, err := next.Open(t.Context(), outbound.Route{Type: "ALPHA_PAY"}); fault.CodeOf(err) != "provider_unavailable" {
		t.Errorf("prepared and not routed: %v", err)
	}
	if _, err := next.Read("ALPHA_PAY", catalogue.Pay, []byte(`{}`)); fault.CodeOf(err) != "missing_field" {
		t.Errorf("read: %v", err)
	}
}
