package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/payrack/payrack/deployments/chaos/record"
	"github.com/payrack/payrack/deployments/chaos/verify"
	"github.com/payrack/payrack/deployments/internal/rig"
)

// swapLimits names the providers whose doubts must be settled within the run: the one whose process is hurt, and where a
// replica is killed both.
func swapLimits(s settings) []string {
	if s.replicas > 1 {
		return []string{provider, other}
	}
	return []string{other}
}

var errNoProcess = errors.New("the other provider has no process")

// settlePatience is how long everything may take to settle after the load before the run is called stuck.
const settlePatience = 5 * time.Minute

// flip is one order to swap. From and To are on the harness's clock, when it was sent and answered.
type flip struct {
	from, to int64
	version  string
	kind     string // of a broken release; empty for a good one
	want     string // the code with which it must be refused
	no       refusal
	tookMS   int64
	replica  int
	// killed is true if a replica was killed while the order ran: the others wait until it counts as dead.
	killed bool
	err    error
}

// blow is a signal to the other provider's process.
type blow struct {
	from, to int64
	kind     string
}

// evidence is all that a run brought.
type evidence struct {
	settings

	began       time.Time
	flips       []flip
	blows       []blow
	kills       []int64
	tries       []try
	trouble     []string
	verdict     verify.Verdict
	flushes     []flush        // what the disk did beside it; none in memory
	served      map[string]int // payments of the swapped provider by version
	early, late []string       // payments on a version that had no traffic then
	alarms      []string       // why a gate took a release back that is as good as the other one
	lag         time.Duration  // the longest that a replica still used the release before
	generations []int64        // at the end, by replica
	elapsed     time.Duration
	program     string
}

