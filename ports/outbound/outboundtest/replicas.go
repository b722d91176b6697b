package outboundtest

import (
	"context"
	"maps"
	"reflect"
	"testing"
	"time"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/ports/outbound"
)

// Replicas is the contract of outbound.Replicas over a store that one process owns: what another process said there was
// said before it ended. open returns an empty store; the suite calls it once a subtest and runs the subtests in parallel.
func Replicas(t *testing.T, open func(t *testing.T) FleetStores) {
	t.Helper()
	replicas(t, open, map[string]func(*testing.T, FleetStores){
		"the first word of a process ends the ones before it": predecessorGone,
	})
}

// SharedReplicas is the contract of outbound.Replicas over a store that replicas share.
func SharedReplicas(t *testing.T, open func(t *testing.T) FleetStores) {
	t.Helper()
	replicas(t, open, map[string]func(*testing.T, FleetStores){
		"each of three replicas keeps its own word": threeReplicas,
		"who leaves takes all its reports with it":  replicaLeaves,
		"replicas that report at once all get in":   reportsAtOnce,
		"a replica hears what another one saved":    peerHears,
	})
}

func replicas(t *testing.T, open func(t *testing.T) FleetStores, more map[string]func(*testing.T, FleetStores)) {
	t.Helper()
	all := map[string]func(*testing.T, FleetStores){
		"every member of a report is kept":            reportKept,
		"the last report of a replica counts":         reportReplaced,
		"a replica that says nothing is dead":         replicaDies,
		"a report of more than an hour ago is gone":   reportForgotten,
		"a replica that leaves is gone at once":       replicaGone,
		"a report of nobody is refused":               reportChecked,
		"reports of one provider, or of all, by name": reportsListed,
	}
	maps.Copy(all, more)
	for name, run := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, open(t))
		})
	}
}

func someReport(replica, name string) release.Report {
	tally := release.Tally{
		Version: "1.1.0", Calls: 10, Declined: 1, Technical: 2, Unknown: 1, Breaches: 1, Checked: 3, Crashes: 1,
		RSS: 18_500_000_000, Evidence: "金額不符",
	}
	tally.Latency[0], tally.Latency[release.Buckets-1] = 9, 1
	return release.Report{
		Replica: replica, Name: name, Generation: 7, Ready: []string{"1.0.0", "1.1.0"},
		Refused: map[string]string{"1.2.0": "start_crashed: it ended with \"exit status 2\""}, Since: 5,
		Tallies: []release.Tally{{Version: "1.0.0", Calls: 90}, tally},
	}
}

// reported reads all reports of a provider. What the store adds, the time and whether the replica is alive, is taken off
// after a look at it.
func reported(t *testing.T, r outbound.Replicas, name string) []release.Report {
	t.Helper()
	all, err := r.Reports(t.Context(), name)
	if err != nil {
		t.Fatalf("Reports: %v", err)
	}
	for i := range all {
		if all[i].SeenAt.IsZero() || !all[i].Alive {
			t.Errorf("%s was seen at %v, alive: %v; want it alive", all[i].Replica, all[i].SeenAt, all[i].Alive)
		}
		all[i].SeenAt, all[i].Alive = time.Time{}, false
	}
	return all
}

// reportKept fails as soon as a member is added to a report that a store forgets.
func reportKept(t *testing.T, s FleetStores) {
	t.Helper()
	want := someReport("boot-1", "till")
	for i := range reflect.ValueOf(want).NumField() {
		name := reflect.TypeOf(want).Field(i).Name
		if reflect.ValueOf(want).Field(i).IsZero() && name != "SeenAt" && name != "Alive" {
			t.Fatalf("this test does not know %s", name)
		}
	}
	written(t, s.Replicas.Report(t.Context(), want))
	same(t, reported(t, s.Replicas, "till"), []release.Report{want})
	want.Ready[0], want.Tallies[0].Calls = "changed by the caller", 1
	kept := reported(t, s.Replicas, "till")
	same(t, kept, []release.Report{someReport("boot-1", "till")})
	// Nor does a reader change what the next one reads.
	kept[0].Refused["1.2.0"] = "changed by a reader"
	same(t, reported(t, s.Replicas, "till"), []release.Report{someReport("boot-1", "till")})
	bare := release.Report{Replica: "boot-1", Name: "till"}
	written(t, s.Replicas.Report(t.Context(), bare))
	same(t, reported(t, s.Replicas, "till"), []release.Report{bare})
}

