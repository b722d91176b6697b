package provider

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/payrack/payrack/plugins/internal/handshake"
	"github.com/payrack/payrack/plugins/internal/tunnel"
	"github.com/payrack/payrack/plugins/internal/wire/providerv1"
	"github.com/payrack/payrack/plugins/internal/wire/transportv1"
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
	relaxCollector()
	limitProcessors()
	if err := harden(); err != nil {
		log.LogAttrs(ctx, slog.LevelWarn, "plugin process not hardened", slog.String("error", err.Error()))
	}
	// Standard output belongs to the handshake: whatever else is printed goes to the log.
	restore := divertStdout(ctx, log)

	spans := newSpanQueue()
	tracers := spans.tracerProvider()
	host, rehearsal := hostOf(log, tracers)
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
	s.rehearsal = rehearsal != nil
	exchanges := &exchangeService{service: s, recorder: newRecorder(s.info, host.Now), stage: rehearsal}
	intercept := interceptor(ctx, tracers, log, stderr, exchanges)
	tunnels := newTunnels(s, intercept)
	var server atomic.Pointer[grpc.Server]
	end := sync.OnceFunc(func() {
		// A call without its host, or a Close that hangs, does not keep an orphan.
		time.AfterFunc(time.Second, func() { os.Exit(0) })
		spans.finish(300 * time.Millisecond)
		s.shutdown()
		exchanges.recorder.finish()
		tunnels.Drain()
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
		Plugins: plugin.PluginSet{handshake.PluginName: &wirePlugin{service: s, tunnels: tunnels, exchanges: exchanges}},
		GRPCServer: func(o []grpc.ServerOption) *grpc.Server {
			g := newServer(o, intercept)
			server.Store(g)
			return g
		},
		Logger: hclog.New(&hclog.LoggerOptions{Level: hclog.Error, Output: stderr, JSONFormat: true}),
	})
	return 0
}

// hostOf is what the provider is given: the network, or in a process for rehearsals a stage in its place.
func hostOf(log *slog.Logger, tracers trace.TracerProvider) (Host, *stage) {
	if os.Getenv(handshake.RehearsalKey) != handshake.RehearsalValue {
		return Host{Log: log, Now: time.Now, HTTP: NewClient(ClientOptions{TracerProvider: tracers})}, nil
	}
	s := &stage{}
	s.cutNetwork()
	return Host{Log: log, Now: s.now, HTTP: NewClient(ClientOptions{Now: s.now, stage: s})}, s
}

// streamWorkers is how many goroutines the gRPC server keeps for calls.
const streamWorkers = 64

// collectorPercent is how far the heap of a plugin may grow between two collections. A plugin keeps next to
// nothing between calls, so that collections at Go's default of 100 come every few megabytes, and each costs
// the same. This one costs some ten megabytes of memory.
const collectorPercent = 400

// processors is on how many processors at most a plugin runs Go code at once. A call is a chain of short steps, each
// on another goroutine; with one processor the next step begins where the last ended, and with more it wakes an idle
// processor first, which costs more than the step. A second one lets a plugin follow a large host.
const processors = 2

// limitProcessors leaves an operator's own GOMAXPROCS alone.
func limitProcessors() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(max(1, min(processors, runtime.GOMAXPROCS(0)/2)))
	}
}

// relaxCollector leaves an operator's own GOGC alone. A GOMEMLIMIT holds all the same.
func relaxCollector() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectorPercent)
	}
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

// newServer makes the gRPC server with its limits.
func newServer(o []grpc.ServerOption, intercept grpc.UnaryServerInterceptor) *grpc.Server {
	return grpc.NewServer(append(
		o,
		grpc.MaxRecvMsgSize(handshake.MaxMessage),
		grpc.MaxSendMsgSize(handshake.MaxMessage),
		// See the host's half: this switches off a ping for about every call.
		grpc.StaticStreamWindowSize(handshake.StreamWindow),
		grpc.StaticConnWindowSize(handshake.ConnWindow),
		// Kept goroutines have grown stacks; a new one copies its stack several times in a call. If all are
		// busy a call has a new one, so this is no limit.
		grpc.NumStreamWorkers(streamWorkers),
		grpc.UnaryInterceptor(intercept),
	)...)
}

// interceptor is around every unary call, plain or through the tunnel: it traces, and it records for whoever listens.
// At the first call it diverts standard output again: go-plugin has put a pipe there that nobody reads.
func interceptor(
	ctx context.Context, tracers trace.TracerProvider, log *slog.Logger, stderr *os.File, exchanges *exchangeService,
) grpc.UnaryServerInterceptor {
	divert := sync.OnceFunc(func() {
		divertStdout(ctx, log)
		os.Stderr = stderr // go-plugin replaced it by a pipe without a reader
	})
	tracer := tracers.Tracer(tracerName)
	return func(ctx context.Context, r any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		divert()
		if !traced(info.FullMethod) {
			return next(ctx, r)
		}
		if exchanges.stage != nil {
			return nil, status.Error(codes.FailedPrecondition, "this process is for rehearsals and answers no payment")
		}
		ctx, span := startCall(ctx, tracer, info.FullMethod)
		defer span.End()
		return exchanges.recorder.around(ctx, r, next)
	}
}

// wirePlugin registers the service with go-plugin.
type wirePlugin struct {
	plugin.NetRPCUnsupportedPlugin
	service   *service
	tunnels   *tunnel.Server
	exchanges *exchangeService
}

// GRPCServer registers the services.
func (p *wirePlugin) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	providerv1.RegisterProviderServiceServer(s, p.service)
	transportv1.RegisterTunnelServiceServer(s, p.tunnels)
	providerv1.RegisterExchangeServiceServer(s, p.exchanges)
	return nil
}

// GRPCClient is the host's half, which the host does not take from here.
func (*wirePlugin) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, fmt.Errorf("a plugin is no host")
}
