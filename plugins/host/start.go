package host

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	goplugin "github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/payrack/payrack/plugins/internal/handshake"
	"github.com/payrack/payrack/plugins/internal/wire/providerv1"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

// warmUps is how often a new instance is asked something before it serves, so that no payment pays for
// the first use of its connection.
const warmUps = 3

// start starts a release and takes it as far as ready. On an error nothing of it is left.
func (l *line) start(ctx context.Context, d desired) (*instance, *Refused) {
	s := l.slot
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.host.starts, cancel)() //nolint:contextcheck // two lives end a start
	if !s.host.launches.wait(ctx) {
		return nil, &Refused{Code: CodeStartTimeout, Message: "the start was given up", cause: ctx.Err()}
	}
	in, refused := l.launch(ctx, d)
	if refused != nil {
		return nil, refused
	}
	if refused := s.prove(ctx, in, d); refused != nil {
		// A broken connection is known a moment before the exit that broke it.
		if refused.Code == CodeStartTimeout && in.broken.Load() && await(in.process.exited, pipeGrace) {
			refused = refuse(CodeStartCrashed, "the plugin ended while it was prepared: %s; its log says why", in.process.ending())
		}
		in.stop(0)
		return nil, refused
	}
	in.setState(StateReady)
	return in, nil
}

// launch starts the process and connects to it.
func (l *line) launch(ctx context.Context, d desired) (*instance, *Refused) {
	s := l.slot
	o := s.host.options
	in := &instance{
		id: newID(), release: d.release, image: d.image, started: time.Now(),
		drained: make(chan struct{}), relayed: make(chan struct{}), ended: make(chan struct{}),
	}
	in.setState(StateStarting)
	in.refs.Store(1)
	in.log = o.Log.With(
		slog.String("plugin", d.release.Name), slog.String("plugin_version", d.release.Version), slog.String("instance", in.id))
	in.lines = newPluginLog(in.log)
	var runner *pluginRunner
	config := &plugin.ClientConfig{
		HandshakeConfig:  plugin.HandshakeConfig{MagicCookieKey: handshake.CookieKey, MagicCookieValue: handshake.CookieValue},
		VersionedPlugins: map[int]plugin.PluginSet{handshake.Protocol: {}},
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		AutoMTLS:         true,
		SkipHostEnv:      true,
		StartTimeout:     o.StartTimeout,
		Logger:           hclog.NewNullLogger(),
		UnixSocketConfig: &plugin.UnixSocketConfig{TempDir: s.host.dir},
		RunnerFunc: func(_ hclog.Logger, cmd *exec.Cmd, tmp string) (goplugin.Runner, error) {
			in.dir = tmp
			work, err := workDir(tmp)
			if err != nil {
				return nil, err
			}
			runner = &pluginRunner{
				socket: tmp, log: in.lines, order: ctx, logging: s.host.life,
				command: command{
					beside: s.host.serves(),
					image:  d.image, name: "payrack-provider-" + d.release.Name, dir: work,
					confine: confinement{options: &s.host.options, work: work, socket: tmp, settings: d.settings, alone: o.Rehearsal},
					env:     environment(cmd.Env, o.Env, work, s.host.pluginLevel(ctx)),
				},
			}
			return runner, nil
		},
	}
	address, err := plugin.NewClient(config).Start()
	if err == nil {
		in.conn, err = s.dial(in, address, config)
	}
	if runner != nil {
		in.process, in.heard = runner.process, runner.drained
	}
	if err != nil {
		if in.process != nil {
			in.process.kill()
			await(in.process.exited, killPatience)
		}
		_ = os.RemoveAll(in.dir)
		return nil, asRefused(err)
	}
	in.client = providerv1.NewProviderServiceClient(in.conn)
	in.life, in.end = context.WithCancel(s.host.life)
	// One watch for all calls: a context of its own for each would cost every payment a registration in a
	// list that all share.
	in.uncut = context.AfterFunc(in.life, func() { _ = in.conn.Close() }) //nolint:contextcheck // an instance outlives the order to start it
	in.image.retain()
	in.setState(StateHandshaken)
	s.add(in)
	go in.relay(in.life, in.client, o)  //nolint:contextcheck // an instance outlives the order to start it
	go in.bury(func() { l.onExit(in) }) //nolint:contextcheck // see above
	return in, nil
}

func asRefused(err error) *Refused {
	if refused, ok := errors.AsType[*Refused](err); ok {
		return refused
	}
	return &Refused{Code: CodeProtocolUnsupported, Message: "the plugin's handshake failed: " + words(err.Error()), cause: err}
}

