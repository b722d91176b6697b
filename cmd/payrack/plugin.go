package main

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// pluginStatus is one provider as the admin plane tells it.
type pluginStatus struct {
	Name      string           `json:"name"`
	Channel   pluginChannel    `json:"channel"`
	Releases  []pluginRelease  `json:"releases"`
	Instances []pluginInstance `json:"instances"`
	Types     []string         `json:"types"`
	Runtime   struct {
		Phase  string `json:"phase"`
		Detail string `json:"detail,omitempty"`
		Remedy string `json:"remedy,omitempty"`
	} `json:"runtime"`
	Replicas []pluginReplica `json:"replicas"`
}

// pluginChannel says which releases serve.
type pluginChannel struct {
	Stable     string     `json:"stable"`
	Candidate  string     `json:"candidate"`
	Previous   string     `json:"previous"`
	Weight     int        `json:"weight"`
	Stores     []string   `json:"stores"`
	Phase      string     `json:"phase"`
	Goal       string     `json:"goal,omitempty"`
	Generation int64      `json:"generation"`
	Until      *time.Time `json:"until"`
	Enabled    bool       `json:"enabled"`
	Reason     string     `json:"reason"`
	UpdatedAt  *time.Time `json:"updated_at"`
	UpdatedBy  string     `json:"updated_by"`
}

// pluginRelease is one installed version.
type pluginRelease struct {
	Version     string    `json:"version"`
	SHA256      string    `json:"sha256"`
	Status      string    `json:"status"`
	Source      string    `json:"source"`
	SignedBy    string    `json:"signed_by"`
	ReportedBy  string    `json:"reported_by"`
	Size        int64     `json:"size"`
	InstalledAt time.Time `json:"installed_at"`
	InstalledBy string    `json:"installed_by"`
}

// pluginInstance is one process of a provider.
type pluginInstance struct {
	ID          string            `json:"id"`
	Version     string            `json:"version"`
	SHA256      string            `json:"sha256"`
	PID         int               `json:"pid"`
	State       string            `json:"state"`
	Inflight    int               `json:"inflight"`
	StartedAt   time.Time         `json:"started_at"`
	Protections map[string]string `json:"protections"`
}

// pluginReplica is what one process of the fleet says about a provider.
type pluginReplica struct {
	Replica    string            `json:"replica"`
	Alive      bool              `json:"alive"`
	Generation int64             `json:"generation"`
	Ready      []string          `json:"ready"`
	Refused    map[string]string `json:"refused"`
	SeenAt     *time.Time        `json:"seen_at"`
	Tallies    []pluginTally     `json:"tallies"`
}

// pluginTally is what a release did on a replica since the channel's releases last changed.
type pluginTally struct {
	Version   string `json:"version"`
	Calls     int64  `json:"calls"`
	Declined  int64  `json:"declined"`
	Technical int64  `json:"technical"`
	Unknown   int64  `json:"unknown"`
	Breaches  int64  `json:"breaches"`
	Checked   int64  `json:"checked"`
	Crashes   int64  `json:"crashes"`
	RSS       int64  `json:"rss_bytes"`
}

// state is what the process of a provider does, in one word, where none runs.
func (p pluginStatus) state() string {
	if p.Runtime.Phase == "" || p.Runtime.Phase == "idle" {
		return "not running"
	}
	return p.Runtime.Phase
}

// role is what a version is in the channel.
func (c pluginChannel) role(version string) string {
	switch version {
	case c.Stable:
		return "stable"
	case c.Candidate:
		return "candidate"
	case c.Previous:
		return "previous"
	}
	return "-"
}

// versions are the installed ones.
func (p pluginStatus) versions() []string {
	all := make([]string, len(p.Releases))
	for i, r := range p.Releases {
		all[i] = r.Version
	}
	return all
}

// choice names the installed versions for people; one that was revoked is there and cannot be chosen.
func (p pluginStatus) choice() string {
	all := make([]string, len(p.Releases))
	for i, r := range p.Releases {
		all[i] = r.Version
		if r.Status == "revoked" {
			all[i] += " (revoked)"
		}
	}
	return dash(strings.Join(all, " "))
}

func (c *cli) pluginCommand() *cobra.Command {
	group := &cobra.Command{
		Use: "plugin", Short: "Providers: install, activate, canary, roll back, look", Args: cobra.ArbitraryArgs, RunE: needsSubcommand,
	}
	group.AddGroup(
		&cobra.Group{ID: "look", Title: "Look:"},
		&cobra.Group{ID: "serve", Title: "Say which release serves:"},
		&cobra.Group{ID: "release", Title: "Releases:"},
		&cobra.Group{ID: "make", Title: "Make a provider:"},
	)
	add := func(id string, commands ...*cobra.Command) {
		for _, command := range commands {
			command.GroupID = id
			group.AddCommand(command)
		}
	}
	add("look", c.pluginStatusCommand(), c.pluginListCommand(), c.pluginEventsCommand(), c.pluginWaitCommand(), c.pluginDiffCommand())
	add("serve", c.pluginActivateCommand(), c.pluginCanaryCommand(), c.pluginPromoteCommand(), c.pluginRollbackCommand(),
		c.pluginDisableCommand(), c.pluginEnableCommand())
	add("release", c.pluginInstallCommand(), c.pluginRemoveCommand(), c.pluginRevokeCommand())
	add("make", c.pluginNewCommand(), c.pluginVerifyCommand(), c.pluginPackCommand(), c.pluginSignCommand())
	return group
}

func (c *cli) pluginListCommand() *cobra.Command {
	var at adminFlags
	cmd := &cobra.Command{
		Use: "list", Short: "List the installed releases, which serves and who signed it", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			plane, err := at.plane()
			if err != nil {
				return err
			}
			all, err := pluginsOf(cmd.Context(), plane)
			if err != nil {
				return err
			}
			t := table{head: []string{"provider", "version", "status", "role", "signed by", "source", "sha256", "types"}}
			for _, p := range all {
				for _, r := range p.Releases {
					t.add(p.Name, r.Version, r.Status, p.Channel.role(r.Version), dash(r.SignedBy), dash(r.Source), r.SHA256, dash(strings.Join(p.Types, " ")))
				}
			}
			return c.print(all, t)
		},
	}
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

// onePlugin is a provider by its name.
func onePlugin(ctx context.Context, plane *caller, name string) (pluginStatus, error) {
	all, err := pluginsOf(ctx, plane)
	if err != nil {
		return pluginStatus{}, err
	}
	if i := slices.IndexFunc(all, func(p pluginStatus) bool { return p.Name == name }); i >= 0 {
		return all[i], nil
	}
	return pluginStatus{}, refusedf("there is no provider %s; installed providers: %s", name, dash(strings.Join(pluginNames(all), " ")))
}

func pluginNames(all []pluginStatus) []string {
	names := make([]string, len(all))
	for i, p := range all {
		names[i] = p.Name
	}
	return names
}
