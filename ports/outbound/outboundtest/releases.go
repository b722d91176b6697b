package outboundtest

import (
	"context"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/journal"
	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/ports/outbound"
)

// FleetStores are the ports of releases over one store.
type FleetStores struct {
	Releases outbound.Releases
	Replicas outbound.Replicas
	Journal  outbound.Journal
	// Peer is the store as another process sees it. Nil where one process owns it.
	Peer outbound.Replicas
	// Age makes the reports of a replica older, by the store's clock.
	Age func(t *testing.T, replica string, by time.Duration)
}

// Releases is the contract of outbound.Releases. open returns an empty store; the suite calls it once a
// subtest and runs the subtests in parallel.
func Releases(t *testing.T, open func(t *testing.T) FleetStores) {
	t.Helper()
	for name, run := range map[string]func(*testing.T, FleetStores){
		"a release is kept as it is":                           releaseKept,
		"a version is installed once":                          releaseOnce,
		"releases are listed oldest first":                     releasesListed,
		"the status of a release changes, and nothing else":    statusSet,
		"a revoked release stays revoked and known":            revokedStays,
		"a removed release is forgotten and may be added":      releaseRemoved,
		"every member of a channel is kept":                    channelKept,
		"a channel is saved over the generation before":        channelSaved,
		"channels are listed by name":                          channelsListed,
		"a channel's events are a chain in the journal":        channelChained,
		"an entry that does not fit leaves nothing behind":     entryMisfits,
		"of many changes of one channel one wins":              channelRaces,
		"a release that is added many times is kept once":      releaseRaces,
		"a release that is revoked while it is removed stays":  revokeRaces,
		"a hint follows each saved channel, for each listener": changesHinted,
		"the hints end with their context":                     changesEnd,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, open(t))
		})
	}
}

func someRelease(name, version string, day int) release.Release {
	return release.Release{
		Name: name, Version: version, SHA256: strings.Repeat("0a", 32), Path: "/var/lib/payrack/plugins/" + name,
		Size: 18_500_000_000, Status: release.Installed, Source: "registry.example/payrack/" + name + "@sha256:0a",
		SignedBy: "operator-1", ReportedBy: "provider-7", InstalledAt: epochStart().AddDate(0, 0, day), InstalledBy: "操作員",
	}
}

// someChannel is a channel with the entry that follows the channel of the generation before.
func someChannel(name string, generation int64) (release.Channel, journal.Entry) {
	c := release.Channel{
		Name: name, Stable: "1.0." + string(rune('0'+generation%10)), Candidate: "1.1.0", Previous: "0.9.0",
		Weight: int(generation % 101), Stores: []string{"門市1", `"`}, Phase: release.InCanary, Goal: release.ToCanary,
		Until: epochStart().Add(time.Minute), Before: release.Baking, BakesUntil: epochStart().Add(time.Hour),
		Since: 1, Enabled: generation%2 == 1,
		Generation: generation, Events: generation, UpdatedAt: epochStart().Add(time.Duration(generation) * time.Hour),
		UpdatedBy: "operator", Reason: "理由",
	}
	var before journal.Hash
	if generation > 1 {
		b, _ := someChannel(name, generation-1)
		before = b.Chain
	}
	return chained(c, before)
}

// chained gives a channel the entry that follows a hash.
func chained(c release.Channel, before journal.Hash) (release.Channel, journal.Entry) {
	e := journal.Link(before, c.Stream(), c.Events, c.UpdatedAt, "plugin.canary", []byte(`{"stable":"`+c.Stable+`"}`))
	c.Chain = e.Hash
	return c, e
}

// saved saves someChannel.
func saved(ctx context.Context, r outbound.Releases, name string, generation int64) error {
	c, e := someChannel(name, generation)
	return r.SaveChannel(ctx, c, e)
}

// channelIs checks that there is one channel, and that it is this.
func channelIs(t *testing.T, r outbound.Releases, want release.Channel) {
	t.Helper()
	got, err := r.Channels(t.Context())
	if err != nil || len(got) != 1 {
		t.Fatalf("Channels = %v, %v; want one", got, err)
	}
	same(t, got[0], want)
}

