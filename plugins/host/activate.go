package host

import (
	"context"
	"log/slog"
	"strings"
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

// Activate puts a release into service without a gap: it is started beside the present one, has to prove
// itself, takes over by one pointer store, and the present one drains in the background. The error is a
// *Refused; then what serves has not changed.
func (s *Slot) Activate(ctx context.Context, r Release, settings []byte) (Activation, error) {
	began := time.Now()
	s.admin.Lock()
	defer s.admin.Unlock()
	if err := s.open(); err != nil {
		return Activation{}, err
	}
	if r.Name != s.name {
		return Activation{}, refuse(CodeInfoMismatch, "release %s does not belong to provider %s", r.Name, s.name)
	}
	if err := s.awaitDrains(ctx); err != nil {
		return Activation{}, err
	}
	img, err := loadImage(r.Path, s.host.dir, s.host.options.AllowDynamic)
	if err != nil {
		return Activation{}, &Refused{Code: CodeStartCrashed, Message: err.Error(), cause: err}
	}
	r.SHA256 = strings.ToLower(r.SHA256)
	if !img.matches(r.SHA256) {
		img.release()
		return Activation{}, refuse(CodeDigestMismatch, "%s has the digest %s, and the installed release has %.80q; the file was changed: install it again",
			r.Path, img.digest, r.SHA256)
	}
	d := desired{release: r, settings: settings, revision: 1, image: img}
	in, refused := s.start(ctx, d)
	if refused != nil {
		img.release()
		return Activation{}, refused
	}
	previous := ""
	if old := s.current.Load(); old != nil {
		previous = old.release.Version
	}
	s.supersede(&d)
	s.publish(in) //nolint:contextcheck // an instance outlives the order to start it
	out := Activation{
		Name: r.Name, Version: r.Version, SHA256: r.SHA256, Previous: previous,
		Instance: in.id, PID: in.process.pid, Info: in.info, Took: time.Since(began),
	}
	in.log.LogAttrs(ctx, slog.LevelInfo, "plugin activated",
		slog.String("previous_version", previous), slog.Int("pid", out.PID), slog.Int64("took_ms", out.Took.Milliseconds()))
	return out, nil
}

// open reports that the host is not closing.
func (s *Slot) open() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase == phaseClosed {
		return &Refused{Code: CodeStartCrashed, Message: "the host is stopping"}
	}
	return nil
}

// awaitDrains keeps the number of draining releases small: each is a process.
func (s *Slot) awaitDrains(ctx context.Context) error {
	for {
		s.mu.Lock()
		n, changed := s.draining, s.changed
		s.mu.Unlock()
		if n < maxDraining {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return &Refused{Code: CodeStartTimeout, Message: "three earlier releases still drain their calls; try again when one has ended", cause: ctx.Err()}
		}
	}
}

// supersede records what shall run from now on; whatever was being restarted gives up. Nil means nothing.
func (s *Slot) supersede(d *desired) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.desired != nil {
		s.desired.image.release()
	}
	s.desired = d
	s.generation++
	s.crashes = nil
	s.cancel()
	s.ctx, s.cancel = context.WithCancel(s.host.life)
}

// Reconfigure gives the serving plugin other settings without a restart; both serve until it has taken
// them. If it refuses, a *Refused says why and the settings before stay in use.
func (s *Slot) Reconfigure(ctx context.Context, settings []byte) error {
	s.admin.Lock()
	defer s.admin.Unlock()
	lease, err := s.Acquire(ctx)
	if err != nil {
		return err
	}
	defer lease.Close()
	s.mu.Lock()
	d := s.desired
	next := desired{}
	if d != nil {
		next = desired{release: d.release, settings: settings, revision: d.revision + 1, image: d.image}
	}
	s.mu.Unlock()
	if d == nil {
		return &Unavailable{Name: s.name, Why: WhyNotActive}
	}
	ctx, cancel := context.WithTimeout(ctx, s.host.options.StepTimeout)
	defer cancel()
	if err := configure(ctx, lease.instance, settings, next.revision); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.desired = &next
	return nil
}

// Disable takes the provider out of service: no call is taken any more, the open ones end, the process
// stops. It returns when the process is gone or the context ends, whichever is earlier.
func (s *Slot) Disable(ctx context.Context) error { return s.end(ctx, phaseDisabled) }

func (s *Slot) end(ctx context.Context, p phase) error {
	s.mu.Lock()
	s.cancel() // a restart that is under way gives up
	s.mu.Unlock()
	s.admin.Lock()
	defer s.admin.Unlock()
	s.supersede(nil)
	old := s.current.Swap(nil)
	s.mu.Lock()
	if s.phase != phaseClosed {
		s.enter(p, "")
	}
	s.mu.Unlock()
	if old != nil {
		s.retire(old)
	}
	for {
		s.mu.Lock()
		n, changed := len(s.living), s.changed
		s.mu.Unlock()
		if n == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
