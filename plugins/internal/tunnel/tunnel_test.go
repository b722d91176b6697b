package tunnel_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/payrack/payrack/plugins/internal/tunnel"
	"github.com/payrack/payrack/plugins/internal/wire/providerv1"
)

// Each caller gets its own answer, whatever the sizes, the order and the number of those that call beside it.
func TestEveryCallerGetsItsOwnAnswer(t *testing.T) {
	t.Parallel()
	c, _ := open(t, tunnel.Options{}, func(ctx context.Context, r *providerv1.PayRequest) (*providerv1.PayResponse, error) {
		if r.GetCapture() {
			time.Sleep(rand.N(2 * time.Millisecond))
		}
		return echo(ctx, r)
	})
	client := providerv1.NewProviderServiceClient(c)
	ctx := within(t, time.Minute)
	var all sync.WaitGroup
	for caller := range 64 {
		all.Go(func() {
			for n := range 40 {
				want := fmt.Sprintf("%d/%d/%s", caller, n, strings.Repeat("x", rand.IntN(20_000)))
				out, err := client.Pay(ctx, &providerv1.PayRequest{Description: want, Capture: n%2 == 0})
				if err != nil || code(out) != want {
					t.Errorf("%.10s: %v, %.20q", want, err, code(out))
					return
				}
			}
		})
	}
	all.Wait()
}

func TestWhatTravelsWithACall(t *testing.T) {
	t.Parallel()
	type seen struct {
		left   time.Duration
		timed  bool
		md     metadata.MD
		method string
	}
	calls := make(chan seen, 1)
	var method atomic.Pointer[string]
	c, _ := open(t, tunnel.Options{Interceptor: func(ctx context.Context, r any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		method.Store(&info.FullMethod)
		return next(ctx, r)
	}}, func(ctx context.Context, r *providerv1.PayRequest) (*providerv1.PayResponse, error) {
		until, timed := ctx.Deadline()
		md, _ := metadata.FromIncomingContext(ctx)
		calls <- seen{time.Until(until), timed, md, *method.Load()}
		return echo(ctx, r)
	})
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	ctx := metadata.NewOutgoingContext(within(t, time.Hour), metadata.MD{"traceparent": {parent}, "tracestate": {"a=1", "b=2"}, "other": {"x"}})
	if _, err := pay(ctx, c, ""); err != nil {
		t.Fatal(err)
	}
	got := receive(t, calls, "the call")
	if !got.timed || got.left > time.Hour || got.left < 59*time.Minute {
		t.Errorf("time left %s, %v", got.left, got.timed)
	}
	if got.method != providerv1.ProviderService_Pay_FullMethodName {
		t.Errorf("method %q", got.method)
	}
	if fmt.Sprint(got.md) != fmt.Sprint(metadata.MD{"traceparent": {parent}, "tracestate": {"a=1,b=2"}}) {
		t.Errorf("metadata %v", got.md)
	}

	if _, err := pay(t.Context(), c, ""); err != nil {
		t.Fatal(err)
	}
	if got := receive(t, calls, "the call"); got.timed || len(got.md["traceparent"]) > 0 {
		t.Errorf("a call without deadline and trace: %+v", got)
	}

	// A state that is too long is left out, and the call is not.
	ctx = metadata.NewOutgoingContext(t.Context(), metadata.MD{"traceparent": {parent}, "tracestate": {strings.Repeat("x", 513)}})
	if _, err := pay(ctx, c, ""); err != nil {
		t.Fatal(err)
	}
	if got := receive(t, calls, "the call"); len(got.md["traceparent"]) != 1 || len(got.md["tracestate"]) != 0 {
		t.Errorf("metadata %v", got.md)
	}
}

