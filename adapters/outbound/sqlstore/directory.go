package sqlstore

import (
	"context"
	"database/sql"
	"slices"

	"github.com/uptrace/bun"

	"github.com/payrack/payrack/core/access"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/credential"
	"github.com/payrack/payrack/core/directory"
	"github.com/payrack/payrack/core/fault"
)

// directoryStore is the store's outbound.Directory.
type directoryStore struct{ store *Store }

// Generation of the stored directory.
func (d *directoryStore) Generation(ctx context.Context) (n int64, err error) {
	end := d.store.span(ctx, "directory.generation", "SELECT directory_generation")
	defer func() { end(SpanEnd{Err: err}) }()
	n, err = generation(ctx, d.store.read)
	return n, readFault(err)
}

func generation(ctx context.Context, db bun.IDB) (n int64, err error) {
	err = db.NewSelect().TableExpr("directory_generation").Column("generation").Scan(ctx, &n)
	return n, err //nolint:wrapcheck // the callers make the fault
}

// Snapshot reads all of it at one generation.
func (d *directoryStore) Snapshot(ctx context.Context) (s directory.Snapshot, err error) {
	end := d.store.span(ctx, "directory.snapshot", "SELECT company, store, credential, client")
	defer func() { end(SpanEnd{Err: err}) }()
	// One transaction sees one state: SQLite's readers always do, PostgreSQL's with this isolation.
	options := &sql.TxOptions{ReadOnly: true}
	if d.store.dialect == postgres {
		options.Isolation = sql.LevelRepeatableRead
	}
	err = d.store.read.RunInTx(ctx, options, func(ctx context.Context, tx bun.Tx) error {
		s, err = snapshot(ctx, tx)
		return err
	})
	return s, readFault(err)
}

func snapshot(ctx context.Context, db bun.IDB) (s directory.Snapshot, err error) {
	if s.Generation, err = generation(ctx, db); err != nil {
		return directory.Snapshot{}, err
	}
	if s.Companies, err = rowsOf(ctx, db.NewSelect().OrderExpr("id"), companyRow.company); err != nil {
		return directory.Snapshot{}, err
	}
	if s.Stores, err = rowsOf(ctx, db.NewSelect().OrderExpr("company_id, id"), storeRow.store); err != nil {
		return directory.Snapshot{}, err
	}
	current := db.NewSelect().Where("is_current").OrderExpr("company_id, coalesce(store_id, ''), type, environment")
	if s.Credentials, err = rowsOf(ctx, current, credentialRow.credential); err != nil {
		return directory.Snapshot{}, err
	}
	s.Clients, err = rowsOf(ctx, db.NewSelect().OrderExpr("id"), clientRow.client)
	return s, err
}

// rowsOf reads rows of one table and converts them.
func rowsOf[R, T any](ctx context.Context, q *bun.SelectQuery, convert func(R) T) ([]T, error) {
	var rows []R
	if err := q.Model(&rows).Scan(ctx); err != nil {
		return nil, err //nolint:wrapcheck // the callers make the fault
	}
	all := make([]T, 0, len(rows))
	for _, r := range rows {
		all = append(all, convert(r))
	}
	return slices.Clip(all), nil
}

// AddCompany adds a tenant.
func (d *directoryStore) AddCompany(ctx context.Context, c company.Company) error {
	return d.write(ctx, "directory.add_company", "INSERT company", func(ctx context.Context, db bun.IDB) error {
		row := newCompanyRow(c)
		return added(ctx, db.NewInsert().Model(&row), "company_exists", "the company exists already")
	})
}

// SaveCompany replaces what may change of a tenant.
func (d *directoryStore) SaveCompany(ctx context.Context, c company.Company) error {
	return d.write(ctx, "directory.save_company", "UPDATE company", func(ctx context.Context, db bun.IDB) error {
		result, err := db.NewUpdate().Model((*companyRow)(nil)).Set("name = ?", c.Name).
			Set("suspended = ?", c.Suspended).Set("on_unknown = ?", string(c.OnUnknown)).
			Where("id = ?", string(c.ID)).Exec(ctx)
		return saved(result, err, "company_not_found", "there is no such company")
	})
}

// AddStore adds a store of a company.
func (d *directoryStore) AddStore(ctx context.Context, s company.Store) error {
	return d.write(ctx, "directory.add_store", "INSERT store", func(ctx context.Context, db bun.IDB) error {
		row := newStoreRow(s)
		return added(ctx, db.NewInsert().Model(&row), "store_exists", "the company has this store already")
	})
}

