// Command chaos proves that the money is right when anything is killed: it runs payrack as it ships, on SQLite and as three
// replicas on PostgreSQL, lets clients pay, cancel and refund, kills, stops, cuts and swaps everything meanwhile, and holds
// the provider's own ledger against what clients were told and what the database says.
// deployments/runbooks/CHAOS.md says how to read the table.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/payrack/payrack/deployments/chaos/record"
	"github.com/payrack/payrack/deployments/chaos/verify"
)

// Exit codes.
const (
	exitFailed = 1
	exitUsage  = 2
	exitRed    = 3
)

var (
	errUsage = errors.New("wrong use")
	// errRed says that an invariant was broken or a bar missed.
	errRed = errors.New("the run is red")
)

// settings of a run.
type settings struct {
	payrack, failing   string
	plugins, next      string
	versionA, versionB string
	ci, data, out      string
	payments, kills    int
	rate               float64
	repeats            int
	only, points       string
	mutants            string
	seed               uint64
	keep, bars         bool
}

// The layouts that -only names.
const (
	layoutSQLite   = "sqlite"
	layoutPostgres = "postgres"
	layoutPoints   = "points"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command(ctx, os.Args[1:])
	stop()
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errRed):
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(exitRed)
	case errors.Is(err, errUsage):
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(exitUsage)
	default:
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(exitFailed)
	}
}

func command(ctx context.Context, args []string) error {
	if len(args) > 0 && args[0] == "verify" {
		return judge(settings{bars: true}, args[1:])
	}
	s, err := parse(args)
	switch {
	case err != nil:
		return err
	case s.mutants != "":
		return mutants(ctx, s, s.mutants)
	}
	return run(ctx, s)
}

func parse(args []string) (settings, error) {
	var s settings
	f := flag.NewFlagSet("chaos", flag.ContinueOnError)
	f.Usage = func() {
		_, _ = fmt.Fprintln(f.Output(), "chaos [flags]            runs\nchaos verify FOLDER...   judges the reports of an earlier run again")
		f.PrintDefaults()
	}
	f.StringVar(&s.payrack, "payrack", "bin/payrack", "the payrack binary")
	f.StringVar(&s.failing, "failing", "bin/chaos/payrack-failpoint", "the payrack binary that was built with -tags failpoint")
	f.StringVar(&s.plugins, "plugins", "bin/chaos/plugins-1.0.1", "folder of the provider binaries of release -version")
	f.StringVar(&s.next, "next", "bin/chaos/plugins-1.0.2", "folder of the same providers as release -next-version")
	f.StringVar(&s.versionA, "version", "1.0.1", "version of -plugins")
	f.StringVar(&s.versionB, "next-version", "1.0.2", "version of -next")
	f.StringVar(&s.ci, "ci", "deployments/ci", "folder of postgres.sh")
	f.StringVar(&s.data, "data", "bin/chaos/runs", "folder for databases, logs and reports")
	f.StringVar(&s.out, "out", "deployments/chaos/results/result.md", "file for the table; empty writes none")
	f.IntVar(&s.payments, "payments", 3000, "payments under load: a third on SQLite, the others on PostgreSQL")
	f.IntVar(&s.kills, "kills", 0, "kills under load, at least (default one for 40 payments)")
	f.Float64Var(&s.rate, "rate", 10, "payments a second that arrive, on average")
	f.IntVar(&s.repeats, "repeats", 20, "repetitions of each crash point")
	f.StringVar(&s.only, "only", "", "sqlite, postgres or points: that part alone")
	f.StringVar(&s.points, "points", "abcdefghijklmno", "the crash points, by their letters")
	f.StringVar(&s.mutants, "mutants", "", "folder of planted bugs: each must turn a short run red")
	f.Uint64Var(&s.seed, "seed", 1, "seed of clients and nemesis; the machine's own timing is not in it")
	f.BoolVar(&s.keep, "keep", false, "keep databases and logs too, not the reports alone")
	f.BoolVar(&s.bars, "bars", true, "a run that is too small or too mild to prove anything is red")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return s, err
		}
		return s, errors.Join(errUsage, err)
	}
	switch {
	case f.NArg() > 0:
		return s, fmt.Errorf("%w: unexpected %q", errUsage, f.Arg(0))
	case s.only != "" && s.only != layoutSQLite && s.only != layoutPostgres && s.only != layoutPoints:
		return s, fmt.Errorf("%w: -only is sqlite, postgres or points", errUsage)
	case s.payments < 1 || s.rate <= 0 || s.repeats < 1 || strings.Trim(s.points, "abcdefghijklmno") != "":
		return s, fmt.Errorf("%w: payments, rate and repeats must be positive, and points are letters from a to o", errUsage)
	}
	if s.kills == 0 {
		s.kills = (s.payments + 39) / 40
	}
	var err error
	for _, path := range []*string{&s.payrack, &s.failing, &s.plugins, &s.next, &s.ci, &s.data} {
		var absolute string
		absolute, err = filepath.Abs(*path)
		*path = absolute
		if err != nil {
			return s, err
		}
	}
	return s, nil
}

// run makes the reports of all parts and judges them.
func run(ctx context.Context, s settings) error {
	// The database's own user must get through to its files.
	if err := os.MkdirAll(s.data, 0o755); err != nil { //nolint:gosec // see above
		return err
	}
	small := s
	small.payments, small.kills = (s.payments+2)/3, (s.kills+2)/3
	large := s
	large.payments, large.kills = s.payments-small.payments, s.kills-small.kills
	if s.only != "" {
		small, large = s, s
	}
	var reports []string
	for _, part := range []struct {
		name string
		make func(context.Context, string) error
	}{
		{layoutPoints, func(ctx context.Context, dir string) error { return crashPoints(ctx, s, dir) }},
		{layoutSQLite, func(ctx context.Context, dir string) error { return storm(ctx, small, layoutSQLite, 1, dir) }},
		{layoutPostgres, func(ctx context.Context, dir string) error { return storm(ctx, large, layoutPostgres, 3, dir) }},
	} {
		if s.only != "" && s.only != part.name {
			continue
		}
		dir := filepath.Join(s.data, part.name)
		if err := fresh(dir); err != nil {
			return err
		}
		if err := part.make(ctx, dir); err != nil {
			return fmt.Errorf("%s: %w; its logs are in %s", part.name, err, dir)
		}
		reports = append(reports, filepath.Join(dir, "report"))
	}
	return judge(s, reports)
}

// fresh makes an empty folder.
func fresh(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return os.MkdirAll(filepath.Join(dir, "report"), 0o755) //nolint:gosec // the database's own user must get through
}

// judge reads reports, prints the table and says whether it is red.
func judge(s settings, folders []string) error {
	if len(folders) == 0 {
		return fmt.Errorf("%w: name the folders of reports", errUsage)
	}
	var all []verify.Verdict
	for _, dir := range folders {
		r, err := record.Open(dir)
		if err != nil {
			return err
		}
		v := verify.Judge(r)
		if len(v.Broken) > 0 {
			v.Evidence = dir
		}
		all = append(all, v)
	}
	table := verify.Table(all, s.bars)
	_, _ = os.Stdout.WriteString(table.Text)
	if s.out != "" {
		if err := os.MkdirAll(filepath.Dir(s.out), 0o755); err != nil { //nolint:gosec // a folder of the project
			return err
		}
		if err := os.WriteFile(s.out, []byte(table.Text), 0o644); err != nil { //nolint:gosec // a file of the project
			return err
		}
	}
	if len(table.Red) > 0 {
		return fmt.Errorf("%w: %s", errRed, strings.Join(table.Red, "; "))
	}
	return nil
}
