package main

import (
	"strings"
	"testing"
)

// The phase of a disabled provider says that it is disabled, and nothing else: what its channel does shows elsewhere.
func TestWaitingForADisabledProvider(t *testing.T) {
	t.Parallel()
	const disabled = "disabled"
	for name, c := range map[string]struct {
		channel pluginChannel
		want    waitFor
		lacks   string
		idle    bool
	}{
		"it is where it should be":        {pluginChannel{Stable: "1", Phase: disabled}, waitFor{}, "", false},
		"a release is prepared":           {pluginChannel{Stable: "1", Candidate: "2", Goal: "serve", Phase: disabled}, waitFor{}, "2 is on its way", false},
		"the stable release":              {pluginChannel{Stable: "1", Phase: disabled}, waitFor{version: "1"}, "", false},
		"a canary":                        {pluginChannel{Stable: "1", Candidate: "2", Phase: disabled}, waitFor{version: "2"}, "", false},
		"the release that is prepared":    {pluginChannel{Stable: "1", Candidate: "2", Goal: "canary", Phase: disabled}, waitFor{version: "2"}, "2 does not serve", false},
		"a release that nobody wants":     {pluginChannel{Stable: "1", Phase: disabled}, waitFor{version: "2"}, "2 does not serve", true},
		"the same of an enabled one":      {pluginChannel{Stable: "1", Phase: "idle"}, waitFor{version: "2"}, "2 does not serve", false},
		"a generation that is to come":    {pluginChannel{Stable: "1", Phase: disabled}, waitFor{generation: 7}, "generation 0, not 7", false},
		"a promotion of an enabled one":   {pluginChannel{Stable: "1", Candidate: "2", Goal: "serve", Phase: "promoting"}, waitFor{version: "2"}, "2 does not serve", false},
		"a preparation of an enabled one": {pluginChannel{Stable: "1", Candidate: "2", Goal: "serve", Phase: "preparing"}, waitFor{}, "2 is on its way", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := pluginStatus{
				Name: "till", Channel: c.channel, Releases: []pluginRelease{{Version: "1"}, {Version: "2"}},
				Replicas: []pluginReplica{{Replica: "r1", Alive: true, Generation: 9, Ready: []string{"1", "2"}}},
			}
			missing := strings.Join(c.want.missing(p), "; ")
			if (c.lacks == "") != (missing == "") || !strings.Contains(missing, c.lacks) {
				t.Errorf("missing %q, want %q", missing, c.lacks)
			}
			if got := c.want.idle(p.Channel); got != c.idle {
				t.Errorf("idle is %v", got)
			}
		})
	}
}

// A refusal names the versions that there are. One that was revoked is there, and is no way out.
func TestRevokedVersionsAreNamedAsSuch(t *testing.T) {
	t.Parallel()
	p := pluginStatus{Name: "till", Releases: []pluginRelease{{Version: "1", Status: "installed"}, {Version: "2", Status: "revoked"}}}
	missing := strings.Join(waitFor{version: "3"}.missing(p), "; ")
	if !strings.Contains(missing, "installed versions: 1 2 (revoked);") {
		t.Errorf("%q", missing)
	}
}
