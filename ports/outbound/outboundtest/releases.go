package outboundtest

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/ports/outbound"
)

// Releases is the contract of outbound.Releases. open returns an empty store; the suite calls it once a
// subtest and runs the subtests in parallel.
func Releases(t *testing.T, open func(t *testing.T) outbound.Releases) {
	t.Helper()
	for name, run := range map[string]func(*testing.T, outbound.Releases){
		"a release is kept as it is":                      releaseKept,
		"a version is installed once":                     releaseOnce,
		"releases are listed oldest first":                releasesListed,
		"a channel is saved over the generation before":   channelSaved,
		"channels are listed by name":                     channelsListed,
		"of many changes of one channel one wins":         channelRaces,
		"a release that is added many times is kept once": releaseRaces,
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
		Size: 18_500_000_000, Status: release.Installed, InstalledAt: epochStart().AddDate(0, 0, day), InstalledBy: "操作員",
	}
}

func someChannel(name string, generation int64) release.Channel {
	return release.Channel{
		Name: name, Stable: "1.0." + string(rune('0'+generation%10)), Previous: "0.9.0", Enabled: generation%2 == 1,
		Generation: generation, UpdatedAt: epochStart().Add(time.Duration(generation) * time.Hour),
		UpdatedBy: "operator", Reason: "理由",
	}
}

func releaseKept(t *testing.T, r outbound.Releases) {
	t.Helper()
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

func releaseOnce(t *testing.T, r outbound.Releases) {
	t.Helper()
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

func releasesListed(t *testing.T, r outbound.Releases) {
	t.Helper()
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

func channelSaved(t *testing.T, r outbound.Releases) {
	t.Helper()
	ctx := t.Context()
	for _, generation := range []int64{-1, 0, 2} {
		wantCode(t, r.SaveChannel(ctx, someChannel("till", generation)), fault.Conflict, "generation_moved")
	}
	for generation := int64(1); generation <= 3; generation++ {
		written(t, r.SaveChannel(ctx, someChannel("till", generation)))
		for _, wrong := range []int64{1, generation, generation + 2} {
			wantCode(t, r.SaveChannel(ctx, someChannel("till", wrong)), fault.Conflict, "generation_moved")
		}
		got, err := r.Channels(ctx)
		if err != nil {
			t.Fatalf("Channels: %v", err)
		}
		same(t, got, []release.Channel{someChannel("till", generation)})
	}
}

func channelsListed(t *testing.T, r outbound.Releases) {
	t.Helper()
	if got, err := r.Channels(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("Channels of an empty store = %v, %v; want nothing", got, err)
	}
	written(t, r.SaveChannel(t.Context(), someChannel("till", 1)))
	written(t, r.SaveChannel(t.Context(), someChannel("kiosk", 1)))
	got, err := r.Channels(t.Context())
	if err != nil {
		t.Fatalf("Channels: %v", err)
	}
	same(t, got, []release.Channel{someChannel("kiosk", 1), someChannel("till", 1)})
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

func channelRaces(t *testing.T, r outbound.Releases) {
	t.Helper()
	for generation := int64(1); generation <= 3; generation++ {
		won := manyAtOnce(t, func() error { return r.SaveChannel(t.Context(), someChannel("till", generation)) })
		if won != 1 {
			t.Errorf("generation %d was saved %d times, want once", generation, won)
		}
	}
}

func releaseRaces(t *testing.T, r outbound.Releases) {
	t.Helper()
	if won := manyAtOnce(t, func() error { return r.Add(t.Context(), someRelease("till", "1.0.0", 0)) }); won != 16 {
		t.Errorf("%d of 16 went through, want all", won)
	}
	if all, err := r.List(t.Context(), ""); err != nil || len(all) != 1 {
		t.Errorf("List = %v, %v; want one release", all, err)
	}
}
