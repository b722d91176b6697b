package tunnel_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/payrack/payrack/plugins/internal/handshake"
	"github.com/payrack/payrack/plugins/internal/tunnel"
	"github.com/payrack/payrack/plugins/internal/wire/providerv1"
	"github.com/payrack/payrack/plugins/internal/wire/transportv1"
)

type (
	serverStream = grpc.BidiStreamingServer[transportv1.OpenRequest, transportv1.OpenResponse]
	clientStream = grpc.BidiStreamingClient[transportv1.OpenRequest, transportv1.OpenResponse]
)

// service is the contract as each test wants it.
type service struct {
	providerv1.UnimplementedProviderServiceServer

	pay func(context.Context, *providerv1.PayRequest) (*providerv1.PayResponse, error)
}

func (s *service) Pay(ctx context.Context, r *providerv1.PayRequest) (*providerv1.PayResponse, error) {
	return s.pay(ctx, r)
}

// connect serves the tunnel on a real socket, with the limits that host and SDK set, and connects to it.
func connect(t *testing.T, served transportv1.TunnelServiceServer) (*grpc.ClientConn, *grpc.Server) {
	t.Helper()
	dir, err := os.MkdirTemp("", "prt") //nolint:usetesting // a socket path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	l, err := new(net.ListenConfig).Listen(t.Context(), "unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(
		grpc.MaxRecvMsgSize(handshake.MaxMessage), grpc.MaxSendMsgSize(handshake.MaxMessage),
		grpc.StaticStreamWindowSize(handshake.StreamWindow), grpc.StaticConnWindowSize(handshake.ConnWindow))
	transportv1.RegisterTunnelServiceServer(server, served)
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)
	conn, err := grpc.NewClient("unix:"+l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDisableRetry(),
		grpc.WithStaticStreamWindowSize(handshake.StreamWindow), grpc.WithStaticConnWindowSize(handshake.ConnWindow))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn, server
}

// open serves pay through a tunnel.
func open(t *testing.T, o tunnel.Options, pay func(context.Context, *providerv1.PayRequest) (*providerv1.PayResponse, error)) (*tunnel.Client, *tunnel.Server) {
	t.Helper()
	served := tunnel.NewServer(o)
	providerv1.RegisterProviderServiceServer(served, &service{pay: pay})
	conn, _ := connect(t, served)
	return dial(t, conn), served
}

func dial(t *testing.T, conn grpc.ClientConnInterface) *tunnel.Client {
	t.Helper()
	c, err := tunnel.Open(within(t, 20*time.Second), conn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// echo answers with the description of the request.
func echo(_ context.Context, r *providerv1.PayRequest) (*providerv1.PayResponse, error) {
	return approved(r.GetDescription()), nil
}

func approved(code string) *providerv1.PayResponse {
	return &providerv1.PayResponse{Answer: &providerv1.Answer{Known: &providerv1.Answer_Result{Result: &providerv1.Result{
		Outcome: providerv1.Outcome_OUTCOME_APPROVED, ProviderCode: code,
	}}}}
}

func code(r *providerv1.PayResponse) string { return r.GetAnswer().GetResult().GetProviderCode() }

func pay(ctx context.Context, c *tunnel.Client, description string) (*providerv1.PayResponse, error) {
	return providerv1.NewProviderServiceClient(c).Pay(ctx, &providerv1.PayRequest{Description: description})
}

func receive[T any](t *testing.T, from <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(20 * time.Second):
		t.Fatalf("never happened: %s", what)
		panic("unreachable")
	}
}
