package main

import (
	"net/http"

	"github.com/spf13/cobra"
)

func (c *cli) pluginRemoveCommand() *cobra.Command {
	var f adminFlags
	cmd := &cobra.Command{
		Use: "remove NAME VERSION", Short: "Forget a release that nothing needs",
		Long: "Refused, with what needs it, while the release serves, is prepared or is kept warm, or while it is the last one of a\n" +
			"provider that has open payments. A release that must not run again is revoked, not removed: a removed one can be installed\n" +
			"again.",
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			plane, err := f.plane()
			if err != nil {
				return err
			}
			if err := plane.ask(cmd.Context(), http.MethodDelete, releasePath(args[0], args[1]), nil, nil); err != nil {
				return afterRefusal(cmd.Context(), plane, args[0], err)
			}
			removed := map[string]any{"name": args[0], "version": args[1], "status": "removed"}
			return c.show([]map[string]any{removed}, removed, []column{{"provider", "name"}, {"version", "version"}, {"status", "status"}})
		},
	}
	f.add(cmd)
	return cmd
}
