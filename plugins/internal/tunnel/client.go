package tunnel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/payrack/payrack/plugins/internal/handshake"
	"github.com/payrack/payrack/plugins/internal/wire/transportv1"
)

// errForeign ends a tunnel whose other side does not keep to the protocol.
var errForeign = errors.New("the plugin does not keep to the tunnel's protocol")

// unseenMax is how much may be under way for a caller to send by itself. gRPC holds up a sender when 64 KiB are
// not written yet, and no caller may be held up by a plugin that does not read: it has a deadline.
const unseenMax = 32 << 10

// Client is the host's end of a tunnel.
type Client struct {
	conn   grpc.ClientConnInterface
	stream grpc.BidiStreamingClient[transportv1.OpenRequest, transportv1.OpenResponse]
	out    *outbox[*transportv1.CallFrame]
	cancel context.CancelFunc
	ended  chan struct{}
	work   sync.WaitGroup

	mu     sync.Mutex
	calls  map[uint64]*pending
	given  map[uint64]time.Time // when a call was given up that the other side still owes the end of
	last   uint64
	broken error
}

// pending is a call that has no answer yet.
type pending struct {
	at   int64       // its place in the outbox
	done chan answer // has room for the one answer
}

type answer struct {
	frame *transportv1.AnswerFrame
	err   error
}

// Open begins a tunnel over a connection whose other side serves it. Ctx bounds the opening only; the tunnel lives
// until Close, or until the stream ends, which closes Ended.
func Open(ctx context.Context, conn grpc.ClientConnInterface) (*Client, error) {
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, cancel)
	stream, err := transportv1.NewTunnelServiceClient(conn).Open(life, grpc.MaxCallRecvMsgSize(handshake.MaxMessage))
	if err == nil {
		err = served(stream)
	}
	if err == nil && !stop() {
		err = context.Cause(ctx)
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("open the tunnel: %w", err)
	}
	c := &Client{conn: conn, stream: stream, cancel: cancel, ended: make(chan struct{}), calls: map[uint64]*pending{}, given: map[uint64]time.Time{}}
	c.out = newOutbox(func(frames []*transportv1.CallFrame) error {
		return stream.Send(&transportv1.OpenRequest{Frames: frames})
	}, callSize)
	c.work.Go(c.read)
	c.work.Go(func() {
		c.sent(c.out.pump(c.ended))
	})
	return c, nil
}

// served waits for the header, which the other side sends at once. Without one the stream has ended already.
func served(stream grpc.BidiStreamingClient[transportv1.OpenRequest, transportv1.OpenResponse]) error {
	header, err := stream.Header()
	if err == nil && header == nil {
		if _, err = stream.Recv(); err == nil {
			err = errForeign
		}
	}
	return err
}

func callSize(f *transportv1.CallFrame) int {
	return len(f.GetPayload()) + len(f.GetMethod()) + len(f.GetTraceparent()) + len(f.GetTracestate()) + 32
}

// Ended is closed when the stream has ended, for whatever reason. Every call then has its status.
func (c *Client) Ended() <-chan struct{} { return c.ended }

// Err says why the tunnel ended, or nil while it lives.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.broken
}

// Close ends the tunnel and waits until nothing of it is left.
func (c *Client) Close() {
	c.fail(errClosed)
	c.work.Wait()
}

// NewStream implements grpc.ClientConnInterface: streams do not go through the tunnel.
func (c *Client) NewStream(ctx context.Context, d *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	return c.conn.NewStream(ctx, d, method, opts...)
}

// Invoke implements grpc.ClientConnInterface. Options have no effect. Whatever the error, the call may have been
// carried out, unless NotSent says otherwise.
func (c *Client) Invoke(ctx context.Context, method string, args, reply any, _ ...grpc.CallOption) error {
	f, err := newCallFrame(ctx, method, args)
	if err != nil {
		return err
	}
	p := &pending{done: make(chan answer, 1)}
	if err := c.begin(p, f); err != nil {
		return err
	}
	select {
	case a := <-p.done:
		return a.read(reply)
	case <-ctx.Done():
	}
	a, how := c.abandon(p, f.GetCall())
	if how == answered {
		return a.read(reply)
	}
	st := status.FromContextError(ctx.Err())
	if how == withdrawn {
		return &notSentError{st}
	}
	return st.Err()
}

// NotSent reports whether an error of Invoke proves that nothing of the call has left this process.
func NotSent(err error) bool {
	_, ok := errors.AsType[*notSentError](err)
	return ok
}

// notSentError is the status of a call that stayed here.
type notSentError struct{ status *status.Status }

func (e *notSentError) Error() string { return e.status.Err().Error() }

// GRPCStatus lets the package status read it.
func (e *notSentError) GRPCStatus() *status.Status { return e.status }

