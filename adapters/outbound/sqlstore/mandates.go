package sqlstore

import (
	"cmp"
	"context"
	"slices"

	"github.com/uptrace/bun"

	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/mandate"
	"github.com/payrack/payrack/ports/outbound"
)

// mandateStore is the store's outbound.Mandates.
type mandateStore struct{ store *Store }

const mandateColumns = `id, company_id, environment, store, type, provider, account, wire, credential_ref, sealed, token_hash,
 label, state, expires, payment_id, version, created_at, updated_at`

// keepMandateText adds a mandate or brings the one with the same token up to date, and returns the id that it has. The
// token stays sealed as it was: it is sealed for the id that is kept.
var keepMandateText = `INSERT INTO mandate (` + mandateColumns + `) VALUES (` + marks(mandateColumns) + `)
 ON CONFLICT (company_id, environment, provider, account, token_hash) DO UPDATE SET
 label = CASE WHEN excluded.label <> '' THEN excluded.label ELSE mandate.label END,
 state = CASE WHEN mandate.state = 'DEAD' THEN mandate.state ELSE excluded.state END,
 expires = coalesce(excluded.expires, mandate.expires), credential_ref = excluded.credential_ref,
 version = mandate.version + 1, updated_at = excluded.updated_at RETURNING id`

func (c *change) mandateArgs(to []any) []any {
	m := c.Mandate
	return append(to,
		string(m.ID), string(m.Company), string(m.Environment), string(m.Store), m.Type, m.Provider, m.Account, m.Wire,
		m.CredentialRef, m.Sealed, m.TokenHash[:], m.Label, string(m.State), micros(m.Expires), m.Payment, m.Version,
		m.CreatedAt.UnixMicro(), m.UpdatedAt.UnixMicro(),
	)
}

// nameMandate lets the payment name the mandate that is kept, if it named the one that came with the change.
func (c *change) nameMandate(kept string) {
	if c.Record.Payment.Mandate == string(c.Mandate.ID) {
		c.mandate = kept
	}
}

// byToken returns the changes of a group that bring a mandate, in one order for all groups.
func byToken(group []*change) []*change {
	var some []*change
	for _, c := range group {
		if c.Mandate != nil {
			some = append(some, c)
		}
	}
	slices.SortStableFunc(some, func(a, b *change) int {
		return cmp.Or(slices.Compare(a.Mandate.TokenHash[:], b.Mandate.TokenHash[:]),
			cmp.Compare(a.Mandate.Company, b.Mandate.Company))
	})
	return some
}

// knownMandate is the id of the mandate that has the token already.
func knownMandate(ctx context.Context, db bun.IDB, c *change) (id string, known bool, err error) {
	m := c.Mandate
	err = db.NewSelect().TableExpr("mandate").Column("id").
		Where("company_id = ?", string(m.Company)).Where("environment = ?", string(m.Environment)).
		Where("provider = ?", m.Provider).Where("account = ?", m.Account).Where("token_hash = ?", m.TokenHash[:]).
		Scan(ctx, &id)
	if isNoRows(err) {
		return "", false, nil
	}
	return id, err == nil, err //nolint:wrapcheck // the writer makes the fault
}

// keepMandate writes the mandate of a change.
func keepMandate(ctx context.Context, db bun.IDB, c *change) (kept string, err error) {
	err = db.NewRaw(keepMandateText, c.mandateArgs(nil)...).Scan(ctx, &kept)
	return kept, err //nolint:wrapcheck // the writer makes the fault
}

type mandateRow struct {
	bun.BaseModel `bun:"table:mandate"`

	ID            string `bun:"id,pk"`
	CompanyID     string `bun:"company_id"`
	Environment   string `bun:"environment"`
	Store         string `bun:"store"`
	Type          string `bun:"type"`
	Provider      string `bun:"provider"`
	Account       string `bun:"account"`
	Wire          string `bun:"wire"`
	CredentialRef string `bun:"credential_ref"`
	Sealed        []byte `bun:"sealed"`
	TokenHash     []byte `bun:"token_hash"`
	Label         string `bun:"label"`
	State         string `bun:"state"`
	Expires       *int64 `bun:"expires"`
	PaymentID     string `bun:"payment_id"`
	Version       int64  `bun:"version"`
	CreatedAt     int64  `bun:"created_at"`
	UpdatedAt     int64  `bun:"updated_at"`
}

