package outbound

import (
	"context"

	"github.com/payrack/payrack/core/access"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/credential"
	"github.com/payrack/payrack/core/directory"
)

// Directory keeps companies, stores, credentials and clients. Every write raises the generation in the same
// transaction. Implementations pass outboundtest.Directory.
type Directory interface {
	// Generation of the stored directory; cheap.
	Generation(ctx context.Context) (int64, error)

	// Snapshot reads all of it at one generation.
	Snapshot(ctx context.Context) (directory.Snapshot, error)

	// AddCompany fails with fault.Conflict if the id is taken.
	AddCompany(ctx context.Context, c company.Company) error

	// SaveCompany replaces name, Suspended and OnUnknown of a company; fault.NotFound without it.
	SaveCompany(ctx context.Context, c company.Company) error

	// AddStore fails with fault.Conflict if the company has it already, fault.NotFound without the company.
	AddStore(ctx context.Context, s company.Store) error

	Credentials

	Clients
}

// Credentials keeps credential sets, as a part of the directory.
type Credentials interface {
	// PutCredential adds a set (Revision 1) or replaces the one with the same company, store, type and
	// environment (Revision one higher). Anything else is fault.Conflict, and so is a revision that would switch on a set
	// that is Disabled: only SaveCredential does that.
	PutCredential(ctx context.Context, c credential.Credential) error

	// SaveCredential replaces Disabled and UpdatedAt of the current revision of a set; fault.NotFound without it.
	SaveCredential(ctx context.Context, c credential.Credential) error
}

// Clients keeps OAuth clients, as a part of the directory.
type Clients interface {
	// AddClient fails with fault.Conflict if the id is taken, fault.NotFound without the company.
	AddClient(ctx context.Context, c access.Client) error

	// SaveClient replaces name and Disabled of a client; fault.NotFound without it.
	SaveClient(ctx context.Context, c access.Client) error
}
