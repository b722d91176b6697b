package provider

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/stats"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/payrack/payrack/plugins/internal/handshake"
	"github.com/payrack/payrack/plugins/internal/wire/providerv1"
)

// Environment of a plugin process beside what go-plugin sets.
const (
	// envLogLevel is debug, info, warn or error.
	envLogLevel = "PAYRACK_LOG_LEVEL"
)

// Serve is the whole main of a plugin. It never returns: the process ends when the host ends it or is
// gone.
//
// S is a struct with JSON tags: the plugin-wide settings (endpoints, limits; never a company's secret).
// They are decoded strictly: an unknown member is a problem that the operator is told.
//
// Open is called once with the zero settings, only to ask the provider for its description: it must not
// do any I/O then, and if it does not like the zero settings it returns the provider together with its
// error, or leaves the check to a Problems method of S (see SettingsChecker). Open is called again for
// each Configure; its context ends when it returns. An error of Open is shown to the operator and the
// settings before stay in use. The old provider's Close, if it has one, is called when its last call has
// ended.
func Serve[S any](name string, open func(ctx context.Context, settings S, host Host) (Provider, error)) {
	os.Exit(run(name, typedOpener[S](open), os.Args[1:]))
}

// run is Serve without the exit.
func run(name string, o opener, args []string) int {
	stdout, stderr := os.Stdout, os.Stderr
	wantInfo := slices.Contains(args, handshake.InfoFlag)
	if !wantInfo && os.Getenv(handshake.CookieKey) != handshake.CookieValue {
		_, _ = fmt.Fprintf(stderr, "This is the payrack provider plugin %q, version %s. It is started by payrack, not by hand: "+
			"install it with `payrack plugin install PATH`, or see what it is with %s.\n", name, Version, handshake.InfoFlag)
		return 1
	}
	ctx := context.Background() //nolint:forbidigo // this is the plugin's main
	log := newLogger(stderr, levelFromEnv())
	if err := harden(); err != nil {
		log.LogAttrs(ctx, slog.LevelWarn, "plugin process not hardened", slog.String("error", err.Error()))
	}
	// Standard output belongs to the handshake: whatever else is printed goes to the log.
	restore := divertStdout(ctx, log)

	spans := newSpanQueue()
	tracers := spans.tracerProvider()
	host := Host{Log: log, Now: time.Now, HTTP: NewClient(ClientOptions{TracerProvider: tracers})}
	s, err := newService(ctx, name, o, host, spans)
	restore()
	if err != nil {
		log.LogAttrs(ctx, slog.LevelError, "plugin cannot describe itself", slog.String("error", err.Error()))
		return 1
	}
	if wantInfo {
		return printInfo(ctx, stdout, s.info, log)
	}
	ignoreSignals()
	var server atomic.Pointer[grpc.Server]
	end := sync.OnceFunc(func() {
		// A call without its host, or a Close that hangs, does not keep an orphan.
		time.AfterFunc(time.Second, func() { os.Exit(0) })
		spans.finish(300 * time.Millisecond)
		s.shutdown()
		if g := server.Load(); g != nil {
			g.GracefulStop() // what was sent last reaches the socket
		}
		os.Exit(0)
	})
	go awaitLifeline(os.Stdin, end)
	go watchParent(os.Getppid(), time.Second, end)

	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: plugin.HandshakeConfig{
			ProtocolVersion:  handshake.Protocol,
			MagicCookieKey:   handshake.CookieKey,
			MagicCookieValue: handshake.CookieValue,
		},
		Plugins: plugin.PluginSet{handshake.PluginName: &wirePlugin{service: s}},
		GRPCServer: func(o []grpc.ServerOption) *grpc.Server {
			g := newServer(ctx, o, tracers, log, stderr)
			server.Store(g)
			return g
		},
		Logger: hclog.New(&hclog.LoggerOptions{Level: hclog.Error, Output: stderr, JSONFormat: true}),
	})
	return 0
}

func levelFromEnv() slog.Level {
	var level slog.Level
	if err := level.UnmarshalText([]byte(os.Getenv(envLogLevel))); err != nil {
		return slog.LevelInfo
	}
	return level
}

func printInfo(ctx context.Context, w io.Writer, info *providerv1.GetInfoResponse, log *slog.Logger) int {
	out, err := protojson.MarshalOptions{Multiline: true}.Marshal(info)
	if err == nil {
		_, err = w.Write(append(out, '\n'))
	}
	if err != nil {
		log.LogAttrs(ctx, slog.LevelError, "plugin info not printed", slog.String("error", err.Error()))
		return 1
	}
	return 0
}

// newServer makes the gRPC server with limits and tracing. After the first call standard output is
// diverted again: go-plugin has put a pipe there that nobody reads.
func newServer(ctx context.Context, o []grpc.ServerOption, tracers trace.TracerProvider, log *slog.Logger, stderr *os.File) *grpc.Server {
	divert := sync.OnceFunc(func() {
		divertStdout(ctx, log)
		os.Stderr = stderr // go-plugin replaced it by a pipe without a reader
	})
	return grpc.NewServer(append(
		o,
		grpc.MaxRecvMsgSize(handshake.MaxMessage),
		grpc.MaxSendMsgSize(handshake.MaxMessage),
		grpc.StatsHandler(otelgrpc.NewServerHandler(
			otelgrpc.WithTracerProvider(tracers),
			otelgrpc.WithMeterProvider(metricnoop.NewMeterProvider()),
			otelgrpc.WithPropagators(propagation.TraceContext{}),
			otelgrpc.WithFilter(func(i *stats.RPCTagInfo) bool { return traced(i.FullMethodName) }),
		)),
		grpc.UnaryInterceptor(func(ctx context.Context, r any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			divert()
			return next(ctx, r)
		}),
	)...)
}

// traced leaves out what is not a call about a payment.
func traced(method string) bool {
	switch method {
	case providerv1.ProviderService_GetInfo_FullMethodName,
		providerv1.ProviderService_Configure_FullMethodName,
		providerv1.ProviderService_Health_FullMethodName,
		providerv1.ProviderService_Telemetry_FullMethodName:
		return false
	default:
		return strings.HasPrefix(method, "/"+providerv1.ProviderService_ServiceDesc.ServiceName+"/")
	}
}

// wirePlugin registers the service with go-plugin.
type wirePlugin struct {
	plugin.NetRPCUnsupportedPlugin
	service *service
}

// GRPCServer registers the service.
func (p *wirePlugin) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	providerv1.RegisterProviderServiceServer(s, p.service)
	return nil
}

// GRPCClient is the host's half, which the host does not take from here.
func (*wirePlugin) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, fmt.Errorf("a plugin is no host")
}
