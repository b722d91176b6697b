package host_test

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

	"github.com/payrack/payrack/plugins/host"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

func prepare(t testing.TB, h *host.Host, r role) host.Prepared {
	t.Helper()
	p, err := h.Slot(pluginName).Prepare(t.Context(), release(t, r), []byte(`{"label":"`+r.Version+`"}`))
	if err != nil {
		t.Fatalf("prepare %+v: %v", r, err)
	}
	return p
}

func route(t testing.TB, h *host.Host, usual role, also ...role) {
	t.Helper()
	var digests []string
	for _, r := range also {
		digests = append(digests, release(t, r).SHA256)
	}
	if err := h.Slot(pluginName).SetDefault(release(t, usual).SHA256, digests...); err != nil {
		t.Fatalf("route to %s: %v", usual.Version, err)
	}
}

func keep(t testing.TB, h *host.Host, roles ...role) {
	t.Helper()
	var digests []string
	for _, r := range roles {
		digests = append(digests, release(t, r).SHA256)
	}
	h.Slot(pluginName).Keep(digests...)
}

func held(t *testing.T, h *host.Host, r role) *host.Lease {
	t.Helper()
	l, err := h.Slot(pluginName).AcquireRelease(t.Context(), release(t, r).SHA256)
	if err != nil {
		t.Fatalf("acquire %s: %v", r.Version, err)
	}
	t.Cleanup(l.Close)
	return l
}

func labelOf(t *testing.T, l *host.Lease) string {
	t.Helper()
	return text(t, l.Pay(withTime(t, 10*time.Second), payment("label")))
}

func whyOf(err error) host.Why {
	if u, ok := errors.AsType[*host.Unavailable](err); ok {
		return u.Why
	}
	return ""
}

// A prepared release stands beside the one that serves, takes nothing until it is named, and is the default after one
// pointer store. The one before stays warm, so that the way back starts nothing.
func TestPrepareRouteAndBack(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	one, two := role{Version: "1.0.0"}, role{Version: "2.0.0"}
	first := prepare(t, h, one)
	if _, err := h.Slot(pluginName).Acquire(t.Context()); whyOf(err) != host.WhyNotActive {
		t.Errorf("a prepared release took a call: %v", err)
	}
	if err := h.Slot(pluginName).SetDefault(release(t, two).SHA256); whyOf(err) != host.WhyNotActive {
		t.Errorf("a release that is not prepared became the default: %v", err)
	}
	route(t, h, one)
	second := prepare(t, h, two)
	if states := statesOf(h); states["1.0.0"] != host.StateServing || states["2.0.0"] != host.StateReady {
		t.Errorf("states %v", states)
	}
	if got := labelOf(t, acquire(t, h)); got != "1.0.0" {
		t.Errorf("%s serves beside a prepared one", got)
	}
	if got := labelOf(t, held(t, h, two)); got != "2.0.0" {
		t.Errorf("asked for 2.0.0, got %s", got)
	}
	route(t, h, two)
	if states := statesOf(h); states["1.0.0"] != host.StateReady || states["2.0.0"] != host.StateServing {
		t.Errorf("states after the switch %v", states)
	}
	if got := labelOf(t, acquire(t, h)); got != "2.0.0" {
		t.Errorf("%s serves after the switch", got)
	}
	again := prepare(t, h, one)
	if !again.Warm || again.PID != first.PID || again.Instance != first.Instance {
		t.Errorf("preparing the warm one: process %d, want %d", again.PID, first.PID)
	}
	route(t, h, one)
	l := acquire(t, h)
	if got := labelOf(t, l); got != "1.0.0" || l.Instance() != first.Instance {
		t.Errorf("after the way back %s of %s", got, l.Instance())
	}
	keep(t, h, one)
	eventually(t, "the other process ends", func() bool { return !alive(second.PID) })
	if _, err := h.Slot(pluginName).AcquireRelease(t.Context(), release(t, two).SHA256); whyOf(err) != host.WhyNotActive {
		t.Errorf("a retired release: %v", err)
	}
	if st := h.Status()[0]; len(st.Releases) != 1 || !st.Releases[0].Default || st.Releases[0].Phase != "serving" {
		t.Errorf("releases %+v", st.Releases)
	}
	keep(t, h)
	if _, err := h.Slot(pluginName).Acquire(t.Context()); whyOf(err) != host.WhyNotActive {
		t.Errorf("nothing is kept: %v", err)
	}
}

