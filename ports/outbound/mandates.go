package outbound

import (
	"context"

	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/mandate"
)

// Mandates keeps stored approvals. They are added by Ledger.Commit, with the answer that brought them.
// Implementations pass outboundtest.Mandates.
type Mandates interface {
	// Get returns a company's mandate; another company's is fault.NotFound, code mandate_not_found.
	Get(ctx context.Context, co company.ID, id mandate.ID) (mandate.Mandate, error)

	// ByToken returns the mandate of a token, found by its keyed hash; fault.NotFound if there is none.
	ByToken(ctx context.Context, k MandateKey) (mandate.Mandate, error)

	// List returns a company's mandates, newest first, at most limit, starting behind the id before (empty: the newest).
	List(ctx context.Context, co company.ID, before mandate.ID, limit int) ([]mandate.Mandate, error)

	// Save updates label, state, expiry and the time of change of a mandate whose stored Version is m.Version-1, else fault.Conflict code
	// mandate_moved.
	Save(ctx context.Context, m mandate.Mandate) error
}

// MandateKey finds a mandate by its token.
type MandateKey struct {
	Company     company.ID
	Environment company.Environment
	Provider    string
	Account     string
	TokenHash   [32]byte
}
