// Command payrack is the payment platform: its server, the operator's tool and the local sandbox in one binary.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/payrack/payrack/core/fault"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the process at once; plugins then end with their lifeline.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the whole program but its exit.
func run(ctx context.Context, args []string, out, errOut io.Writer) int {
	c := &cli{out: out, errOut: errOut, log: newLogBuffer(errOut)}
	defer c.log.Flush() // also behind a panic
	root := c.root()    //nolint:contextcheck // cobra hands the context to each command
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(errOut)
	err := root.ExecuteContext(ctx)
	c.log.Flush()
	if err == nil {
		return exitOK
	}
	code := exitCode(err)
	if !c.started && code == exitFailure {
		// cobra found the mistake before any command ran: a wrong flag, word or number of words.
		code = exitUsage
	}
	_, _ = fmt.Fprintf(errOut, "payrack: %s\n", explain(err))
	if code == exitUsage {
		_, _ = fmt.Fprintln(errOut, "payrack help lists the commands, --help explains one")
	}
	return code
}

// cli is what the commands share.
type cli struct {
	out, errOut io.Writer
	// log goes to errOut as well, buffered, for commands that serve.
	log *logBuffer
	// output is table or json.
	output string
	// started is true once a command's own work has begun.
	started bool
}

func (c *cli) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "payrack",
		Short:         "A payment platform whose providers are plugins",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if c.output != "table" && c.output != "json" {
				return usagef("--output is %q: choose table or json", c.output)
			}
			c.started = true
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.PersistentFlags().StringVarP(&c.output, "output", "o", "table", "table or json")
	root.AddGroup(
		&cobra.Group{ID: "try", Title: "Try it:"},
		&cobra.Group{ID: "run", Title: "Run an installation:"},
		&cobra.Group{ID: "manage", Title: "Manage a running one:"},
	)
	add := func(group string, commands ...*cobra.Command) {
		for _, command := range commands {
			command.GroupID = group
			root.AddCommand(command)
		}
	}
	add("try", c.demoCommand(), c.devCommand(), c.sandboxCommand())
	add("run", c.initCommand(), c.serveCommand(), c.migrateCommand(), c.configCommand(), c.keyCommand())
	add("manage", c.tokenCommand(), c.companyCommand(), c.storeCommand(), c.credentialCommand(), c.clientCommand(),
		c.pluginCommand(), c.paymentCommand(), c.settlementCommand(), c.webhookCommand(), c.auditCommand())
	root.AddCommand(c.versionCommand())
	return root
}

// The exit codes.
const (
	exitOK = 0
	// exitFailure: something broke.
	exitFailure = 1
	// exitUsage: the command line is wrong.
	exitUsage = 2
	// exitRefused: what was asked for is not done as things are: a mistake in the configuration, a running payrack,
	// a missing database, an answer of the platform that says no.
	exitRefused = 3
	// exitUnreachable: nobody answers.
	exitUnreachable = 4
)

// refuses reports whether an error of the kind is a no and not a breakdown.
func refuses(k fault.Kind) bool {
	switch k {
	case fault.Invalid, fault.NotFound, fault.Conflict, fault.Mismatch, fault.Unsupported, fault.Unauthenticated, fault.Forbidden:
		return true
	case fault.Internal, fault.Unavailable, fault.Unknown, fault.BadAnswer, fault.Limited:
		return false
	default:
		return false
	}
}

// ended is an error that chooses the exit code.
type ended struct {
	code int
	err  error
}

// Error is the message of the cause.
func (e *ended) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *ended) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return &ended{exitUsage, fmt.Errorf(format, args...)} }

func refusedf(format string, args ...any) error {
	return &ended{exitRefused, fmt.Errorf(format, args...)}
}

func unreachablef(format string, args ...any) error {
	return &ended{exitUnreachable, fmt.Errorf(format, args...)}
}

func exitCode(err error) int {
	if e, ok := errors.AsType[*ended](err); ok {
		return e.code
	}
	if f, ok := errors.AsType[*fault.Error](err); ok && refuses(f.Kind) {
		return exitRefused
	}
	return exitFailure
}