func releaseKept(t *testing.T, s FleetStores) {
	t.Helper()
	r := s.Releases
	want := someRelease("till", "1.0.0", 0)
	written(t, r.Add(t.Context(), want))
	got, err := r.Get(t.Context(), "till", "1.0.0")
	if err != nil {
		t.Fatalf("Get: %v", err)
	}
	same(t, got, want)
	for _, miss := range [][2]string{{"till", "1.0.1"}, {"kiosk", "1.0.0"}, {"", ""}} {
		_, err := r.Get(t.Context(), miss[0], miss[1])
		wantKind(t, err, fault.NotFound)
	}
}

func releaseOnce(t *testing.T, s FleetStores) {
	t.Helper()
	r := s.Releases
	first := someRelease("till", "1.0.0", 0)
	written(t, r.Add(t.Context(), first))
	again := someRelease("till", "1.0.0", 5)
	again.Path, again.InstalledBy = "/elsewhere", "another"
	written(t, r.Add(t.Context(), again))
	other := first
	other.SHA256 = strings.Repeat("0b", 32)
	wantCode(t, r.Add(t.Context(), other), fault.Conflict, "version_taken")
	all, err := r.List(t.Context(), "")
	if err != nil {
		t.Fatalf("List: %v", err)
	}
	same(t, all, []release.Release{first})
}

func releasesListed(t *testing.T, s FleetStores) {
	t.Helper()
	r := s.Releases
	a, b, c := someRelease("till", "1.10.0", 2), someRelease("kiosk", "1.0.0", 1), someRelease("till", "1.9.0", 0)
	for _, x := range []release.Release{a, b, c} {
		written(t, r.Add(t.Context(), x))
	}
	for name, want := range map[string][]release.Release{
		"": {c, b, a}, "till": {c, a}, "kiosk": {b},
	} {
		got, err := r.List(t.Context(), name)
		if err != nil {
			t.Fatalf("List: %v", err)
		}
		same(t, got, want)
	}
	if got, err := r.List(t.Context(), "none"); err != nil || len(got) != 0 {
		t.Errorf("List of nobody = %v, %v; want nothing", got, err)
	}
}

func statusSet(t *testing.T, s FleetStores) {
	t.Helper()
	r, ctx, want := s.Releases, t.Context(), someRelease("till", "1.0.0", 0)
	other := someRelease("till", "1.1.0", 1)
	written(t, r.Add(ctx, want))
	written(t, r.Add(ctx, other))
	for _, status := range []release.Status{
		release.Verified, release.Verified, release.Deprecated, release.Installed, release.Revoked, release.Revoked,
	} {
		written(t, r.SetStatus(ctx, "till", "1.0.0", status))
		want.Status = status
		all, err := r.List(ctx, "till")
		if err != nil {
			t.Fatalf("List: %v", err)
		}
		same(t, all, []release.Release{want, other})
	}
	for _, status := range []release.Status{release.Verified, ""} {
		wantKind(t, r.SetStatus(ctx, "till", "1.2.0", status), fault.NotFound)
		wantKind(t, r.SetStatus(ctx, "kiosk", "1.0.0", status), fault.NotFound)
	}
}

func revokedStays(t *testing.T, s FleetStores) {
	t.Helper()
	r, ctx, want := s.Releases, t.Context(), someRelease("till", "1.0.0", 0)
	written(t, r.Add(ctx, want))
	written(t, r.SetStatus(ctx, "till", "1.0.0", release.Revoked))
	for _, status := range []release.Status{release.Installed, release.Verified, release.Deprecated, ""} {
		wantCode(t, r.SetStatus(ctx, "till", "1.0.0", status), fault.Conflict, "revoked")
	}
	written(t, r.Add(ctx, want))
	got, err := r.Get(ctx, "till", "1.0.0")
	if err != nil || got.Status != release.Revoked {
		t.Errorf("Get = %s, %v; want revoked", got.Status, err)
	}
}

func releaseRemoved(t *testing.T, s FleetStores) {
	t.Helper()
	r, ctx, first, second := s.Releases, t.Context(), someRelease("till", "1.0.0", 0), someRelease("till", "1.1.0", 1)
	written(t, r.Add(ctx, first))
	written(t, r.Add(ctx, second))
	written(t, r.SetStatus(ctx, "till", "1.0.0", ""))
	_, err := r.Get(ctx, "till", "1.0.0")
	wantKind(t, err, fault.NotFound)
	wantKind(t, r.SetStatus(ctx, "till", "1.0.0", ""), fault.NotFound)
	all, err := r.List(ctx, "")
	if err != nil {
		t.Fatalf("List: %v", err)
	}
	same(t, all, []release.Release{second})
	// Another binary may be made of what was never relied on.
	first.SHA256 = strings.Repeat("0b", 32)
	written(t, r.Add(ctx, first))
}