func TestStatusOfACall(t *testing.T) {
	t.Parallel()
	panics := make(chan string, 1)
	c, _ := open(t, tunnel.Options{Panicked: func(_ context.Context, method string, value any) {
		panics <- fmt.Sprint(method, value)
	}}, func(_ context.Context, r *providerv1.PayRequest) (*providerv1.PayResponse, error) {
		switch r.GetDescription() {
		case "status":
			return nil, status.Error(codes.FailedPrecondition, "a reason \xff")
		case "error":
			return nil, errors.New("no status")
		case "long-reason":
			return nil, status.Error(codes.Aborted, strings.Repeat("r", 2<<20))
		case "panic":
			panic("a value")
		case "long-answer":
			return approved(strings.Repeat("x", 1<<20)), nil
		case "nil":
			return nil, nil
		default:
			return approved("ok"), nil
		}
	})
	ctx := within(t, time.Minute)
	for description, want := range map[string]codes.Code{
		"status": codes.FailedPrecondition, "error": codes.Unknown, "long-reason": codes.Aborted, "panic": codes.Internal,
		"long-answer": codes.ResourceExhausted, "nil": codes.OK, "good": codes.OK, strings.Repeat("x", 1<<20): codes.ResourceExhausted,
	} {
		if _, err := pay(ctx, c, description); status.Code(err) != want || tunnel.NotSent(err) {
			t.Errorf("%.20s: %.100v, want %s", description, err, want)
		}
	}
	if got := receive(t, panics, "the panic is told"); got != providerv1.ProviderService_Pay_FullMethodName+"a value" {
		t.Error(got)
	}
	if err := c.Invoke(ctx, "/no.Service/Method", &providerv1.PayRequest{}, &providerv1.PayResponse{}); status.Code(err) != codes.Unimplemented {
		t.Errorf("no such method: %v", err)
	}
	// The largest request that the host hands over is no exception.
	if out, err := pay(ctx, c, strings.Repeat("x", 1<<20-1024-8)); err != nil || code(out) != "ok" {
		t.Errorf("the largest request: %.100v", err)
	}
}

func TestCancelReachesTheHandler(t *testing.T) {
	t.Parallel()
	began, ended := make(chan struct{}, 1), make(chan error, 1)
	c, _ := open(t, tunnel.Options{}, func(ctx context.Context, r *providerv1.PayRequest) (*providerv1.PayResponse, error) {
		if r.GetDescription() == "wait" {
			began <- struct{}{}
			<-ctx.Done()
			ended <- ctx.Err()
		}
		return approved("ok"), nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() {
		_, err := pay(ctx, c, "wait")
		result <- err
	}()
	receive(t, began, "the call begins")
	cancel()
	if err := receive(t, result, "the call ends"); status.Code(err) != codes.Canceled || tunnel.NotSent(err) {
		t.Errorf("the caller sees %v", err)
	}
	if err := receive(t, ended, "the handler is cancelled"); !errors.Is(err, context.Canceled) {
		t.Errorf("the handler sees %v", err)
	}
	if _, err := pay(within(t, time.Minute), c, "next"); err != nil {
		t.Errorf("the next call: %v", err)
	}
}

func TestDeadline(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 1)
	c, _ := open(t, tunnel.Options{}, func(ctx context.Context, _ *providerv1.PayRequest) (*providerv1.PayResponse, error) {
		<-ctx.Done()
		ended <- ctx.Err()
		return nil, status.Error(codes.Aborted, "too late")
	})
	_, err := pay(within(t, time.Second), c, "")
	if got := status.Code(err); got != codes.DeadlineExceeded && got != codes.Aborted {
		t.Errorf("the caller sees %v", err)
	}
	if err := receive(t, ended, "the handler's time is up"); err == nil {
		t.Error("the handler has no error")
	}
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	if _, err := pay(ctx, c, ""); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("a deadline that has passed: %v", err)
	}
}

// giveUp ends calls of c by their caller after the plugin has begun with them, of which it says so.
func giveUp(t *testing.T, c *tunnel.Client, begun <-chan struct{}, descriptions ...string) {
	t.Helper()
	for _, description := range descriptions {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { _, err := pay(ctx, c, description); ended <- err }()
		receive(t, begun, "the call begins")
		cancel()
		if err := receive(t, ended, "the call ends"); status.Code(err) != codes.Canceled {
			t.Errorf("%s: %v", description, err)
		}
	}
}

// A plugin owes the end of a call also when nobody waits for it any more. One that does not tell it goes on with the call.
func TestCallsThatGoOn(t *testing.T) {
	t.Parallel()
	release, begun := make(chan struct{}), make(chan struct{})
	c, _ := open(t, tunnel.Options{}, func(ctx context.Context, r *providerv1.PayRequest) (*providerv1.PayResponse, error) {
		begun <- struct{}{}
		if r.GetDescription() == "obeys" {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		<-release
		return approved("late"), nil
	})
	settled := func(owed int) {
		for end := time.Now().Add(20 * time.Second); c.Owed() != owed; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%d calls have not ended, want %d", c.Owed(), owed)
			}
		}
	}
	giveUp(t, c, begun, "obeys", "obeys", "obeys")
	settled(0)
	giveUp(t, c, begun, "goes on", "goes on", "goes on")
	settled(3)
	if n := c.Overdue(time.Hour); n != 0 {
		t.Errorf("%d are told before their grace is over", n)
	}
	giveUp(t, c, begun, "goes on")
	close(release)
	settled(0)
	if n := c.Overdue(0); n != 0 {
		t.Errorf("%d are told that have ended", n)
	}
}

