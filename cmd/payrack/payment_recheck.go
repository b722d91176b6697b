package main

import (
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
)

func (c *cli) paymentRecheckCommand() *cobra.Command {
	var at adminFlags
	cmd := &cobra.Command{
		Use: "recheck ID", Short: "Ask the provider about a payment now, through the admin plane",
		Long: `Ask the provider about a payment now, through the admin plane.

An open outcome is settled if the provider says enough. Money behind a "not paid" is given back, however long ago that was
told. Nothing is asked about any other payment: one that is paid, was given back, expired, or waits for two people in REVIEW is
shown as it stands.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			plane, err := at.plane()
			if err != nil {
				return err
			}
			var p map[string]any
			if err := plane.ask(cmd.Context(), http.MethodPost, "/admin/v1/payments/"+url.PathEscape(args[0])+"/recheck", nil, &p); err != nil {
				return err
			}
			return c.printPayment(p)
		},
	}
	at.add(cmd)
	return cmd
}
