// Command bench measures what a payment costs: payrack as it ships (core process, plugin process with mTLS, SQLite with
// synchronous=FULL) beside a bare provider call with two durable writes, and beside the service that a team writes by
// hand (package naive), all against one stub gateway in one interleaved run. README.md says what the figures mean.
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
	exitMissed = 3
)

// errMissed says that a bar was missed, under -enforce.
var errMissed = errors.New("a bar was missed")

// settings of a run.
type settings struct {
	payrack string
	plugins string
	out     string
	data    string
	rounds  int
	seconds float64
	clients int
	delay   time.Duration
	only    string
	enforce bool
}

// The comparisons that -only names.
const (
	onlySingle = "single"
	onlyLoad   = "load"
)

func (s settings) round() time.Duration { return time.Duration(s.seconds * float64(time.Second)) }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command(ctx, os.Args[1:])
	stop()
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errMissed):
		os.Exit(exitMissed)
	case errors.Is(err, errUsage):
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(exitUsage)
	default:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(exitFailed)
	}
}

var errUsage = errors.New("wrong use")

// command runs the benchmark, or one of the processes that it starts of itself.
func command(ctx context.Context, args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case roleStub:
			return serveStub(ctx, os.Stdin, os.Stdout)
		case roleNaive:
			return serveNaive(ctx, os.Stdin, os.Stdout)
		}
	}
	s, err := parse(args)
	if err != nil {
		return err
	}
	return run(ctx, s)
}

func parse(args []string) (settings, error) {
	var s settings
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.StringVar(&s.payrack, "payrack", "bin/payrack", "the payrack binary")
	f.StringVar(&s.plugins, "plugins", "bin/plugins", "folder of the provider binaries")
	f.StringVar(&s.out, "out", "deployments/bench/results", "folder for latest.json and latest.md")
	f.StringVar(&s.data, "data", "", "folder on a disk for the databases (beside the payrack binary)")
	f.IntVar(&s.rounds, "rounds", 9, "rounds of each comparison")
	f.Float64Var(&s.seconds, "seconds", 0.6, "length of one target's turn in a round, in seconds")
	f.IntVar(&s.clients, "clients", 64, "clients of the comparison under load")
	f.DurationVar(&s.delay, "delay", 20*time.Millisecond, "how long the gateway takes in the second single-client comparison")
	f.StringVar(&s.only, "only", "", "single or load: that comparison alone, for looking closer")
	f.BoolVar(&s.enforce, "enforce", false, "exit with code 3 if a bar is missed")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return s, err
		}
		return s, errors.Join(errUsage, err)
	}
	switch {
	case f.NArg() > 0:
		return s, fmt.Errorf("%w: unexpected %q", errUsage, f.Arg(0))
	case s.only != "" && s.only != onlySingle && s.only != onlyLoad:
		return s, fmt.Errorf("%w: -only is single or load", errUsage)
	case s.rounds < 1 || s.seconds <= 0 || s.clients < 1 || s.delay < 0:
		return s, fmt.Errorf("%w: rounds, seconds and clients must be positive", errUsage)
	}
	if s.data == "" {
		s.data = filepath.Dir(s.payrack)
	}
	return s, nil
}
