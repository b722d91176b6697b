package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"

	"github.com/spf13/cobra"
)

// approvalVariable names the second person's token. It is no flag: a command line is read by every user of the machine.
const approvalVariable = "PAYRACK_APPROVAL_TOKEN"

func (c *cli) paymentReviewCommand() *cobra.Command {
	var at adminFlags
	var state, evidence string
	var captured, refunded int64
	cmd := &cobra.Command{
		Use: "review ID", Short: "End a payment that no search could settle, as two people",
		Long: `End a payment that no search could settle, as two people, through the admin plane.

A payment in REVIEW waits for two operators who have looked it up with the provider. One runs this command with their admin
token; the other one makes theirs (payrack token --admin --name WHO) and gives it in ` + approvalVariable + `.
What both decide is final, so the evidence says what it rests on: a page of the provider's console, a row of a report.`,
		Example: `  ` + approvalVariable + `=… payrack payment review ID --state SUCCEEDED --captured 229 --evidence "console, 2026-11-22 14:03"`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := required([2]string{"state", state}, [2]string{"evidence", evidence}); err != nil {
				return err
			}
			approval := os.Getenv(approvalVariable)
			if approval == "" {
				return usagef("the second person's admin token is missing: put it into %s", approvalVariable)
			}
			plane, err := at.plane()
			if err != nil {
				return err
			}
			body := map[string]any{"state": state, "evidence": evidence}
			for name, units := range map[string]int64{"captured": captured, "refunded": refunded} {
				if cmd.Flags().Changed(name) {
					body[name] = units
				}
			}
			text, err := json.Marshal(body)
			if err != nil {
				return fmt.Errorf("write the request: %w", err)
			}
			var p map[string]any
			err = plane.exchange(cmd.Context(), call{
				method: http.MethodPost, path: "/admin/v1/payments/" + url.PathEscape(args[0]) + "/review", body: text,
				header: http.Header{"Payrack-Approval": {"Bearer " + approval}},
			}, &p)
			if err != nil {
				return err
			}
			return c.printPayment(p)
		},
	}
	f := cmd.Flags()
	f.StringVar(&state, "state", "", "how it ended: SUCCEEDED, FAILED, REFUNDED, …")
	f.StringVar(&evidence, "evidence", "", "what the decision rests on; it is kept in the journal")
	f.Int64Var(&captured, "captured", 0, "what was taken, in whole charge units")
	f.Int64Var(&refunded, "refunded", 0, "what was given back")
	at.add(cmd)
	return cmd
}
