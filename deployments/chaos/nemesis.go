package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"syscall"
	"time"

	"github.com/payrack/payrack/deployments/chaos/record"
	"github.com/payrack/payrack/deployments/internal/rig"
)

// nemesis breaks things while the clients work, and repairs them.
type nemesis struct {
	*load

	rng             *rand.Rand
	charges, others *deck
	// mending are repairs under way.
	mending sync.WaitGroup
	// busy says which replicas are being hurt; the database is behind them.
	busy  map[*replica]bool
	mu    sync.Mutex
	swaps int
}

func newNemesis(l *load) *nemesis {
	return &nemesis{
		load: l, rng: rand.New(rand.NewPCG(l.seed, 7)), busy: map[*replica]bool{}, //nolint:gosec // chance that can be repeated
		charges: &deck{all: faultsOfCharges()}, others: &deck{all: faultsOfTheRest()},
	}
}

// rage strikes every so often until the context ends, and returns when everything is repaired. least is the number of kills
// that it makes before it returns, whatever the context says.
func (n *nemesis) rage(ctx, lasting context.Context, every time.Duration, least int) {
	n.trouble.add(n.arm(lasting))
	kills, faults := 0, time.Now()
	for (ctx.Err() == nil || kills < least) && lasting.Err() == nil {
		pause(lasting, every/2+n.span(every))
		if time.Since(faults) > 4*time.Second {
			faults = time.Now()
			n.trouble.add(n.arm(lasting))
		}
		if n.strike(lasting, kills < least && ctx.Err() != nil) {
			kills++
		}
	}
	n.mending.Wait()
	n.heal(lasting)
}

func (n *nemesis) span(d time.Duration) time.Duration { return time.Duration(n.rng.Int64N(int64(d))) }

// strike does one thing and reports whether it was a kill.
func (n *nemesis) strike(ctx context.Context, killing bool) bool {
	r := n.replicas[n.rng.IntN(len(n.replicas))]
	if !n.take(r) {
		return false
	}
	choice := n.rng.IntN(100)
	if killing {
		choice = n.rng.IntN(60)
	}
	switch {
	case choice < 36:
		n.killCore(ctx, r)
		return true
	case choice < 52:
		n.killPlugin(ctx, r)
		return true
	case choice < 60:
		if n.postgres == nil {
			n.killCore(ctx, r)
			return true
		}
		return n.killDatabase(ctx, r)
	case choice < 70:
		n.stop(ctx, r, r.child.PID(), "core")
	case choice < 78:
		if all := r.plugins(); len(all) > 0 {
			n.stop(ctx, r, all[n.rng.IntN(len(all))], "plugin")
		} else {
			n.give(r)
		}
	case choice < 86:
		n.obstruct(ctx, r, n.gateway, "gateway")
	case choice < 94:
		if r.database == nil {
			n.obstruct(ctx, r, n.gateway, "gateway")
			return false
		}
		n.obstruct(ctx, r, r.database, "database")
	default:
		n.swap(ctx, r)
	}
	return false
}

// take marks a replica as being hurt; false if it is already.
func (n *nemesis) take(r *replica) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.busy[r] {
		return false
	}
	n.busy[r] = true
	return true
}

func (n *nemesis) give(r *replica) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.busy, r)
}

// await waits a moment until a replica is in the middle of something, and says of how much.
func (n *nemesis) await(ctx context.Context, all ...*replica) int {
	for end := time.Now().Add(1500 * time.Millisecond); time.Now().Before(end) && ctx.Err() == nil; time.Sleep(time.Millisecond) {
		if flying := flyingAt(all...); flying > 0 {
			return flying
		}
	}
	return flyingAt(all...)
}

func flyingAt(all ...*replica) int {
	sum := 0
	for _, r := range all {
		sum += int(r.flying.Load())
	}
	return sum
}

func (n *nemesis) blow(b record.Blow, err error) {
	b.At = n.now()
	if err != nil {
		b.Error = err.Error()
	}
	n.notes.Blow(b)
}

func (n *nemesis) killCore(ctx context.Context, r *replica) {
	n.await(ctx, r)
	// Not right when the request arrives: somewhere within what it takes.
	pause(ctx, n.span(60*time.Millisecond))
	flying := n.await(ctx, r)
	r.child.Kill()
	n.blow(record.Blow{Kind: record.Kill, Target: "core", Detail: fmt.Sprint("replica ", r.number), InFlight: flying}, nil)
	after := n.span(1200 * time.Millisecond)
	n.mending.Go(func() {
		defer n.give(r)
		pause(ctx, after)
		n.revive(ctx, r)
	})
}

// revive starts a replica; while the database is away it cannot start, so it is tried again, as a supervisor would.
func (n *nemesis) revive(ctx context.Context, r *replica) {
	var err error
	for range 20 {
		if err = n.startReplica(ctx, r); err == nil || ctx.Err() != nil {
			return
		}
		pause(ctx, time.Second)
	}
	n.trouble.add(err)
}

func (n *nemesis) killPlugin(ctx context.Context, r *replica) {
	defer n.give(r)
	flying := n.await(ctx, r)
	all := r.plugins()
	if len(all) == 0 {
		return
	}
	err := syscall.Kill(all[n.rng.IntN(len(all))], syscall.SIGKILL)
	n.blow(record.Blow{Kind: record.Kill, Target: "plugin", Detail: fmt.Sprint("replica ", r.number), InFlight: flying}, err)
}

