package tunnel_test

import (
	"context"
	"io"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/payrack/payrack/plugins/internal/tunnel"
	"github.com/payrack/payrack/plugins/internal/wire/providerv1"
	"github.com/payrack/payrack/plugins/internal/wire/transportv1"
)

type noTunnel struct {
	transportv1.UnimplementedTunnelServiceServer
}

// silent takes the stream and says nothing.
type silent struct {
	transportv1.UnimplementedTunnelServiceServer
}

func (silent) Open(stream serverStream) error {
	<-stream.Context().Done()
	return stream.Context().Err()
}

// plugin is a plugin's end that does what a test wants with each frame.
type plugin struct {
	transportv1.UnimplementedTunnelServiceServer

	took func(serverStream, *transportv1.CallFrame) error
}

func (p plugin) Open(stream serverStream) error {
	if err := stream.SendHeader(metadata.MD{}); err != nil {
		return err
	}
	for {
		m, err := stream.Recv()
		if err != nil {
			return err
		}
		for _, f := range m.GetFrames() {
			if err := p.took(stream, f); err != nil {
				return err
			}
		}
	}
}

func send(s serverStream, frames ...*transportv1.AnswerFrame) error {
	return s.Send(&transportv1.OpenResponse{Frames: frames})
}

func payload(m proto.Message) []byte {
	out, _ := proto.Marshal(m)
	return out
}

// Whatever a plugin sends, a caller gets an answer that was meant for it, or a status; and it gets it in time.
func TestHostilePlugin(t *testing.T) {
	t.Parallel()
	good := payload(approved("ok"))
	for name, c := range map[string]struct {
		took func(serverStream, *transportv1.CallFrame) error
		want codes.Code
		ends bool // the tunnel does not survive it
	}{
		"good": {took: func(s serverStream, f *transportv1.CallFrame) error {
			return send(s, &transportv1.AnswerFrame{Call: f.GetCall(), Payload: good})
		}},
		"twice": {took: func(s serverStream, f *transportv1.CallFrame) error {
			a := &transportv1.AnswerFrame{Call: f.GetCall(), Payload: good}
			return send(s, a, a, a)
		}},
		"no frames": {took: func(s serverStream, f *transportv1.CallFrame) error {
			_ = send(s)
			return send(s, &transportv1.AnswerFrame{Call: f.GetCall(), Payload: good})
		}},
		"foreign code": {want: codes.Unknown, took: func(s serverStream, f *transportv1.CallFrame) error {
			return send(s, &transportv1.AnswerFrame{Call: f.GetCall(), Code: 4_000_000_000, Payload: good})
		}},
		"garbage": {want: codes.Internal, took: func(s serverStream, f *transportv1.CallFrame) error {
			return send(s, &transportv1.AnswerFrame{Call: f.GetCall(), Payload: []byte("\xff\xff\xff")})
		}},
		"never": {want: codes.DeadlineExceeded, took: func(serverStream, *transportv1.CallFrame) error { return nil }},
		"number of nobody": {want: codes.Unavailable, ends: true, took: func(s serverStream, f *transportv1.CallFrame) error {
			return send(s, &transportv1.AnswerFrame{Call: f.GetCall() + 1, Payload: good})
		}},
		"no number": {want: codes.Unavailable, ends: true, took: func(s serverStream, _ *transportv1.CallFrame) error {
			return send(s, &transportv1.AnswerFrame{Payload: good})
		}},
		"too long": {want: codes.Unavailable, ends: true, took: func(s serverStream, f *transportv1.CallFrame) error {
			return send(s, &transportv1.AnswerFrame{Call: f.GetCall(), Message: strings.Repeat("x", 1<<20-2048), Payload: make([]byte, 2048)})
		}},
		"end": {want: codes.Unavailable, ends: true, took: func(serverStream, *transportv1.CallFrame) error {
			return io.ErrUnexpectedEOF
		}},
		"status of the stream": {want: codes.Unavailable, ends: true, took: func(serverStream, *transportv1.CallFrame) error {
			return status.Error(codes.FailedPrecondition, "no more")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, _ := connect(t, plugin{took: c.took})
			client := dial(t, conn)
			patience := 20 * time.Second
			if c.want == codes.DeadlineExceeded {
				patience = time.Second // nothing ever comes, and the call must have left
			}
			out, err := pay(within(t, patience), client, "")
			if status.Code(err) != c.want || tunnel.NotSent(err) || (err == nil && code(out) != "ok") {
				t.Errorf("%v, %q, want %s", err, code(out), c.want)
			}
			if !c.ends {
				if client.Err() != nil {
					t.Errorf("the tunnel ended: %v", client.Err())
				}
				return
			}
			receive(t, client.Ended(), "the tunnel ends")
		})
	}
}