// What a plugin never ends is told once, and not kept.
func TestCallsThatNeverEnd(t *testing.T) {
	t.Parallel()
	begun := make(chan struct{})
	c, _ := open(t, tunnel.Options{}, func(context.Context, *providerv1.PayRequest) (*providerv1.PayResponse, error) {
		begun <- struct{}{}
		<-t.Context().Done()
		return nil, nil
	})
	giveUp(t, c, begun, "1", "2", "3", "4")
	if n := c.Overdue(0); n != 4 {
		t.Errorf("%d calls go on, want 4", n)
	}
	if n := c.Overdue(0); n != 0 || c.Owed() != 0 {
		t.Errorf("%d are told again, %d kept", n, c.Owed())
	}
}

// The end of the connection is the end of every call, each with a status that proves nothing; what comes afterwards
// has not been sent, and says so.
func TestBrokenConnection(t *testing.T) {
	t.Parallel()
	const calls = 50
	var open sync.WaitGroup
	open.Add(calls)
	served := tunnel.NewServer(tunnel.Options{})
	cancelled := make(chan struct{}, calls)
	providerv1.RegisterProviderServiceServer(served, &service{pay: func(ctx context.Context, _ *providerv1.PayRequest) (*providerv1.PayResponse, error) {
		open.Done()
		<-ctx.Done()
		cancelled <- struct{}{}
		return nil, ctx.Err()
	}})
	conn, server := connect(t, served)
	c := dial(t, conn)
	results := make(chan error, calls)
	for range calls {
		go func() {
			_, err := pay(t.Context(), c, "")
			results <- err
		}()
	}
	open.Wait()
	go server.Stop()
	for range calls {
		if err := receive(t, results, "a call ends"); status.Code(err) != codes.Unavailable || tunnel.NotSent(err) {
			t.Errorf("%v, not sent %v", err, tunnel.NotSent(err))
		}
		receive(t, cancelled, "a handler is cancelled")
	}
	receive(t, c.Ended(), "the tunnel has ended")
	if c.Err() == nil {
		t.Error("the tunnel ended without a reason")
	}
	if _, err := pay(t.Context(), c, ""); status.Code(err) != codes.Unavailable || !tunnel.NotSent(err) {
		t.Errorf("afterwards: %v, not sent %v", err, tunnel.NotSent(err))
	}
}

// A plugin that ends answers what it has begun and takes nothing new.
func TestDrain(t *testing.T) {
	t.Parallel()
	began, release := make(chan struct{}, 1), make(chan struct{})
	c, served := open(t, tunnel.Options{}, func(ctx context.Context, r *providerv1.PayRequest) (*providerv1.PayResponse, error) {
		if r.GetDescription() == "wait" {
			began <- struct{}{}
			<-release
		}
		return echo(ctx, r)
	})
	result := make(chan error, 1)
	go func() {
		_, err := pay(t.Context(), c, "wait")
		result <- err
	}()
	receive(t, began, "the call begins")
	served.Drain()
	served.Drain()
	ctx := within(t, time.Minute)
	for {
		_, err := pay(ctx, c, "new")
		if status.Code(err) == codes.Unavailable {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	close(release)
	if err := receive(t, result, "the open call is answered"); err != nil {
		t.Error(err)
	}
	receive(t, c.Ended(), "the tunnel has ended")
}

func TestCloseEndsCalls(t *testing.T) {
	t.Parallel()
	began := make(chan struct{}, 1)
	c, _ := open(t, tunnel.Options{}, func(ctx context.Context, _ *providerv1.PayRequest) (*providerv1.PayResponse, error) {
		began <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	})
	result := make(chan error, 1)
	go func() {
		_, err := pay(t.Context(), c, "")
		result <- err
	}()
	receive(t, began, "the call begins")
	c.Close()
	c.Close()
	if err := receive(t, result, "the call ends"); status.Code(err) != codes.Unavailable || tunnel.NotSent(err) {
		t.Errorf("%v", err)
	}
}

func TestOpenNeedsAServer(t *testing.T) {
	t.Parallel()
	conn, _ := connect(t, noTunnel{})
	if _, err := tunnel.Open(within(t, 20*time.Second), conn); status.Code(err) != codes.Unimplemented {
		t.Errorf("%v", err)
	}
	conn, _ = connect(t, silent{})
	if _, err := tunnel.Open(within(t, 50*time.Millisecond), conn); err == nil {
		t.Error("a server that says nothing was taken for one with the tunnel")
	}
}
