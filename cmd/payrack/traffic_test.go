package main

import (
	"testing"
	"time"

	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/plugins/host"
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
		types []catalogue.Type
		want  time.Duration
	}{
		"nothing installed": {nil, 2 * time.Minute},
		"short calls":       {of(40*time.Second, 20*time.Second), 2 * time.Minute},
		"one long call":     {of(20*time.Second, 5*time.Minute), 5*time.Minute + 70*time.Second},
	} {
		if got := patience(c.types); got != c.want {
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
