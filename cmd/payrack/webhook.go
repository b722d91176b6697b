package main

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
)

func endpointColumns() []column {
	return []column{
		{"webhook", "id"},
		{"company", "company_id"},
		{"url", "url"},
		{"events", "events"},
		{"enabled", "enabled"},
		{"created at", "created_at"},
	}
}

func (c *cli) webhookCommand() *cobra.Command {
	group := &cobra.Command{Use: "webhook", Short: "Where companies hear of their payments", Args: cobra.ArbitraryArgs, RunE: needsSubcommand}
	group.AddCommand(c.webhookAddCommand(), c.webhookListCommand(), c.webhookSetCommand(), c.webhookRotateCommand(), c.webhookTestCommand(),
		c.webhookDeliveriesCommand(), c.webhookReplayCommand(), c.webhookRemoveCommand())
	return group
}

// onePlane makes a command that asks the admin plane about one endpoint.
func (c *cli) onePlane(use, short string, run func(cmd *cobra.Command, plane *caller, path string) error) *cobra.Command {
	var at adminFlags
	cmd := &cobra.Command{
		Use: use + " ID", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			plane, err := at.plane()
			if err != nil {
				return err
			}
			return run(cmd, plane, "/admin/v1/webhooks/"+url.PathEscape(args[0]))
		},
	}
	at.add(cmd)
	return cmd
}

// showEndpoint prints an endpoint, and its secret if the answer holds one.
func (c *cli) showEndpoint(made map[string]any) error {
	columns := endpointColumns()
	if _, secret := made["secret"]; secret {
		columns = append([]column{{"secret (shown this once)", "secret"}}, columns...)
	}
	return c.show([]map[string]any{made}, made, columns)
}

func (c *cli) webhookAddCommand() *cobra.Command {
	var at adminFlags
	var company, address string
	var events []string
	cmd := &cobra.Command{
		Use: "add", Short: "Tell a company's server what happens to its payments from now on", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := required([2]string{"company", company}, [2]string{"url", address}); err != nil {
				return err
			}
			plane, err := at.plane()
			if err != nil {
				return err
			}
			var made map[string]any
			body := map[string]any{"company_id": company, "url": address, "events": append([]string{}, events...)}
			if err := plane.ask(cmd.Context(), http.MethodPost, "/admin/v1/webhooks", body, &made); err != nil {
				return err
			}
			return c.showEndpoint(made)
		},
	}
	cmd.Flags().StringVar(&company, "company", "", "company id")
	cmd.Flags().StringVar(&address, "url", "", "where events are sent, https://…")
	cmd.Flags().StringSliceVar(&events, "event", nil, "only these events, such as payment.succeeded (default all)")
	at.add(cmd)
	return cmd
}

func (c *cli) webhookListCommand() *cobra.Command {
	var at adminFlags
	var company string
	cmd := &cobra.Command{
		Use: "list", Short: "List them", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			plane, err := at.plane()
			if err != nil {
				return err
			}
			path := "/admin/v1/webhooks"
			if company != "" {
				path += "?" + url.Values{"company_id": {company}}.Encode()
			}
			return c.showList(cmd, plane, path, "webhooks", endpointColumns())
		},
	}
	cmd.Flags().StringVar(&company, "company", "", "only those of this company")
	at.add(cmd)
	return cmd
}

// showList prints a member of an answer that is a list.
func (c *cli) showList(cmd *cobra.Command, plane *caller, path, member string, columns []column) error {
	var whole map[string]any
	if err := plane.ask(cmd.Context(), http.MethodGet, path, nil, &whole); err != nil {
		return err
	}
	rows, err := objects(whole[member])
	if err != nil {
		return err
	}
	return c.show(rows, whole[member], columns)
}

func (c *cli) webhookSetCommand() *cobra.Command {
	var address string
	var events []string
	var enabled bool
	cmd := c.onePlane("set", "Change its address or its events, or switch it off and on", func(cmd *cobra.Command, plane *caller, path string) error {
		body := map[string]any{}
		for name, value := range map[string]any{"url": address, "events": append([]string{}, events...), "enabled": enabled} {
			flag := name
			if name == "events" {
				flag = "event"
			}
			if cmd.Flags().Changed(flag) {
				body[name] = value
			}
		}
		if len(body) == 0 {
			return usagef("nothing is to be changed: give --url, --event or --enabled")
		}
		var saved map[string]any
		if err := plane.ask(cmd.Context(), http.MethodPatch, path, body, &saved); err != nil {
			return err
		}
		return c.showEndpoint(saved)
	})
	cmd.Flags().StringVar(&address, "url", "", "where events are sent")
	cmd.Flags().StringSliceVar(&events, "event", nil, `only these events; "" for all`)
	cmd.Flags().BoolVar(&enabled, "enabled", true, "false stops it; what is queued waits")
	return cmd
}

