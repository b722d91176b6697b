package inbound

import (
	"context"
	"encoding/hex"
	"time"

	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/journal"
	"github.com/payrack/payrack/core/payment"
)

// Audit reads the evidence.
type Audit interface {
	// Verify reads the whole journal: every stream's chain, every seal, and that payments are what their journals say.
	// An error means that it could not be read; what is wrong with it stands in the report.
	Verify(ctx context.Context, c VerifyAudit) (AuditReport, error)

	// Entries returns what happened to all streams, in the order of the journal, behind a place.
	Entries(ctx context.Context, after journal.Place, limit int) ([]journal.Placed, error)

	// Explain tells the story of a payment from its journal, in English ("en") or Chinese ("zh-TW").
	Explain(ctx context.Context, id payment.ID, language string) (Story, error)
}

// VerifyAudit says what to compare the journal with.
type VerifyAudit struct {
	// Seals are copies of seals that were kept outside of the database, such as in the log.
	Seals []KeptSeal
}

// KeptSeal is what the log tells of a seal.
type KeptSeal struct {
	Number    int64
	Root      journal.Hash
	Signature []byte
}

// ParseKeptSeal reads hexadecimal texts.
func ParseKeptSeal(number int64, root, signature string) (KeptSeal, bool) {
	s := KeptSeal{Number: number}
	raw, err := hex.DecodeString(root)
	if err != nil || len(raw) != len(s.Root) || number < 1 {
		return s, false
	}
	copy(s.Root[:], raw)
	s.Signature, err = hex.DecodeString(signature)
	return s, err == nil && len(s.Signature) > 0
}

// AuditReport is the result of a verification.
type AuditReport struct {
	// Entries, Streams and Seals that were read.
	Entries int64
	Streams int64
	Seals   int64
	// Unsealed are entries behind the last seal: their chains hold, but nobody has signed them yet.
	Unsealed int64
	// LastSeal is when the last seal was made; zero for none.
	LastSeal time.Time
	// Findings are what is wrong, the first in the journal first, at most MaxFindings. Empty if all is well.
	Findings []AuditFinding
}

// MaxFindings bounds a report.
const MaxFindings = 20

// AuditFinding is one thing that is wrong.
type AuditFinding struct {
	// Code is a stable word, such as entry_changed.
	Code string
	// What is wrong, in words.
	What string
	// Stream and N name the entry, where it is one.
	Stream string
	N      int64
	// Place of the entry, or the place behind which the block begins that does not fit its seal.
	Place journal.Place
	// Seal is its number, where it is about one.
	Seal int64
}

// Story is a payment's history in words.
type Story struct {
	Payment payment.ID
	Company company.ID
	State   payment.State
	// Summary says in a few lines what was asked for, by whom, and what came of it.
	Summary []string
	Steps   []StoryStep
	// Promise is what the client was told, Next what happens now.
	Promise string
	Next    string
}

// StoryStep is one entry of the journal in words.
type StoryStep struct {
	N     int64
	At    time.Time
	Event string
	State payment.State
	// Text says what happened, Details are names and numbers for those who dig.
	Text    string
	Details []string
}
