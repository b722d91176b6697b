package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// What the payment commands ask a token for. Reading comes along: an amount is in the currency of its payment.
const (
	scopePay    = "pay search"
	scopeRefund = "refund search"
)

// order is a command that moves money.
type order struct {
	path string
	body map[string]any
	key  string
	// again is how the command is repeated, without its key.
	again string
}

// createOptions are the flags of payment create.
type createOptions struct {
	token                                                  tokenOptions
	kind, order, currency, code, mandate, store, data, key string
	description, returnURL, cancelURL                      string
	amount                                                 int64
	capture, test                                          bool
}

func (c *cli) paymentCreateCommand() *cobra.Command {
	var o createOptions
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Start a payment of any installed type",
		Long: "Start a payment of any installed type, in the platform's own terms. What a provider wants beside them goes into\n" +
			"--provider-data. Exit code 0: paid, held, or waiting for the payer; 3: declined or refused; 1: nobody knows yet. Then\n" +
			"payrack payment show tells what became of it, and the same command with the same --key never charges twice.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.createPayment(cmd, o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.kind, "type", "", "payment type, as payrack plugin list shows them")
	f.StringVar(&o.order, "order", "", "order number")
	f.Int64Var(&o.amount, "amount", 0, "amount in whole charge units: 229 TWD are 229, 2.29 USD are 229")
	f.StringVar(&o.currency, "currency", "", "currency, such as TWD")
	f.StringVar(&o.code, "code", "", "what the payer shows at the till; - reads it from stdin")
	f.StringVar(&o.mandate, "mandate", "", "id of a stored approval to charge")
	f.StringVar(&o.store, "store", "", "store; 0 is the company's own set (default: the store of a payrack dev)")
	f.BoolVar(&o.capture, "capture", true, "false holds the amount, for payrack payment capture")
	f.StringVar(&o.description, "description", "", "what the payer buys")
	f.StringVar(&o.returnURL, "return-url", "", "where the payer comes back to")
	f.StringVar(&o.cancelURL, "cancel-url", "", "where the payer goes who gives up")
	f.BoolVar(&o.test, "test", false, "the provider's test environment or not (default: the installation's own)")
	f.StringVar(&o.data, "provider-data", "", "JSON object with more columns of the provider; @FILE reads it from a file")
	f.StringVar(&o.key, "key", "", "Idempotency-Key (default: a new one, which is shown)")
	o.token.addPublic(cmd)
	completeTypes(cmd, func() (*caller, error) {
		return (&adminFlags{data: o.token.data, url: os.Getenv("PAYRACK_ADMIN_URL")}).plane()
	})
	return cmd
}

func (c *cli) createPayment(cmd *cobra.Command, o createOptions) error {
	if err := required([2]string{"type", o.kind}, [2]string{"order", o.order}, [2]string{"currency", o.currency}); err != nil {
		return err
	}
	if o.amount < 1 {
		return usagef("--amount is missing, or less than one charge unit")
	}
	if o.code != "" && o.mandate != "" {
		return usagef("choose --code or --mandate")
	}
	if o.code == "-" {
		line, err := readLine(cmd.InOrStdin())
		if err != nil {
			return err
		}
		o.code = strings.TrimSpace(line)
	}
	body := map[string]any{
		"type": o.kind, "order_number": o.order, "amount": map[string]any{"amount": o.amount, "currency": o.currency},
	}
	if cmd.Flags().Changed("capture") {
		body["capture"] = o.capture
	}
	if cmd.Flags().Changed("test") {
		body["is_test"] = o.test
	}
	if o.store == "" && o.token.id == "" {
		if d, err := readDevFile(dataOrDefault(o.token.data)); err == nil {
			o.store = d.StoreID
		}
	}
	for name, text := range map[string]string{
		"store_id": o.store, "description": o.description, "return_url": o.returnURL, "cancel_url": o.cancelURL,
	} {
		if text != "" {
			body[name] = text
		}
	}
	switch {
	case o.code != "":
		body["source"] = map[string]string{"code": o.code}
	case o.mandate != "":
		body["source"] = map[string]string{"mandate_id": o.mandate}
	}
	data, err := readData(o.data)
	if err != nil {
		return err
	}
	if data != nil {
		body["provider_data"] = data
	}
	plane, err := publicPlane(cmd.Context(), o.token, scopePay)
	if err != nil {
		return err
	}
	return c.carryOut(cmd.Context(), plane, order{path: "/v2/payments", body: body, key: o.key, again: "payrack payment create"})
}

