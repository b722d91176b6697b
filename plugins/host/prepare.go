package host

import (
	"bytes"
	"context"
	"strings"
	"time"
)

// Prepared says what stands ready after Prepare.
type Prepared struct {
	Info     Info
	Instance string
	PID      int
	// Warm is true if the release was ready already: nothing was started.
	Warm bool
	// Took is the time from the order until the release could take a call.
	Took time.Duration

	digest string
}

// Prepare starts a release beside the others, asks it who it is, configures it, checks its health and warms it up. It
// takes no traffic: SetDefault and AcquireRelease are for that. A release that is ready with these settings already
// stays as it is, also one that drains and is held by a call still. The error is a *Refused; nothing of the attempt is
// left then, and what was there before is unchanged. A release in quarantine is refused until Options.BackoffCap has
// passed since its last crash.
func (s *Slot) Prepare(ctx context.Context, r Release, settings []byte) (Prepared, error) {
	return s.prepare(ctx, r, settings, false)
}

// prepare is Prepare; with fresh a new process is started in any case.
func (s *Slot) prepare(ctx context.Context, r Release, settings []byte, fresh bool) (Prepared, error) {
	began := time.Now()
	if err := s.open(); err != nil {
		return Prepared{}, err
	}
	if r.Name != s.name {
		return Prepared{}, refuse(CodeInfoMismatch, "release %s does not belong to provider %s", r.Name, s.name)
	}
	r.SHA256 = strings.ToLower(r.SHA256)
	if !fresh {
		s.awaitReturn(ctx, r.SHA256)
	}
	l := s.lockedLine(r.SHA256)
	defer l.pass()
	out := Prepared{digest: r.SHA256}
	if fresh {
		l.forgive()
	} else {
		in, err := l.warm(settings)
		if err != nil {
			return Prepared{}, err
		}
		if in != nil {
			out.Info, out.Instance, out.PID, out.Warm, out.Took = in.info, in.id, in.process.pid, true, time.Since(began)
			return out, nil
		}
	}
	in, err := l.renew(ctx, r, settings)
	if err != nil {
		return Prepared{}, err
	}
	out.Info, out.Instance, out.PID, out.Took = in.info, in.id, in.process.pid, time.Since(began)
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

// forgive forgets the crashes: an operator has decided.
func (l *line) forgive() {
	l.slot.mu.Lock()
	defer l.slot.mu.Unlock()
	l.crashes = nil
}

// lockedLine is the release's line with its turn taken.
func (s *Slot) lockedLine(digest string) *line {
	for {
		l := s.line(digest)
		l.turn.Lock()
		s.mu.Lock()
		current := s.lines[digest] == l
		s.mu.Unlock()
		if current {
			return l
		}
		l.turn.Unlock() // it was dropped while we waited
	}
}

// awaitReturn gives a release that crashed or does not answer a moment to come back by itself: a start of our own would
// take its back-off away.
func (s *Slot) awaitReturn(ctx context.Context, digest string) {
	timer := time.NewTimer(s.host.options.RestartWait)
	defer timer.Stop()
	for {
		s.mu.Lock()
		changed := s.changed
		l := s.lines[digest]
		missing := l != nil && l.missing()
		s.mu.Unlock()
		if !missing {
			return
		}
		select {
		case <-changed:
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// missing reports that the release was ready, is not now, and will be again if all goes well. The caller holds mu.
func (l *line) missing() bool {
	if l.phase == phaseRestarting {
		return true
	}
	in := l.current.Load()
	return l.phase == phaseServing && (in == nil || !in.fit())
}

// warm returns the line's instance if nothing has to be started, or nil.
func (l *line) warm(settings []byte) (*instance, error) {
	s := l.slot
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.desired == nil || !bytes.Equal(l.desired.settings, settings) {
		return nil, nil //nolint:nilnil // nothing stands there, and that is no error
	}
	if l.takeBack() {
		return l.current.Load(), nil
	}
	version := l.desired.release.Version
	if l.missing() {
		return nil, refuse(CodeStartCrashed, "release %s does not take calls now and is being started again: %s", version, l.detail)
	}
	if l.phase == phaseQuarantined && len(l.crashes) > 0 {
		wait := time.Until(l.crashes[len(l.crashes)-1].Add(s.host.options.BackoffCap))
		if wait > 0 {
			return nil, refuse(CodeStartCrashed, "release %s is in quarantine after %d crashes (%s); it can be tried again in %s",
				version, len(l.crashes), l.detail, wait.Round(time.Second))
		}
		return nil, nil //nolint:nilnil // see above
	}
	return l.current.Load(), nil
}

// renew starts the release and puts it into its line.
func (l *line) renew(ctx context.Context, r Release, settings []byte) (*instance, error) {
	s := l.slot
	if err := s.awaitDrains(ctx); err != nil {
		return nil, err
	}
	img, err := loadImage(r.Path, s.host.dir, s.host.options.AllowDynamic)
	if err != nil {
		return nil, unreadable(r.Path, err)
	}
	if !img.matches(r.SHA256) {
		digest := img.digest
		img.release()
		return nil, otherBytes(r.Path, digest, r.SHA256)
	}
	d := desired{release: r, settings: settings, revision: 1, image: img}
	life, generation := l.begin()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(life, cancel)() //nolint:contextcheck // the line has a life of its own
	in, refused := l.start(ctx, d)
	if refused == nil && !l.publish(in, generation, &d) { //nolint:contextcheck // an instance outlives the order to start it
		in.stop(0)
		refused = refuse(CodeStartTimeout, "the start was given up: another order came in between")
	}
	if refused != nil {
		img.release()
		return nil, refused
	}
	return in, nil
}

// begin opens an attempt to start: the context in which the line wants it, and the generation that it is for.
func (l *line) begin() (context.Context, uint64) {
	l.slot.mu.Lock()
	defer l.slot.mu.Unlock()
	if l.phase == phaseRetired {
		l.phase, l.leaving = phaseIdle, nil
		l.ctx, l.cancel = context.WithCancel(l.slot.host.life)
	}
	return l.ctx, l.generation
}

// awaitDrains keeps the number of draining instances small: each is a process.
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
