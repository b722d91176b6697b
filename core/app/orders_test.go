package app_test

import (
	"strings"
	"testing"

	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/ports/inbound"
)

// ordered is a lone replica with three releases, of which the first serves.
func ordered(t *testing.T) (*yard, *replica) {
	t.Helper()
	y := newYard(t, "r1")
	r := y.replicas[0]
	y.install(r, "1.0.0", "1.1.0", "1.2.0")
	y.activate(r, "1.0.0")
	return y, r
}

func TestRefusedOrdersChangeNothing(t *testing.T) {
	t.Parallel()
	activate := func(version string) func(*yard, *replica) error {
		return func(_ *yard, r *replica) error {
			_, err := r.Channels().Activate(r.ctx(), inbound.ActivatePlugin{Name: "till", Version: version, Actor: "ops"})
			return err
		}
	}
	canary := func(version string, weight int) func(*yard, *replica) error {
		return func(_ *yard, r *replica) error {
			_, err := r.Channels().Canary(r.ctx(), inbound.CanaryPlugin{Name: "till", Version: version, Weight: weight})
			return err
		}
	}
	after := func(first, then func(*yard, *replica) error) func(*yard, *replica) error {
		return func(y *yard, r *replica) error {
			if err := first(y, r); err != nil {
				return err
			}
			y.before = y.channel()
			return then(y, r)
		}
	}
	less := func(y *yard) {
		y.mu.Lock()
		defer y.mu.Unlock()
		small := described()
		small.Operations = small.Operations[:1]
		y.types["1.1.0"] = []catalogue.Type{small}
	}
	for name, c := range map[string]struct {
		order func(*yard, *replica) error
		kind  fault.Kind
		code  string
		noted bool
	}{
		"never installed":        {order: activate("9.9.9"), kind: fault.NotFound, code: "release_not_found"},
		"a weight beyond all":    {order: canary("1.1.0", 101), kind: fault.Invalid, code: "out_of_range"},
		"a canary of the stable": {order: canary("1.0.0", 10), kind: fault.Conflict, code: "wrong_phase"},
		"another canary":         {order: after(canary("1.1.0", 10), canary("1.2.0", 10)), kind: fault.Conflict, code: "wrong_phase"},
		"activate beside one":    {order: after(canary("1.1.0", 10), activate("1.2.0")), kind: fault.Conflict, code: "wrong_phase"},
		"nothing to promote": {order: func(_ *yard, r *replica) error {
			_, err := r.Channels().Promote(r.ctx(), inbound.PluginOrder{Name: "till"})
			return err
		}, kind: fault.Conflict, code: "wrong_phase"},
		"nothing to roll back to": {order: func(_ *yard, r *replica) error {
			_, err := r.Channels().Rollback(r.ctx(), inbound.PluginOrder{Name: "till"})
			return err
		}, kind: fault.Conflict, code: "wrong_phase"},
		"another provider": {order: func(_ *yard, r *replica) error {
			_, err := r.Channels().SetEnabled(r.ctx(), inbound.PluginOrder{Name: "kiosk"}, false)
			return err
		}, kind: fault.NotFound, code: "plugin_not_found"},
		"it does not start": {order: func(y *yard, r *replica) error {
			r.will("1.1.0", crashes(), nil)
			return activate("1.1.0")(y, r)
		}, kind: fault.Invalid, code: "start_crashed", noted: true},
		"it can do less": {order: func(y *yard, r *replica) error {
			less(y)
			return activate("1.1.0")(y, r)
		}, kind: fault.Invalid, code: "capability_missing", noted: true},
		"a canary that can do less": {order: func(y *yard, r *replica) error {
			less(y)
			return canary("1.1.0", 10)(y, r)
		}, kind: fault.Invalid, code: "capability_missing", noted: true},
		"forced without a reason": {order: func(y *yard, r *replica) error {
			less(y)
			_, err := r.Channels().Activate(r.ctx(), inbound.ActivatePlugin{Name: "till", Version: "1.1.0", Force: true, Reason: " "})
			return err
		}, kind: fault.Invalid, code: "reason_required"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			y, r := ordered(t)
			y.before = y.channel()
			err := c.order(y, r)
			if fault.CodeOf(err) != c.code || fault.KindOf(err) != c.kind {
				t.Fatalf("%v, want %s", err, c.code)
			}
			now := y.channel()
			if now.Stable != y.before.Stable || now.Candidate != y.before.Candidate || now.Phase != y.before.Phase || now.Weight != y.before.Weight {
				t.Errorf("%+v, before %+v", now, y.before)
			}
			if noted := now.Generation - y.before.Generation; noted != 0 != c.noted {
				t.Errorf("%d events", noted)
			}
			if c.noted && !strings.Contains(y.last("refused"), `"why":"`+c.code+": ") {
				t.Error(y.last("refused"))
			}
			y.until("what was prepared is stopped", func() bool {
				ready, _ := r.has("1.1.0")
				return !ready || now.Candidate == "1.1.0"
			})
		})
	}
}

func TestForceNeedsAReasonAndPasses(t *testing.T) {
	t.Parallel()
	y, r := ordered(t)
	y.mu.Lock()
	y.types["1.1.0"] = nil
	y.mu.Unlock()
	_, err := r.Channels().Activate(t.Context(), inbound.ActivatePlugin{Name: "till", Version: "1.1.0", Actor: "ops", Reason: "the type is given up", Force: true})
	if err != nil || r.serves() != "1.1.0" {
		t.Errorf("%v, %s serves", err, r.serves())
	}
}