func reportReplaced(t *testing.T, s FleetStores) {
	t.Helper()
	r := someReport("boot-1", "till")
	for range 3 {
		r.Generation++
		r.Ready = r.Ready[1:]
		r.Ready = append(r.Ready, "1.2.0")
		written(t, s.Replicas.Report(t.Context(), r))
	}
	same(t, reported(t, s.Replicas, "till"), []release.Report{r})
}

func replicaDies(t *testing.T, s FleetStores) {
	t.Helper()
	written(t, s.Replicas.Report(t.Context(), someReport("boot-1", "till")))
	alive := func() bool {
		t.Helper()
		all, err := s.Replicas.Reports(t.Context(), "")
		if err != nil || len(all) != 1 {
			t.Fatalf("Reports = %v, %v; want one", all, err)
		}
		return all[0].Alive
	}
	// The lease has room for a slow machine.
	s.Age(t, "boot-1", release.LiveFor/2)
	if !alive() {
		t.Error("a replica that reported half a lease ago is dead")
	}
	s.Age(t, "boot-1", release.LiveFor/2+time.Second)
	if alive() {
		t.Error("a replica that has not reported for its lease is alive")
	}
	written(t, s.Replicas.Report(t.Context(), someReport("boot-1", "till")))
	if !alive() {
		t.Error("a replica that reports again is dead")
	}
	// The store's clock was put back by an hour: who lives says so by the new clock, and this one does not.
	s.Age(t, "boot-1", -time.Hour)
	if alive() {
		t.Error("a replica that reports from the future is alive")
	}
}

func reportForgotten(t *testing.T, s FleetStores) {
	t.Helper()
	written(t, s.Replicas.Report(t.Context(), someReport("boot-1", "till")))
	s.Age(t, "boot-1", 50*time.Minute)
	if all, err := s.Replicas.Reports(t.Context(), "till"); err != nil || len(all) != 1 || all[0].Alive {
		t.Errorf("Reports = %v, %v; want one of a dead replica", all, err)
	}
	s.Age(t, "boot-1", 11*time.Minute)
	if all, err := s.Replicas.Reports(t.Context(), "till"); err != nil || len(all) != 0 {
		t.Errorf("Reports = %v, %v; want nothing", all, err)
	}
}

func replicaGone(t *testing.T, s FleetStores) {
	t.Helper()
	written(t, s.Replicas.Report(t.Context(), someReport("boot-1", "till")))
	written(t, s.Replicas.Report(t.Context(), someReport("boot-1", "kiosk")))
	written(t, s.Replicas.Leave(t.Context(), "boot-2"))
	same(t, len(reported(t, s.Replicas, "")), 2)
	for range 2 {
		written(t, s.Replicas.Leave(t.Context(), "boot-1"))
		same(t, len(reported(t, s.Replicas, "")), 0)
	}
}

func reportChecked(t *testing.T, s FleetStores) {
	t.Helper()
	wantKind(t, s.Replicas.Report(t.Context(), release.Report{Name: "till"}), fault.Invalid)
	same(t, len(reported(t, s.Replicas, "")), 0)
}

func reportsListed(t *testing.T, s FleetStores) {
	t.Helper()
	till, kiosk := someReport("boot-1", "till"), someReport("boot-1", "kiosk")
	written(t, s.Replicas.Report(t.Context(), till))
	written(t, s.Replicas.Report(t.Context(), kiosk))
	// The process's own sign of life is of no provider.
	life := release.Report{Replica: "boot-1"}
	written(t, s.Replicas.Report(t.Context(), life))
	for name, want := range map[string][]release.Report{
		"": {life, kiosk, till}, "till": {till}, "kiosk": {kiosk},
	} {
		same(t, reported(t, s.Replicas, name), want)
	}
	same(t, len(reported(t, s.Replicas, "none")), 0)
}

func predecessorGone(t *testing.T, s FleetStores) {
	t.Helper()
	written(t, s.Replicas.Report(t.Context(), someReport("boot-1", "till")))
	written(t, s.Replicas.Report(t.Context(), someReport("boot-1", "kiosk")))
	second := someReport("boot-2", "till")
	written(t, s.Replicas.Report(t.Context(), second))
	same(t, reported(t, s.Replicas, ""), []release.Report{second})
}