func (r mandateRow) mandate() mandate.Mandate {
	m := mandate.Mandate{
		ID: mandate.ID(r.ID), Company: company.ID(r.CompanyID), Environment: company.Environment(r.Environment),
		Store: company.StoreID(r.Store), Type: r.Type, Provider: r.Provider, Account: r.Account, Wire: r.Wire,
		CredentialRef: r.CredentialRef, Sealed: filled(r.Sealed), Label: r.Label, State: mandate.State(r.State),
		Expires: instant(r.Expires), Payment: r.PaymentID, Version: r.Version, CreatedAt: utc(r.CreatedAt),
		UpdatedAt: utc(r.UpdatedAt),
	}
	copy(m.TokenHash[:], r.TokenHash)
	return m
}

// Get returns a company's mandate.
func (m *mandateStore) Get(ctx context.Context, co company.ID, id mandate.ID) (got mandate.Mandate, err error) {
	end := m.store.span(ctx, "mandates.get", "SELECT mandate BY id")
	defer func() { end(SpanEnd{Err: err}) }()
	return oneMandate(ctx, m.store.read.NewSelect().Where("id = ?", string(id)).Where("company_id = ?", string(co)))
}

// ByToken returns the mandate of a token.
func (m *mandateStore) ByToken(ctx context.Context, k outbound.MandateKey) (got mandate.Mandate, err error) {
	end := m.store.span(ctx, "mandates.by_token", "SELECT mandate BY token_hash")
	defer func() { end(SpanEnd{Err: err}) }()
	return oneMandate(ctx, m.store.read.NewSelect().
		Where("company_id = ?", string(k.Company)).Where("environment = ?", string(k.Environment)).
		Where("provider = ?", k.Provider).Where("account = ?", k.Account).Where("token_hash = ?", k.TokenHash[:]))
}

func oneMandate(ctx context.Context, q *bun.SelectQuery) (mandate.Mandate, error) {
	var row mandateRow
	err := q.Model(&row).Scan(ctx)
	if isNoRows(err) {
		return mandate.Mandate{}, notFound("mandate_not_found", "there is no such mandate")
	}
	if err != nil {
		return mandate.Mandate{}, readFault(err)
	}
	return row.mandate(), nil
}

// List returns a company's mandates, newest first.
func (m *mandateStore) List(ctx context.Context, co company.ID, before mandate.ID, limit int) (all []mandate.Mandate, err error) {
	end := m.store.span(ctx, "mandates.list", "SELECT mandate USING mandate_created")
	defer func() { end(SpanEnd{Err: err}) }()
	if limit < 1 || limit > maxPage {
		return nil, fault.New(fault.Invalid, "out_of_range", "a page has 1 to 200 mandates")
	}
	q := m.store.read.NewSelect().Where("company_id = ?", string(co)).OrderExpr("created_at DESC, id DESC").Limit(int64(limit))
	if before != "" {
		var created int64
		err := m.store.read.NewSelect().TableExpr("mandate").Column("created_at").
			Where("id = ?", string(before)).Where("company_id = ?", string(co)).Scan(ctx, &created)
		if isNoRows(err) {
			return nil, fault.New(fault.Invalid, "unknown_cursor", "the cursor of the page is not one that was given out")
		}
		if err != nil {
			return nil, readFault(err)
		}
		q = q.Where("(created_at, id) < (?, ?)", created, string(before))
	}
	all, err = rowsOf(ctx, q, mandateRow.mandate)
	return all, readFault(err)
}

// Save stores what may change of a mandate over the version before.
func (m *mandateStore) Save(ctx context.Context, changed mandate.Mandate) (err error) {
	end := m.store.span(ctx, "mandates.save", "UPDATE mandate")
	defer func() { end(SpanEnd{Err: err, Batch: 1}) }()
	return writeFault(m.store.writer.do(ctx, func(ctx context.Context, db bun.IDB) error {
		result, err := db.NewUpdate().TableExpr("mandate").
			Set("label = ?", changed.Label).Set("state = ?", string(changed.State)).
			Set("expires = ?", micros(changed.Expires)).Set("updated_at = ?", changed.UpdatedAt.UnixMicro()).
			Set("version = ?", changed.Version).Where("id = ?", string(changed.ID)).
			Where("company_id = ?", string(changed.Company)).Where("version = ?", changed.Version-1).Exec(ctx)
		if err != nil {
			return err //nolint:wrapcheck // made a fault by the caller
		}
		n, err := result.RowsAffected()
		if err == nil && n != 1 {
			err = fault.New(fault.Conflict, "mandate_moved", "the mandate was changed meanwhile; read it again")
		}
		return err
	}))
}