// killDatabase kills PostgreSQL with all its processes. All replicas lose it.
func (n *nemesis) killDatabase(ctx context.Context, r *replica) bool {
	defer n.give(r)
	n.mu.Lock()
	others := len(n.busy) > 1
	n.mu.Unlock()
	if others {
		return false // a replica that is starting would not find it
	}
	flying := n.await(ctx, n.replicas...)
	err := n.postgres.Kill()
	n.blow(record.Blow{Kind: record.Kill, Target: "postgres", InFlight: flying}, err)
	pause(ctx, n.span(1500*time.Millisecond))
	n.trouble.add(n.postgres.Start(ctx))
	return true
}

// stop lets a process stand still, longer than some deadlines.
func (n *nemesis) stop(ctx context.Context, r *replica, pid int, what string) {
	flying := n.await(ctx, r)
	length := 500*time.Millisecond + n.span(9*time.Second)
	err := syscall.Kill(pid, syscall.SIGSTOP)
	n.blow(record.Blow{Kind: record.Stop, Target: what, Detail: length.Round(time.Millisecond).String(), InFlight: flying}, err)
	n.mending.Go(func() {
		defer n.give(r)
		pause(ctx, length)
		_ = syscall.Kill(pid, syscall.SIGCONT) // it may have been ended by its host meanwhile
	})
}

// obstruct cuts connections once, refuses them for a while, or swallows what they carry.
func (n *nemesis) obstruct(ctx context.Context, r *replica, p *proxy, what string) {
	flying := n.await(ctx, r)
	length := 300*time.Millisecond + n.span(3*time.Second)
	kind, detail := record.Cut, "once"
	switch n.rng.IntN(3) {
	case 0:
		p.drop()
		length = 0
	case 1:
		detail = length.Round(time.Millisecond).String()
		p.set(cut)
	default:
		kind, detail = record.Stall, length.Round(time.Millisecond).String()
		p.set(stalled)
	}
	n.blow(record.Blow{Kind: kind, Target: what, Detail: detail, InFlight: flying}, nil)
	n.mending.Go(func() {
		defer n.give(r)
		pause(ctx, length)
		p.set(passing)
	})
}

// swap activates the other release of a provider.
func (n *nemesis) swap(ctx context.Context, r *replica) {
	provider := []string{"linepay", "ipass"}[n.rng.IntN(2)]
	flying := n.await(ctx, r)
	n.swaps++
	version := []string{n.versionB, n.versionA}[n.swaps%2]
	n.mending.Go(func() {
		defer n.give(r)
		err := n.activate(ctx, r, provider, version)
		n.blow(record.Blow{Kind: record.Swap, Target: provider, Detail: version, InFlight: flying}, err)
	})
}

// activate asks a replica's admin plane to serve another release.
func (c *cluster) activate(ctx context.Context, r *replica, provider, version string) error {
	ctx, cancel := context.WithTimeout(ctx, rig.ControlTime)
	defer cancel()
	a, err := c.http.Do(ctx, rig.Call{
		Method: http.MethodPost, URL: "http://" + r.admin + "/admin/v1/plugins/" + provider + "/activate", Bearer: c.token,
		Body: fmt.Appendf(nil, `{"version":%q,"reason":"chaos"}`, version),
	})
	if err == nil && a.Status != http.StatusOK {
		err = errors.New(string(a.Body))
	}
	return err
}

// install makes the second releases known.
func (c *cluster) install(ctx context.Context) error {
	for _, name := range []string{"linepay", "ipass"} {
		a, err := c.http.Do(ctx, rig.Call{
			Method: http.MethodPost, URL: "http://" + c.replicas[0].admin + "/admin/v1/plugins/releases", Bearer: c.token,
			Body: fmt.Appendf(nil, `{"path":%q}`, c.next+"/payrack-provider-"+name),
		})
		if err != nil || a.Status != http.StatusCreated {
			return fmt.Errorf("install the second release of %s: %d %s, %w", name, a.Status, a.Body, err)
		}
	}
	return nil
}

// arm chooses which faults the gateway has for the next seconds. Few at a time and often: rare pairs meet too. Faults of a
// plain charge and all others are dealt from a deck each, so that no run, however short, leaves one out that a longer
// menu made rare.
func (n *nemesis) arm(ctx context.Context) error {
	if err := n.clear(ctx); err != nil {
		return err
	}
	chosen := append(slowness(), n.charges.deal(n.rng, 2+n.rng.IntN(3))...)
	return n.box.Arm(ctx, append(chosen, n.others.deal(n.rng, 2+n.rng.IntN(3))...)...)
}

// heal repairs all there is.
func (n *nemesis) heal(ctx context.Context) {
	n.trouble.add(n.clear(ctx))
	n.gateway.watch(nil)
	n.gateway.set(passing)
	if n.postgres != nil && !n.postgres.Child.Alive() {
		n.trouble.add(n.postgres.Start(ctx))
	}
	for _, r := range n.replicas {
		if r.database != nil {
			r.database.set(passing)
		}
		r.point = ""
		n.revive(ctx, r)
	}
	n.blow(record.Blow{Kind: record.Heal, Target: "all"}, nil)
}