// 64 callers while the default moves back and forth between two warm releases: no call fails and no process starts.
func TestRouteUnderLoad(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	roles := []role{{Version: "1.0.0"}, {Version: "2.0.0"}}
	pids := []int{prepare(t, h, roles[0]).PID, prepare(t, h, roles[1]).PID}
	route(t, h, roles[0])
	load := startLoad(t, h, 64, "sleep:2ms")
	for n := range 100 {
		route(t, h, roles[(n+1)%2])
		load.more(t, 50)
	}
	load.stop(t)
	for _, in := range h.Status()[0].Instances {
		if in.PID != pids[0] && in.PID != pids[1] {
			t.Errorf("a process was started: %+v", in)
		}
	}
	if load.served("1.0.0") < 500 || load.served("2.0.0") < 500 {
		t.Errorf("%d and %d calls", load.served("1.0.0"), load.served("2.0.0"))
	}
}

// load is callers that pay one after the other.
type load struct {
	calls, failed atomic.Int64
	versions      sync.Map // version → *atomic.Int64
	end           context.CancelFunc
	callers       sync.WaitGroup
}

// startLoad makes callers pay at the default release.
func startLoad(t *testing.T, h *host.Host, callers int, order string) *load {
	t.Helper()
	return startLoadAt(t, h.Slot(pluginName).Acquire, callers, order)
}

func startLoadAt(t *testing.T, acquire func(context.Context) (*host.Lease, error), callers int, order string) *load {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	l := &load{end: stop}
	for range callers {
		l.callers.Go(func() {
			for ctx.Err() == nil {
				if err := l.pay(context.WithoutCancel(ctx), acquire, order); err != nil {
					if l.failed.Add(1) <= 3 {
						t.Errorf("call: %v", err)
					}
				}
				l.calls.Add(1)
			}
		})
	}
	t.Cleanup(func() { stop(); l.callers.Wait() })
	return l
}

func (l *load) pay(ctx context.Context, acquire func(context.Context) (*host.Lease, error), order string) error {
	lease, err := acquire(ctx)
	if err != nil {
		return err
	}
	defer lease.Close()
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if a := lease.Pay(ctx, payment(order)); a.Outcome() != provider.OutcomeApproved {
		return fmt.Errorf("outcome %v: %+v", a.Outcome(), a.Failure())
	}
	n, _ := l.versions.LoadOrStore(lease.Info().Version, &atomic.Int64{})
	n.(*atomic.Int64).Add(1) //nolint:forcetypeassert // only these are stored
	return nil
}

func (l *load) served(version string) int64 {
	n, ok := l.versions.Load(version)
	if !ok {
		return 0
	}
	return n.(*atomic.Int64).Load() //nolint:forcetypeassert // only these are stored
}

// more waits until so many further calls have ended.
func (l *load) more(t *testing.T, n int64) {
	t.Helper()
	before := l.calls.Load()
	eventually(t, "calls go on", func() bool { return l.calls.Load() >= before+n })
}

func (l *load) stop(t *testing.T) {
	t.Helper()
	l.end()
	l.callers.Wait()
	if l.failed.Load() != 0 {
		t.Errorf("%d of %d calls failed", l.failed.Load(), l.calls.Load())
	}
}