func TestAnOrderThatIsFulfilledIsNoChange(t *testing.T) {
	t.Parallel()
	y, r := ordered(t)
	before := y.channel()
	done := y.activate(r, "1.0.0")
	if done.Version != "1.0.0" || done.Generation != before.Generation || y.channel().Generation != before.Generation {
		t.Errorf("%+v, before %+v", done, before)
	}
}

func TestACanaryGrowsAndIsPromoted(t *testing.T) {
	t.Parallel()
	y, r := ordered(t)
	ctx := t.Context()
	canary := inbound.CanaryPlugin{Name: "till", Version: "1.1.0", Weight: 10, Stores: []string{"s1"}, Actor: "ops", Reason: "a test"}
	done, err := r.Channels().Canary(ctx, canary)
	if err != nil || done.Version != "1.1.0" || r.serves() != "1.0.0+1.1.0" {
		t.Fatalf("%+v, %v, %s serves", done, err, r.serves())
	}
	canary.Weight = 50
	if _, err := r.Channels().Canary(ctx, canary); err != nil || y.channel().Weight != 50 {
		t.Errorf("%v, %+v", err, y.channel())
	}
	since := y.channel().Since
	if done, err = r.Channels().Promote(ctx, inbound.PluginOrder{Name: "till", Actor: "ops", Reason: "it is good"}); err != nil || done.Version != "1.1.0" {
		t.Fatalf("%+v, %v", done, err)
	}
	c := y.channel()
	if c.Stable != "1.1.0" || c.Previous != "1.0.0" || c.Phase != release.Baking || c.Weight != 0 || len(c.Stores) > 0 || c.Since <= since {
		t.Errorf("%+v", c)
	}
	if got := strings.Join(y.story()[3:], " "); got != "preparing activated preparing canary weighed promoting activated" {
		t.Errorf("events %s", got)
	}
	// To activate the candidate of a canary is to promote it.
	if _, err := r.Channels().Canary(ctx, inbound.CanaryPlugin{Name: "till", Version: "1.2.0", Weight: 1}); err != nil {
		t.Fatal(err)
	}
	if y.activate(r, "1.2.0"); y.channel().Stable != "1.2.0" {
		t.Errorf("%+v", y.channel())
	}
}

func TestARollbackEndsACanary(t *testing.T) {
	t.Parallel()
	y, r := ordered(t)
	if _, err := r.Channels().Canary(t.Context(), inbound.CanaryPlugin{Name: "till", Version: "1.1.0", Weight: 10}); err != nil {
		t.Fatal(err)
	}
	order := inbound.PluginOrder{Name: "till", Actor: "ops", Reason: "no"}
	if done, err := r.Channels().Rollback(t.Context(), order); err != nil || done.Version != "1.0.0" {
		t.Errorf("%+v, %v", done, err)
	}
	if c := y.channel(); r.serves() != "1.0.0" || c.Candidate != "" || c.Phase != release.RolledBack {
		t.Errorf("%s serves, %+v", r.serves(), c)
	}
	// A rollback that is sent twice must not bring the bad release back.
	if _, err := r.Channels().Rollback(t.Context(), order); fault.CodeOf(err) != "wrong_phase" {
		t.Errorf("%v", err)
	}
}

func TestDisabledTakesNoNewPayments(t *testing.T) {
	t.Parallel()
	y, r := ordered(t)
	c, err := r.Channels().SetEnabled(t.Context(), inbound.PluginOrder{Name: "till", Actor: "ops", Reason: "an audit"}, false)
	if err != nil || c.Enabled {
		t.Fatalf("%+v, %v", c, err)
	}
	r.mu.Lock()
	routed := r.routed
	r.mu.Unlock()
	if routed.Enabled || routed.Stable != "1.0.0" {
		t.Errorf("routed by %+v", routed)
	}
	if y.activate(r, "1.1.0"); y.channel().Enabled {
		t.Error("an activation took up what an operator had stopped")
	}
	if c, err = r.Channels().SetEnabled(t.Context(), inbound.PluginOrder{Name: "till", Actor: "ops"}, true); err != nil || !c.Enabled {
		t.Errorf("%+v, %v", c, err)
	}
	events, err := r.Channels().Events(t.Context(), "till", 5, 100)
	if err != nil || len(events) != 4 || events[0].Event != "plugin.disabled" || events[3].Event != "plugin.enabled" {
		t.Errorf("%v, %v", events, err)
	}
	if _, err := r.Channels().Events(t.Context(), "kiosk", 0, 10); fault.KindOf(err) != fault.NotFound {
		t.Errorf("%v", err)
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	y, r := ordered(t)
	status, err := r.Channels().Status(t.Context())
	if err != nil || len(status) != 1 {
		t.Fatalf("%+v, %v", status, err)
	}
	s := status[0]
	if s.Name != "till" || s.Channel.Generation != y.channel().Generation || len(s.Releases) != 3 || len(s.Replicas) != 1 || len(s.Types) != 1 {
		t.Errorf("%+v", s)
	}
	if p := s.Replicas[0]; p.Replica != "r1" || p.Generation != s.Channel.Generation || !p.HasReady("1.0.0") || !p.Alive {
		t.Errorf("%+v", p)
	}
}
