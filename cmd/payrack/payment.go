package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// paymentView is a payment as the public plane tells it.
type paymentView struct {
	ID          string `json:"id"`
	State       string `json:"state"`
	Type        string `json:"type"`
	StoreID     string `json:"store_id"`
	OrderNumber string `json:"order_number"`
	Amount      struct {
		Amount   int64  `json:"amount"`
		Currency string `json:"currency"`
	} `json:"amount"`
	CreatedAt time.Time `json:"created_at"`
}

func (c *cli) paymentCommand() *cobra.Command {
	group := &cobra.Command{Use: "payment", Short: "Payments of a company, through the public plane", Args: cobra.ArbitraryArgs, RunE: needsSubcommand}
	group.AddCommand(c.paymentCreateCommand(), c.paymentListCommand(), c.paymentShowCommand(), c.paymentExplainCommand(),
		c.paymentRecheckCommand(), c.paymentReviewCommand())
	for _, u := range followUps() {
		group.AddCommand(c.followUpCommand(u))
	}
	return group
}

// publicPlane gets a token with the scopes and returns the plane.
func publicPlane(ctx context.Context, o tokenOptions, scope string) (*caller, error) {
	o.scope = scope
	got, err := clientToken(ctx, o)
	if err != nil {
		return nil, err
	}
	if o.url == "" || o.id == "" {
		d, err := readDevFile(dataOrDefault(o.data))
		if err != nil {
			return nil, err
		}
		o.url = d.HTTPURL
	}
	return &caller{base: strings.TrimSuffix(o.url, "/"), token: got.AccessToken}, nil
}

func (o *tokenOptions) addPublic(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.data, "data", os.Getenv("PAYRACK_DATA"), "data folder of a payrack dev (PAYRACK_DATA)")
	cmd.Flags().StringVar(&o.url, "url", os.Getenv("PAYRACK_URL"), "public plane (PAYRACK_URL)")
	cmd.Flags().StringVar(&o.id, "client-id", os.Getenv("PAYRACK_CLIENT_ID"),
		"client id (PAYRACK_CLIENT_ID); its secret is read from PAYRACK_CLIENT_SECRET")
}

func (c *cli) paymentListCommand() *cobra.Command {
	var o tokenOptions
	var order, state, store, kind, cursor string
	var limit int
	cmd := &cobra.Command{
		Use: "list", Short: "List payments, newest first", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			plane, err := publicPlane(cmd.Context(), o, "search")
			if err != nil {
				return err
			}
			query := url.Values{"limit": {fmt.Sprint(limit)}}
			for name, value := range map[string]string{
				"order_number": order, "state": state, "store_id": store, "type": kind, "cursor": cursor,
			} {
				if value != "" {
					query.Set(name, value)
				}
			}
			var page struct {
				Data       []paymentView `json:"data"`
				NextCursor *string       `json:"next_cursor"`
			}
			if err := plane.ask(cmd.Context(), http.MethodGet, "/v2/payments?"+query.Encode(), nil, &page); err != nil {
				return err
			}
			t := table{head: []string{"payment", "state", "type", "store", "order", "amount", "created at"}}
			for _, p := range page.Data {
				t.add(p.ID, p.State, p.Type, p.StoreID, p.OrderNumber,
					fmt.Sprintf("%d %s", p.Amount.Amount, p.Amount.Currency), p.CreatedAt.Format(time.RFC3339))
			}
			if err := c.print(page, t); err != nil {
				return err
			}
			if page.NextCursor != nil && c.output == "table" {
				c.say("more: --cursor %s", *page.NextCursor)
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&order, "order", "", "only this order number")
	f.StringVar(&state, "state", "", "only this state, such as UNKNOWN")
	f.StringVar(&store, "store", "", "only this store")
	f.StringVar(&kind, "type", "", "only this payment type")
	f.StringVar(&cursor, "cursor", "", "where the page before ended")
	f.IntVar(&limit, "limit", 50, "payments on a page, 1 to 200")
	o.addPublic(cmd)
	return cmd
}

func (c *cli) paymentShowCommand() *cobra.Command {
	var o tokenOptions
	cmd := &cobra.Command{
		Use: "show ID", Short: "Show one payment", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			plane, err := publicPlane(cmd.Context(), o, "search")
			if err != nil {
				return err
			}
			var p map[string]any
			if err := plane.ask(cmd.Context(), http.MethodGet, "/v2/payments/"+url.PathEscape(args[0]), nil, &p); err != nil {
				return err
			}
			return c.printPayment(p)
		},
	}
	o.addPublic(cmd)
	return cmd
}

func (c *cli) paymentExplainCommand() *cobra.Command {
	var at adminFlags
	var language string
	cmd := &cobra.Command{
		Use: "explain ID", Short: "Tell the story of a payment from its journal, through the admin plane", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			plane, err := at.plane()
			if err != nil {
				return err
			}
			path := "/admin/v1/payments/" + url.PathEscape(args[0]) + "/explain?" + url.Values{"lang": {language}}.Encode()
			var s storyView
			if err := plane.ask(cmd.Context(), http.MethodGet, path, nil, &s); err != nil {
				return err
			}
			return c.printStory(s)
		},
	}
	cmd.Flags().StringVar(&language, "lang", "en", "en or zh-TW")
	at.add(cmd)
	return cmd
}

func (c *cli) printStory(s storyView) error {
	if c.output == "json" {
		return c.print(s, table{})
	}
	for _, line := range s.Summary {
		c.say("%s", line)
	}
	c.say("")
	for _, step := range s.Steps {
		c.say("%3d  %s  %s", step.N, step.At.UTC().Format("2006-01-02 15:04:05.000"), step.State)
		c.say("     %s", step.Text)
		if len(step.Details) > 0 {
			c.say("     %s", strings.Join(step.Details, "; "))
		}
	}
	c.say("")
	c.say("%s", s.Promise)
	c.say("%s", s.Next)
	return nil
}

// printPayment prints a payment of the public plane.
func (c *cli) printPayment(p map[string]any) error {
	t := table{}
	for _, member := range []string{
		"id", "state", "failure", "type", "store_id", "order_number", "order_id", "amount", "authorized", "captured", "refunded", "action",
		"provider", "provider_transaction_id", "provider_code", "decline_code", "mandate_id", "plugin_version", "is_test",
		"authorization_ends_at", "created_at", "updated_at", "next_check_at",
	} {
		value, ok := p[member]
		if !ok {
			continue
		}
		inner, object := value.(map[string]any)
		switch {
		case object && member == "action":
			for _, part := range []string{"web_url", "app_url", "expires_at"} {
				if told, ok := inner[part]; ok {
					t.add("payer opens, "+strings.ReplaceAll(part, "_", " "), cell(told))
				}
			}
			continue
		case object:
			value = fmt.Sprintf("%v %v", inner["amount"], inner["currency"])
		}
		t.add(strings.ReplaceAll(member, "_", " "), cell(value))
	}
	return c.print(p, t)
}