// AddClient adds an OAuth client.
func (d *directoryStore) AddClient(ctx context.Context, c access.Client) error {
	return d.write(ctx, "directory.add_client", "INSERT client", func(ctx context.Context, db bun.IDB) error {
		row, err := newClientRow(c)
		if err != nil {
			return err
		}
		return added(ctx, db.NewInsert().Model(&row), "client_exists", "the client exists already")
	})
}

// SaveClient replaces what may change of an OAuth client.
func (d *directoryStore) SaveClient(ctx context.Context, c access.Client) error {
	return d.write(ctx, "directory.save_client", "UPDATE client", func(ctx context.Context, db bun.IDB) error {
		result, err := db.NewUpdate().Model((*clientRow)(nil)).Set("name = ?", c.Name).Set("disabled = ?", c.Disabled).
			Where("id = ?", c.ID).Exec(ctx)
		return saved(result, err, "client_not_found", "there is no such client")
	})
}

// PutCredential adds a set or replaces the one before. The replaced revision stays for payments that began
// with it.
func (d *directoryStore) PutCredential(ctx context.Context, c credential.Credential) error {
	return d.write(ctx, "directory.put_credential", "INSERT/UPDATE credential", func(ctx context.Context, db bun.IDB) error {
		if c.Revision < 1 {
			return revisionMoved()
		}
		if c.Revision > 1 {
			before := db.NewUpdate().Model((*credentialRow)(nil)).Set("is_current = ?", false).
				Where("is_current").Where("id = ?", string(c.ID)).Where("revision = ?", c.Revision-1).
				Where("company_id = ?", string(c.Company)).Where("coalesce(store_id, '') = ?", string(c.Store)).
				Where("type = ?", c.Type).Where("environment = ?", string(c.Environment))
			if !c.Disabled {
				// It may have been switched off a moment ago, by another replica: a rotation must not undo that.
				before = before.Where("NOT disabled")
			}
			result, err := before.Exec(ctx)
			if err != nil {
				return err //nolint:wrapcheck // write makes the fault
			}
			if n, err := result.RowsAffected(); err != nil || n != 1 {
				return revisionMoved()
			}
		}
		row := newCredentialRow(c)
		return added(ctx, db.NewInsert().Model(&row), "credential_moved",
			"the credential set was changed meanwhile, or its id belongs to another one")
	})
}

// SaveCredential switches the current revision of a set off and on.
func (d *directoryStore) SaveCredential(ctx context.Context, c credential.Credential) error {
	return d.write(ctx, "directory.save_credential", "UPDATE credential", func(ctx context.Context, db bun.IDB) error {
		result, err := db.NewUpdate().Model((*credentialRow)(nil)).Set("disabled = ?", c.Disabled).
			Set("updated_at = ?", c.UpdatedAt.UnixMicro()).Where("is_current").Where("id = ?", string(c.ID)).Exec(ctx)
		return saved(result, err, "credential_not_found", "there is no such credential set")
	})
}

func revisionMoved() error {
	return fault.New(fault.Conflict, "credential_moved",
		"a credential set begins with revision 1, and each later revision follows the one before")
}

// write runs a change of the directory and raises the generation with it. The generation's row is taken first,
// so that writers of the directory go one after the other.
func (d *directoryStore) write(ctx context.Context, name, statement string, j job) (err error) {
	end := d.store.span(ctx, name, statement)
	defer func() { end(SpanEnd{Err: err, Batch: 1}) }()
	err = d.store.writer.do(ctx, func(ctx context.Context, db bun.IDB) error {
		_, err := db.NewUpdate().TableExpr("directory_generation").Set("generation = generation + 1").
			Where("only_row = 1").Exec(ctx)
		if err != nil {
			return err //nolint:wrapcheck // made a fault below
		}
		return j(ctx, db)
	})
	return writeFault(err)
}

// saved judges an update of one row; code and message say that there is none.
func saved(result sql.Result, err error, code, message string) error {
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	if err == nil && n != 1 {
		err = notFound(code, message)
	}
	return err
}

// added runs an insert of one row. A taken key is a conflict, a missing company or store is not found.
func added(ctx context.Context, q *bun.InsertQuery, code, message string) error {
	_, err := q.Exec(ctx)
	switch {
	case err == nil:
		return nil
	case isUnique(err):
		return fault.Wrap(fault.Conflict, code, message, err)
	case isForeignKey(err):
		return fault.Wrap(fault.NotFound, "owner_not_found", "the company or store does not exist", err)
	default:
		return err //nolint:wrapcheck // the writer decides whether it runs again
	}
}
