package main

import (
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// pluginStatus is one provider as the admin plane tells it.
type pluginStatus struct {
	Name    string `json:"name"`
	Channel struct {
		Stable     string `json:"stable"`
		Candidate  string `json:"candidate"`
		Weight     int    `json:"weight"`
		Phase      string `json:"phase"`
		Generation int64  `json:"generation"`
	} `json:"channel"`
	Releases []struct {
		Version string `json:"version"`
		SHA256  string `json:"sha256"`
		Status  string `json:"status"`
	} `json:"releases"`
	Instances []struct {
		ID        string    `json:"id"`
		Version   string    `json:"version"`
		SHA256    string    `json:"sha256"`
		PID       int       `json:"pid"`
		State     string    `json:"state"`
		Inflight  int       `json:"inflight"`
		StartedAt time.Time `json:"started_at"`
	} `json:"instances"`
	Types []string `json:"types"`
}

func (c *cli) pluginCommand() *cobra.Command {
	group := &cobra.Command{Use: "plugin", Short: "Providers: install, activate, look", Args: cobra.ArbitraryArgs, RunE: needsSubcommand}
	group.AddCommand(c.pluginInstallCommand(), c.pluginListCommand(), c.pluginStatusCommand(), c.pluginActivateCommand())
	return group
}

func (c *cli) pluginInstallCommand() *cobra.Command {
	var at adminFlags
	cmd := &cobra.Command{
		Use: "install PATH", Short: "Install a provider binary that lies on the server; it takes no traffic yet", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := filepath.Abs(args[0])
			if err != nil {
				return fmt.Errorf("find %s: %w", args[0], err)
			}
			plane, err := at.plane()
			if err != nil {
				return err
			}
			var made map[string]any
			if err := plane.ask(cmd.Context(), http.MethodPost, "/admin/v1/plugins/releases", map[string]string{"path": path}, &made); err != nil {
				return err
			}
			if err := c.show([]map[string]any{made}, made, []column{
				{"provider", "name"}, {"version", "version"}, {"sha256", "sha256"}, {"status", "status"},
			}); err != nil {
				return err
			}
			c.say("next: payrack plugin activate %v %v", made["name"], made["version"])
			return nil
		},
	}
	at.add(cmd)
	return cmd
}

func (c *cli) pluginListCommand() *cobra.Command {
	return c.pluginTable("list", "List the installed releases and which serves",
		[]string{"provider", "version", "status", "serves", "sha256", "types"},
		func(p pluginStatus, t *table) {
			for _, r := range p.Releases {
				serves := "-"
				if r.Version == p.Channel.Stable {
					serves = "yes"
				}
				t.add(p.Name, r.Version, r.Status, serves, r.SHA256, dash(strings.Join(p.Types, " ")))
			}
		})
}

func (c *cli) pluginStatusCommand() *cobra.Command {
	return c.pluginTable("status", "List the running processes",
		[]string{"provider", "version", "phase", "state", "pid", "in flight", "since"},
		func(p pluginStatus, t *table) {
			if len(p.Instances) == 0 {
				t.add(p.Name, dash(p.Channel.Stable), p.Channel.Phase, "not running", "-", "-", "-")
			}
			for _, i := range p.Instances {
				t.add(p.Name, i.Version, p.Channel.Phase, i.State, fmt.Sprint(i.PID), fmt.Sprint(i.Inflight),
					i.StartedAt.Format(time.RFC3339))
			}
		})
}

func (c *cli) pluginTable(use, short string, head []string, fill func(pluginStatus, *table)) *cobra.Command {
	var at adminFlags
	cmd := &cobra.Command{
		Use: use, Short: short, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			plane, err := at.plane()
			if err != nil {
				return err
			}
			var got struct {
				Plugins []pluginStatus `json:"plugins"`
			}
			if err := plane.ask(cmd.Context(), http.MethodGet, "/admin/v1/plugins", nil, &got); err != nil {
				return err
			}
			t := table{head: head}
			for _, p := range got.Plugins {
				fill(p, &t)
			}
			return c.print(got.Plugins, t)
		},
	}
	at.add(cmd)
	return cmd
}

func (c *cli) pluginActivateCommand() *cobra.Command {
	var at adminFlags
	var reason string
	cmd := &cobra.Command{
		Use: "activate NAME VERSION", Short: "Move the traffic of a provider to a release; payments in flight end on the old one",
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			plane, err := at.plane()
			if err != nil {
				return err
			}
			body := map[string]string{"version": args[1]}
			if reason != "" {
				body["reason"] = reason
			}
			var done map[string]any
			if err := plane.ask(cmd.Context(), http.MethodPost, "/admin/v1/plugins/"+url.PathEscape(args[0])+"/activate", body, &done); err != nil {
				return fmt.Errorf("%w\n  the release before goes on serving", err)
			}
			return c.show([]map[string]any{done}, done, []column{
				{"provider", "name"}, {"version", "version"}, {"previous", "previous"}, {"generation", "generation"}, {"took ms", "took_ms"},
			})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why; it stands in the record")
	at.add(cmd)
	return cmd
}
