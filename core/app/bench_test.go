package app_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/payrack/payrack/core/app"
	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/ports/inbound"
	"github.com/payrack/payrack/ports/outbound"
)

// bench is a runtime without processes: releases become ready, or are refused, or hang, as the test says. It keeps the rule
// of the port that nothing is routed to what is not ready, and tells the yard what it routes.
type bench struct {
	yard *yard
	name string

	mu       sync.Mutex
	ready    map[string]bool
	prepared map[string]int
	refuse   map[string]error
	hang     map[string]chan struct{}
	routed   release.Channel
	routes   int
}

func (b *bench) Describe(_ context.Context, path, _ string) (release.Release, error) {
	name, version, _ := strings.Cut(path, "@")
	return release.Release{Name: name, Version: version, SHA256: "sha-" + version, Path: path, Size: 1}, nil
}

func (b *bench) Keep(_ context.Context, r release.Release) (release.Release, error) { return r, nil }

func (b *bench) Types(_ context.Context, r release.Release) ([]catalogue.Type, error) {
	b.yard.mu.Lock()
	defer b.yard.mu.Unlock()
	if t, ok := b.yard.types[r.Version]; ok {
		return t, nil
	}
	return []catalogue.Type{described()}, nil
}

func (b *bench) Prepare(ctx context.Context, r release.Release) error {
	b.mu.Lock()
	hang, refuse := b.hang[r.Version], b.refuse[r.Version]
	if b.ready[r.Version] && refuse == nil {
		b.mu.Unlock()
		return nil
	}
	b.mu.Unlock()
	if hang != nil {
		select {
		case <-hang:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if refuse != nil {
		return refuse
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ready[r.Version] = true
	b.prepared[r.Version]++
	return nil
}

func (b *bench) Route(_ context.Context, c release.Channel, rows []release.Release) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c.Name != "till" {
		return nil // another provider is only there to be in the way
	}
	for _, v := range c.Serving() {
		if !b.ready[v] {
			return fault.New(fault.Conflict, "not_ready", v+" is not ready")
		}
	}
	wanted := c.Wanted()
	if len(rows) != len(wanted) {
		b.yard.wrong("%s: %d rows for the wanted %v", b.name, len(rows), wanted)
	}
	if c.Generation < b.routed.Generation {
		b.yard.wrong("%s: generation %d after %d", b.name, c.Generation, b.routed.Generation)
	}
	b.routed = c
	b.routes++
	maps.DeleteFunc(b.ready, func(v string, _ bool) bool { return !slices.Contains(wanted, v) })
	b.yard.traffic(b, c)
	return nil
}

func (b *bench) Instances(string) []release.Instance { return nil }

func (b *bench) serves() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Join(b.routed.Serving(), "+")
}

func (b *bench) has(version string) (ready bool, times int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ready[version], b.prepared[version]
}

func (b *bench) will(version string, refusal error, hang chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.refuse, version)
	delete(b.hang, version)
	if refusal != nil {
		delete(b.ready, version)
		b.refuse[version] = refusal
	}
	if hang != nil {
		b.hang[version] = hang
	}
}

// yard is a fleet over one store, with the rule that no replica serves what a live one has not ready.
type yard struct {
	*world

	mu       sync.Mutex
	replicas []*replica
	types    map[string][]catalogue.Type
	faults   []string
	first    map[string]bool
	away     atomic.Bool
	// before is a channel that a test compares with.
	before release.Channel
	// tamper changes what an audit reads.
	tamper func(*release.Channel)
}

// replica is one process of the fleet.
type replica struct {
	*app.App
	*bench

	boot string
	stop context.CancelFunc
	done chan struct{}
	dead atomic.Bool
}

// roll is the replicas' table without those that are dead: their last report has become old.
type roll struct {
	outbound.Replicas

	yard *yard
}

func (r roll) Reports(ctx context.Context, name string) ([]release.Report, error) {
	if r.yard.away.Load() {
		return nil, errAway
	}
	all, err := r.Replicas.Reports(ctx, name)
	for i := range all {
		r.yard.mu.Lock()
		for _, x := range r.yard.replicas {
			if x.boot == all[i].Replica && x.dead.Load() {
				all[i].Alive = false
			}
		}
		r.yard.mu.Unlock()
	}
	return all, err
}

var errAway = fault.New(fault.Unavailable, "store_unavailable", "the database is away")

// shelves are the releases of a database that may be away.
type shelves struct {
	outbound.Releases

	yard *yard
}

func (s shelves) Channels(ctx context.Context) ([]release.Channel, error) {
	if s.yard.away.Load() {
		return nil, errAway
	}
	return s.Releases.Channels(ctx)
}

func (y *yard) wrong(format string, args ...any) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.faults = append(y.faults, fmt.Sprintf(format, args...))
}

