package main

import (
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
)

func releasePath(name, version string) string {
	return pluginPath(name, "releases/"+url.PathEscape(version))
}

func (c *cli) pluginRevokeCommand() *cobra.Command {
	var f orderFlags
	cmd := &cobra.Command{
		Use: "revoke NAME VERSION --reason TEXT", Short: "Take a release out of service everywhere, for good",
		Long: "No replica starts the release again. What it served goes on with the release before, if there is one; without one the\n" +
			"provider takes no payments until another release is activated. It cannot be undone: build a new version.",
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.reason == "" {
				return usagef("--reason is missing: somebody will ask why this release may never run again")
			}
			plane, err := f.plane()
			if err != nil {
				return err
			}
			var done map[string]any
			body := map[string]string{"reason": f.reason}
			if err := plane.ask(cmd.Context(), http.MethodPost, releasePath(args[0], args[1])+"/revoke", body, &done); err != nil {
				return afterRefusal(cmd.Context(), plane, args[0], err)
			}
			return c.show([]map[string]any{done}, done, []column{
				{"provider", "name"}, {"version", "version"}, {"sha256", "sha256"}, {"status", "status"},
			})
		},
	}
	f.add(cmd)
	return cmd
}
