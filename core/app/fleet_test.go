package app_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/payrack/payrack/core/app"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/ports/inbound"
)

func crashes() error { return fault.New(fault.Invalid, "start_crashed", "the process ended at once") }

func TestAnActivationIsDoneWhenAllReplicasServe(t *testing.T) {
	t.Parallel()
	y := newYard(t, "r1", "r2", "r3")
	y.install(y.replicas[0], "1.0.0", "1.1.0")
	for i, v := range []string{"1.0.0", "1.1.0", "1.0.0"} {
		done := y.activate(y.replicas[i], v)
		for _, r := range y.replicas {
			if r.serves() != v {
				t.Errorf("%s serves %q, want %s", r.boot, r.serves(), v)
			}
		}
		if done.Version != v || done.Generation != y.channel().Generation || done.Took <= 0 {
			t.Errorf("%+v", done)
		}
	}
	c := y.channel()
	if c.Stable != "1.0.0" || c.Previous != "1.1.0" || c.Phase != release.Baking || c.Events != c.Generation {
		t.Errorf("%+v", c)
	}
	want := strings.Repeat("installed ", 2)[:19] + strings.Repeat(" preparing activated", 3)
	if got := strings.Join(y.story(), " "); got != want {
		t.Errorf("events %s", got)
	}
	if body := y.last("activated"); !strings.Contains(body, `"actor":"ops","reason":"a test"`) {
		t.Errorf("the event does not say who and why: %s", body)
	}
}

func TestOneReplicaThatRefusesKeepsTheTrafficWhereItIs(t *testing.T) {
	t.Parallel()
	y := newYard(t, "r1", "r2", "r3")
	y.install(y.replicas[0], "1.0.0", "1.1.0")
	y.activate(y.replicas[0], "1.0.0")
	y.replicas[2].will("1.1.0", crashes(), nil)
	_, err := y.replicas[0].Channels().Activate(t.Context(), inbound.ActivatePlugin{Name: "till", Version: "1.1.0", Actor: "ops"})
	if fault.CodeOf(err) != "start_crashed" || fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "replica r3 refused it") {
		t.Errorf("%v", err)
	}
	if c := y.channel(); c.Stable != "1.0.0" || c.Candidate != "" || c.Phase != release.Idle {
		t.Errorf("%+v", c)
	}
	if body := y.last("refused"); !strings.Contains(body, `replica r3 says start_crashed`) || !strings.Contains(body, `"actor":"system"`) {
		t.Error(body)
	}
	y.until("the candidate is given up everywhere", func() bool {
		return !slices.ContainsFunc(y.replicas, func(r *replica) bool { ready, _ := r.has("1.1.0"); return ready })
	})
}

func TestAReplicaThatDiesHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	y := newYard(t, "r1", "r2", "r3")
	y.install(y.replicas[0], "1.0.0")
	hang := make(chan struct{})
	y.replicas[2].will("1.0.0", nil, hang)
	done := make(chan error, 1)
	go func() {
		_, err := y.replicas[0].Channels().Activate(t.Context(), inbound.ActivatePlugin{Name: "till", Version: "1.0.0"})
		done <- err
	}()
	y.until("two are ready", func() bool {
		one, _ := y.replicas[0].has("1.0.0")
		two, _ := y.replicas[1].has("1.0.0")
		return one && two
	})
	time.Sleep(50 * time.Millisecond)
	if s := y.replicas[0].serves() + y.replicas[1].serves(); s != "" {
		t.Errorf("%s serves although a live replica is not ready", s)
	}
	close(hang)
	y.kill(y.replicas[2])
	if err := <-done; err != nil {
		t.Error(err)
	}
	if y.replicas[1].serves() != "1.0.0" {
		t.Error("the others do not serve")
	}
}