// traffic checks, when a replica lets a release serve for the first time in the fleet, that all live ones have it ready.
func (y *yard) traffic(b *bench, c release.Channel) {
	y.mu.Lock()
	defer y.mu.Unlock()
	for _, v := range c.Serving() {
		if y.first[v] {
			continue
		}
		y.first[v] = true
		for _, x := range y.replicas {
			if x.dead.Load() || x.bench == b {
				continue
			}
			x.mu.Lock()
			if !x.bench.ready[v] {
				y.faults = append(y.faults, fmt.Sprintf("%s serves %s, and %s does not have it ready", b.name, v, x.boot))
			}
			x.mu.Unlock()
		}
	}
}

// newYard starts replicas that converge by themselves.
func newYard(t *testing.T, boots ...string) *yard {
	t.Helper()
	y := &yard{world: newWorld(t), types: map[string][]catalogue.Type{}, first: map[string]bool{}}
	t.Cleanup(func() {
		y.mu.Lock()
		defer y.mu.Unlock()
		for _, f := range y.faults {
			t.Error(f)
		}
	})
	for _, boot := range boots {
		y.join(boot)
	}
	for _, r := range y.replicas {
		y.run(r)
	}
	return y
}

// join makes a replica and lets it say that it lives.
func (y *yard) join(boot string, change ...func(*app.Options)) *replica {
	y.t.Helper()
	b := &bench{
		yard: y, name: boot, ready: map[string]bool{}, prepared: map[string]int{}, refuse: map[string]error{}, hang: map[string]chan struct{}{},
	}
	o := y.Options
	o.Boot, o.Runtime, o.BakeFor = boot, b, time.Hour
	o.Replicas, o.Releases = roll{o.Replicas, y}, shelves{o.Releases, y}
	for _, c := range change {
		c(&o)
	}
	a, err := app.New(o)
	if err != nil {
		y.t.Fatal(err)
	}
	r := &replica{App: a, bench: b, boot: boot, done: make(chan struct{})}
	if err := a.Directory().Reload(y.t.Context()); err != nil {
		y.t.Fatal(err)
	}
	if err := a.Fleet().Converge(y.t.Context()); err != nil && len(change) == 0 {
		y.t.Fatal(err)
	}
	y.mu.Lock()
	y.replicas = append(y.replicas, r)
	y.mu.Unlock()
	return r
}

// run is what configstore does: converge and advance, again and again.
func (y *yard) run(r *replica) {
	ctx, stop := context.WithCancel(context.WithoutCancel(y.t.Context()))
	r.stop = stop
	go func() {
		defer close(r.done)
		for ctx.Err() == nil {
			_ = r.Fleet().Converge(ctx)
			_ = r.Fleet().Advance(ctx)
			select {
			case <-ctx.Done():
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	y.t.Cleanup(func() {
		stop()
		<-r.done
		ended, cancel := context.WithCancel(context.WithoutCancel(y.t.Context()))
		cancel()
		_ = r.Close(ended)
	})
}

// ctx is the context of an order to this replica.
func (r *replica) ctx() context.Context { return r.yard.t.Context() }

// kill ends a replica without a word.
func (y *yard) kill(r *replica) {
	r.dead.Store(true)
	r.stop()
	<-r.done
}

func (y *yard) install(r *replica, versions ...string) {
	y.t.Helper()
	for _, v := range versions {
		if _, err := r.Releases().Install(y.t.Context(), inbound.InstallPlugin{Path: "till@" + v, Actor: "ops"}); err != nil {
			y.t.Fatal(err)
		}
	}
}

func (y *yard) activate(r *replica, version string) release.Activation {
	y.t.Helper()
	done, err := r.Channels().Activate(y.t.Context(), inbound.ActivatePlugin{Name: "till", Version: version, Actor: "ops", Reason: "a test"})
	if err != nil {
		y.t.Fatal(err)
	}
	return done
}

func (y *yard) channel() release.Channel {
	y.t.Helper()
	all, err := y.Options.Releases.Channels(y.t.Context())
	if err != nil {
		y.t.Fatal(err)
	}
	if len(all) == 0 {
		return release.Channel{}
	}
	return all[0]
}

// until waits for something that others bring about.
func (y *yard) until(what string, is func() bool) {
	y.t.Helper()
	for end := time.Now().Add(30 * time.Second); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			y.t.Fatalf("never: %s; the channel is %+v", what, y.channel())
		}
	}
}

// story are the events of the channel.
func (y *yard) story() []string {
	y.t.Helper()
	entries, err := y.Journal.Entries(y.t.Context(), "plugin/till", 0, 100)
	if err != nil {
		y.t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, strings.TrimPrefix(e.Event, "plugin."))
	}
	return all
}

// last is the body of the newest event of a name.
func (y *yard) last(event string) string {
	y.t.Helper()
	entries, err := y.Journal.Entries(y.t.Context(), "plugin/till", 0, 100)
	if err != nil {
		y.t.Fatal(err)
	}
	for _, e := range slices.Backward(entries) {
		if e.Event == "plugin."+event {
			return string(e.Body)
		}
	}
	y.t.Fatalf("there is no event %s in %v", event, y.story())
	return ""
}
