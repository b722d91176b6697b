package host_test

import (
	"testing"
	"time"

	"github.com/payrack/payrack/plugins/host"
)

// A process that cannot read the files of its network any more is replaced by one of the same release, beside it.
func TestOutdatedProcessIsReplaced(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	first := activate(t, h, role{Version: "1.0.0"}, `{"label":"one"}`)
	held := acquire(t, h)
	host.Replace(h.Slot(pluginName), held, "a test says so")

	next := acquire(t, h)
	defer next.Close()
	if next.Instance() == first.Instance || next.Release() != held.Release() {
		t.Errorf("instance %s of %+v serves, want another one of the same release", next.Instance(), next.Release())
	}
	for _, l := range []*host.Lease{held, next} {
		if got := text(t, l.Pay(withTime(t, 5*time.Second), payment("label"))); got != "one" {
			t.Errorf("instance %s answered with %q", l.Instance(), got)
		}
	}
	// Who asks for an instance that is not the present one any more changes nothing.
	before := next.Instance()
	host.Replace(h.Slot(pluginName), held, "again")
	held.Close()
	last := acquire(t, h)
	defer last.Close()
	if last.Instance() != before {
		t.Errorf("instance %s was replaced by %s", before, last.Instance())
	}
}

// Settings that are given while a process is replaced reach the one that serves from then on.
func TestReconfigureOfAReplacedProcess(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	first := activate(t, h, role{Version: "1.0.0"}, `{"label":"one"}`)
	if err := host.ReplaceMeanwhile(t, h.Slot(pluginName), []byte(`{"label":"two"}`)); err != nil {
		t.Fatal(err)
	}
	l := acquire(t, h)
	defer l.Close()
	if got := text(t, l.Pay(withTime(t, 5*time.Second), payment("label"))); l.Instance() == first.Instance || got != "two" {
		t.Errorf("instance %s, after %s, answered with %q, want the new settings of another one", l.Instance(), first.Instance, got)
	}
}
