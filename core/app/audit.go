package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"time"

	"github.com/payrack/payrack/core/journal"
	"github.com/payrack/payrack/ports/inbound"
	"github.com/payrack/payrack/ports/outbound"
)

// AuditOptions are what reading the evidence needs. Every port is required.
type AuditOptions struct {
	Journal  outbound.Journal
	SealKey  outbound.SealKey
	Ledger   outbound.Ledger
	Holdings outbound.Holdings
	Releases outbound.Releases
	Clock    outbound.Clock
}

// Audit reads the evidence. It stands beside the core, so that it works where nothing else of the platform runs.
type Audit struct{ AuditOptions }

// NewAudit makes one.
func NewAudit(o AuditOptions) (*Audit, error) {
	if o.Journal == nil || o.SealKey == nil || o.Ledger == nil || o.Holdings == nil || o.Releases == nil || o.Clock == nil {
		return nil, errors.New("app: the audit needs every port")
	}
	return &Audit{o}, nil
}

// Entries returns what happened to all streams.
func (a *Audit) Entries(ctx context.Context, after journal.Place, limit int) ([]journal.Placed, error) {
	return a.Journal.Tail(ctx, after, min(max(limit, 1), 200))
}

// The codes of findings.
const (
	entryChanged    = "entry_changed"
	entryMissing    = "entry_missing"
	entryInserted   = "entry_inserted"
	chainBroken     = "chain_broken"
	paymentDiffers  = "payment_differs"
	paymentMissing  = "payment_missing"
	entryUnreadable = "entry_unreadable"
	channelDiffers  = "channel_differs"
	channelMissing  = "channel_missing"
	sealForged      = "seal_signature"
	sealOutOfLine   = "seal_out_of_line"
	sealNotOfBlock  = "seal_not_of_block"
	keptSealMissing = "kept_seal_missing"
	keptSealDiffers = "kept_seal_differs"
)

// auditPage is how many rows are read at once.
const auditPage = 5000

// verification is one run over the journal.
type verification struct {
	*Audit

	// seed makes short prints of what entries say; they are compared within this run only.
	seed maphash.Seed

	report  inbound.AuditReport
	entries []inbound.AuditFinding
	seals   []inbound.AuditFinding
	heads   map[string]head
	kept    map[int64]inbound.KeptSeal

	page []journal.Placed
	at   journal.Place
	end  bool
}

// head is the last entry of a stream that was read.
type head struct {
	n    int64
	hash journal.Hash
	seen bool
	// bad says that an entry is not what was written; said is what they say of the rows.
	bad  bool
	said prints
}

// Verify reads the whole journal.
func (a *Audit) Verify(ctx context.Context, c inbound.VerifyAudit) (inbound.AuditReport, error) {
	v := &verification{Audit: a, seed: maphash.MakeSeed(), heads: map[string]head{}, kept: map[int64]inbound.KeptSeal{}}
	for _, k := range c.Seals {
		v.kept[k.Number] = k
	}
	for _, step := range []func(context.Context) error{v.sealed, v.unsealed, v.payments, v.channels} {
		if err := step(ctx); err != nil {
			return inbound.AuditReport{}, err
		}
	}
	for _, number := range slices.Sorted(func(yield func(int64) bool) {
		for n := range v.kept {
			if !yield(n) {
				return
			}
		}
	}) {
		v.badSeal(journal.Seal{Number: number}, keptSealMissing,
			fmt.Sprintf("seal %d was kept outside, and the database ends before it: it was restored from an older backup, or its end was cut off", number))
	}
	v.report.Streams = int64(len(v.heads))
	// Rows first: they name the place. A seal that does not fit says only in which block to look.
	v.report.Findings = append(v.entries, v.seals...)
	v.report.Findings = v.report.Findings[:min(len(v.report.Findings), inbound.MaxFindings)]
	return v.report, nil
}

// next is the next entry of the journal; false at its end.
func (v *verification) next(ctx context.Context) (journal.Placed, bool, error) {
	if len(v.page) == 0 && !v.end {
		page, err := v.Journal.Tail(ctx, v.at, auditPage)
		if err != nil {
			return journal.Placed{}, false, err
		}
		v.page, v.end = page, len(page) == 0
	}
	if len(v.page) == 0 {
		return journal.Placed{}, false, nil
	}
	return v.page[0], true, nil
}

func (v *verification) take() journal.Placed {
	e := v.page[0]
	v.page, v.at = v.page[1:], e.Place
	v.report.Entries++
	v.entry(e)
	return e
}