// The replica that was given the order dies while the others prepare: any of them brings it to the end.
func TestAnOrderOutlivesItsReplica(t *testing.T) {
	t.Parallel()
	y := newYard(t, "r1", "r2", "r3")
	y.install(y.replicas[0], "1.0.0")
	hang := make(chan struct{})
	y.replicas[1].will("1.0.0", nil, hang)
	ctx, dies := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := y.replicas[0].Channels().Activate(ctx, inbound.ActivatePlugin{Name: "till", Version: "1.0.0"})
		done <- err
	}()
	y.until("the order is durable", func() bool { return y.channel().Phase == release.Preparing })
	dies()
	if err := <-done; fault.CodeOf(err) != "still_preparing" {
		t.Errorf("%v", err)
	}
	y.kill(y.replicas[0])
	close(hang)
	y.until("the others serve", func() bool {
		return y.replicas[1].serves() == "1.0.0" && y.replicas[2].serves() == "1.0.0"
	})
}

func TestAPreparationThatTakesTooLongIsGivenUp(t *testing.T) {
	t.Parallel()
	y := newYard(t, "r1", "r2")
	y.install(y.replicas[0], "1.0.0", "1.1.0")
	y.activate(y.replicas[0], "1.0.0")
	hang := make(chan struct{})
	defer close(hang)
	y.replicas[1].will("1.1.0", nil, hang)
	go func() {
		y.until("it is being prepared", func() bool { return y.channel().Phase == release.Preparing })
		y.clock.offset.Add(int64(2 * time.Minute))
	}()
	_, err := y.replicas[0].Channels().Activate(t.Context(), inbound.ActivatePlugin{Name: "till", Version: "1.1.0"})
	if fault.CodeOf(err) != "start_timeout" || !strings.Contains(err.Error(), "r2") {
		t.Errorf("%v", err)
	}
	if c := y.channel(); c.Stable != "1.0.0" || c.Phase != release.Idle {
		t.Errorf("%+v", c)
	}
}

func TestALateReplicaComesToWhatTheChannelsSay(t *testing.T) {
	t.Parallel()
	y := newYard(t, "r1")
	y.install(y.replicas[0], "1.0.0", "1.1.0")
	y.activate(y.replicas[0], "1.0.0")
	if _, err := y.replicas[0].Channels().Canary(t.Context(), inbound.CanaryPlugin{Name: "till", Version: "1.1.0", Weight: 10}); err != nil {
		t.Fatal(err)
	}
	late := y.join("r2")
	if late.serves() != "1.0.0+1.1.0" {
		t.Errorf("it serves %q", late.serves())
	}
	// One whose release does not start goes on with nothing, and says so; the others do not notice.
	y.mu.Lock()
	y.first["1.1.0"] = true
	y.mu.Unlock()
	y.join("r3", func(o *app.Options) {
		if b, ok := o.Runtime.(*bench); ok {
			b.will("1.1.0", crashes(), nil)
		}
	})
	y.until("its refusal is told", func() bool {
		reports, err := y.Options.Replicas.Reports(t.Context(), "till")
		return err == nil && slices.ContainsFunc(reports, func(r release.Report) bool {
			return r.Replica == "r3" && strings.HasPrefix(r.Refused["1.1.0"], "start_crashed: ") && r.HasReady("1.0.0")
		})
	})
}

func TestWithoutTheDatabaseEverythingStays(t *testing.T) {
	t.Parallel()
	y := newYard(t, "r1")
	r := y.replicas[0]
	y.install(r, "1.0.0")
	y.activate(r, "1.0.0")
	y.kill(r) // its loop ends; the process stands for one that is asked by hand
	r.bench.mu.Lock()
	routes := r.routes
	r.bench.mu.Unlock()
	y.away.Store(true)
	if err := r.Fleet().Converge(t.Context()); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("converge: %v", err)
	}
	if err := r.Fleet().Advance(t.Context()); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("advance: %v", err)
	}
	if _, err := r.Channels().Activate(t.Context(), inbound.ActivatePlugin{Name: "till", Version: "1.0.0"}); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("activate: %v", err)
	}
	if r.serves() != "1.0.0" || r.routes != routes {
		t.Errorf("it serves %q after %d routings, before %d", r.serves(), r.routes, routes)
	}
}

