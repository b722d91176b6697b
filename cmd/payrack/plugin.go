package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
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
	Instances []pluginInstance `json:"instances"`
	Types     []string         `json:"types"`
	Runtime   struct {
		Phase  string `json:"phase"`
		Detail string `json:"detail,omitempty"`
		Remedy string `json:"remedy,omitempty"`
	} `json:"runtime"`
}

// state is what the process of a provider does, in one word, where none runs.
func (p pluginStatus) state() string {
	if p.Runtime.Phase == "" || p.Runtime.Phase == "idle" {
		return "not running"
	}
	return p.Runtime.Phase
}

// pluginInstance is one process of a provider.
type pluginInstance struct {
	ID        string    `json:"id"`
	Version   string    `json:"version"`
	SHA256    string    `json:"sha256"`
	PID       int       `json:"pid"`
	State     string    `json:"state"`
	Inflight  int       `json:"inflight"`
	StartedAt time.Time `json:"started_at"`
}

func (c *cli) pluginCommand() *cobra.Command {
	group := &cobra.Command{Use: "plugin", Short: "Providers: install, activate, look", Args: cobra.ArbitraryArgs, RunE: needsSubcommand}
	group.AddCommand(c.pluginNewCommand(), c.pluginInstallCommand(), c.pluginListCommand(), c.pluginStatusCommand(), c.pluginActivateCommand(), c.pluginVerifyCommand())
	return group
}

func (c *cli) pluginInstallCommand() *cobra.Command {
	var at adminFlags
	var report string
	cmd := &cobra.Command{
		Use: "install PATH", Short: "Install a provider binary that lies on the server; it takes no traffic yet", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := filepath.Abs(args[0])
			if err != nil {
				return fmt.Errorf("find %s: %w", args[0], err)
			}
			body := map[string]string{"path": path}
			if report != "" {
				text, err := readReport(report)
				if err != nil {
					return err
				}
				body["report"] = string(text)
			}
			plane, err := at.plane()
			if err != nil {
				return err
			}
			var made map[string]any
			if err := plane.ask(cmd.Context(), http.MethodPost, "/admin/v1/plugins/releases", body, &made); err != nil {
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
	cmd.Flags().StringVar(&report, "report", "", "its signed conformance report, as payrack plugin verify --report --sign-key writes it")
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
		[]string{"provider", "version", "phase", "state", "pid", "in flight", "since", "why"},
		func(p pluginStatus, t *table) {
			why := "-"
			if p.Runtime.Detail != "" || p.Runtime.Remedy != "" {
				why = strings.Trim(p.Runtime.Detail+"; "+p.Runtime.Remedy, "; ")
			}
			if len(p.Instances) == 0 {
				t.add(p.Name, dash(p.Channel.Stable), p.Channel.Phase, p.state(), "-", "-", "-", why)
			}
			for _, i := range p.Instances {
				t.add(p.Name, i.Version, p.Channel.Phase, i.State, fmt.Sprint(i.PID), fmt.Sprint(i.Inflight),
					i.StartedAt.Format(time.RFC3339), why)
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
			all, err := pluginsOf(cmd.Context(), plane)
			if err != nil {
				return err
			}
			t := table{head: head}
			for _, p := range all {
				fill(p, &t)
			}
			return c.print(all, t)
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
				return afterRefusal(cmd.Context(), plane, args[0], err)
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

func pluginsOf(ctx context.Context, plane *caller) ([]pluginStatus, error) {
	var got struct {
		Plugins []pluginStatus `json:"plugins"`
	}
	err := plane.ask(ctx, http.MethodGet, "/admin/v1/plugins", nil, &got)
	return got.Plugins, err
}

// afterRefusal adds to a refused activation what serves now, or which names and versions there are.
func afterRefusal(ctx context.Context, plane *caller, name string, refused error) error {
	if exitCode(refused) != exitRefused {
		return refused
	}
	all, err := pluginsOf(ctx, plane)
	if err != nil {
		return refused // it is what matters
	}
	names := make([]string, len(all))
	for i, p := range all {
		names[i] = p.Name
	}
	i := slices.Index(names, name)
	if i < 0 {
		return fmt.Errorf("%w\n  installed providers: %s", refused, dash(strings.Join(names, " ")))
	}
	p := all[i]
	versions := make([]string, len(p.Releases))
	for i, r := range p.Releases {
		versions[i] = r.Version
	}
	serves := slices.IndexFunc(p.Instances, func(i pluginInstance) bool { return i.State == "serving" })
	if serves < 0 {
		return fmt.Errorf("%w\n  nothing serves %s now (%s); installed versions: %s", refused, name, p.state(), dash(strings.Join(versions, " ")))
	}
	return fmt.Errorf("%w\n  %s %s goes on serving; installed versions: %s", refused, name, p.Instances[serves].Version, strings.Join(versions, " "))
}
