package sqlstore

import (
	"encoding/json"

	"github.com/uptrace/bun"

	"github.com/payrack/payrack/core/access"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/credential"
)

type companyRow struct {
	bun.BaseModel `bun:"table:company"`

	ID        string `bun:"id,pk"`
	Name      string `bun:"name"`
	Suspended bool   `bun:"suspended"`
	OnUnknown string `bun:"on_unknown"`
	CreatedAt int64  `bun:"created_at"`
}

func newCompanyRow(c company.Company) companyRow {
	return companyRow{
		ID: string(c.ID), Name: c.Name, Suspended: c.Suspended, OnUnknown: string(c.OnUnknown),
		CreatedAt: c.CreatedAt.UnixMicro(),
	}
}

func (r companyRow) company() company.Company {
	return company.Company{
		ID: company.ID(r.ID), Name: r.Name, Suspended: r.Suspended, OnUnknown: company.OnUnknown(r.OnUnknown),
		CreatedAt: utc(r.CreatedAt),
	}
}

type storeRow struct {
	bun.BaseModel `bun:"table:store"`

	CompanyID string `bun:"company_id,pk"`
	ID        string `bun:"id,pk"`
	Name      string `bun:"name"`
	CreatedAt int64  `bun:"created_at"`
}

func newStoreRow(s company.Store) storeRow {
	return storeRow{CompanyID: string(s.Company), ID: string(s.ID), Name: s.Name, CreatedAt: s.CreatedAt.UnixMicro()}
}

func (r storeRow) store() company.Store {
	return company.Store{
		Company: company.ID(r.CompanyID), ID: company.StoreID(r.ID), Name: r.Name, CreatedAt: utc(r.CreatedAt),
	}
}

type credentialRow struct {
	bun.BaseModel `bun:"table:credential"`

	ID        string `bun:"id,pk"`
	Revision  int64  `bun:"revision,pk"`
	CompanyID string `bun:"company_id"`
	// StoreID is NULL for the company's own set, because the column refers to a store.
	StoreID     string `bun:"store_id,nullzero"`
	Type        string `bun:"type"`
	Provider    string `bun:"provider"`
	Environment string `bun:"environment"`
	Account     string `bun:"account"`
	Wire        string `bun:"wire"`
	Disabled    bool   `bun:"disabled"`
	IsCurrent   bool   `bun:"is_current"`
	CreatedAt   int64  `bun:"created_at"`
	UpdatedAt   int64  `bun:"updated_at"`
	Sealed      []byte `bun:"sealed"`
}

func newCredentialRow(c credential.Credential) credentialRow {
	return credentialRow{
		ID: string(c.ID), Revision: c.Revision, CompanyID: string(c.Company), StoreID: string(c.Store), Type: c.Type,
		Provider: c.Provider, Environment: string(c.Environment), Account: c.Account, Wire: c.Wire,
		Disabled: c.Disabled, IsCurrent: true, CreatedAt: c.CreatedAt.UnixMicro(), UpdatedAt: c.UpdatedAt.UnixMicro(),
		Sealed: append([]byte{}, c.Sealed...),
	}
}

func (r credentialRow) credential() credential.Credential {
	return credential.Credential{
		ID: credential.ID(r.ID), Company: company.ID(r.CompanyID), Store: company.StoreID(r.StoreID), Type: r.Type,
		Provider: r.Provider, Environment: company.Environment(r.Environment), Account: r.Account, Wire: r.Wire,
		Revision: r.Revision, Disabled: r.Disabled, CreatedAt: utc(r.CreatedAt), UpdatedAt: utc(r.UpdatedAt),
		Sealed: filled(r.Sealed),
	}
}

type clientRow struct {
	bun.BaseModel `bun:"table:client"`

	ID           string `bun:"id,pk"`
	CompanyID    string `bun:"company_id"`
	Name         string `bun:"name"`
	SecretHash   string `bun:"secret_hash"`
	Scopes       string `bun:"scopes"`
	Environments string `bun:"environments"`
	Disabled     bool   `bun:"disabled"`
	CreatedAt    int64  `bun:"created_at"`
}

func newClientRow(c access.Client) (clientRow, error) {
	scopes, err := json.Marshal(append([]access.Scope{}, c.Scopes...))
	if err != nil {
		return clientRow{}, internal(err)
	}
	environments, err := json.Marshal(append([]company.Environment{}, c.Environments...))
	if err != nil {
		return clientRow{}, internal(err)
	}
	return clientRow{
		ID: c.ID, CompanyID: string(c.Company), Name: c.Name, SecretHash: c.SecretHash, Scopes: string(scopes),
		Environments: string(environments), Disabled: c.Disabled, CreatedAt: c.CreatedAt.UnixMicro(),
	}, nil
}

// client reads a row. Lists that cannot be read give a client that may do nothing.
func (r clientRow) client() access.Client {
	c := access.Client{
		ID: r.ID, Company: company.ID(r.CompanyID), Name: r.Name, SecretHash: r.SecretHash, Disabled: r.Disabled,
		CreatedAt: utc(r.CreatedAt),
	}
	if json.Unmarshal([]byte(r.Scopes), &c.Scopes) != nil || json.Unmarshal([]byte(r.Environments), &c.Environments) != nil {
		c.Scopes, c.Environments = nil, nil
	}
	return c
}