func TestATrialEnds(t *testing.T) {
	t.Parallel()
	y := newYard(t, "r1", "r2")
	r := y.replicas[0]
	y.install(r, "1.0.0", "1.1.0")
	y.activate(r, "1.0.0")
	y.activate(r, "1.1.0")
	if ready, _ := y.replicas[1].has("1.0.0"); !ready {
		t.Error("the release before is not warm")
	}
	y.clock.offset.Add(int64(2 * time.Hour))
	y.until("it is baked", func() bool { return y.channel().Phase == release.Idle })
	y.until("the release before is stopped", func() bool { ready, _ := y.replicas[1].has("1.0.0"); return !ready })
	// Now it has to be started again.
	if _, err := r.Channels().Rollback(t.Context(), inbound.PluginOrder{Name: "till", Actor: "ops", Reason: "after all"}); err != nil {
		t.Fatal(err)
	}
	if c := y.channel(); c.Stable != "1.0.0" || c.Previous != "1.1.0" || c.Phase != release.RolledBack {
		t.Errorf("%+v", c)
	}
	if _, times := y.replicas[1].has("1.0.0"); times != 2 {
		t.Errorf("it was started %d times, want 2", times)
	}
}

func TestAWarmRollbackIsOneChangeAndNoStart(t *testing.T) {
	t.Parallel()
	y := newYard(t, "r1", "r2")
	r := y.replicas[1]
	y.install(r, "1.0.0", "1.1.0")
	y.activate(r, "1.0.0")
	before := y.activate(r, "1.1.0").Generation
	done, err := r.Channels().Rollback(t.Context(), inbound.PluginOrder{Name: "till", Actor: "ops", Reason: "it smells"})
	if err != nil || done.Version != "1.0.0" || done.Generation != before+1 {
		t.Errorf("%+v, %v", done, err)
	}
	for _, x := range y.replicas {
		if _, times := x.has("1.0.0"); times != 1 || x.serves() != "1.0.0" {
			t.Errorf("%s serves %q and started 1.0.0 %d times", x.boot, x.serves(), times)
		}
	}
}

func TestCrashesOnTrial(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		facts []release.FactKind
		rolls bool
	}{
		"one crash":         {[]release.FactKind{release.FactCrashed}, false},
		"a second one":      {[]release.FactKind{release.FactCrashed, release.FactRestarted, release.FactCrashed}, true},
		"hung and crashed":  {[]release.FactKind{release.FactWedged, release.FactCrashed}, true},
		"given up by host":  {[]release.FactKind{release.FactQuarantined}, true},
		"not ready":         {[]release.FactKind{release.FactUnready}, true},
		"its drain is slow": {[]release.FactKind{release.FactOverdrawn, release.FactOverdrawn}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			y := newYard(t, "r1", "r2")
			r := y.replicas[0]
			y.install(r, "1.0.0", "1.1.0")
			y.activate(r, "1.0.0")
			y.activate(r, "1.1.0")
			for _, k := range c.facts {
				r.Fleet().Observe(release.Fact{Kind: k, Name: "till", Version: "1.1.0", Detail: "signal 11", At: y.clock.Now()})
			}
			if !c.rolls {
				time.Sleep(100 * time.Millisecond)
				if got := y.channel(); got.Stable != "1.1.0" || got.Phase != release.Baking {
					t.Errorf("%+v", got)
				}
				return
			}
			y.until("it is rolled back", func() bool { return y.channel().Phase == release.RolledBack })
			body := y.last("rolled_back")
			if y.channel().Stable != "1.0.0" || !strings.Contains(body, `"automatic":true`) || !strings.Contains(body, `"actor":"system"`) || !strings.Contains(body, "crashed") && !strings.Contains(body, "unready") {
				t.Errorf("%+v %s", y.channel(), body)
			}
		})
	}
}

