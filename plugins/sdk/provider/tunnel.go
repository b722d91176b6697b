package provider

import (
	"context"
	"log/slog"
	"strings"

	"google.golang.org/grpc"

	"github.com/payrack/payrack/plugins/internal/tunnel"
	"github.com/payrack/payrack/plugins/internal/wire/providerv1"
)

// newTunnels makes the fast path to the service: the same methods behind the same interceptor.
func newTunnels(s *service, intercept grpc.UnaryServerInterceptor) *tunnel.Server {
	tunnels := tunnel.NewServer(tunnel.Options{
		Interceptor: intercept,
		Panicked: func(ctx context.Context, method string, value any) {
			s.host.Log.LogAttrs(ctx, slog.LevelError, "plugin call panicked",
				slog.String("call", strings.TrimPrefix(method, callPrefix)),
				slog.String("panic", panicWord(value)), slog.String("stack", places()))
		},
	})
	providerv1.RegisterProviderServiceServer(tunnels, s)
	return tunnels
}
