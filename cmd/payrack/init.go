package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/payrack/payrack/adapters/outbound/sqlstore"
	"github.com/payrack/payrack/adapters/outbound/system"
	"github.com/payrack/payrack/configs"
	"github.com/payrack/payrack/core/company"
)

// firstAdminLife is the life of the admin token that init prints: long enough to set up, not to be kept.
const firstAdminLife = 24 * time.Hour

func (c *cli) initCommand() *cobra.Command {
	var id, name string
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Prepare an installation: keys, database, first company, first admin token",
		Long: "Prepare an installation that is not dev: makes the key files (readable for their owner only) in keys.dir,\n" +
			"brings the database up to date, adds the first company and prints the first admin token, once. What is\n" +
			"there already is kept; with a company in the database it refuses to go on.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			loaded, err := loadConfig(cmd)
			if err != nil {
				return err
			}
			log, err := newLog(c.errOut, loaded.Log.Level, loaded.Log.Format)
			if err != nil {
				return err
			}
			if err := c.prepare(cmd.Context(), loaded, company.Company{ID: company.ID(id), Name: name}, log); err != nil {
				return err
			}
			next := "payrack serve"
			if cmd.Flags().Changed("config") {
				next += " --config " + cmd.Flags().Lookup("config").Value.String()
			}
			c.say("next: %s", next)
			return nil
		},
	}
	configFlags(cmd)
	cmd.Flags().StringVar(&id, "company-id", "", "id of the first company (default: a new one)")
	cmd.Flags().StringVar(&name, "company-name", "First company", "name of the first company")
	return cmd
}

// prepare makes a new installation.
func (c *cli) prepare(ctx context.Context, conf configs.Config, first company.Company, log *slog.Logger) (err error) {
	ids := system.IDs{}
	store, err := openDatabase(ctx, conf, log, use{Create: true, Boot: ids.New()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if err := prepareStore(ctx, store.Store, Wiring{Config: conf, Log: log, Migrate: true}); err != nil {
		return err
	}
	if err := refuseSecondInit(ctx, store.Store); err != nil {
		return err
	}
	opened, err := openKeys(conf, conf.HTTP.PublicURL, true, log)
	if err != nil {
		return err
	}
	if first.ID == "" {
		first.ID = company.ID(ids.New())
	}
	first.CreatedAt = system.Clock{}.Now()
	if err := store.Directory().AddCompany(ctx, first); err != nil {
		return fmt.Errorf("add the first company: %w", err)
	}
	token, err := adminToken(ctx, opened.Signer, "first-admin", firstAdminLife)
	if err != nil {
		return err
	}
	made := struct {
		KeysDir     string `json:"keys_dir"`
		DatabaseURL string `json:"database_url"`
		CompanyID   string `json:"company_id"`
		AdminToken  string `json:"admin_token"`
	}{conf.Keys.Dir, fmt.Sprint(conf.Values()["database.url"]), string(first.ID), token}
	t := table{}
	t.add("keys", made.KeysDir+" (back them up: without them nothing that is sealed opens again)")
	t.add("database", made.DatabaseURL)
	t.add("company", made.CompanyID)
	t.add("admin token", made.AdminToken)
	if err := c.print(made, t); err != nil {
		return err
	}
	c.say("the token is shown this once and lives %s; payrack token --admin makes another", configs.Duration(firstAdminLife))
	return nil
}

func refuseSecondInit(ctx context.Context, store *sqlstore.Store) error {
	s, err := store.Directory().Snapshot(ctx)
	if err != nil {
		return fmt.Errorf("read the directory: %w", err)
	}
	if len(s.Companies) > 0 {
		return refusedf("this database has a company already: it is prepared; payrack serve runs it, payrack token --admin makes an admin token")
	}
	return nil
}

func (c *cli) migrateCommand() *cobra.Command {
	group := &cobra.Command{Use: "migrate", Short: "Look after the database schema", Args: cobra.ArbitraryArgs, RunE: needsSubcommand}
	with := func(name, short string, share bool, work func(context.Context, *sqlstore.Store) error) *cobra.Command {
		cmd := &cobra.Command{
			Use: name, Short: short, Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) (err error) {
				loaded, err := loadConfig(cmd)
				if err != nil {
					return err
				}
				log, err := newLog(c.errOut, loaded.Log.Level, loaded.Log.Format)
				if err != nil {
					return err
				}
				store, err := openDatabase(cmd.Context(), loaded, log, use{Share: share})
				if err != nil {
					return err
				}
				defer func() { err = errors.Join(err, store.Close()) }()
				return work(cmd.Context(), store.Store)
			},
		}
		configFlags(cmd)
		return cmd
	}
	up := with("up", "Bring the schema up to this program's; with PostgreSQL safe while the version before still runs", false,
		func(ctx context.Context, s *sqlstore.Store) error {
			if err := s.Migrate(ctx); err != nil {
				return fmt.Errorf("bring the schema up to date: %w", err)
			}
			return c.showMigrations(ctx, s)
		})
	group.AddCommand(up, with("status", "List the steps and which are applied", true, c.showMigrations))
	return group
}

func (c *cli) showMigrations(ctx context.Context, s *sqlstore.Store) error {
	steps, err := s.MigrationStatus(ctx)
	if err != nil {
		return fmt.Errorf("look at the schema: %w", err)
	}
	type row struct {
		Version   int64      `json:"version"`
		Name      string     `json:"name"`
		Applied   bool       `json:"applied"`
		AppliedAt *time.Time `json:"applied_at,omitempty"`
	}
	all := make([]row, len(steps))
	t := table{head: []string{"version", "name", "applied at"}}
	for i, m := range steps {
		all[i] = row{Version: m.Version, Name: m.Name, Applied: m.Applied}
		at := "-"
		if m.Applied {
			all[i].AppliedAt = &m.AppliedAt
			at = m.AppliedAt.Format(time.RFC3339)
		}
		t.add(fmt.Sprint(m.Version), m.Name, at)
	}
	return c.print(all, t)
}