// A canary whose process says that it is not ready loses its payments to the other release without a crash; it is rolled back, unless
// the other one is not ready either.
func TestACanaryThatIsNotReadyIsRolledBack(t *testing.T) {
	t.Parallel()
	for _, both := range []bool{false, true} {
		y := newYard(t, "r1", "r2")
		r := y.replicas[0]
		y.install(r, "1.0.0", "1.1.0")
		y.activate(r, "1.0.0")
		if _, err := r.Channels().Canary(t.Context(), inbound.CanaryPlugin{Name: "till", Version: "1.1.0", Weight: 10}); err != nil {
			t.Fatal(err)
		}
		tell := func(kind release.FactKind, version string) {
			r.Fleet().Observe(release.Fact{Kind: kind, Name: "till", Version: version, Detail: "no route to the gateway", At: y.clock.Now()})
		}
		if both {
			tell(release.FactUnready, "1.0.0")
			tell(release.FactUnready, "1.1.0")
			tell(release.FactReady, "1.1.0")
			time.Sleep(100 * time.Millisecond)
			if c := y.channel(); c.Phase != release.InCanary {
				t.Fatalf("neither was ready, and %+v", c)
			}
			tell(release.FactReady, "1.0.0")
		}
		tell(release.FactUnready, "1.1.0")
		y.until("it is rolled back", func() bool { return y.channel().Phase == release.RolledBack })
		if body := y.last("rolled_back"); y.channel().Stable != "1.0.0" || !strings.Contains(body, "no route to the gateway") {
			t.Errorf("%s", body)
		}
	}
}

// One call that goes on after its time may be an accident of the machine, two are how the release is, on whichever
// replicas they were.
func TestCallsThatGoOnEndATrial(t *testing.T) {
	t.Parallel()
	y := newYard(t, "r1", "r2")
	y.install(y.replicas[0], "1.0.0", "1.1.0")
	y.activate(y.replicas[0], "1.0.0")
	if _, err := y.replicas[0].Channels().Canary(t.Context(), inbound.CanaryPlugin{Name: "till", Version: "1.1.0", Weight: 10}); err != nil {
		t.Fatal(err)
	}
	told := func(r *replica) {
		r.Fleet().Observe(release.Fact{Kind: release.FactOverran, Name: "till", Version: "1.1.0", Value: 1, At: y.clock.Now()})
	}
	told(y.replicas[0])
	y.until("it is reported", func() bool { now, _ := tallyOf(t, y, "1.1.0"); return now.Overran == 1 })
	if err := y.replicas[0].Fleet().Advance(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c := y.channel(); c.Phase != release.InCanary {
		t.Fatalf("%+v", c)
	}
	if stable, _ := tallyOf(t, y, "1.0.0"); stable.Overran != 0 {
		t.Errorf("it was counted for the stable release: %+v", stable)
	}
	told(y.replicas[1])
	y.until("it is rolled back", func() bool { return y.channel().Phase == release.RolledBack })
	if body := y.last("rolled_back"); !strings.Contains(body, "calls that went on after their time: 2 of") || !strings.Contains(body, `"automatic":true`) {
		t.Error(body)
	}
}

// A crash of the candidate of a canary is enough.
func TestACanaryMayNotCrash(t *testing.T) {
	t.Parallel()
	y := newYard(t, "r1")
	r := y.replicas[0]
	y.install(r, "1.0.0", "1.1.0")
	y.activate(r, "1.0.0")
	if _, err := r.Channels().Canary(t.Context(), inbound.CanaryPlugin{Name: "till", Version: "1.1.0", Weight: 10}); err != nil {
		t.Fatal(err)
	}
	if !r.Fleet().Busy() {
		t.Error("a canary is worth a look")
	}
	r.Fleet().Observe(release.Fact{Kind: release.FactCrashed, Name: "till", Version: "1.0.0", At: y.clock.Now()})
	r.Fleet().Observe(release.Fact{Kind: release.FactCrashed, Name: "till", Version: "1.1.0", Detail: "exit status 2", At: y.clock.Now()})
	y.until("it is rolled back", func() bool { return y.channel().Phase == release.RolledBack })
	if body := y.last("rolled_back"); !strings.Contains(body, "exit status 2") || y.channel().Stable != "1.0.0" {
		t.Error(body)
	}
}

// A replica on which the release before does not start any more must not keep the others on the bad one.
func TestARollbackDoesNotWaitForWhoCannot(t *testing.T) {
	t.Parallel()
	y := newYard(t, "r1", "r2")
	r, lame := y.replicas[0], y.replicas[1]
	y.install(r, "1.0.0", "1.1.0")
	y.activate(r, "1.0.0")
	y.activate(r, "1.1.0")
	lame.will("1.0.0", crashes(), nil)
	y.until("its trouble is known", func() bool {
		reports, err := y.Options.Replicas.Reports(t.Context(), "till")
		return err == nil && slices.ContainsFunc(reports, func(p release.Report) bool { return p.Refused["1.0.0"] != "" })
	})
	r.Fleet().Observe(release.Fact{Kind: release.FactQuarantined, Name: "till", Version: "1.1.0", At: y.clock.Now()})
	y.until("the others are rolled back", func() bool {
		return y.channel().Phase == release.RolledBack && r.serves() == "1.0.0"
	})
	if got := lame.serves(); got != "1.1.0" {
		t.Errorf("the lame replica serves %q; better the bad release than none", got)
	}
	if n := len(y.story()); n > 12 {
		t.Errorf("%d events: %v", n, y.story())
	}
	lame.will("1.0.0", nil, nil)
	y.until("it follows when it can", func() bool {
		y.clock.offset.Add(int64(time.Second))
		return lame.serves() == "1.0.0"
	})
}

func TestWhatGrowsEndsATrial(t *testing.T) {
	t.Parallel()
	y := newYard(t, "r1")
	r := y.replicas[0]
	y.install(r, "1.0.0", "1.1.0")
	y.activate(r, "1.0.0")
	grows := func(version string, mib int64) {
		r.Fleet().Observe(release.Fact{Kind: release.FactMemory, Name: "till", Version: version, Value: mib << 20, At: y.clock.Now()})
	}
	grows("1.0.0", 40) // told once, long before the trial
	if _, err := r.Channels().Canary(t.Context(), inbound.CanaryPlugin{Name: "till", Version: "1.1.0", Weight: 10}); err != nil {
		t.Fatal(err)
	}
	grows("1.1.0", 150)
	time.Sleep(50 * time.Millisecond)
	if c := y.channel(); c.Phase != release.InCanary {
		t.Fatalf("%+v", c)
	}
	grows("1.1.0", 170)
	y.until("it is rolled back", func() bool { return y.channel().Phase == release.RolledBack })
	if body := y.last("rolled_back"); !strings.Contains(body, "memory: 170 MiB with 1.1.0, 40 MiB with 1.0.0") {
		t.Error(body)
	}
}

func TestAReplicaThatLeavesIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	y := newYard(t, "r1", "r2")
	y.install(y.replicas[0], "1.0.0")
	hang := make(chan struct{})
	defer close(hang)
	y.replicas[1].will("1.0.0", nil, hang)
	if err := y.replicas[1].Fleet().Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	y.replicas[1].dead.Store(true) // to the yard's rule; the store knows it by its reports
	y.activate(y.replicas[0], "1.0.0")
	reports, err := y.Options.Replicas.Reports(t.Context(), "")
	if err != nil || slices.ContainsFunc(reports, func(r release.Report) bool { return r.Replica == "r2" }) {
		t.Errorf("%+v, %v", reports, err)
	}
}

