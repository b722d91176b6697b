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

// The release before has to be started again, and what ended the trial is still in the reports meanwhile: the rollback comes
// true all the same.
func TestAColdRollbackOfATrialComesTrue(t *testing.T) {
	t.Parallel()
	y := newYard(t, "r1")
	r := y.replicas[0]
	y.install(r, "1.0.0", "1.1.0")
	y.activate(r, "1.0.0")
	y.activate(r, "1.1.0")
	hang := make(chan struct{})
	r.will("1.0.0", nil, hang)
	r.mu.Lock()
	delete(r.ready, "1.0.0")
	r.mu.Unlock()
	r.Fleet().Observe(release.Fact{Kind: release.FactCrashed, Name: "till", Version: "1.0.0", At: y.clock.Now()})
	y.until("the release before is not warm", func() bool {
		reports, err := y.Options.Replicas.Reports(t.Context(), "till")
		return err == nil && slices.ContainsFunc(reports, func(p release.Report) bool { return p.Name == "till" && !p.HasReady("1.0.0") })
	})
	r.Fleet().Observe(release.Fact{Kind: release.FactQuarantined, Name: "till", Version: "1.1.0", Detail: "five crashes", At: y.clock.Now()})
	y.until("it is being brought back", func() bool { return y.channel().Goal == release.ToRollBack })
	close(hang)
	y.until("it is rolled back", func() bool { return y.channel().Phase == release.RolledBack && r.serves() == "1.0.0" })
}

// A process that starts anew while a release is on trial, and cannot start that one, must not go without the other.
func TestAReplicaThatCannotStartTheReleaseOnTrialEndsIt(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(*yard, *replica) error{
		"canary": func(y *yard, r *replica) error {
			_, err := r.Channels().Canary(y.t.Context(), inbound.CanaryPlugin{Name: "till", Version: "1.1.0", Weight: 10})
			return err
		},
		"baking": func(y *yard, r *replica) error {
			_, err := r.Channels().Activate(y.t.Context(), inbound.ActivatePlugin{Name: "till", Version: "1.1.0"})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			y := newYard(t, "r1")
			y.install(y.replicas[0], "1.0.0", "1.1.0")
			y.activate(y.replicas[0], "1.0.0")
			if err := begin(y, y.replicas[0]); err != nil {
				t.Fatal(err)
			}
			y.kill(y.replicas[0])
			again := y.join("r2", func(o *app.Options) {
				if b, ok := o.Runtime.(*bench); ok {
					b.will("1.1.0", crashes(), nil)
				}
			})
			y.run(again)
			y.until("the other release serves", func() bool { return again.serves() == "1.0.0" })
			body := y.last("rolled_back")
			if y.channel().Phase != release.RolledBack || !strings.Contains(body, "replica r2 cannot start 1.1.0: start_crashed") ||
				!strings.Contains(body, `"automatic":true`) {
				t.Errorf("%+v %s", y.channel(), body)
			}
		})
	}
}

// Whoever activates what serves because it is down is told whether that helped.
func TestActivatingWhatIsDownStartsItOrSaysWhyNot(t *testing.T) {
	t.Parallel()
	y := newYard(t, "r1")
	r := y.replicas[0]
	y.install(r, "1.0.0")
	y.activate(r, "1.0.0")
	order := inbound.ActivatePlugin{Name: "till", Version: "1.0.0", Actor: "ops"}
	r.will("1.0.0", crashes(), nil)
	if _, err := r.Channels().Activate(t.Context(), order); fault.CodeOf(err) != "start_crashed" {
		t.Errorf("it is down: %v", err)
	}
	r.will("1.0.0", nil, nil)
	if _, err := r.Channels().Activate(t.Context(), order); err != nil {
		t.Error(err)
	}
	if ready, _ := r.has("1.0.0"); !ready {
		t.Error("it was not started")
	}
}

// slow is a runtime on which it takes a moment until a start is refused.
type slow struct{ *bench }

func (s slow) Prepare(ctx context.Context, r release.Release) error {
	err := s.bench.Prepare(ctx, r)
	if err != nil {
		time.Sleep(100 * time.Millisecond)
	}
	return err
}

