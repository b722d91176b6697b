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
	group.AddCommand(c.paymentListCommand(), c.paymentShowCommand())
	return group
}

// publicPlane gets a token for reading and returns the plane.
func publicPlane(ctx context.Context, o tokenOptions) (*caller, error) {
	o.scope = "search"
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
			plane, err := publicPlane(cmd.Context(), o)
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
			plane, err := publicPlane(cmd.Context(), o)
			if err != nil {
				return err
			}
			var p map[string]any
			if err := plane.ask(cmd.Context(), http.MethodGet, "/v2/payments/"+url.PathEscape(args[0]), nil, &p); err != nil {
				return err
			}
			t := table{}
			for _, member := range []string{
				"id", "state", "failure", "type", "store_id", "order_number", "amount", "authorized", "captured", "refunded",
				"provider", "provider_transaction_id", "provider_code", "plugin_version", "is_test", "created_at", "updated_at",
				"next_check_at",
			} {
				value, ok := p[member]
				if !ok {
					continue
				}
				if money, ok := value.(map[string]any); ok {
					value = fmt.Sprintf("%v %v", money["amount"], money["currency"])
				}
				t.add(strings.ReplaceAll(member, "_", " "), cell(value))
			}
			return c.print(p, t)
		},
	}
	o.addPublic(cmd)
	return cmd
}