// dial connects with the certificates that go-plugin exchanged. The connection is ours and not
// go-plugin's: every call has a deadline, and there is no broker.
func (s *Slot) dial(in *instance, address net.Addr, config *plugin.ClientConfig) (*grpc.ClientConn, error) {
	return grpc.NewClient("passthrough:///plugin",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, address.Network(), address.String())
			if err != nil {
				return nil, err
			}
			in.broken.Store(false)
			return &watchedConn{Conn: conn, broken: &in.broken}, nil
		}),
		grpc.WithTransportCredentials(credentials.NewTLS(config.TLSConfig)),
		grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(handshake.MaxMessage), grpc.MaxCallSendMsgSize(handshake.MaxMessage)),
		grpc.WithDisableRetry(),
		grpc.WithDisableServiceConfig(),
		grpc.WithIdleTimeout(0),
		grpc.WithNoProxy(),
		// A window of its own size switches gRPC's probing for a better one off, which costs a ping and its
		// answer, two writes and two wake-ups, for about every call.
		grpc.WithStaticStreamWindowSize(handshake.StreamWindow),
		grpc.WithStaticConnWindowSize(handshake.ConnWindow),
	)
}

// watchedConn tells the instance that its connection broke before gRPC fails the calls on it: the end of
// the process is known a moment later only, and nobody shall pick the instance in between.
type watchedConn struct {
	net.Conn
	broken *atomic.Bool
}

func (c *watchedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		c.broken.Store(true)
	}
	return n, err
}

// prove asks who it is, configures it, and checks that it is ready. Every step has a deadline.
func (s *Slot) prove(ctx context.Context, in *instance, d desired) *Refused {
	step := func(f func(context.Context) error) error {
		ctx, cancel := context.WithTimeout(ctx, s.host.options.StepTimeout)
		defer cancel()
		return f(ctx)
	}
	err := step(func(ctx context.Context) error {
		answer, err := in.client.GetInfo(ctx, &providerv1.GetInfoRequest{HostContractRevision: provider.ContractRevision})
		if err != nil {
			return asTimeout("did not describe itself", err)
		}
		in.info, err = infoFromWire(answer)
		if err != nil {
			return &Refused{Code: CodeInfoMismatch, Message: "the plugin's description is not acceptable: " + oneLine(err), cause: err}
		}
		if in.info.Name != d.release.Name || in.info.Version != d.release.Version {
			return refuse(CodeInfoMismatch, "the binary says that it is %s %s, and the installed release is %s %s; install it under its own name and version",
				in.info.Name, in.info.Version, d.release.Name, d.release.Version)
		}
		return nil
	})
	if err == nil {
		err = step(func(ctx context.Context) error { return s.openTunnel(ctx, in) })
	}
	if err == nil {
		err = step(func(ctx context.Context) error { return configure(ctx, in, d.settings, d.revision) })
	}
	if err == nil {
		in.setState(StateConfigured)
		err = step(func(ctx context.Context) error {
			health, err := in.client.Health(ctx, &providerv1.HealthRequest{Deep: true})
			switch {
			case err != nil:
				return asTimeout("did not answer the health check", err)
			case !health.GetReady():
				return refuse(CodeUnhealthy, "the plugin says that it is not ready: %s", words(health.GetDetail()))
			}
			return nil
		})
	}
	// A thread that is just being made may miss the change, so it is asked for again when the process is warm.
	if refused := in.process.hurry(); err == nil && refused != nil {
		err = refused
	}
	for range warmUps {
		if err == nil {
			err = step(func(ctx context.Context) error {
				if _, err := in.client.Health(ctx, &providerv1.HealthRequest{}); err != nil {
					return asTimeout("did not answer while it was warmed up", err)
				}
				return nil
			})
		}
	}
	if err != nil {
		return asRefused(err)
	}
	return in.process.hurry()
}

// configure hands over the settings. What is wrong with them is the operator's to repair: starting again
// would not help.
func configure(ctx context.Context, in *instance, settings []byte, revision uint64) error {
	answer, err := in.client.Configure(ctx, &providerv1.ConfigureRequest{Revision: revision, SettingsJson: settings})
	if err != nil {
		return asTimeout("did not take its settings", err)
	}
	if problems := answer.GetProblems(); len(problems) > 0 {
		r := refuse(CodeUnhealthy, "the plugin refused its settings: %s", words(strings.Join(problems, "; ")))
		r.settings = true
		return r
	}
	return nil
}

func asTimeout(what string, err error) *Refused {
	return &Refused{Code: CodeStartTimeout, Message: "the plugin " + what + ": " + words(err.Error()), cause: err}
}

func oneLine(err error) string { return words(err.Error()) }

func newID() string {
	var b [6]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