// An answer that comes after its caller has gone is nobody else's.
func TestLateAnswer(t *testing.T) {
	t.Parallel()
	var late atomic.Uint64
	conn, _ := connect(t, plugin{took: func(s serverStream, f *transportv1.CallFrame) error {
		if f.GetKind() == transportv1.CallKind_CALL_KIND_CANCEL {
			late.Store(f.GetCall())
			return send(s, &transportv1.AnswerFrame{Call: f.GetCall(), Payload: payload(approved("late"))})
		}
		var r providerv1.PayRequest
		if err := proto.Unmarshal(f.GetPayload(), &r); err != nil || r.GetDescription() == "late" {
			return err
		}
		return send(s, &transportv1.AnswerFrame{Call: f.GetCall(), Payload: payload(approved("mine"))})
	}})
	c := dial(t, conn)
	if _, err := pay(within(t, time.Second), c, "late"); status.Code(err) != codes.DeadlineExceeded {
		t.Fatal(err)
	}
	for range 100 {
		if out, err := pay(within(t, 20*time.Second), c, ""); err != nil || code(out) != "mine" {
			t.Fatalf("%v, %q", err, code(out))
		}
	}
	if late.Load() != 1 {
		t.Errorf("cancelled call %d", late.Load())
	}
}

// A plugin that takes nothing holds up no caller beyond its deadline, and what never left is known not to have left.
func TestPluginThatDoesNotRead(t *testing.T) {
	t.Parallel()
	stop := make(chan struct{})
	conn, _ := connect(t, deaf{stop: stop})
	c := dial(t, conn)
	const calls = 60
	type ending struct {
		notSent bool
		code    codes.Code
	}
	ends := make(chan ending, calls)
	long := strings.Repeat("x", 200_000) // in all 12 MB, and a stream's window is 2 MB
	for range calls {
		go func() {
			_, err := pay(within(t, 3*time.Second), c, long)
			ends <- ending{tunnel.NotSent(err), status.Code(err)}
		}()
	}
	kept := 0
	for range calls {
		e := receive(t, ends, "a call ends")
		if e.code != codes.DeadlineExceeded {
			t.Errorf("code %s", e.code)
		}
		if e.notSent {
			kept++
		}
	}
	if kept == 0 || kept == calls {
		t.Errorf("%d of %d calls are known not to have left", kept, calls)
	}
	// A short call after that is not held up either. Whether gRPC took it is another matter.
	if _, err := pay(within(t, 50*time.Millisecond), c, ""); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("a later call: %v", err)
	}
	close(stop)
	receive(t, c.Ended(), "the tunnel ends")
}

// deaf never reads.
type deaf struct {
	transportv1.UnimplementedTunnelServiceServer

	stop chan struct{}
}

func (d deaf) Open(stream serverStream) error {
	if err := stream.SendHeader(metadata.MD{}); err != nil {
		return err
	}
	<-d.stop
	return nil
}