// Crashes of one release are its own: it is restarted, put into quarantine, and the other one never notices.
func TestQuarantineOfOneReleaseLeavesTheOther(t *testing.T) {
	t.Parallel()
	var facts factList
	var logs logBuffer
	h := newHost(t, func(o *host.Options) {
		o.CrashLimit, o.BackoffBase, o.Facts, o.RestartWait, o.Log = 3, time.Millisecond, facts.add, 100*time.Millisecond, logs.logger()
	})
	good, bad := role{Version: "1.0.0"}, role{Version: "2.0.0"}
	stable := prepare(t, h, good)
	prepare(t, h, bad)
	route(t, h, good, bad)
	load := startLoad(t, h, 8, "x")
	for range 3 {
		var pid int
		eventually(t, "the candidate is ready", func() bool {
			pid = servingPID(h, "2.0.0")
			return pid != 0
		})
		_ = syscall.Kill(pid, syscall.SIGKILL)
		eventually(t, "the crash is seen", func() bool { return servingPID(h, "2.0.0") != pid })
	}
	slot := h.Slot(pluginName)
	eventually(t, "quarantine", func() bool {
		_, err := slot.TryRelease(t.Context(), release(t, bad).SHA256)
		return whyOf(err) == host.WhyQuarantined
	})
	load.more(t, 100)
	load.stop(t)
	if pid := servingPID(h, "1.0.0"); pid != stable.PID {
		t.Errorf("the stable process is %d, was %d", pid, stable.PID)
	}
	// An order to prepare it again does not undo a quarantine that has just begun.
	_, err := slot.Prepare(t.Context(), release(t, bad), []byte(`{"label":"2.0.0"}`))
	if refused, ok := errors.AsType[*host.Refused](err); !ok || refused.Code != host.CodeStartCrashed || !strings.Contains(refused.Message, "quarantine") {
		t.Errorf("prepared in quarantine: %v", err)
	}
	if told := logs.String(); !strings.Contains(told, "not prepared again before") || strings.Contains(told, "at once") {
		t.Errorf("the log promises what is refused: %s", told)
	}
	eventually(t, "the facts are told", func() bool { return facts.count(host.FactQuarantined, "2.0.0") == 1 })
	if crashed, restarted := facts.count(host.FactCrashed, "2.0.0"), facts.count(host.FactRestarted, "2.0.0"); crashed != 3 || restarted != 2 {
		t.Errorf("%d crashes and %d restarts were told, want 3 and 2", crashed, restarted)
	}
	if facts.count(host.FactMemory, "1.0.0") == 0 || facts.count(host.FactCrashed, "1.0.0") != 0 {
		t.Error("the facts of the stable release are wrong")
	}
	// Somebody who activates it decides otherwise.
	if _, err := slot.Activate(t.Context(), release(t, bad), nil); err != nil {
		t.Error(err)
	}
}

func servingPID(h *host.Host, version string) int {
	for _, in := range h.Status()[0].Instances {
		if in.Version == version && in.State == host.StateServing {
			return in.PID
		}
	}
	return 0
}

// factList collects facts.
type factList struct {
	mu  sync.Mutex
	all []host.Fact
}

func (f *factList) add(fact host.Fact) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = append(f.all, fact)
}

func (f *factList) count(kind host.FactKind, version string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, fact := range f.all {
		if fact.Kind == kind && fact.Version == version && fact.Name == pluginName && len(fact.SHA256) == 64 && !fact.At.IsZero() {
			n++
		}
	}
	return n
}

// A release whose process says that it is not ready takes no calls, and whoever prepares it again is told so: the core then knows
// that the release before has to stay.
func TestAReleaseThatIsNotReadyIsRefused(t *testing.T) {
	t.Parallel()
	h := newHost(t, func(o *host.Options) { o.PingEvery, o.RestartWait = 20*time.Millisecond, 100*time.Millisecond })
	one := release(t, role{Version: "1.0.0"})
	activate(t, h, role{Version: "1.0.0"}, "{}")
	ill := []byte(`{"ill":true}`)
	if err := h.Slot(pluginName).Reconfigure(t.Context(), ill); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it takes no calls", func() bool { return !h.Slot(pluginName).Ready(one.SHA256) })
	_, err := h.Slot(pluginName).Prepare(t.Context(), one, ill)
	if refused, ok := errors.AsType[*host.Refused](err); !ok || refused.Code != host.CodeStartCrashed || !strings.Contains(refused.Message, "does not take calls now") {
		t.Errorf("%v", err)
	}
}

