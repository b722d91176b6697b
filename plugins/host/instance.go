package host

import (
	"context"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"github.com/payrack/payrack/plugins/internal/tunnel"
	"github.com/payrack/payrack/plugins/internal/wire/providerv1"
)

// State is where an instance is in its life.
type State string

// The states of an instance.
const (
	StateStarting   State = "starting"
	StateHandshaken State = "handshaken"
	StateConfigured State = "configured"
	StateReady      State = "ready"
	StateServing    State = "serving"
	StateDraining   State = "draining"
	StateStopping   State = "stopping"
	StateCrashed    State = "crashed"
	StateWedged     State = "wedged"
)

// instance is one plugin process and the connection to it.
//
// refs starts at 1, which is the slot's own reference, and can never leave 0: so "drained" is final, and no
// call can hold an instance that is being stopped.
type instance struct {
	id      string
	release Release
	info    Info
	process *process
	conn    *grpc.ClientConn
	client  providerv1.ProviderServiceClient
	tunnel  atomic.Pointer[tunnel.Client] // nil if the plugin has none
	log     *slog.Logger
	lines   *pluginLog
	heard   <-chan struct{} // closed when all that its process wrote was read
	image   *image
	dir     string
	started time.Time
	limit   int   // most calls at once that it wants
	share   int64 // most calls at once beside the default release
	// takenBack is closed when a draining instance is wanted again; guarded by the slot's mu.
	takenBack chan struct{}

	life    context.Context //nolint:containedctx // its end closes the connection and so ends all calls at once
	end     context.CancelFunc
	uncut   func() bool // keeps the end of life from closing the connection
	refs    atomic.Int64
	leases  atomic.Int64
	places  atomic.Int64 // of the slot's bulkhead that its leases hold: all of them, or none of those before it drained in silence
	drained chan struct{}
	state   atomic.Pointer[State]
	healthy atomic.Bool
	memory  atomic.Int64 // the largest resident set that was seen, in bytes
	broken  atomic.Bool  // its connection ended
	lost    atomic.Bool  // its tunnel ended: unlike a connection it does not come back
	planned atomic.Bool  // its end was ordered: it is no crash
	silent  atomic.Bool  // it missed a ping and has not answered since
	hung    atomic.Bool  // it is killed because it hangs
	relayed chan struct{}
	ended   chan struct{} // closed when everything of it is gone
}

func (i *instance) source() Source {
	return Source{
		Plugin: i.release.Name, Version: i.release.Version, SHA256: i.release.SHA256, Instance: i.id, PID: i.process.pid,
	}
}

func (i *instance) setState(s State) { i.state.Store(&s) }

// reachable reports that a call has a chance to arrive.
func (i *instance) reachable() bool {
	return !i.broken.Load() && !i.lost.Load() && !i.process.gone() && i.life.Err() == nil
}

// fit reports that a call may be given to it.
func (i *instance) fit() bool { return i.healthy.Load() && i.reachable() }

// acquire takes a reference and reports false if the instance was retired.
func (i *instance) acquire() bool {
	for n := i.refs.Load(); n != 0; n = i.refs.Load() {
		if i.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
	return false
}

// letGo returns a reference; the last one ends the drain.
func (i *instance) letGo() {
	if i.refs.Add(-1) == 0 {
		close(i.drained)
	}
}

// leavePlace says that a lease which ends has a place to give back.
func (i *instance) leavePlace() bool {
	for n := i.places.Load(); n > 0; n = i.places.Load() {
		if i.places.CompareAndSwap(n, n-1) {
			return true
		}
	}
	return false
}

// stop asks the process to flush and end, and makes sure that it does.
func (i *instance) stop(patience time.Duration) {
	i.planned.Store(true)
	if i.process.gone() { // before it was told to: whoever sees its end judges it by the state that it had
		<-i.ended
		return
	}
	i.setState(StateStopping)
	i.process.closeLifeline()
	if await(i.process.exited, patience) {
		<-i.ended
		return
	}
	i.process.kill()
	if !await(i.ended, killPatience) {
		i.log.LogAttrs(i.life, slog.LevelError, "plugin process does not end", slog.Int("pid", i.process.pid))
	}
}

// killPatience is how long a process may take to disappear after SIGKILL. One that takes longer hangs in
// the kernel, and waiting for it helps nobody.
const killPatience = 3 * time.Second

// await waits for a channel to be closed and reports whether it was.
func await(done <-chan struct{}, patience time.Duration) bool {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}

// bury waits for the end of the process and removes what is left of it.
func (i *instance) bury(onExit func()) {
	<-i.process.exited
	i.healthy.Store(false)
	onExit()
	// What the plugin wrote last, answers and spans, is in the socket already. The connection ends by
	// itself at its end; a process that inherited the socket must not keep us.
	select {
	case <-i.relayed:
	case <-time.After(2 * pipeGrace):
	}
	i.uncut() // closed here, so that nothing of it is left when ended says so
	i.end()
	_ = i.conn.Close()
	if t := i.tunnel.Load(); t != nil {
		t.Close()
	}
	<-i.relayed
	_ = os.RemoveAll(i.dir)
	i.image.release()
	close(i.ended)
}
