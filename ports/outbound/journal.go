package outbound

import (
	"context"

	"github.com/payrack/payrack/core/journal"
)

// Journal reads and seals what Ledger.Commit wrote. Implementations pass outboundtest.Journal.
type Journal interface {
	// Entries returns the entries of a stream in order, starting after entry number after.
	Entries(ctx context.Context, stream string, after int64, limit int) ([]journal.Entry, error)

	// Tail returns entries of all streams that can no longer be preceded by a late commit, in the order in which they
	// became visible, starting behind a place. Reading on from the last place never skips an entry.
	Tail(ctx context.Context, after journal.Place, limit int) ([]journal.Placed, error)

	// Seals returns seals in order, starting after number after.
	Seals(ctx context.Context, after int64, limit int) ([]journal.Seal, error)

	// AddSeal keeps a seal. A number that is taken is fault.Conflict, code seal_taken: another replica was faster.
	AddSeal(ctx context.Context, s journal.Seal) error
}

// SealKey signs blocks of the journal with a key that is not in the database.
type SealKey interface {
	// SignBlock signs the canonical bytes of a seal and names the key.
	SignBlock(data []byte) (key string, signature []byte, err error)

	// VerifyBlock reports whether the signature is that of a key of ours.
	VerifyBlock(key string, data, signature []byte) bool
}
