package main

import (
	"strings"
	"testing"
)

// TestStatusOfALostBinary: after a restore without the folder of the releases the table says what lacks, and not that a
// release should be chosen, which is.
func TestStatusOfALostBinary(t *testing.T) {
	t.Parallel()
	p := pluginStatus{Name: "demo", Replicas: []pluginReplica{{Alive: true, Refused: map[string]string{"1.0.0": "binary_missing: there is no file x"}}}}
	p.Channel.Stable, p.Channel.Phase, p.Runtime.Remedy = "1.0.0", "idle", "activate a release"
	var rows table
	p.rows(&rows)
	got := strings.Join(rows.rows[0], " ")
	if !strings.Contains(got, "binary_missing: there is no file x; install it again") || strings.Contains(got, "activate a release") {
		t.Errorf("got %s", got)
	}
}