// channelKept fails as soon as a member is added to a channel that a store forgets.
func channelKept(t *testing.T, s FleetStores) {
	t.Helper()
	full, e := someChannel("till", 1)
	for i := range reflect.ValueOf(full).NumField() {
		if reflect.ValueOf(full).Field(i).IsZero() {
			t.Fatalf("this test does not know %s", reflect.TypeOf(full).Field(i).Name)
		}
	}
	written(t, s.Releases.SaveChannel(t.Context(), full, e))
	channelIs(t, s.Releases, full)
	full.Stores[0] = "changed by the caller"
	all, err := s.Releases.Channels(t.Context())
	if err != nil || all[0].Stores[0] != "門市1" {
		t.Errorf("the stored channel changed with the caller's memory: %v, %v", all, err)
	}
	bare, e := chained(release.Channel{
		Name: "till", Phase: release.Idle, Generation: 2, Events: 2, UpdatedAt: epochStart().UTC(),
	}, full.Chain)
	written(t, s.Releases.SaveChannel(t.Context(), bare, e))
	channelIs(t, s.Releases, bare)
}

func channelSaved(t *testing.T, s FleetStores) {
	t.Helper()
	r, ctx := s.Releases, t.Context()
	late, e := someChannel("till", 2)
	wantCode(t, r.SaveChannel(ctx, late, e), fault.Conflict, "generation_moved")
	for generation := int64(1); generation <= 3; generation++ {
		written(t, saved(ctx, r, "till", generation))
		for _, wrong := range []int64{1, generation, generation + 2} {
			wantCode(t, saved(ctx, r, "till", wrong), fault.Conflict, "generation_moved")
		}
		want, _ := someChannel("till", generation)
		channelIs(t, r, want)
	}
	for _, generation := range []int64{-1, 0} {
		c, e := someChannel("till", 3)
		c.Generation = generation
		wantCode(t, r.SaveChannel(ctx, c, e), fault.Conflict, "generation_moved")
	}
}

func channelsListed(t *testing.T, s FleetStores) {
	t.Helper()
	if got, err := s.Releases.Channels(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("Channels of an empty store = %v, %v; want nothing", got, err)
	}
	written(t, saved(t.Context(), s.Releases, "till", 1))
	written(t, saved(t.Context(), s.Releases, "kiosk", 1))
	got, err := s.Releases.Channels(t.Context())
	if err != nil {
		t.Fatalf("Channels: %v", err)
	}
	till, _ := someChannel("till", 1)
	kiosk, _ := someChannel("kiosk", 1)
	same(t, got, []release.Channel{kiosk, till})
}

// channelChained reads the events of two channels where those of payments are read too.
func channelChained(t *testing.T, s FleetStores) {
	t.Helper()
	var want []journal.Entry
	for generation := int64(1); generation <= 4; generation++ {
		for _, name := range []string{"till", "kiosk"} {
			c, e := someChannel(name, generation)
			written(t, s.Releases.SaveChannel(t.Context(), c, e))
			want = append(want, e)
			entries, err := s.Journal.Entries(t.Context(), c.Stream(), generation-1, 10)
			if err != nil || len(entries) != 1 || !entries[0].Verify() || entries[0].Hash != c.Chain {
				t.Fatalf("%s: %v, %v; want the entry that was just saved", c.Stream(), entries, err)
			}
			same(t, entries[0], e)
		}
	}
	b := newBook(Stores{Journal: s.Journal})
	tail := b.visible(t, len(want))
	if len(tail) != len(want) {
		t.Fatalf("the tail has %d entries, want %d", len(tail), len(want))
	}
	for i, e := range tail {
		same(t, e.Entry, want[i])
	}
}

