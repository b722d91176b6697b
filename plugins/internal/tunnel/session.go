package tunnel

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/payrack/payrack/plugins/internal/wire/transportv1"
)

// idleWorkers is how many goroutines a session keeps for the next calls. A kept goroutine has a grown stack; a new
// one copies its stack several times in a call. If all are busy a call has a new one, so this is no limit.
const idleWorkers = 64

// session is one tunnel at the plugin.
type session struct {
	server *Server
	stream grpc.BidiStreamingServer[transportv1.OpenRequest, transportv1.OpenResponse]
	out    *outbox[*transportv1.AnswerFrame]
	base   context.Context //nolint:containedctx // what every call's context is made of: the stream's, without its end
	next   chan *work      // closed by read
	idle   atomic.Int64

	last uint64 // belongs to read

	mu      sync.Mutex
	cancels map[uint64]context.CancelFunc // of the open calls
	drained chan struct{}                 // made by drain, closed when no call is open
}

// work is a call that waits for a goroutine.
type work struct {
	ctx   context.Context //nolint:containedctx // it is handed from one goroutine to another
	frame *transportv1.CallFrame
}

func newSession(s *Server, stream grpc.BidiStreamingServer[transportv1.OpenRequest, transportv1.OpenResponse]) *session {
	return &session{
		server: s, stream: stream,
		out: newOutbox(func(frames []*transportv1.AnswerFrame) error {
			return stream.Send(&transportv1.OpenResponse{Frames: frames})
		}, answerSize),
		// Calls are cancelled by end: a child of the stream's context would be registered in a list that all share.
		base: context.WithoutCancel(stream.Context()),
		next: make(chan *work), cancels: map[uint64]context.CancelFunc{},
	}
}

func answerSize(f *transportv1.AnswerFrame) int {
	return len(f.GetPayload()) + len(f.GetMessage()) + 32
}

// read takes the frames until the stream ends. It is never held up by a call.
func (t *session) read() error {
	defer close(t.next)
	for {
		m, err := t.stream.Recv()
		if err != nil {
			return err
		}
		for _, f := range m.GetFrames() {
			if err := t.take(f); err != nil {
				return err
			}
		}
	}
}

func (t *session) take(f *transportv1.CallFrame) error {
	switch f.GetKind() {
	case transportv1.CallKind_CALL_KIND_START:
		if f.GetCall() <= t.last {
			return status.Error(codes.InvalidArgument, "the numbers of calls rise")
		}
		t.last = f.GetCall()
		t.start(f)
		return nil
	case transportv1.CallKind_CALL_KIND_CANCEL:
		t.mu.Lock()
		cancel := t.cancels[f.GetCall()]
		t.mu.Unlock()
		if cancel != nil {
			cancel()
		}
		return nil
	case transportv1.CallKind_CALL_KIND_UNSPECIFIED:
		return status.Error(codes.InvalidArgument, "a frame has no kind")
	default:
		return status.Error(codes.Unimplemented, "a frame has a kind that this plugin does not know")
	}
}

// start gives a call to an idle worker, or to a new one.
func (t *session) start(f *transportv1.CallFrame) {
	ctx, cancel := t.context(f)
	t.mu.Lock()
	full, ending := len(t.cancels) >= t.server.options.MaxCalls, t.drained != nil
	if !full && !ending {
		t.cancels[f.GetCall()] = cancel
	}
	t.mu.Unlock()
	switch {
	case full:
		cancel()
		t.answer(refused(f, codes.ResourceExhausted, "the plugin has too many open calls"))
		return
	case ending:
		cancel()
		t.answer(refused(f, codes.Unavailable, "the plugin is ending"))
		return
	}
	w := &work{ctx: ctx, frame: f}
	select {
	case t.next <- w:
	default:
		go t.worker(w)
	}
}

func (t *session) context(f *transportv1.CallFrame) (context.Context, context.CancelFunc) {
	switch us := f.GetTimeoutUs(); {
	case us == 0:
		return context.WithCancel(t.base)
	case us < 0:
		return context.WithTimeout(t.base, 0)
	case us > maxTimeout.Microseconds():
		return context.WithTimeout(t.base, maxTimeout)
	default:
		return context.WithTimeout(t.base, time.Duration(us)*time.Microsecond)
	}
}

// worker runs calls, the first of them w.
func (t *session) worker(w *work) {
	for ok := true; ok; {
		t.run(w)
		if t.idle.Add(1) > idleWorkers {
			t.idle.Add(-1)
			return
		}
		w, ok = <-t.next
		t.idle.Add(-1)
	}
}

func (t *session) run(w *work) {
	t.answer(t.server.call(w.ctx, w.frame))
	t.mu.Lock()
	cancel := t.cancels[w.frame.GetCall()]
	delete(t.cancels, w.frame.GetCall())
	if t.drained != nil && len(t.cancels) == 0 {
		close(t.drained)
	}
	t.mu.Unlock()
	cancel()
}

// answer sends the end of a call. When the tunnel has ended there is nobody to tell.
func (t *session) answer(f *transportv1.AnswerFrame) {
	_, turn, err := t.out.add(f)
	if err != nil || !turn {
		return
	}
	t.mu.Lock()
	few := len(t.cancels) <= fewCalls
	t.mu.Unlock()
	if !few {
		t.out.hand()
		return
	}
	_ = t.out.flush() // when it cannot send, reading ends as well
}

// drain takes no more calls. The channel is closed when the open ones have been answered.
func (t *session) drain() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.drained = make(chan struct{})
	if len(t.cancels) == 0 {
		close(t.drained)
	}
	return t.drained
}

// end cancels the calls that are open: nobody can be told how they end.
func (t *session) end() {
	_ = t.out.close()
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, cancel := range t.cancels {
		cancel()
	}
}

func validUTF8(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