func threeReplicas(t *testing.T, s FleetStores) {
	t.Helper()
	var want []release.Report
	for i, boot := range []string{"boot-1", "boot-2", "boot-3"} {
		r := someReport(boot, "till")
		r.Generation += int64(i)
		written(t, s.Replicas.Report(t.Context(), r))
		want = append(want, r)
	}
	same(t, reported(t, s.Replicas, "till"), want)
	// One dies; the others' words stay as they are.
	s.Age(t, "boot-2", release.LiveFor+time.Second)
	for range 2 {
		all, err := s.Replicas.Reports(t.Context(), "till")
		if err != nil || len(all) != 3 {
			t.Fatalf("Reports = %v, %v; want three", all, err)
		}
		for i, r := range all {
			if r.Alive != (r.Replica != "boot-2") || r.Generation != want[i].Generation {
				t.Errorf("%s: alive %v, generation %d", r.Replica, r.Alive, r.Generation)
			}
		}
		written(t, s.Replicas.Report(t.Context(), want[0]))
	}
}

func replicaLeaves(t *testing.T, s FleetStores) {
	t.Helper()
	for _, boot := range []string{"boot-1", "boot-2"} {
		written(t, s.Replicas.Report(t.Context(), someReport(boot, "till")))
		written(t, s.Replicas.Report(t.Context(), someReport(boot, "kiosk")))
	}
	written(t, s.Replicas.Leave(t.Context(), "boot-1"))
	same(t, reported(t, s.Replicas, ""), []release.Report{someReport("boot-2", "kiosk"), someReport("boot-2", "till")})
}

func reportsAtOnce(t *testing.T, s FleetStores) {
	t.Helper()
	// Old words that every replica may clean up.
	for _, boot := range []string{"old-1", "old-2", "old-3"} {
		written(t, s.Replicas.Report(t.Context(), someReport(boot, "till")))
		s.Age(t, boot, 2*time.Hour)
	}
	won := manyAtOnce(t, func() error {
		return s.Replicas.Report(t.Context(), someReport("boot-"+random(4), "till"))
	})
	if all := reported(t, s.Replicas, "till"); won != 16 || len(all) != 16 {
		t.Errorf("%d reports went through and %d are there, want 16", won, len(all))
	}
}

// hintSoon waits for a hint. How soon it comes is not judged here: a machine may be slow.
func hintSoon(t *testing.T, hints <-chan struct{}) {
	t.Helper()
	select {
	case _, open := <-hints:
		if !open {
			t.Fatal("the hints ended")
		}
	case <-time.After(30 * time.Second):
		t.Fatal("no hint came")
	}
}

func changesHinted(t *testing.T, s FleetStores) {
	t.Helper()
	one, other := s.Replicas.Changes(t.Context()), s.Replicas.Changes(t.Context())
	for generation := int64(1); generation <= 3; generation++ {
		// A hint that the start of listening brought, or the one before, says nothing about this one.
		for _, hints := range []<-chan struct{}{one, other} {
			drained := false
			for !drained {
				select {
				case <-hints:
				default:
					drained = true
				}
			}
		}
		written(t, saved(t.Context(), s.Releases, "till", generation))
		hintSoon(t, one)
		hintSoon(t, other)
	}
}

func changesEnd(t *testing.T, s FleetStores) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	hints := s.Replicas.Changes(ctx)
	cancel()
	for deadline := time.After(30 * time.Second); ; {
		select {
		case _, open := <-hints:
			if !open {
				// Who saves after that finds nobody to tell.
				written(t, saved(t.Context(), s.Releases, "till", 1))
				return
			}
		case <-deadline:
			t.Fatal("the hints have not ended")
		}
	}
}

// peerHears saves here what is heard there.
func peerHears(t *testing.T, s FleetStores) {
	t.Helper()
	if s.Peer == nil {
		t.Fatal("this store has no peer")
	}
	hints := s.Peer.Changes(t.Context())
	for generation := int64(1); generation <= 3; generation++ {
		written(t, saved(t.Context(), s.Releases, "till", generation))
		hintSoon(t, hints)
	}
}