func entryMisfits(t *testing.T, s FleetStores) {
	t.Helper()
	r, ctx := s.Releases, t.Context()
	first, e1 := someChannel("till", 1)
	untouched := func(entries int) {
		t.Helper()
		all, err := s.Journal.Entries(ctx, "plugin/till", 0, 10)
		if err != nil || len(all) != entries {
			t.Errorf("%d entries, %v; want %d", len(all), err, entries)
		}
	}
	begun, e := chained(first, journal.Hash{1})
	wantCode(t, r.SaveChannel(ctx, begun, e), fault.Internal, "change_malformed")
	untouched(0)
	written(t, r.SaveChannel(ctx, first, e1))
	for name, edit := range map[string]func(c *release.Channel, e *journal.Entry){
		"no name": func(c *release.Channel, e *journal.Entry) { c.Name = ""; *e = relinked(*c, first.Chain) },
		"another stream": func(c *release.Channel, e *journal.Entry) {
			*e = relinked(renamed(*c, "kiosk"), first.Chain)
			c.Chain = e.Hash
		},
		"another number": func(_ *release.Channel, e *journal.Entry) { e.N++ },
		"another hash":   func(c *release.Channel, _ *journal.Entry) { c.Chain[0]++ },
		"another body":   func(_ *release.Channel, e *journal.Entry) { e.Body = []byte("{}") },
		"another head":   func(c *release.Channel, e *journal.Entry) { *e = relinked(*c, journal.Hash{1}); c.Chain = e.Hash },
		"a gap": func(c *release.Channel, e *journal.Entry) {
			c.Events++
			*e = relinked(*c, first.Chain)
			c.Chain = e.Hash
		},
		"no event": func(c *release.Channel, e *journal.Entry) { *e, c.Events, c.Chain = e1, e1.N, e1.Hash },
	} {
		c, e := someChannel("till", 2)
		edit(&c, &e)
		if err := r.SaveChannel(ctx, c, e); fault.CodeOf(err) != "change_malformed" {
			t.Errorf("%s: %v, want change_malformed", name, err)
		}
		channelIs(t, r, first)
		untouched(1)
	}
	written(t, saved(ctx, r, "till", 2))
}

func relinked(c release.Channel, before journal.Hash) journal.Entry {
	_, e := chained(c, before)
	return e
}

func renamed(c release.Channel, name string) release.Channel {
	c.Name = name
	return c
}

// manyAtOnce calls a write at the same moment and counts how often it went through. It may only fail with
// fault.Conflict.
func manyAtOnce(t *testing.T, write func() error) int {
	t.Helper()
	var mu sync.Mutex
	won := 0
	start := make(chan struct{})
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			<-start
			err := write()
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				won++
			case fault.KindOf(err) != fault.Conflict:
				t.Errorf("write: %v, want conflict", err)
			}
		})
	}
	close(start)
	wg.Wait()
	return won
}

func channelRaces(t *testing.T, s FleetStores) {
	t.Helper()
	for generation := int64(1); generation <= 3; generation++ {
		won := manyAtOnce(t, func() error { return saved(t.Context(), s.Releases, "till", generation) })
		if won != 1 {
			t.Errorf("generation %d was saved %d times, want once", generation, won)
		}
	}
	all, err := s.Journal.Entries(t.Context(), "plugin/till", 0, 10)
	if err != nil || len(all) != 3 {
		t.Errorf("%d entries, %v; want one for each generation", len(all), err)
	}
}

func releaseRaces(t *testing.T, s FleetStores) {
	t.Helper()
	r := s.Releases
	if won := manyAtOnce(t, func() error { return r.Add(t.Context(), someRelease("till", "1.0.0", 0)) }); won != 16 {
		t.Errorf("%d of 16 went through, want all", won)
	}
	if all, err := r.List(t.Context(), ""); err != nil || len(all) != 1 {
		t.Errorf("List = %v, %v; want one release", all, err)
	}
}

// revokeRaces removes a release at the moment in which it is revoked: either it was never revoked, or it stays.
func revokeRaces(t *testing.T, s FleetStores) {
	t.Helper()
	r, ctx := s.Releases, t.Context()
	for i := range 8 {
		version := "1.0." + strconv.Itoa(i)
		written(t, r.Add(ctx, someRelease("till", version, i)))
		var revoked, removed error
		var wg sync.WaitGroup
		wg.Go(func() { revoked = r.SetStatus(ctx, "till", version, release.Revoked) })
		wg.Go(func() { removed = r.SetStatus(ctx, "till", version, "") })
		wg.Wait()
		got, err := r.Get(ctx, "till", version)
		switch {
		case revoked == nil && fault.CodeOf(removed) == "revoked" && err == nil && got.Status == release.Revoked:
		case removed == nil && fault.KindOf(revoked) == fault.NotFound && fault.KindOf(err) == fault.NotFound:
		default:
			t.Errorf("revoked: %v, removed: %v, then: %s, %v", revoked, removed, got.Status, err)
		}
	}
}
