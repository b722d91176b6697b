package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// orderFlags are what every order about a provider has.
type orderFlags struct {
	adminFlags

	reason string
}

func (f *orderFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.reason, "reason", "", "why; it stands in the provider's events")
	f.adminFlags.add(cmd)
}

// sendOrder sends an order about a provider and shows what it did.
func (c *cli) sendOrder(cmd *cobra.Command, f *orderFlags, name, verb string, body map[string]any) error {
	plane, err := f.plane()
	if err != nil {
		return err
	}
	if f.reason != "" {
		body["reason"] = f.reason
	}
	var done map[string]any
	if err := plane.ask(cmd.Context(), http.MethodPost, pluginPath(name, verb), body, &done); err != nil {
		return afterRefusal(cmd.Context(), plane, name, err)
	}
	return c.show([]map[string]any{done}, done, []column{
		{"provider", "name"}, {"version", "version"}, {"previous", "previous"}, {"generation", "generation"}, {"took ms", "took_ms"},
	})
}

func pluginPath(name, verb string) string {
	return "/admin/v1/plugins/" + url.PathEscape(name) + "/" + verb
}

func (c *cli) pluginActivateCommand() *cobra.Command {
	var f orderFlags
	var force bool
	cmd := &cobra.Command{
		Use: "activate NAME VERSION", Short: "Move the traffic of a provider to a release; payments in flight end on the old one",
		Long: "Starts the release beside the one that serves, on every replica, proves it, and moves the traffic to it. If any of that\n" +
			"fails the old release goes on and nothing was interrupted. The old one stays warm for a while (plugins.bake_for):\n" +
			"payrack plugin rollback NAME brings it back at once.",
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			body := map[string]any{"version": args[1]}
			if force {
				body["force"] = true
			}
			return c.sendOrder(cmd, &f, args[0], "activate", body)
		},
	}
	forceFlag(cmd, &force)
	f.add(cmd)
	return cmd
}

func forceFlag(cmd *cobra.Command, force *bool) {
	cmd.Flags().BoolVar(force, "force", false, "accept a release that can do less than the stable one; needs --reason")
}

func (c *cli) pluginCanaryCommand() *cobra.Command {
	var f orderFlags
	var force bool
	var weight int
	var stores []string
	cmd := &cobra.Command{
		Use: "canary NAME VERSION", Short: "Give a release a share of the payments, or change its share",
		Long: "Every payment stays with the release that it met first, on every replica. The candidate is watched against the stable\n" +
			"release and loses its share by itself when it crashes, fails more often, gets slow or contradicts it;\n" +
			"payrack plugin events NAME says why. Then: plugin promote NAME, or plugin rollback NAME.",
		Example: "  payrack plugin canary linepay 1.4.0 --weight 5\n  payrack plugin canary linepay 1.4.0 --weight 0 --store 00681 --store 00682",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			given := cmd.Flags().Changed("weight")
			if !given && len(stores) == 0 {
				return usagef("which payments? --weight PERCENT, --store ID, or both")
			}
			body := map[string]any{"version": args[1], "weight": weight}
			if len(stores) > 0 {
				body["stores"] = stores
			}
			if force {
				body["force"] = true
			}
			return c.sendOrder(cmd, &f, args[0], "canary", body)
		},
	}
	cmd.Flags().IntVar(&weight, "weight", 0, "share of the payments in percent, 0 to 100")
	cmd.Flags().StringArrayVar(&stores, "store", nil, "a store whose payments all go to the release (repeatable)")
	forceFlag(cmd, &force)
	f.add(cmd)
	return cmd
}

// plainOrder is an order that has nothing but a reason.
func (c *cli) plainOrder(verb, short string) *cobra.Command {
	var f orderFlags
	cmd := &cobra.Command{
		Use: verb + " NAME", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.sendOrder(cmd, &f, args[0], verb, map[string]any{})
		},
	}
	f.add(cmd)
	return cmd
}

func (c *cli) pluginPromoteCommand() *cobra.Command {
	return c.plainOrder("promote", "Make the canary's release the stable one")
}

func (c *cli) pluginRollbackCommand() *cobra.Command {
	return c.plainOrder("rollback", "Take the canary's share away, or bring the release before back")
}

// switchOrder is disable or enable.
func (c *cli) switchOrder(verb, short string) *cobra.Command {
	var f orderFlags
	cmd := &cobra.Command{
		Use: verb + " NAME", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			plane, err := f.plane()
			if err != nil {
				return err
			}
			body := map[string]any{}
			if f.reason != "" {
				body["reason"] = f.reason
			}
			var done struct {
				Name    string        `json:"name"`
				Channel pluginChannel `json:"channel"`
			}
			if err := plane.ask(cmd.Context(), http.MethodPost, pluginPath(args[0], verb), body, &done); err != nil {
				return afterRefusal(cmd.Context(), plane, args[0], err)
			}
			t := table{head: []string{"provider", "stable", "phase", "generation"}}
			t.add(done.Name, dash(done.Channel.Stable), done.Channel.Phase, fmt.Sprint(done.Channel.Generation))
			return c.print(done, t)
		},
	}
	f.add(cmd)
	return cmd
}

func (c *cli) pluginDisableCommand() *cobra.Command {
	return c.switchOrder("disable", "Take no new payments for a provider; open ones are followed up all the same")
}

func (c *cli) pluginEnableCommand() *cobra.Command {
	return c.switchOrder("enable", "Take new payments for a provider again")
}

// afterRefusal adds to a refused order what serves now, or which names and versions there are.
func afterRefusal(ctx context.Context, plane *caller, name string, refused error) error {
	if exitCode(refused) != exitRefused {
		return refused
	}
	all, err := pluginsOf(ctx, plane)
	if err != nil {
		return refused // it is what matters
	}
	i := slices.IndexFunc(all, func(p pluginStatus) bool { return p.Name == name })
	if i < 0 {
		return fmt.Errorf("%w\n  installed providers: %s", refused, dash(strings.Join(pluginNames(all), " ")))
	}
	p := all[i]
	versions := p.choice()
	serves := slices.IndexFunc(p.Instances, func(i pluginInstance) bool { return i.State == "serving" && i.Version == p.Channel.Stable })
	if serves < 0 {
		return fmt.Errorf("%w\n  nothing serves %s now (%s); installed versions: %s", refused, name, p.state(), versions)
	}
	return fmt.Errorf("%w\n  %s %s goes on serving (%s); installed versions: %s", refused, name, p.Channel.Stable, p.Channel.Phase, versions)
}
