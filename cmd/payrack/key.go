package main

import (
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/payrack/payrack/adapters/outbound/system"
	"github.com/payrack/payrack/adapters/outbound/tokens"
	"github.com/payrack/payrack/configs"
)

// shortestLead leaves every replica, which reads the key file each half minute, time to have a new key before it signs.
const shortestLead = time.Minute

func (c *cli) keyCommand() *cobra.Command {
	group := &cobra.Command{Use: "key", Short: "The keys that sign access tokens", Args: cobra.ArbitraryArgs, RunE: needsSubcommand}
	group.AddCommand(c.keyRotateCommand(), c.keyListCommand())
	return group
}

// keyFlags say whose keys on this machine are meant.
func keyFlags(cmd *cobra.Command, data *string) {
	cmd.Flags().StringVar(data, "data", os.Getenv("PAYRACK_DATA"), "data folder of a payrack dev (PAYRACK_DATA)")
	configFileFlag(cmd)
}

func (c *cli) keyRotateCommand() *cobra.Command {
	var data string
	var lead time.Duration
	var leaked bool
	cmd := &cobra.Command{
		Use: "rotate", Short: "Make a new key that signs access tokens, in the key file on this machine", Args: cobra.NoArgs,
		Long: "Make a new key that signs access tokens, in the key file on this machine (jwt.json in keys.dir, or of --data's\n" +
			"development folder). What serves reads the file again within half a minute; nothing is restarted. The new key is\n" +
			"published for --lead before it signs. The one before goes on verifying what it signed, and a rotation 31 days later\n" +
			"or more drops it, when no token of it can be valid any more. Replicas that have a keys folder of their own need the\n" +
			"changed file from you within --lead.\n" +
			"With --leaked the new key signs at once and all others are gone: every token ends, also those of the admin plane.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if lead < shortestLead || lead > 24*time.Hour {
				return usagef("--lead is %s: choose between 1m and 24h", lead)
			}
			if leaked && cmd.Flags().Changed("lead") {
				return usagef("--leaked signs with the new key at once: leave --lead out")
			}
			conf, _, err := keysHere(cmd, data)
			if err != nil {
				return err
			}
			now := system.Clock{}.Now()
			if _, err := tokens.List(conf.Keys.Dir, now); err != nil {
				return refusedf("read the signing keys: %w", err) // in words, before anything is begun
			}
			if err := tokens.Rotate(conf.Keys.Dir, tokens.Rotation{Now: now, Lead: lead, Leaked: leaked}); err != nil {
				return refusedf("rotate the signing key: %w", err)
			}
			if err := c.showKeys(conf.Keys.Dir); err != nil {
				return err
			}
			if leaked {
				c.say("every token ends within half a minute: clients ask for new ones, payrack token --admin makes one for you")
			} else {
				c.say("the new key signs in %s; tokens of the one before stay valid until they expire", configs.Duration(lead))
			}
			return nil
		},
	}
	cmd.Flags().DurationVar(&lead, "lead", 2*time.Minute, "how long the new key is published before it signs")
	cmd.Flags().BoolVar(&leaked, "leaked", false, "the key file leaked: sign with the new key at once and drop all others, with every token")
	keyFlags(cmd, &data)
	return cmd
}

func (c *cli) keyListCommand() *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use: "list", Short: "List the keys that sign and verify access tokens", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			conf, _, err := keysHere(cmd, data)
			if err != nil {
				return err
			}
			return c.showKeys(conf.Keys.Dir)
		},
	}
	keyFlags(cmd, &data)
	return cmd
}

// showKeys prints the signing keys of a folder, without their private parts.
func (c *cli) showKeys(dir string) error {
	now := system.Clock{}.Now()
	all, err := tokens.List(dir, now)
	if err != nil {
		return refusedf("read the signing keys: %w", err)
	}
	type row struct {
		ID        string    `json:"key_id"`
		SignsFrom time.Time `json:"signs_from"`
		State     string    `json:"state"`
	}
	rows, t := make([]row, len(all)), table{head: []string{"key", "signs from", "state"}}
	for i, k := range all {
		rows[i] = row{k.ID, k.SignsFrom, "verifies"}
		switch {
		case k.Signs:
			rows[i].State = "signs"
		case k.SignsFrom.After(now):
			rows[i].State = "published"
		}
		t.add(k.ID, k.SignsFrom.Format(time.RFC3339), rows[i].State)
	}
	return c.print(rows, t)
}
