package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/payrack/payrack/adapters/outbound/artifacts"
	"github.com/payrack/payrack/configs"
)

// programVariables have our prefix and are no configuration: they are read by commands and by tests.
func programVariables() []string {
	return []string{
		"PAYRACK_CONFIG", "PAYRACK_DATA", "PAYRACK_ADMIN_URL", "PAYRACK_ADMIN_TOKEN", "PAYRACK_APPROVAL_TOKEN", "PAYRACK_URL",
		"PAYRACK_CLIENT_ID", "PAYRACK_CLIENT_SECRET", "PAYRACK_BIN", "PAYRACK_PLUGINS",
		"PAYRACK_TEST_POSTGRES", "PAYRACK_REQUIRE_POSTGRES", "PAYRACK_POSTGRES_DIR",
	}
}

// configFlags adds the flags that lead to a configuration.
func configFlags(cmd *cobra.Command) {
	configFileFlag(cmd)
	configs.AddFlags(cmd.Flags())
}

func configFileFlag(cmd *cobra.Command) {
	cmd.Flags().String("config", os.Getenv("PAYRACK_CONFIG"), "configuration file (PAYRACK_CONFIG)")
}

// loadConfig reads the file, the environment and the flags of a command.
func loadConfig(cmd *cobra.Command) (configs.Config, error) { return loadFrom(cmd, cmd.Flags()) }

func loadFrom(cmd *cobra.Command, flags *pflag.FlagSet) (configs.Config, error) {
	file, err := cmd.Flags().GetString("config")
	if err != nil {
		return configs.Config{}, fmt.Errorf("read --config: %w", err)
	}
	c, err := configs.Load(configs.Sources{
		File: file, Environ: os.Environ(), Ignore: programVariables(), Flags: flags,
	})
	if mistakes, ok := errors.AsType[configs.Errors](err); ok {
		return c, refusedf("%w", mistakes)
	}
	if err != nil {
		return c, refusedf("%w", err)
	}
	return c, nil
}

func (c *cli) configCommand() *cobra.Command {
	group := &cobra.Command{Use: "config", Short: "Look at the configuration", Args: cobra.NoArgs, RunE: needsSubcommand}
	check := &cobra.Command{
		Use:   "check",
		Short: "Report every mistake at once; exit code 3 if there is one. What is allowed and risky is told on stderr",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			loaded, err := loadConfig(cmd)
			mistakes, ok := errors.AsType[configs.Errors](err)
			if err != nil && !ok {
				return err
			}
			// A file that cannot be used is told of beside the mistakes in the text, not after they are mended.
			if mistakes = append(mistakes, unusableFiles(loaded)...); len(mistakes) > 0 {
				return refusedf("%w", mistakes)
			}
			for _, w := range loaded.Warnings() {
				_, _ = fmt.Fprintf(c.errOut, "warning: %s\n", w)
			}
			c.say("the configuration is good (%s, %s)", loaded.Environment, loaded.HTTP.Addr)
			return nil
		},
	}
	show := &cobra.Command{
		Use:   "print",
		Short: "Print every key with the value in effect, secrets masked",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			loaded, err := loadConfig(cmd)
			if err != nil {
				return err
			}
			text, err := loaded.YAML()
			if c.output == "json" {
				text, err = loaded.JSON()
			}
			if err != nil {
				return fmt.Errorf("%w", err)
			}
			_, err = c.out.Write(text)
			return err
		},
	}
	configFlags(check)
	configFlags(show)
	group.AddCommand(check, show)
	return group
}

// unusableFiles tells of every file that a configuration names and serve would not start with.
func unusableFiles(c configs.Config) configs.Errors {
	var all configs.Errors
	for _, path := range c.Plugins.ReportKeys {
		if path == "" {
			continue // the configuration says so itself
		}
		if _, err := readPublicKey(path); err != nil {
			all = append(all, configs.Problem{
				Key: "plugins.report_keys", Wrong: err.Error(), Do: "name a file with an Ed25519 public key in PEM",
			})
		}
	}
	var wrong []error
	for _, path := range c.Plugins.SigningKeys {
		if path != "" {
			_, err := artifacts.New(artifacts.Options{SigningKeys: []string{path}})
			wrong = append(wrong, err)
		}
	}
	_, err := artifacts.New(artifacts.Options{Registry: artifacts.Registry{PasswordFile: c.Plugins.Registry.PasswordFile}})
	for _, err := range append(wrong, err) {
		if err == nil {
			continue
		}
		key, rest, _ := strings.Cut(err.Error(), ": ")
		do := "name a file with a minisign public key"
		if key == "plugins.registry.password_file" {
			do = "name a file that only the platform's user may read"
		}
		all = append(all, configs.Problem{Key: key, Wrong: rest, Do: do})
	}
	return all
}

// needsSubcommand is the work of a command that only holds others.
func needsSubcommand(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("%s has no command %q", cmd.CommandPath(), args[0])
	}
	if err := cmd.Help(); err != nil {
		return err
	}
	return usagef("%s needs one of its commands", cmd.CommandPath())
}
