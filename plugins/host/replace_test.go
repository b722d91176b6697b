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
