package host

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
)

// Options of a Host. Zero values have the defaults that are named.
type Options struct {
	// RunDir is a private directory for sockets, created with mode 0700 if it is missing. Keep its path
	// short, at most 50 bytes: a unix socket's path has a limit of 108. Default: a new temporary one.
	RunDir string
	// Log receives the host's own records and the plugins'. Default: nothing is logged.
	Log *slog.Logger
	// Spans receives the plugins' spans, with a resource that the host has written. It must not block
	// for long: a plugin drops spans meanwhile. Nil drops them all.
	Spans func(Source, *coltracepb.ExportTraceServiceRequest)
	// Exchanges receives a sample of what passed between the plugins and their providers, without secrets. It must not
	// block for long: a plugin drops exchanges meanwhile. Nil records none, and costs a plugin nothing.
	Exchanges func(Source, Exchange)
	// Rehearsal starts plugins that send nothing: they answer no payment, have no network and make recorded calls again,
	// see Rehearse. The host of payments has it false.
	Rehearsal bool
	// Facts receives what happens to the plugins' processes, one after the other. A slow receiver misses facts, those
	// about memory first; it never slows the host. Default: nobody is told.
	Facts func(Fact)
	// TracerProvider records the host's half of each call. Default: none.
	TracerProvider trace.TracerProvider
	// Env are further variables of the plugin processes, as KEY=VALUE, such as GOMEMLIMIT. Never put a
	// secret here: any process of the same user can read it.
	Env []string
	// Shim is the command that confines a plugin and then becomes it: a binary that links plugins/host/shim, usually this
	// one ("/proc/self/exe"), and shim.Argument. Empty starts plugins without most of the sandbox, for tests.
	Shim []string
	// Sandbox says what a plugin may do.
	Sandbox Sandbox
	// AllowDynamic accepts binaries that need a dynamic loader. For tests and development only.
	AllowDynamic bool

	// NoTunnel calls every plugin by plain unary calls, also one that has the faster tunnel. For tests, and to tell
	// the two apart when something is wrong.
	NoTunnel bool

	// StartTimeout bounds the time from the start of the process to its handshake. Default 10 s.
	StartTimeout time.Duration
	// StepTimeout bounds each of GetInfo, Configure and Health at activation. Default 5 s.
	StepTimeout time.Duration
	// DescribeTimeout bounds a run with --payrack-info. Default 10 s.
	DescribeTimeout time.Duration
	// PingEvery and PingTimeout find a plugin that hangs: out of service, and replaced, at the first missed ping, killed at
	// the third. Default 1 s each.
	PingEvery   time.Duration
	PingTimeout time.Duration
	// RestartWait is how long Acquire waits for a place and for a crashed plugin to come back, together. Default 1 s.
	RestartWait time.Duration
	// BackoffBase and BackoffCap space the restarts after the first, which is immediate. Default 0.5 s
	// and 60 s.
	BackoffBase time.Duration
	BackoffCap  time.Duration
	// CrashWindow and CrashLimit: so many crashes in that time put a provider into quarantine. Default 5
	// in 10 min.
	CrashWindow time.Duration
	CrashLimit  int
	// DrainExtra is added to the longest operation of a release; after that time a draining instance is
	// stopped with calls in flight, which become unknown. A plugin that goes on for longer with a call whose
	// time is over is told of (FactOverran). Default 2 s.
	DrainExtra time.Duration
	// StopTimeout is how long a plugin may take to flush and exit when it is told to. Default 2 s.
	StopTimeout time.Duration
	// MaxInflight is the largest number of leases of one provider at once, if its plugin asks for no
	// smaller one; as many may wait in a queue. Default 256.
	MaxInflight int
}

const (
	maxRunDir   = 50
	maxDraining = 3
)

func (o Options) withDefaults() Options {
	orDuration := func(d *time.Duration, or time.Duration) {
		if *d <= 0 {
			*d = or
		}
	}
	orDuration(&o.StartTimeout, 10*time.Second)
	orDuration(&o.StepTimeout, 5*time.Second)
	orDuration(&o.DescribeTimeout, 10*time.Second)
	orDuration(&o.PingEvery, time.Second)
	orDuration(&o.PingTimeout, time.Second)
	orDuration(&o.RestartWait, time.Second)
	orDuration(&o.BackoffBase, 500*time.Millisecond)
	orDuration(&o.BackoffCap, time.Minute)
	orDuration(&o.CrashWindow, 10*time.Minute)
	orDuration(&o.DrainExtra, 2*time.Second)
	orDuration(&o.StopTimeout, 2*time.Second)
	if o.CrashLimit <= 0 {
		o.CrashLimit = 5
	}
	if o.MaxInflight <= 0 {
		o.MaxInflight = 256
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.TracerProvider == nil {
		o.TracerProvider = noop.NewTracerProvider()
	}
	return o
}

// ErrRunDirTooLong says that a socket below the directory would not fit into a unix address.
var ErrRunDirTooLong = errors.New("the run directory's path is too long for unix sockets")

// openRunDir makes this host's own directory below base and removes those of hosts that are gone.
func openRunDir(base string) (dir string, lock *os.File, err error) {
	if base == "" {
		base = filepath.Join(os.TempDir(), fmt.Sprintf("payrack-%d", os.Getuid()))
	}
	if base, err = filepath.Abs(base); err != nil {
		return "", nil, fmt.Errorf("run directory: %w", err)
	}
	if len(base) > maxRunDir {
		return "", nil, fmt.Errorf("%w: %s has %d bytes, at most %d are possible", ErrRunDirTooLong, base, len(base), maxRunDir)
	}
	if err := os.MkdirAll(base, 0o700); err != nil {
		return "", nil, fmt.Errorf("run directory: %w", err)
	}
	if err := checkPrivate(base); err != nil {
		return "", nil, err
	}
	sweep(base)
	if dir, err = os.MkdirTemp(base, "h"); err != nil {
		return "", nil, fmt.Errorf("run directory: %w", err)
	}
	if lock, err = lockDir(dir); err != nil {
		_ = os.RemoveAll(dir)
		return "", nil, fmt.Errorf("run directory: %w", err)
	}
	return dir, lock, nil
}

// checkPrivate refuses a directory that another user could have prepared.
func checkPrivate(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("run directory: %w", err)
	}
	if !info.IsDir() || info.Mode().Perm()&0o077 != 0 || !ownedByUs(info) {
		return fmt.Errorf("run directory %s: it must be a directory of this user with mode 0700", dir)
	}
	return nil
}

// sweep removes directories whose host is gone. A living host holds a lock on its directory.
func sweep(base string) {
	entries, err := os.ReadDir(base)
	if err != nil {
		return
	}
	for _, e := range entries {
		if !e.IsDir() || e.Name()[0] != 'h' {
			continue
		}
		dir := filepath.Join(base, e.Name())
		info, err := e.Info()
		if err != nil || time.Since(info.ModTime()) < time.Second {
			continue // another host may be between making its directory and locking it
		}
		if lock, err := lockDir(dir); err == nil {
			_ = os.RemoveAll(dir)
			_ = lock.Close()
		}
	}
}