// sealed reads every block with its seal.
func (v *verification) sealed(ctx context.Context) error {
	var last journal.Seal
	for {
		all, err := v.Journal.Seals(ctx, last.Number, auditPage)
		if err != nil {
			return err
		}
		for _, s := range all {
			if err := v.block(ctx, last, s); err != nil {
				return err
			}
			last = s
		}
		if len(all) < auditPage {
			v.report.LastSeal = last.At
			return nil
		}
	}
}

// block reads what a seal covers.
func (v *verification) block(ctx context.Context, last, s journal.Seal) error {
	v.report.Seals++
	var entries []journal.Placed
	for {
		e, ok, err := v.next(ctx)
		if err != nil {
			return err
		}
		if !ok || e.Place.After(s.To) {
			break
		}
		entries = append(entries, v.take())
	}
	prev := journal.Hash{}
	if last.Number > 0 {
		prev = last.Sum()
	}
	switch {
	case s.Number != last.Number+1 || s.From != last.To || s.Prev != prev:
		v.badSeal(s, sealOutOfLine, fmt.Sprintf("seal %d does not follow seal %d: one between them was taken out or changed", s.Number, last.Number))
	case !v.SealKey.VerifyBlock(s.Key, s.Text(), s.Signature):
		v.badSeal(s, sealForged, fmt.Sprintf("the signature of seal %d is not one of our keys'", s.Number))
	case int64(len(entries)) != s.Count || journal.Block(entries) != s.Root:
		v.badSeal(s, sealNotOfBlock, fmt.Sprintf("seal %d was made over %d entries up to row %d, and there are %d now that differ: one was changed, taken out, added or moved",
			s.Number, s.Count, s.To.Row, len(entries)))
	}
	if k, ok := v.kept[s.Number]; ok {
		delete(v.kept, s.Number)
		if k.Root != s.Root || string(k.Signature) != string(s.Signature) {
			v.badSeal(s, keptSealDiffers, fmt.Sprintf("seal %d is not the one that was kept outside: the journal was written anew", s.Number))
		}
	}
	return nil
}

// unsealed reads what is behind the last seal.
func (v *verification) unsealed(ctx context.Context) error {
	for {
		_, ok, err := v.next(ctx)
		if err != nil || !ok {
			return err
		}
		v.take()
		v.report.Unsealed++
	}
}

// entry holds an entry against itself and against the one before it in its stream.
func (v *verification) entry(e journal.Placed) {
	before := v.heads[e.Stream]
	now := head{n: e.N, hash: e.Hash, bad: before.bad}
	t, whole := content(e.Entry)
	switch {
	case !e.Verify():
		now.bad = true
		v.bad(e, entryChanged, "the entry was changed: its hash is not that of its content")
	case !whole:
		now.bad = true
		v.bad(e, entryChanged, "the entry was changed: its event or its time is not that of its content")
	case e.N > before.n+1:
		missing := e
		missing.N = before.n + 1
		v.bad(missing, entryMissing, fmt.Sprintf("the entry is gone: %d follows %d", e.N, before.n))
	case e.N <= before.n:
		v.bad(e, entryInserted, fmt.Sprintf("the entry was added or moved: it stands behind number %d of its stream", before.n))
	case e.Prev != before.hash:
		v.bad(e, chainBroken, "the entry does not follow the one before it: one of the two was put in its place later")
	}
	now.said = v.after(before.said, t)
	v.heads[e.Stream] = now
}

// content reads an entry; false if the columns that are not in the hash are not those of the body, which is.
func content(e journal.Entry) (told, bool) {
	t, err := read(e)
	if err != nil {
		// The body may be of a newer program, and have these two all the same.
		var some struct {
			At    time.Time `json:"at"`
			Event string    `json:"event"`
		}
		if json.Unmarshal(e.Body, &some) != nil {
			return told{}, false
		}
		t = told{At: some.At, Event: some.Event}
	}
	return t, (t.Event == "" || t.Event == e.Event) && (t.At.IsZero() || t.At.UnixMicro() == e.At.UnixMicro())
}

func (v *verification) bad(e journal.Placed, code, what string) {
	if len(v.entries) < inbound.MaxFindings {
		v.entries = append(v.entries, inbound.AuditFinding{Code: code, What: what, Stream: e.Stream, N: e.N, Place: e.Place})
	}
}

func (v *verification) badSeal(s journal.Seal, code, what string) {
	if len(v.seals) < inbound.MaxFindings {
		v.seals = append(v.seals, inbound.AuditFinding{Code: code, What: what, Seal: s.Number, Place: s.From})
	}
}