func (c *cli) webhookRotateCommand() *cobra.Command {
	return c.onePlane("rotate", "Make a new secret; for a day messages carry the signatures of both", func(cmd *cobra.Command, plane *caller, path string) error {
		var made map[string]any
		if err := plane.ask(cmd.Context(), http.MethodPost, path+"/rotate", map[string]any{}, &made); err != nil {
			return err
		}
		return c.showEndpoint(made)
	})
}

func (c *cli) webhookTestCommand() *cobra.Command {
	return c.onePlane("test", "Send a webhook.test event now", func(cmd *cobra.Command, plane *caller, path string) error {
		var o struct {
			Delivered bool   `json:"delivered"`
			Status    int    `json:"status"`
			Trouble   string `json:"trouble"`
			TookMS    int64  `json:"took_ms"`
		}
		if err := plane.ask(cmd.Context(), http.MethodPost, path+"/test", map[string]any{}, &o); err != nil {
			return err
		}
		t := table{head: []string{"delivered", "status", "took ms", "trouble"}}
		t.add(fmt.Sprint(o.Delivered), fmt.Sprint(o.Status), fmt.Sprint(o.TookMS), dash(o.Trouble))
		if err := c.print(o, t); err != nil {
			return err
		}
		if !o.Delivered {
			return &ended{exitFailure, fmt.Errorf("the endpoint did not take the message: %s", o.Trouble)}
		}
		return nil
	})
}

func (c *cli) webhookDeliveriesCommand() *cobra.Command {
	var payment, state string
	cmd := c.onePlane("deliveries", "What was sent to it and what waits, newest first", func(cmd *cobra.Command, plane *caller, _ string) error {
		query := url.Values{"webhook_id": {cmd.Flags().Arg(0)}}
		for name, value := range map[string]string{"payment_id": payment, "state": state} {
			if value != "" {
				query.Set(name, value)
			}
		}
		return c.showList(cmd, plane, "/admin/v1/webhooks/deliveries?"+query.Encode(), "deliveries", []column{
			{"delivery", "id"},
			{"payment", "payment_id"},
			{"event", "event"},
			{"at", "at"},
			{"state", "state"},
			{"attempts", "attempts"},
			{"status", "last_status"},
			{"trouble", "last_trouble"},
			{"next at", "next_at"},
		})
	})
	cmd.Flags().StringVar(&payment, "payment", "", "only events of this payment")
	cmd.Flags().StringVar(&state, "state", "", "PENDING, DELIVERED or GIVEN_UP")
	return cmd
}

func (c *cli) webhookReplayCommand() *cobra.Command {
	var delivery, payment, since string
	cmd := c.onePlane("replay", "Send again: one delivery, those of a payment, or all that were given up", func(cmd *cobra.Command, plane *caller, path string) error {
		body := map[string]any{}
		for name, value := range map[string]string{"delivery_id": delivery, "payment_id": payment, "since": since} {
			if value != "" {
				body[name] = value
			}
		}
		var queued struct {
			Queued int `json:"queued"`
		}
		if err := plane.ask(cmd.Context(), http.MethodPost, path+"/replay", body, &queued); err != nil {
			return err
		}
		t := table{head: []string{"queued"}}
		t.add(fmt.Sprint(queued.Queued))
		return c.print(queued, t)
	})
	cmd.Flags().StringVar(&delivery, "delivery", "", "this delivery, msg_…")
	cmd.Flags().StringVar(&payment, "payment", "", "events of this payment")
	cmd.Flags().StringVar(&since, "since", "", "events since then, such as 2026-12-01T00:00:00Z")
	return cmd
}

func (c *cli) webhookRemoveCommand() *cobra.Command {
	return c.onePlane("remove", "Forget it with what is queued for it", func(cmd *cobra.Command, plane *caller, path string) error {
		if err := plane.ask(cmd.Context(), http.MethodDelete, path, nil, nil); err != nil {
			return err
		}
		c.say("removed")
		return nil
	})
}