// The release before is down on a replica and does not start there, which shows only while it is being brought back: the
// others go back to it all the same, and nobody tries again and again.
func TestAColdRollbackIsNotOrderedForEver(t *testing.T) {
	t.Parallel()
	y := newYard(t, "r1")
	r := y.replicas[0]
	lame := y.join("r2", func(o *app.Options) {
		if b, ok := o.Runtime.(*bench); ok {
			o.Runtime = slow{b}
		}
	})
	y.run(lame)
	y.install(r, "1.0.0", "1.1.0")
	y.activate(r, "1.0.0")
	y.activate(r, "1.1.0")
	lame.will("1.0.0", crashes(), nil)
	lame.Fleet().Observe(release.Fact{Kind: release.FactCrashed, Name: "till", Version: "1.0.0", At: y.clock.Now()})
	r.Fleet().Observe(release.Fact{Kind: release.FactQuarantined, Name: "till", Version: "1.1.0", Detail: "five crashes", At: y.clock.Now()})
	y.until("it is rolled back", func() bool { return y.channel().Phase == release.RolledBack && r.serves() == "1.0.0" })
	if n := len(y.story()); n > 12 {
		t.Errorf("%d events: %v", n, y.story())
	}
	if got := lame.serves(); got != "1.1.0" {
		t.Errorf("the lame replica serves %q; better the bad release than none", got)
	}
}

// Whoever orders a rollback that this replica cannot follow must not read that it is done.
func TestARollbackThatCannotBeFollowedIsToldSo(t *testing.T) {
	t.Parallel()
	y := newYard(t, "r1")
	r := y.replicas[0]
	y.install(r, "1.0.0", "1.1.0")
	y.activate(r, "1.0.0")
	y.activate(r, "1.1.0")
	r.will("1.0.0", crashes(), nil)
	y.until("its trouble is known", func() bool {
		reports, err := y.Options.Replicas.Reports(t.Context(), "till")
		return err == nil && slices.ContainsFunc(reports, func(p release.Report) bool { return p.Refused["1.0.0"] != "" })
	})
	_, err := r.Channels().Rollback(t.Context(), inbound.PluginOrder{Name: "till", Actor: "ops"})
	if fault.CodeOf(err) != "start_crashed" || !strings.Contains(err.Error(), "the order stands") || !strings.Contains(err.Error(), "1.0.0") {
		t.Errorf("%v", err)
	}
	if c := y.channel(); c.Stable != "1.0.0" || r.serves() != "1.1.0" {
		t.Errorf("%+v, and %q serves", c, r.serves())
	}
}

// idles makes a release that serves take no calls any more, as one whose process says that it is not ready.
func (y *yard) idles(r *replica, version string) {
	y.t.Helper()
	r.will(version, fault.New(fault.Invalid, "start_crashed", version+" does not take calls now"), nil)
	y.until("it is known", func() bool {
		reports, err := y.Options.Replicas.Reports(y.t.Context(), "till")
		return err == nil && slices.ContainsFunc(reports, func(p release.Report) bool { return p.Refused[version] != "" })
	})
}

// The release before takes the calls of a new one that takes none. It must not be stopped because the time is over.
func TestAReleaseThatTakesNoCallsDoesNotStandItsTrial(t *testing.T) {
	t.Parallel()
	y := newYard(t, "r1", "r2")
	y.install(y.replicas[0], "1.0.0", "1.1.0")
	y.activate(y.replicas[0], "1.0.0")
	y.activate(y.replicas[0], "1.1.0")
	y.idles(y.replicas[1], "1.1.0")
	y.clock.offset.Add(int64(2 * time.Hour))
	y.until("its trial ends", func() bool { return y.channel().Phase != release.Baking })
	if c := y.channel(); c.Phase != release.RolledBack || c.Stable != "1.0.0" {
		t.Fatalf("%+v", c)
	}
	if body := y.last("rolled_back"); !strings.Contains(body, "replica r2 cannot use 1.1.0: start_crashed") || !strings.Contains(body, `"automatic":true`) {
		t.Error(body)
	}
}

// A process that is being started again just when the time is over is waited for.
func TestAReleaseThatComesBackStandsItsTrial(t *testing.T) {
	t.Parallel()
	y := newYard(t, "r1")
	r := y.replicas[0]
	y.install(r, "1.0.0", "1.1.0")
	y.activate(r, "1.0.0")
	y.activate(r, "1.1.0")
	y.idles(r, "1.1.0")
	y.clock.offset.Add(int64(time.Hour + app.DefaultPrepareFor/4))
	if err := r.Fleet().Advance(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c := y.channel(); c.Phase != release.Baking {
		t.Fatalf("%+v", c)
	}
	r.will("1.1.0", nil, nil)
	y.clock.offset.Add(int64(app.DefaultPrepareFor / 4)) // so that it is tried again
	y.until("it is baked", func() bool { return y.channel().Phase == release.Idle })
	if c := y.channel(); c.Stable != "1.1.0" {
		t.Errorf("%+v", c)
	}
}
