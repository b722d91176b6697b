package main

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/payrack/payrack/plugins/conformance"
	"github.com/payrack/payrack/plugins/sandbox/dialects"
)

// errNotConformant is the exit of a plugin that did not pass; what it did wrong is on the terminal already.
var errNotConformant = errors.New("the plugin does not conform")

// verifyFlags are the flags of plugin verify.
type verifyFlags struct {
	config, report, signKey string
	only                    []string
	list, dynamic, failFast bool
}

func (c *cli) pluginVerifyCommand() *cobra.Command {
	var f verifyFlags
	cmd := &cobra.Command{
		Use: "verify PATH", Short: "Prove a provider binary against the conformance kit; needs no platform, no network and no money",
		Long: "Starts the binary as the platform does, leads it to a gateway of the kit's own and breaks the connection in every known way.\n" +
			"What the plugin is called with stands in conformance.json beside the binary, or in the file that --config names.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.list {
				return c.listChecks()
			}
			if len(args) == 0 {
				return usagef("which binary? payrack plugin verify PATH (or --list)")
			}
			return c.verifyPlugin(cmd, args[0], f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.config, "config", "", "description of the plugin (default: conformance.json beside the binary)")
	flags.StringVar(&f.report, "report", "", "write the report to this file")
	flags.StringVar(&f.signKey, "sign-key", "", "sign the report with this Ed25519 key (PKCS #8, PEM)")
	flags.StringSliceVar(&f.only, "only", nil, "run these checks only; such a report proves nothing to others")
	flags.BoolVar(&f.failFast, "fail-fast", false, "end at the first check that fails")
	flags.BoolVar(&f.list, "list", false, "list the checks and run none")
	flags.BoolVar(&f.dynamic, "allow-dynamic", false, "accept a binary that needs a dynamic loader (the platform does so in development only)")
	return cmd
}

func (c *cli) listChecks() error {
	t := table{head: []string{"check", "group", "what a plugin that passes does"}}
	for _, check := range conformance.Checks() {
		t.add(check.ID, check.Group, check.Title)
	}
	return c.print(conformance.Checks(), t)
}

func (c *cli) verifyPlugin(cmd *cobra.Command, path string, f verifyFlags) error {
	var key ed25519.PrivateKey
	if f.signKey != "" {
		if f.report == "" {
			return usagef("--sign-key signs the file that --report names; name one")
		}
		var err error
		if key, err = conformance.LoadSigningKey(f.signKey); err != nil {
			return err
		}
	}
	config := f.config
	if config == "" {
		var err error
		if config, err = conformance.FindSubject(path); err != nil {
			return err
		}
	}
	subject, err := conformance.LoadSubject(config)
	if err != nil {
		return err
	}
	report, err := conformance.Verify(cmd.Context(), path, subject, conformance.Options{
		Dialects: dialects.All(), Only: f.only, AllowDynamic: f.dynamic, FailFast: f.failFast,
	})
	if err != nil {
		return err
	}
	if f.report != "" {
		file, err := conformance.SignReport(report, key)
		if err != nil {
			return err
		}
		if err := os.WriteFile(f.report, file, 0o644); err != nil { //nolint:gosec // a report is public
			return fmt.Errorf("write the report: %w", err)
		}
	}
	if c.output == "json" {
		err = c.print(report, table{})
	} else {
		err = report.WriteText(c.out)
	}
	if err != nil {
		return err
	}
	if n := report.Count(conformance.StatusFailed); n > 0 {
		return fmt.Errorf("%w: %d of %d checks failed", errNotConformant, n, len(report.Results))
	}
	return nil
}