// One provider whose start hangs on a replica does not keep that replica from following another one.
func TestAProviderThatHangsHoldsNoOtherUp(t *testing.T) {
	t.Parallel()
	y := newYard(t, "r1", "r2")
	r := y.replicas[0]
	if _, err := r.Releases().Install(t.Context(), inbound.InstallPlugin{Path: "kiosk@9.0.0"}); err != nil {
		t.Fatal(err)
	}
	hang := make(chan struct{})
	y.replicas[1].will("9.0.0", nil, hang)
	done := make(chan error, 1)
	go func() {
		_, err := r.Channels().Activate(t.Context(), inbound.ActivatePlugin{Name: "kiosk", Version: "9.0.0"})
		done <- err
	}()
	y.until("the other replica is asked to prepare it", func() bool {
		all, err := y.Options.Releases.Channels(t.Context())
		return err == nil && len(all) > 0 && all[0].Phase == release.Preparing
	})
	y.install(r, "1.0.0")
	y.activate(r, "1.0.0")
	if got := y.replicas[1].serves(); got != "1.0.0" {
		t.Errorf("r2 serves %q", got)
	}
	select {
	case err := <-done:
		t.Errorf("the hanging one ended: %v", err)
	default:
	}
	close(hang)
	if err := <-done; err != nil {
		t.Error(err)
	}
}
