package tunnel

import (
	"errors"
	"runtime"
	"slices"
	"sync"
)

// errClosed says that nothing is sent any more.
var errClosed = errors.New("the tunnel has ended")

// outbox sends frames in the order in which they came, as many in one message as have queued up. One goroutine
// sends at a time: the one that brought a frame while nobody was sending, or the pump.
type outbox[F any] struct {
	send func([]F) error
	size func(F) int
	wake chan struct{} // has room for one

	mu      sync.Mutex
	frames  []F
	spare   []F // what was sent last, to be used again
	sending bool
	closed  bool
	quiet   chan struct{} // closed when the last frame was sent after close
	put     int64         // bytes that were ever queued
	seen    int64         // bytes of those that the other side is known to have read
}

func newOutbox[F any](send func([]F) error, size func(F) int) *outbox[F] {
	return &outbox[F]{send: send, size: size, wake: make(chan struct{}, 1)}
}

// add queues a frame. turn is true if it is the caller's turn to have it sent: by flush. at is the place of the
// frame in all that was ever queued, for confirm.
func (o *outbox[F]) add(f F) (at int64, turn bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return 0, false, errClosed
	}
	o.frames = append(o.frames, f)
	o.put += int64(o.size(f))
	turn, o.sending = !o.sending, true
	return o.put, turn, nil
}

// flush sends one message. What came meanwhile is the pump's. Who must not be held up here calls it only while
// unseen is small.
func (o *outbox[F]) flush() error {
	err := o.message()
	if err == nil && !o.done() {
		o.hand()
	}
	return err
}

// hand leaves it to the pump to send.
func (o *outbox[F]) hand() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// pump sends what was handed to it until stop is closed or sending fails.
func (o *outbox[F]) pump(stop <-chan struct{}) error {
	for {
		select {
		case <-o.wake:
		case <-stop:
			return nil
		}
		for more := true; more; more = !o.done() {
			runtime.Gosched() // whoever can run goes first: their frames join the message
			if err := o.message(); err != nil {
				return err
			}
		}
	}
}

// message sends what has queued up, within the bounds of one message.
func (o *outbox[F]) message() error {
	o.mu.Lock()
	batch, bytes := o.spare[:0], 0
	for _, f := range o.frames {
		if bytes += o.size(f); bytes > batchBytes && len(batch) > 0 {
			break
		}
		batch = append(batch, f)
	}
	o.frames = slices.Delete(o.frames, 0, len(batch))
	o.spare = nil
	o.mu.Unlock()
	if len(batch) == 0 {
		return nil // it was withdrawn
	}
	err := o.send(batch)
	clear(batch)
	o.mu.Lock()
	o.spare = batch
	o.mu.Unlock()
	return err
}

// done ends the turn of whoever sends, if nothing waits.
func (o *outbox[F]) done() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.frames) > 0 {
		return false
	}
	o.sending = false
	if o.quiet != nil {
		close(o.quiet)
		o.quiet = nil
	}
	return true
}

// withdraw takes a frame back and reports whether it was still there: then nobody has seen it.
func (o *outbox[F]) withdraw(which func(F) bool) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	i := slices.IndexFunc(o.frames, which)
	if i < 0 {
		return false
	}
	o.frames = slices.Delete(o.frames, i, i+1)
	return true
}

// confirm says that the other side has read everything up to that place.
func (o *outbox[F]) confirm(at int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.seen = max(o.seen, at)
}

// unseen is how many bytes the other side is not known to have read. Withdrawn frames count, which is on the safe
// side.
func (o *outbox[F]) unseen() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.put - o.seen
}

// close takes no more frames. The channel is closed when what was taken has been sent; the pump must be running.
func (o *outbox[F]) close() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	quiet := make(chan struct{})
	if !o.sending {
		close(quiet)
		return quiet
	}
	o.quiet = quiet
	return quiet
}
