package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// adminFlags say which admin plane a command speaks to.
type adminFlags struct{ data, url string }

func (f *adminFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.data, "data", os.Getenv("PAYRACK_DATA"), "data folder of a payrack dev (PAYRACK_DATA)")
	cmd.Flags().StringVar(&f.url, "admin-url", os.Getenv("PAYRACK_ADMIN_URL"),
		"admin plane (PAYRACK_ADMIN_URL); the token is read from PAYRACK_ADMIN_TOKEN")
}

// plane is the admin plane, from the flags or from a running dev.
func (f *adminFlags) plane() (*caller, error) {
	token := os.Getenv("PAYRACK_ADMIN_TOKEN")
	if f.url != "" {
		if token == "" {
			return nil, usagef("the admin token is missing: put it into PAYRACK_ADMIN_TOKEN; payrack token --admin makes one on the server")
		}
		return &caller{base: strings.TrimSuffix(f.url, "/"), token: token}, nil
	}
	d, err := readDevFile(dataOrDefault(f.data))
	if err != nil {
		return nil, fmt.Errorf("%w; or name the installation with --admin-url and PAYRACK_ADMIN_TOKEN", err)
	}
	return &caller{base: d.AdminURL, token: d.AdminToken}, nil
}

// column is one column of a table and the JSON member that fills it.
type column struct{ title, member string }

// show prints an answer of the admin plane: as it came, or the named members as a table.
func (c *cli) show(rows []map[string]any, whole any, columns []column) error {
	t := table{}
	for _, col := range columns {
		t.head = append(t.head, col.title)
	}
	for _, row := range rows {
		cells := make([]string, len(columns))
		for i, col := range columns {
			cells[i] = cell(row[col.member])
		}
		t.add(cells...)
	}
	return c.print(whole, t)
}

func cell(v any) string {
	switch x := v.(type) {
	case nil:
		return "-"
	case string:
		return dash(x)
	case []any:
		words := make([]string, len(x))
		for i, one := range x {
			words[i] = fmt.Sprint(one)
		}
		return dash(strings.Join(words, " "))
	default:
		return fmt.Sprint(x)
	}
}

// resource is one kind of thing that the admin plane manages.
type resource struct {
	name, plural, short string
	columns             []column
	// flags adds the flags of add, and body makes the request of them.
	flags func(*cobra.Command)
	body  func(*cobra.Command) (map[string]any, error)
	// switches are the commands that switch one of them off and on.
	switches []toggle
}

// toggle is a command that sets one member of a thing. Said is what follows from it.
type toggle struct {
	use, short string
	member     string
	value      bool
	said       string
}

func (c *cli) resourceCommand(r resource) *cobra.Command {
	group := r.group()
	group.AddCommand(c.addCommand(r), c.listCommand(r))
	c.addSwitches(group, r)
	return group
}

func (c *cli) addSwitches(group *cobra.Command, r resource) {
	for _, s := range r.switches {
		group.AddCommand(c.switchCommand(r, s))
	}
}

func (r resource) group() *cobra.Command {
	return &cobra.Command{Use: r.name, Short: r.short, Args: cobra.ArbitraryArgs, RunE: needsSubcommand}
}

func (c *cli) addCommand(r resource) *cobra.Command {
	var at adminFlags
	add := &cobra.Command{
		Use: "add", Short: "Add a " + r.name, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			body, err := r.body(cmd)
			if err != nil {
				return err
			}
			plane, err := at.plane()
			if err != nil {
				return err
			}
			var made map[string]any
			if err := plane.ask(cmd.Context(), http.MethodPost, "/admin/v1/"+r.plural, body, &made); err != nil {
				return err
			}
			columns := r.columns
			if _, secret := made["client_secret"]; secret {
				columns = append([]column{{"client secret (shown this once)", "client_secret"}}, columns...)
			}
			return c.show([]map[string]any{made}, made, columns)
		},
	}
	r.flags(add)
	at.add(add)
	return add
}

func (c *cli) switchCommand(r resource, s toggle) *cobra.Command {
	var at adminFlags
	cmd := &cobra.Command{
		Use: s.use + " ID", Short: s.short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			plane, err := at.plane()
			if err != nil {
				return err
			}
			var saved map[string]any
			path := "/admin/v1/" + r.plural + "/" + url.PathEscape(args[0])
			if err := plane.ask(cmd.Context(), http.MethodPatch, path, map[string]any{s.member: s.value}, &saved); err != nil {
				return err
			}
			if err := c.show([]map[string]any{saved}, saved, r.columns); err != nil {
				return err
			}
			c.say("%s", s.said)
			return nil
		},
	}
	at.add(cmd)
	return cmd
}