// A host is trusted more than a plugin is, and still its frames are checked.
func TestHostileHost(t *testing.T) {
	t.Parallel()
	start := func(n uint64) *transportv1.CallFrame {
		return &transportv1.CallFrame{
			Call: n, Kind: transportv1.CallKind_CALL_KIND_START, Method: providerv1.ProviderService_Pay_FullMethodName,
			Payload: payload(&providerv1.PayRequest{Description: "d"}),
		}
	}
	cancel := func(n uint64) *transportv1.CallFrame {
		return &transportv1.CallFrame{Call: n, Kind: transportv1.CallKind_CALL_KIND_CANCEL}
	}
	for name, c := range map[string]struct {
		frames []*transportv1.CallFrame
		want   codes.Code // of the stream; OK means that the last frame is answered
		answer codes.Code
	}{
		"good":              {frames: []*transportv1.CallFrame{start(1), start(2)}},
		"gap":               {frames: []*transportv1.CallFrame{start(7), start(900)}},
		"number zero":       {frames: []*transportv1.CallFrame{start(0)}, want: codes.InvalidArgument},
		"number twice":      {frames: []*transportv1.CallFrame{start(1), start(1)}, want: codes.InvalidArgument},
		"number falls":      {frames: []*transportv1.CallFrame{start(2), start(1)}, want: codes.InvalidArgument},
		"no kind":           {frames: []*transportv1.CallFrame{{Call: 1}}, want: codes.InvalidArgument},
		"unknown kind":      {frames: []*transportv1.CallFrame{{Call: 1, Kind: 77}}, want: codes.Unimplemented},
		"cancel of nothing": {frames: []*transportv1.CallFrame{cancel(5), cancel(0), start(6)}},
		"unreadable request": {
			frames: []*transportv1.CallFrame{{Call: 1, Kind: transportv1.CallKind_CALL_KIND_START, Method: providerv1.ProviderService_Pay_FullMethodName, Payload: []byte{0xff}}},
			answer: codes.Internal,
		},
		"endless timeout": {frames: []*transportv1.CallFrame{func() *transportv1.CallFrame {
			f := start(1)
			f.TimeoutUs = math.MaxInt64
			return f
		}()}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			served := tunnel.NewServer(tunnel.Options{})
			providerv1.RegisterProviderServiceServer(served, &service{pay: echo})
			conn, _ := connect(t, served)
			stream, err := transportv1.NewTunnelServiceClient(conn).Open(within(t, 20*time.Second))
			if err != nil {
				t.Fatal(err)
			}
			if err := stream.Send(&transportv1.OpenRequest{Frames: c.frames}); err != nil {
				t.Fatal(err)
			}
			last, err := lastAnswer(stream, c.frames[len(c.frames)-1].GetCall(), c.want == codes.OK)
			if status.Code(err) != c.want || (err == nil && codes.Code(last.GetCode()) != c.answer) {
				t.Errorf("stream %v, answer %v", err, last)
			}
		})
	}
}

// lastAnswer reads until the call is answered, or until the stream ends if nothing is to be answered.
func lastAnswer(stream clientStream, call uint64, answered bool) (*transportv1.AnswerFrame, error) {
	for {
		m, err := stream.Recv()
		if err != nil {
			return nil, err
		}
		for _, f := range m.GetFrames() {
			if f.GetCall() == call && answered {
				return f, nil
			}
		}
	}
}

func TestOpenCallsAreBounded(t *testing.T) {
	t.Parallel()
	release, began := make(chan struct{}), make(chan struct{}, 2)
	c, _ := open(t, tunnel.Options{MaxCalls: 2}, func(ctx context.Context, r *providerv1.PayRequest) (*providerv1.PayResponse, error) {
		began <- struct{}{}
		<-release
		return echo(ctx, r)
	})
	results := make(chan error, 2)
	for range 2 {
		go func() {
			_, err := pay(t.Context(), c, "")
			results <- err
		}()
		receive(t, began, "a call begins")
	}
	if _, err := pay(within(t, 20*time.Second), c, ""); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("the third of two: %v", err)
	}
	close(release)
	for range 2 {
		if err := receive(t, results, "a call ends"); err != nil {
			t.Error(err)
		}
	}
}