// A process that goes on and says that it is not ready is no crash: it is told once, and once when it is over.
func TestAProcessThatIsNotReadyIsTold(t *testing.T) {
	t.Parallel()
	var facts factList
	h := newHost(t, func(o *host.Options) { o.PingEvery, o.Facts = 20*time.Millisecond, facts.add })
	one := release(t, role{Version: "1.0.0"})
	activate(t, h, role{Version: "1.0.0"}, "{}")
	for times := 1; times <= 2; times++ {
		if err := h.Slot(pluginName).Reconfigure(t.Context(), fmt.Appendf(nil, `{"ill_for":%d}`, 7+times)); err != nil {
			t.Fatal(err)
		}
		eventually(t, "it is told", func() bool { return facts.count(host.FactUnready, "1.0.0") == times })
		eventually(t, "it is told that it is over", func() bool {
			return facts.count(host.FactReady, "1.0.0") == times && h.Slot(pluginName).Ready(one.SHA256)
		})
	}
	// Less than three times in a row is nobody's business.
	if err := h.Slot(pluginName).Reconfigure(t.Context(), []byte(`{"ill_for":2}`)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is ready again", func() bool { return h.Slot(pluginName).Ready(one.SHA256) })
	if n := facts.count(host.FactUnready, "1.0.0"); n != 2 {
		t.Errorf("it was told %d times", n)
	}
}

// A crashed release that calls wait for comes back for them; one that is asked impatiently says no at once.
func TestACrashedReleaseComesBack(t *testing.T) {
	t.Parallel()
	h := newHost(t, func(o *host.Options) { o.BackoffBase = time.Millisecond })
	one, two := role{Version: "1.0.0"}, role{Version: "2.0.0"}
	prepare(t, h, one)
	killed := prepare(t, h, two)
	route(t, h, one, two)
	_ = syscall.Kill(killed.PID, syscall.SIGKILL)
	eventually(t, "the crash is seen", func() bool { return servingPID(h, "2.0.0") != killed.PID })
	l := held(t, h, two)
	if got := labelOf(t, l); got != "2.0.0" {
		t.Errorf("%s answers", got)
	}
	// Prepare meets a release that is coming back, and takes it as it is.
	again := servingPID(h, "2.0.0")
	_ = syscall.Kill(again, syscall.SIGKILL)
	eventually(t, "the crash is seen", func() bool { return servingPID(h, "2.0.0") != again })
	if p := prepare(t, h, two); p.PID == again || !alive(p.PID) {
		t.Errorf("prepared after the crash of %d: process %d", again, p.PID)
	}
}

// A release that is wanted again while it drains stays, if a call still holds it; after that it is started anew.
func TestKeepDuringDrain(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	one, two := role{Version: "1.0.0"}, role{Version: "2.0.0"}
	first := prepare(t, h, one)
	prepare(t, h, two)
	route(t, h, one)
	l := acquire(t, h)
	route(t, h, two)
	keep(t, h, two)
	if states := statesOf(h); states["1.0.0"] != host.StateDraining {
		t.Fatalf("states %v", states)
	}
	if _, err := h.Slot(pluginName).TryRelease(t.Context(), release(t, one).SHA256); whyOf(err) != host.WhyNotActive {
		t.Errorf("a draining release took a call: %v", err)
	}
	back := prepare(t, h, one)
	if !back.Warm || back.PID != first.PID {
		t.Fatalf("taken back: process %d, want %d", back.PID, first.PID)
	}
	l.Close()
	route(t, h, one)
	if got := labelOf(t, acquire(t, h)); got != "1.0.0" || servingPID(h, "1.0.0") != first.PID {
		t.Errorf("%s serves", got)
	}
	// It is watched as before: a crash is found and repaired.
	_ = syscall.Kill(first.PID, syscall.SIGKILL)
	eventually(t, "it is started again", func() bool {
		pid := servingPID(h, "1.0.0")
		return pid != 0 && pid != first.PID
	})
	// Nobody holds it any more: it ends, and the next order starts another.
	second := servingPID(h, "1.0.0")
	route(t, h, two)
	keep(t, h, two)
	eventually(t, "it ends", func() bool { return !alive(second) })
	if p := prepare(t, h, one); p.Warm || p.PID == second {
		t.Errorf("prepared after its end: process %d, warm %t", p.PID, p.Warm)
	}
}

// At most three instances drain at once: a fourth order waits for one of them, and gives up with its caller.
func TestThreeDrains(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	slot := h.Slot(pluginName)
	var leases []*host.Lease
	for n := range 4 {
		activate(t, h, role{Version: fmt.Sprintf("%d.0.0", n+1)}, "")
		leases = append(leases, acquire(t, h))
	}
	fifth := release(t, role{Version: "5.0.0"})
	_, err := slot.Activate(withTime(t, 200*time.Millisecond), fifth, nil)
	if refused, ok := errors.AsType[*host.Refused](err); !ok || !strings.Contains(refused.Message, "drain") {
		t.Fatalf("a fourth drain: %v", err)
	}
	ready := make(chan error, 1)
	go func() {
		_, err := slot.Activate(t.Context(), fifth, nil)
		ready <- err
	}()
	leases[0].Close()
	if err := <-ready; err != nil {
		t.Error(err)
	}
	if a := leases[1].Pay(withTime(t, 5*time.Second), payment("x")); a.Outcome() != provider.OutcomeApproved {
		t.Errorf("a call on a draining instance: %+v", a.Failure())
	}
	for _, l := range leases {
		l.Close()
	}
	eventually(t, "one process is left", func() bool { return len(h.Status()[0].Instances) == 1 })
}

// A release beside the default one takes at most half of the places, so that one that hangs leaves the other room.
func TestShareOfAReleaseBeside(t *testing.T) {
	t.Parallel()
	h := newHost(t, func(o *host.Options) { o.MaxInflight, o.RestartWait = 4, 50*time.Millisecond })
	one, two := role{Version: "1.0.0"}, role{Version: "2.0.0"}
	prepare(t, h, one)
	prepare(t, h, two)
	route(t, h, one, two)
	held(t, h, two)
	second := held(t, h, two)
	if _, err := h.Slot(pluginName).TryRelease(t.Context(), release(t, two).SHA256); whyOf(err) != host.WhyShare {
		t.Errorf("a third call: %v", err)
	}
	acquire(t, h)
	third := acquire(t, h)
	if _, err := h.Slot(pluginName).Acquire(t.Context()); whyOf(err) != host.WhyOverloaded {
		t.Errorf("a fifth call: %v", err)
	}
	third.Close()
	second.Close()
	held(t, h, two)
}

// A start that an order overtakes is given up and leaves nothing.
func TestKeepGivesUpAStart(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	one := role{Version: "1.0.0"}
	prepare(t, h, one)
	route(t, h, one)
	refusals := make(chan error, 1)
	go func() {
		_, err := h.Slot(pluginName).Prepare(t.Context(), release(t, role{Version: "2.0.0", Behaviour: "silent"}), nil)
		refusals <- err
	}()
	// The line stands before the process does; Keep is repeated until it met it.
	for over := false; !over; {
		keep(t, h, one)
		select {
		case err := <-refusals:
			if refused, ok := errors.AsType[*host.Refused](err); !ok || refused.Code != host.CodeStartTimeout {
				t.Errorf("a start that was given up: %v", err)
			}
			over = true
		case <-time.After(10 * time.Millisecond):
		}
	}
	if n := len(h.Status()[0].Instances); n != 1 {
		t.Errorf("%d processes", n)
	}
}
