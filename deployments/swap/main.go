// Command swap proves that nobody notices when a provider's version is swapped: it runs payrack as it ships, sends payments at
// a rate that does not depend on how fast they are served, moves the traffic back and forth between two releases, tries broken
// ones in between, and holds the sandbox's own ledger against what the clients were told. With -canaries it gives a share of
// the traffic to one bad build after the other and measures how long it takes until a gate takes it away.
// deployments/runbooks/SWAP.md says what operators see of it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// Exit codes.
const (
	exitFailed = 1
	exitUsage  = 2
	exitRed    = 3
)

var (
	errUsage = errors.New("wrong use")
	// errRed says that a bar was missed.
	errRed = errors.New("the run is red")
)

// settings of a run.
type settings struct {
	root, goTool, payrack string
	plugins, next         string
	versionA, versionB    string
	data, out             string
	rate                  float64
	swaps, broken         int
	replicas              int
	every, steady         time.Duration
	delay                 time.Duration
	canaries              bool
	canaryRate            float64
	weight                int
	only                  string
	keep                  bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM) //nolint:forbidigo // the program's own
	err := command(ctx, os.Args[1:])
	stop()
	code := exitFailed
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return
	case errors.Is(err, errRed):
		code = exitRed
	case errors.Is(err, errUsage):
		code = exitUsage
	}
	fmt.Fprintln(os.Stderr, "swap:", err)
	os.Exit(code)
}

func command(ctx context.Context, args []string) error {
	s, err := parse(args)
	if err != nil {
		return err
	}
	// The database's own user must get through to its files.
	if err := os.MkdirAll(s.data, 0o755); err != nil { //nolint:gosec // see above
		return err
	}
	if s.canaries {
		return runCanaries(ctx, s)
	}
	return runSwaps(ctx, s)
}

func parse(args []string) (settings, error) {
	var s settings
	f := flag.NewFlagSet("swap", flag.ContinueOnError)
	f.StringVar(&s.root, "root", ".", "the checkout")
	f.StringVar(&s.goTool, "go", "go", "the Go tool, with which the broken releases are built")
	f.StringVar(&s.payrack, "payrack", "bin/payrack", "the payrack binary")
	f.StringVar(&s.plugins, "plugins", "bin/swap/plugins-1.0.1", "folder of the provider binaries of release -version")
	f.StringVar(&s.next, "next", "bin/swap/plugins-1.0.2", "folder of the same providers as release -next-version")
	f.StringVar(&s.versionA, "version", "1.0.1", "version of -plugins")
	f.StringVar(&s.versionB, "next-version", "1.0.2", "version of -next")
	f.StringVar(&s.data, "data", "bin/swap/run", "folder for databases, logs and reports")
	f.StringVar(&s.out, "out", "", "file for the table; empty writes none")
	f.Float64Var(&s.rate, "rate", 200, "payments a second that arrive, half of them at the provider that is swapped")
	f.IntVar(&s.swaps, "swaps", 100, "activations back and forth")
	f.IntVar(&s.broken, "broken", 20, "broken releases that are tried in between")
	f.IntVar(&s.replicas, "replicas", 1, "1: payrack dev on SQLite; more: that many payrack serve on one PostgreSQL, one of which is killed now and then")
	f.DurationVar(&s.every, "every", 1500*time.Millisecond, "time between two activations")
	f.DurationVar(&s.steady, "steady", 20*time.Second, "time of load before the first activation")
	f.DurationVar(&s.delay, "delay", 50*time.Millisecond, "how long the provider takes for a payment")
	f.BoolVar(&s.canaries, "canaries", false, "bad builds as canaries instead of swaps")
	f.Float64Var(&s.canaryRate, "canary-rate", 80, "payments a second with -canaries")
	f.IntVar(&s.weight, "weight", 25, "share of a canary in percent")
	f.StringVar(&s.only, "only", "", "with -canaries: a part of the names of the builds to run")
	f.BoolVar(&s.keep, "keep", false, "keep databases and logs too, not the table alone")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return s, err
		}
		return s, errors.Join(errUsage, err)
	}
	switch {
	case f.NArg() > 0:
		return s, fmt.Errorf("%w: unexpected %q", errUsage, f.Arg(0))
	case s.rate <= 0 || s.canaryRate <= 0 || s.swaps < 1 || s.broken < 0 || s.replicas < 1:
		return s, fmt.Errorf("%w: rates, swaps and replicas must be positive", errUsage)
	case s.weight < 1 || s.weight > 100:
		return s, fmt.Errorf("%w: -weight is a number of percent", errUsage)
	}
	for _, path := range []*string{&s.root, &s.payrack, &s.plugins, &s.next, &s.data} {
		absolute, err := filepath.Abs(*path)
		if err != nil {
			return s, err
		}
		*path = absolute
	}
	return s, nil
}