func (c *cli) listCommand(r resource) *cobra.Command {
	var at adminFlags
	var company string
	list := &cobra.Command{
		Use: "list", Short: "List them", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			plane, err := at.plane()
			if err != nil {
				return err
			}
			path := "/admin/v1/" + r.plural
			if company != "" {
				path += "?" + url.Values{"company_id": {company}}.Encode()
			}
			var whole map[string]any
			if err := plane.ask(cmd.Context(), http.MethodGet, path, nil, &whole); err != nil {
				return err
			}
			rows, err := objects(whole[r.plural])
			if err != nil {
				return err
			}
			return c.show(rows, whole[r.plural], r.columns)
		},
	}
	list.Flags().StringVar(&company, "company", "", "only those of this company")
	at.add(list)
	return list
}

func objects(list any) ([]map[string]any, error) {
	all, ok := list.([]any)
	if !ok {
		return nil, errors.New("the admin plane answered what cannot be read")
	}
	rows := make([]map[string]any, 0, len(all))
	for _, one := range all {
		row, ok := one.(map[string]any)
		if !ok {
			return nil, errors.New("the admin plane answered what cannot be read")
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func (c *cli) companyCommand() *cobra.Command {
	var id, name string
	return c.resourceCommand(resource{
		name: "company", plural: "companies", short: "Companies, the tenants",
		columns: []column{{"company", "id"}, {"name", "name"}, {"suspended", "suspended"}, {"created at", "created_at"}},
		flags: func(cmd *cobra.Command) {
			cmd.Flags().StringVar(&id, "id", "", "id (default: a new one)")
			cmd.Flags().StringVar(&name, "name", "", "name")
		},
		body: func(*cobra.Command) (map[string]any, error) {
			body := map[string]any{"name": name}
			if id != "" {
				body["id"] = id
			}
			return body, required([2]string{"name", name})
		},
		switches: []toggle{
			{
				use: "suspend", short: "Shut a company out: all its clients, with the tokens that they have", member: "suspended", value: true,
				said: "its clients get no token and are refused from now on, on other replicas within directory.reload_interval; open payments are still settled",
			},
			{
				use: "resume", short: "Let a suspended company in again", member: "suspended", value: false,
				said: "its clients get tokens again, and those from before that have not expired work again",
			},
		},
	})
}

func (c *cli) storeCommand() *cobra.Command {
	var company, id, name string
	return c.resourceCommand(resource{
		name: "store", plural: "stores", short: "Stores of companies",
		columns: []column{{"company", "company_id"}, {"store", "id"}, {"name", "name"}, {"created at", "created_at"}},
		flags: func(cmd *cobra.Command) {
			cmd.Flags().StringVar(&company, "company", "", "company id")
			cmd.Flags().StringVar(&id, "id", "", "the company's code of the store; 0 is the company itself")
			cmd.Flags().StringVar(&name, "name", "", "name")
		},
		body: func(*cobra.Command) (map[string]any, error) {
			return map[string]any{"company_id": company, "id": id, "name": name},
				required([2]string{"company", company}, [2]string{"id", id}, [2]string{"name", name})
		},
	})
}

func (c *cli) clientCommand() *cobra.Command {
	var company, name string
	var scopes, environments []string
	return c.resourceCommand(resource{
		name: "client", plural: "clients", short: "OAuth clients of companies",
		columns: []column{
			{"client", "client_id"},
			{"company", "company_id"},
			{"name", "name"},
			{"scopes", "scopes"},
			{"environments", "environments"},
			{"disabled", "disabled"},
			{"created at", "created_at"},
		},
		switches: []toggle{
			{
				use: "disable", short: "Take a client's tokens away: those that it has and those that it would get", member: "disabled", value: true,
				said: "it gets no token, and those that it has are refused from now on; on other replicas within directory.reload_interval",
			},
			{
				use: "enable", short: "Let a client in again", member: "disabled", value: false,
				said: "it gets tokens again, and those from before that have not expired work again",
			},
		},
		flags: func(cmd *cobra.Command) {
			cmd.Flags().StringVar(&company, "company", "", "company id")
			cmd.Flags().StringVar(&name, "name", "", "name")
			cmd.Flags().StringSliceVar(&scopes, "scope", []string{"pay", "search"}, "pay, search, refund")
			cmd.Flags().StringSliceVar(&environments, "environment", []string{"test"}, "live, test")
		},
		body: func(*cobra.Command) (map[string]any, error) {
			return map[string]any{"company_id": company, "name": name, "scopes": scopes, "environments": environments},
				required([2]string{"company", company}, [2]string{"name", name})
		},
	})
}

// required names the first flag that is missing.
func required(flags ...[2]string) error {
	for _, f := range flags {
		if f[1] == "" {
			return usagef("--%s is missing", f[0])
		}
	}
	return nil
}