func runSwaps(ctx context.Context, s settings) (err error) {
	keys, err := os.MkdirTemp("", "swap-key-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(keys)) }()
	key, public, err := signingKey(ctx, s, keys)
	if err != nil {
		return err
	}
	// A release bakes for a second only: most activations start a process, and some find one that is warm.
	p, err := openPlatform(ctx, s, s.data, map[string]any{"bake_for": "1s", "prepare_for": "30s", "signing_keys": []string{public}, "limits": limits(swapLimits(s)...)})
	if err != nil {
		return err
	}
	p.key = key
	defer func() { err = errors.Join(err, p.close()) }()
	e := evidence{settings: s, program: rig.Version(ctx, s.payrack)}
	for _, name := range []string{provider, other} {
		if _, no, err := p.install(ctx, p.replicas[0], filepath.Join(s.next, "payrack-provider-"+name), ""); err != nil || !no.ok {
			return fmt.Errorf("install the second release of %s: %s %s, %w", name, no.code, no.text, err)
		}
	}
	broken, err := p.breakReleases(ctx)
	if err != nil {
		return err
	}
	if err := p.box.Arm(ctx, rig.Fault{Operation: "pay", Fault: "delay_after_commit", DelayMS: s.delay.Milliseconds()}); err != nil {
		return err
	}
	l := p.load(ctx, s.rate, func(n int) saleKind { return saleKind{provider: []string{provider, other}[n%2]} })
	e.began = l.began
	probed := l.probeDisk(ctx)
	pause(ctx, s.steady)
	p.swapAll(ctx, l, broken, &e)
	if s.replicas == 1 {
		p.hurtOther(ctx, l, &e)
	}
	e.elapsed = time.Since(l.began)
	healed := time.Now()
	l.end()
	e.flushes = probed()
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := p.gather(ctx, l, healed, &e); err != nil {
		return err
	}
	return e.conclude()
}

// swapAll moves the traffic back and forth, tries the broken releases in between, and on many replicas kills one now and then.
func (p *platform) swapAll(ctx context.Context, l *load, broken []bad, e *evidence) {
	rng := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // chance that can be repeated
	next := time.Now()
	tried := 0
	for i := range p.swaps {
		if ctx.Err() != nil {
			return
		}
		r := l.pick(rng.IntN(len(p.replicas)))
		version := []string{p.versionB, p.versionA}[i%2]
		killed := p.postgres != nil && i%25 == 12
		if killed {
			victim := p.replicas[(r.number+1)%len(p.replicas)]
			e.kills = append(e.kills, p.kill(ctx, l, victim))
		}
		f := flip{from: l.now(), version: version, replica: r.number, killed: killed}
		var done activation
		done, f.no, f.err = p.activate(ctx, r, provider, version)
		f.to, f.tookMS = l.now(), done.TookMS
		e.flips = append(e.flips, f)
		if len(broken) > 0 && tried < p.broken && tried*p.swaps <= i*p.broken {
			pause(ctx, 300*time.Millisecond)
			e.flips = append(e.flips, p.tryBroken(ctx, l, r, broken[tried%len(broken)]))
			tried++
		}
		next = next.Add(p.every)
		if now := time.Now(); next.Before(now) {
			next = now.Add(p.every / 2)
		}
		pause(ctx, time.Until(next))
	}
}

// kill is kill -9 of a replica, which is started again after a moment.
func (p *platform) kill(ctx context.Context, l *load, r *replica) int64 {
	r.down.Store(true)
	at := l.now()
	r.child.Kill()
	l.work.Go(func() {
		pause(ctx, 2*time.Second)
		l.note(p.startReplica(ctx, r))
	})
	return at
}

// blows is how often the other provider's process is hurt: one crash less than what quarantines it.
const blows = 4

// hurtOther kills and stops the process of the other provider, while nothing is swapped.
func (p *platform) hurtOther(ctx context.Context, l *load, e *evidence) {
	pause(ctx, 3*time.Second)
	for i := range blows {
		if ctx.Err() != nil {
			return
		}
		c, err := p.status(ctx, p.replicas[0], other)
		if err == nil && len(c.Instances) == 0 {
			err = errNoProcess
		}
		if err != nil {
			l.note(err)
			return
		}
		pid := c.Instances[0].PID
		b := blow{from: l.now(), kind: "SIGKILL"}
		if i%2 == 1 {
			b.kind = "SIGSTOP"
			l.note(syscall.Kill(pid, syscall.SIGSTOP))
			pause(ctx, 8*time.Second)
			_ = syscall.Kill(pid, syscall.SIGCONT) // its host has ended it by then
		} else {
			l.note(syscall.Kill(pid, syscall.SIGKILL))
			pause(ctx, 3*time.Second)
		}
		b.to = l.now()
		e.blows = append(e.blows, b)
		pause(ctx, 4*time.Second)
	}
}

// gather waits until everything is settled and reads both books.
func (p *platform) gather(ctx context.Context, l *load, healed time.Time, e *evidence) error {
	e.tries, e.trouble = l.tries, l.trouble
	db, err := p.database()
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	for end := time.Now().Add(settlePatience); time.Now().Before(end); pause(ctx, 500*time.Millisecond) {
		n, err := rig.OpenPayments(ctx, db)
		if err != nil {
			return err
		}
		if n == 0 || ctx.Err() != nil {
			break
		}
	}
	for _, r := range p.replicas {
		c, err := p.status(ctx, r, provider)
		if err != nil {
			return err
		}
		e.generations = append(e.generations, c.Channel.Generation)
		for _, one := range c.Replicas {
			if one.Alive && one.Generation != c.Channel.Generation {
				e.generations = append(e.generations, one.Generation)
			}
		}
	}
	events, err := p.events(ctx, p.replicas[0], provider, 0)
	if err != nil {
		return err
	}
	if err := e.versions(ctx, db, events); err != nil {
		return err
	}
	r := record.Report{Calls: l.calls, About: record.About{
		Layout: "swap", Program: e.program, Date: time.Now().UTC(), Replicas: len(p.replicas),
		HealedUS: healed.UnixMicro(), EndedUS: time.Now().UnixMicro(),
	}}
	if err := rig.Collect(ctx, p.box, db, &r); err != nil {
		return err
	}
	e.verdict = verify.Judge(r)
	return nil
}