func newCallFrame(ctx context.Context, method string, args any) (*transportv1.CallFrame, error) {
	message, ok := args.(proto.Message)
	if !ok {
		return nil, status.Errorf(codes.Internal, "%T is no message", args)
	}
	payload, err := proto.Marshal(message)
	switch {
	case err != nil:
		return nil, status.Error(codes.Internal, "the request cannot be encoded")
	case len(payload) > maxPayload || len(method) > maxMethod:
		return nil, status.Error(codes.ResourceExhausted, "the request is too long")
	}
	f := &transportv1.CallFrame{Kind: transportv1.CallKind_CALL_KIND_START, Method: method, Payload: payload}
	if until, ok := ctx.Deadline(); ok {
		left := time.Until(until)
		if left <= 0 {
			return nil, status.Error(codes.DeadlineExceeded, context.DeadlineExceeded.Error())
		}
		f.TimeoutUs = max(1, left.Microseconds())
	}
	if md, ok := metadata.FromOutgoingContext(ctx); ok {
		f.Traceparent, f.Tracestate = header(md, traceparent, maxParent), header(md, tracestate, maxState)
	}
	return f, nil
}

// begin numbers the call and sends its frame.
func (c *Client) begin(p *pending, f *transportv1.CallFrame) error {
	c.mu.Lock()
	if c.broken != nil {
		defer c.mu.Unlock()
		return &notSentError{status.Convert(unavailable(c.broken))}
	}
	c.last++
	f.Call = c.last
	at, turn, err := c.out.add(f) // under the lock: the numbers rise
	if err != nil {
		defer c.mu.Unlock()
		return &notSentError{status.Convert(unavailable(err))}
	}
	p.at = at
	c.calls[f.GetCall()] = p
	few := len(c.calls) <= fewCalls
	c.mu.Unlock()
	if turn {
		c.flush(few)
	}
	return nil
}

// flush has the frames sent: at once if that cannot hold up the caller, or else by the pump.
func (c *Client) flush(now bool) {
	if !now || c.out.unseen() > unseenMax {
		c.out.hand()
		return
	}
	c.sent(c.out.flush())
}

// sent ends the tunnel if a message could not be sent. The end of the stream is known better to read, which also has
// its status.
func (c *Client) sent(err error) {
	if err != nil && !errors.Is(err, io.EOF) {
		c.fail(err)
	}
}

// abandoned is how far a call had come when its caller gave it up.
type abandoned int

const (
	answered  abandoned = iota // its answer is there
	withdrawn                  // the plugin has not seen it
	cancelled                  // the plugin is told
)

// abandon gives a call up, unless its answer is there.
func (c *Client) abandon(p *pending, call uint64) (answer, abandoned) {
	c.mu.Lock()
	_, waiting := c.calls[call]
	delete(c.calls, call)
	if waiting {
		c.given[call] = time.Now()
	}
	c.mu.Unlock()
	if !waiting {
		return <-p.done, answered
	}
	if c.out.withdraw(func(f *transportv1.CallFrame) bool { return f.GetCall() == call }) {
		c.mu.Lock()
		delete(c.given, call)
		c.mu.Unlock()
		return answer{}, withdrawn
	}
	_, turn, err := c.out.add(&transportv1.CallFrame{Call: call, Kind: transportv1.CallKind_CALL_KIND_CANCEL})
	if err == nil && turn {
		c.flush(true)
	}
	return answer{}, cancelled
}

// Overdue is how many calls the other side has not ended although they were given up longer than grace ago. Each is told once.
func (c *Client) Overdue(grace time.Duration) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for call, at := range c.given {
		if time.Since(at) > grace {
			delete(c.given, call)
			n++
		}
	}
	return n
}

// read takes the answers until the stream ends.
func (c *Client) read() {
	for {
		m, err := c.stream.Recv()
		if err != nil {
			c.fail(err)
			return
		}
		for _, f := range m.GetFrames() {
			if !c.deliver(f) {
				c.fail(errForeign)
				return
			}
		}
	}
}

// deliver gives an answer to whoever waits for it. It reports false for a call that was never made.
func (c *Client) deliver(f *transportv1.AnswerFrame) bool {
	c.mu.Lock()
	if f.GetCall() == 0 || f.GetCall() > c.last {
		c.mu.Unlock()
		return false
	}
	p, waiting := c.calls[f.GetCall()]
	delete(c.calls, f.GetCall())
	delete(c.given, f.GetCall())
	c.mu.Unlock()
	if waiting {
		c.out.confirm(p.at)
		p.done <- answer{frame: f}
	}
	return true
}

// fail ends the tunnel and all calls in it.
func (c *Client) fail(err error) {
	c.mu.Lock()
	if c.broken != nil {
		c.mu.Unlock()
		return
	}
	c.broken = err
	calls := c.calls
	c.calls = nil
	clear(c.given)
	c.mu.Unlock()
	_ = c.out.close()
	close(c.ended)
	c.cancel()
	for _, p := range calls {
		p.done <- answer{err: unavailable(err)}
	}
}

func unavailable(err error) error {
	return status.Error(codes.Unavailable, "the connection to the plugin broke: "+err.Error())
}

func (a answer) read(reply any) error {
	if a.err != nil {
		return a.err
	}
	if code := a.frame.GetCode(); code != uint32(codes.OK) {
		if code > uint32(codes.Unauthenticated) {
			code = uint32(codes.Unknown)
		}
		return status.Error(codes.Code(code), a.frame.GetMessage())
	}
	message, ok := reply.(proto.Message)
	if !ok {
		return status.Errorf(codes.Internal, "%T is no message", reply)
	}
	if err := proto.Unmarshal(a.frame.GetPayload(), message); err != nil {
		return status.Error(codes.Internal, "the answer cannot be read")
	}
	return nil
}