// readData reads the columns of --provider-data. Their text appears in no error.
func readData(text string) (json.RawMessage, error) {
	if text == "" {
		return nil, nil
	}
	if path, file := strings.CutPrefix(text, "@"); file {
		content, err := os.ReadFile(path) //nolint:gosec // the operator names the file
		if err != nil {
			return nil, fmt.Errorf("read --provider-data: %w", err)
		}
		text = string(content)
	}
	if !json.Valid([]byte(text)) || !strings.HasPrefix(strings.TrimSpace(text), "{") {
		return nil, usagef("--provider-data is no JSON object")
	}
	return json.RawMessage(text), nil
}

// followUp is a command about a payment that exists.
type followUp struct {
	use, short, path, scope string
	// amounts and reasons say which flags it has.
	amounts, reasons bool
}

func followUps() []followUp {
	return []followUp{
		{use: "refund", short: "Give back all of a payment, or a part with --amount", path: "refunds", scope: scopeRefund, amounts: true, reasons: true},
		{use: "void", short: "Give up an authorization, or a charge that the provider can still take back", path: "void", scope: scopeRefund, reasons: true},
		{use: "capture", short: "Take all of a held amount, or a part with --amount", path: "capture", scope: scopePay, amounts: true},
		{use: "cancel", short: "See to it that a payment is not paid, whatever became of it", path: "cancel", scope: scopeRefund, reasons: true},
	}
}

func (c *cli) followUpCommand(u followUp) *cobra.Command {
	var o tokenOptions
	var amount int64
	var reason, key string
	cmd := &cobra.Command{
		Use: u.use + " ID", Short: u.short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if amount < 0 || cmd.Flags().Changed("amount") && amount == 0 {
				return usagef("--amount is less than one charge unit; without it, all that is left is meant")
			}
			plane, err := publicPlane(cmd.Context(), o, u.scope)
			if err != nil {
				return err
			}
			path := "/v2/payments/" + url.PathEscape(args[0])
			body := map[string]any{}
			if reason != "" {
				body["reason"] = reason
			}
			if amount > 0 {
				var p paymentView
				if err := plane.ask(cmd.Context(), http.MethodGet, path, nil, &p); err != nil {
					return err
				}
				body["amount"] = map[string]any{"amount": amount, "currency": p.Amount.Currency}
			}
			return c.carryOut(cmd.Context(), plane, order{
				path: path + "/" + u.path, body: body, key: key, again: "payrack payment " + u.use + " " + args[0],
			})
		},
	}
	f := cmd.Flags()
	if u.amounts {
		f.Int64Var(&amount, "amount", 0, "whole charge units of the payment's currency (default: all that is left)")
	}
	if u.reasons {
		f.StringVar(&reason, "reason", "", "why; it stands in the record")
	}
	f.StringVar(&key, "key", "", "Idempotency-Key (default: a new one, which is shown)")
	o.addPublic(cmd)
	return cmd
}

// carryOut sends a command that moves money and prints the payment that it left. The key is told before anything is
// sent: whoever does not get the answer can ask again without moving money twice.
func (c *cli) carryOut(ctx context.Context, plane *caller, o order) error {
	if o.key == "" {
		o.key = rand.Text()
		_, _ = fmt.Fprintf(c.errOut, "Idempotency-Key: %s\n", o.key)
	}
	body, err := json.Marshal(o.body)
	if err != nil {
		return fmt.Errorf("write the request: %w", err)
	}
	a, err := plane.send(ctx, call{
		method: http.MethodPost, path: o.path, body: body, header: http.Header{"Idempotency-Key": {o.key}},
	})
	if err != nil {
		return fmt.Errorf("%w\n  nobody knows whether it arrived: repeat %s with --key %s, which never moves money twice", err, o.again, o.key)
	}
	told, there, err := a.payment()
	if err != nil {
		return fmt.Errorf("%w\n  repeat %s with --key %s, which never moves money twice", err, o.again, o.key)
	}
	if !there {
		return a.refusal()
	}
	if err := c.printPayment(told); err != nil {
		return err
	}
	switch {
	case a.status == http.StatusAccepted:
		return fmt.Errorf("nobody knows the outcome yet, and the platform is finding it out: payrack payment show %s tells; do not charge again", cell(told["id"]))
	case a.status > 299:
		return a.refusal()
	}
	return nil
}

// payment is the payment in an answer, alone or inside a problem document; false if there is none.
func (a answer) payment() (told map[string]any, ok bool, err error) {
	text := a.body
	if a.status > 299 {
		var problem struct {
			Payment json.RawMessage `json:"payment"`
		}
		_ = json.Unmarshal(a.body, &problem) // what is no problem document has no payment
		if text = problem.Payment; len(text) == 0 {
			return nil, false, nil
		}
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber() // an amount is no float
	if err := d.Decode(&told); err != nil {
		return nil, false, fmt.Errorf("the answer (HTTP status %d) cannot be read: %w", a.status, err)
	}
	return told, true, nil
}
