package host

import (
	"context"
	"log/slog"
	"maps"
	"time"
)

// Activation says what Activate did.
type Activation struct {
	Name     string
	Version  string
	SHA256   string
	Previous string // the version that served before, or empty
	Instance string
	PID      int
	Info     Info
	// Took is the time from the order to the first possible call of the new release.
	Took time.Duration
}

// Activate puts a release into service without a gap, alone: it is started beside the present ones, has to prove
// itself, takes over by one pointer store, and the others drain in the background. The error is a *Refused; then what
// serves has not changed.
func (s *Slot) Activate(ctx context.Context, r Release, settings []byte) (Activation, error) {
	began := time.Now()
	s.admin.Lock()
	defer s.admin.Unlock()
	previous := ""
	if l := s.routing.Load().usual; l != nil {
		s.mu.Lock()
		previous = l.version()
		s.mu.Unlock()
	}
	ready, err := s.prepare(ctx, r, settings, true)
	if err != nil {
		return Activation{}, err
	}
	if err := s.SetDefault(ready.digest); err != nil {
		return Activation{}, &Refused{Code: CodeStartCrashed, Message: "the release was ready and is gone again: " + err.Error(), cause: err}
	}
	s.Keep(ready.digest)
	out := Activation{
		Name: r.Name, Version: r.Version, SHA256: ready.digest, Previous: previous,
		Instance: ready.Instance, PID: ready.PID, Info: ready.Info, Took: time.Since(began),
	}
	s.host.options.Log.LogAttrs(ctx, slog.LevelInfo, "plugin activated",
		slog.String("plugin", s.name), slog.String("plugin_version", r.Version), slog.String("instance", out.Instance),
		slog.String("previous_version", previous), slog.Int("pid", out.PID), slog.Int64("took_ms", out.Took.Milliseconds()))
	return out, nil
}

// version is what the line shall run, or empty. The caller holds mu.
func (l *line) version() string {
	if l.desired == nil {
		return ""
	}
	return l.desired.release.Version
}

// Reconfigure gives the default release's plugin other settings without a restart; both serve until it has taken
// them. If it refuses, a *Refused says why and the settings before stay in use.
func (s *Slot) Reconfigure(ctx context.Context, settings []byte) error {
	s.admin.Lock()
	defer s.admin.Unlock()
	for {
		again, err := s.reconfigure(ctx, settings)
		if !again {
			return err
		}
	}
}

// reconfigure asks for another try if the process that it looked at was replaced before it was told.
func (s *Slot) reconfigure(ctx context.Context, settings []byte) (again bool, err error) {
	lease, err := s.Acquire(ctx)
	if err != nil {
		return false, err
	}
	defer lease.Close()
	if lease.instance.process.lacks(settings) != "" {
		// What the process may do was fixed when it was started: another one is started beside it.
		release := lease.Release()
		lease.Close()
		_, err := s.prepare(ctx, release, settings, true)
		return false, err
	}
	l := s.lockedLine(lease.instance.release.SHA256)
	defer l.pass() // until then nobody else starts or configures a process of the release
	s.mu.Lock()
	d, current := l.desired, l.current.Load()
	s.mu.Unlock()
	switch {
	case d == nil:
		return false, &Unavailable{Name: s.name, Why: WhyNotActive}
	case current != lease.instance:
		return true, nil // the one in its place was started with the settings before
	}
	next := desired{release: d.release, settings: settings, revision: d.revision + 1, image: d.image}
	ctx, cancel := context.WithTimeout(ctx, s.host.options.StepTimeout)
	defer cancel()
	if err := configure(ctx, lease.instance, settings, next.revision); err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.desired == d {
		l.desired = &next
	}
	return false, nil
}

// Disable takes the provider out of service: no call is taken any more, the open ones end, the processes stop. It
// returns when they are gone and what they sent last was read, or when the context ends, whichever is earlier.
func (s *Slot) Disable(ctx context.Context) error { return s.end(ctx, phaseDisabled) }

func (s *Slot) end(ctx context.Context, p phase) error {
	s.mu.Lock()
	for _, l := range s.lines {
		l.cancel() // a start that is under way gives up
	}
	s.mu.Unlock()
	s.admin.Lock()
	defer s.admin.Unlock()
	s.mu.Lock()
	for _, l := range s.lines {
		if l.phase != phaseRetired {
			l.retire()
		}
	}
	if s.phase != phaseClosed {
		s.enter(p)
	}
	s.mu.Unlock()
	ending := map[string]*instance{}
	for {
		s.mu.Lock()
		maps.Copy(ending, s.living)
		n, changed := len(s.living), s.changed
		s.mu.Unlock()
		if n == 0 {
			break
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for _, in := range ending { // a process is gone a moment before its last spans were read
		select {
		case <-in.ended:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
