package main

import (
	"testing"
	"time"

	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/plugins/host"
	"github.com/payrack/payrack/ports/inbound"
)

func TestPatienceFollowsTheLongestCall(t *testing.T) {
	t.Parallel()
	of := func(longest ...time.Duration) []catalogue.Type {
		all := make([]catalogue.Type, len(longest))
		for i, d := range longest {
			all[i].Operations = []catalogue.Operation{{MaxDuration: time.Second}, {MaxDuration: d}}
		}
		return all
	}
	for name, c := range map[string]struct {
		types   []catalogue.Type
		prepare time.Duration
		want    time.Duration
	}{
		"nothing installed": {nil, 0, 2 * time.Minute},
		"short calls":       {of(40*time.Second, 20*time.Second), time.Minute, 2 * time.Minute},
		"one long call":     {of(20*time.Second, 5*time.Minute), time.Minute, 5*time.Minute + 70*time.Second},
		"long preparation":  {of(20 * time.Second), 15 * time.Minute, 16 * time.Minute},
	} {
		if got := patience(c.types, c.prepare); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestWhoIsUp(t *testing.T) {
	t.Parallel()
	up, down := sortSlots([]host.SlotStatus{
		{Name: "a", Phase: "serving"},
		{Name: "b", Phase: "restarting"},
		{Name: "c", Phase: "quarantined"},
		{Name: "d", Phase: "idle"},
		{Name: "e", Phase: "disabled"},
	})
	if up != 2 || len(down) != 2 || down[0] != "provider c is quarantined" || down[1] != "provider d is not running" {
		t.Errorf("%d up, down %q", up, down)
	}
}

// A replica sends traffic away only if another one does better.
func TestServedElsewhere(t *testing.T) {
	t.Parallel()
	channel := release.Channel{Stable: "1.1.0", Enabled: true}
	running := []release.Instance{{Version: "1.1.0", State: "serving"}}
	there := []release.Report{{Replica: "other", Alive: true, Ready: []string{"1.1.0"}}}
	for name, c := range map[string]struct {
		status inbound.PluginStatus
		want   int
	}{
		"runs here":         {inbound.PluginStatus{Channel: channel, Instances: running, Replicas: there}, 0},
		"warm here":         {inbound.PluginStatus{Channel: channel, Instances: []release.Instance{{Version: "1.1.0", State: "ready"}}, Replicas: there}, 0},
		"only there":        {inbound.PluginStatus{Channel: channel, Replicas: there}, 1},
		"another one here":  {inbound.PluginStatus{Channel: channel, Instances: []release.Instance{{Version: "1.0.0", State: "serving"}}, Replicas: there}, 1},
		"nowhere":           {inbound.PluginStatus{Channel: channel, Replicas: []release.Report{{Replica: "other", Alive: true}}}, 0},
		"a dead one had it": {inbound.PluginStatus{Channel: channel, Replicas: []release.Report{{Replica: "other", Ready: []string{"1.1.0"}}}}, 0},
		"only our report":   {inbound.PluginStatus{Channel: channel, Replicas: []release.Report{{Replica: "me", Alive: true, Ready: []string{"1.1.0"}}}}, 0},
		"disabled":          {inbound.PluginStatus{Channel: release.Channel{Stable: "1.1.0"}, Replicas: there}, 0},
		"nothing wanted":    {inbound.PluginStatus{Channel: release.Channel{Enabled: true}, Replicas: there}, 0},
	} {
		if got := servedElsewhere([]inbound.PluginStatus{c.status}, "me"); len(got) != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// A file in plugins.dir is activated by itself only where nothing ever served: not after a revocation.
func TestTheFirstReleaseIsChosenOnce(t *testing.T) {
	t.Parallel()
	at := release.By{At: time.Unix(1, 0)}
	c, apply := release.Channel{Name: "linepay", Enabled: true}, func(c release.Channel, e release.Event) release.Channel {
		next, err := release.Apply(c, e)
		if err != nil {
			t.Fatal(err)
		}
		return next
	}
	c = apply(c, release.Noted{By: at, What: "installed", Version: "1.0.0"})
	c = apply(c, release.Refused{By: at, Version: "1.0.0"})
	if begun(c) {
		t.Errorf("a first start that was refused counts: %+v", c)
	}
	c = apply(c, release.Prepare{By: at, Version: "1.0.0", Goal: release.ToServe})
	if !begun(c) {
		t.Error("another replica is choosing one")
	}
	c = apply(apply(c, release.Ready{By: at}), release.Revoke{By: at, Version: "1.0.0"})
	if c.Stable != "" || c.Candidate != "" || !begun(c) {
		t.Errorf("after a revocation: %+v", c)
	}
}
