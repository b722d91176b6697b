package host

import (
	"context"
	"testing"
	"time"
)

// ReplaceMeanwhile calls Reconfigure and replaces the process that it has chosen before it is told: the turn of the line is
// the test's until then.
func ReplaceMeanwhile(t *testing.T, s *Slot, settings []byte) error {
	t.Helper()
	in := s.routing.Load().usual.current.Load()
	l := s.lockedLine(in.release.SHA256)
	before := in.leases.Load()
	done := make(chan error, 1)
	go func() { done <- s.Reconfigure(context.WithoutCancel(t.Context()), settings) }()
	for in.leases.Load() == before {
		time.Sleep(time.Millisecond)
	}
	s.mu.Lock()
	generation, d := l.generation, *l.desired
	s.mu.Unlock()
	next, refused := l.start(t.Context(), d)
	published := refused == nil && l.publish(next, generation, nil)
	l.pass()
	if !published {
		t.Fatalf("the process was not replaced: %v", refused)
	}
	return <-done
}
