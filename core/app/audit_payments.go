package app

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/journal"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/inbound"
	"github.com/payrack/payrack/ports/outbound"
)

// holdingsPage is how many payments are held against the journal at once.
const holdingsPage = 500

// readings is how often a payment is read that changes while it is looked at.
const readings = 10

// payments holds every payment against its journal: the end of a journal cannot be cut off unseen, sealed or not, and no
// column of a row can be changed beside it.
func (v *verification) payments(ctx context.Context) error {
	for after := payment.ID(""); ; {
		page, err := v.Holdings.Page(ctx, after, holdingsPage)
		if err != nil {
			return err
		}
		for _, h := range page {
			if err := v.payment(ctx, after, h); err != nil {
				return err
			}
			after = h.Payment.ID
		}
		if len(page) < holdingsPage {
			return v.orphans(ctx)
		}
	}
}

// payment compares a payment with its journal, which may have grown since it was read: what does not fit is read once more.
// before is the id of the payment before it.
func (v *verification) payment(ctx context.Context, before payment.ID, h outbound.Holding) error {
	findings, err := v.compare(ctx, h)
	for range readings {
		if err != nil || len(findings) == 0 {
			break
		}
		var again []outbound.Holding
		if again, err = v.Holdings.Page(ctx, before, 1); err != nil {
			return err
		}
		if len(again) == 0 || again[0].Payment.ID != h.Payment.ID {
			break
		}
		same := again[0].Payment.Version == h.Payment.Version
		h = again[0]
		if findings, err = v.compare(ctx, h); same {
			break
		}
	}
	for _, f := range findings {
		if len(v.entries) < inbound.MaxFindings {
			v.entries = append(v.entries, f)
		}
	}
	return err
}

// compare holds one reading of a payment against its journal.
func (v *verification) compare(ctx context.Context, h outbound.Holding) ([]inbound.AuditFinding, error) {
	p := h.Payment
	stream := p.Stream()
	if err := v.catchUp(ctx, stream, p.Version); err != nil {
		return nil, err
	}
	head := v.heads[stream]
	head.seen = true
	v.heads[stream] = head
	finding := func(code string, n int64, what string) []inbound.AuditFinding {
		return []inbound.AuditFinding{{Code: code, What: what, Stream: stream, N: n, Place: v.at}}
	}
	switch {
	case head.n < p.Version:
		return finding(entryMissing, head.n+1,
			fmt.Sprintf("the entry is gone: the payment is at version %d, and its journal ends at %d", p.Version, head.n)), nil
	case head.n > p.Version || head.hash != p.Chain:
		return finding(paymentDiffers, p.Version,
			fmt.Sprintf("the payment is at version %d and its journal at %d, and the two do not agree", p.Version, head.n)), nil
	case head.bad || v.fits(head.said, h):
		return nil, nil
	}
	code, what, err := v.differences(ctx, h)
	if err != nil || code == "" {
		return nil, err
	}
	return finding(code, p.Version, what), nil
}

// differences reads a payment's journal once more and names the columns of its rows that are not what it says. A member that an
// entry does not have is not compared.
func (v *verification) differences(ctx context.Context, h outbound.Holding) (code, what string, err error) {
	all, err := v.tells(ctx, h.Payment)
	if err != nil || len(all) == 0 {
		return "", "", err
	}
	of := map[payment.OperationID]told{}
	var now told
	for _, e := range all {
		var unread error
		if now, unread = read(e); unread != nil {
			what = fmt.Sprintf("entry %d cannot be read, so that the payment could not be compared with it: it is of a newer program, "+
				"or was not written by this platform", e.N)
			return entryUnreadable, what, nil //nolint:nilerr // that is what was found
		}
		of[now.Operation] = now
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(all[len(all)-1].Body, &members); err != nil {
		return "", "", fault.Wrap(fault.Internal, unreadable, "an entry of the journal cannot be read", err)
	}
	wrong := differing("payment", paymentColumns(heldPayment(h.Payment)), paymentColumns(now), func(member string) bool {
		_, said := members[member]
		return said || now.Operation != ""
	})
	if now.Operation != "" { // else the entries say nothing of operations
		wrong = append(wrong, differingOperations(h.Operations, of)...)
	}
	if len(wrong) == 0 {
		return "", "", nil
	}
	slices.Sort(wrong)
	return paymentDiffers, "rows were changed beside the journal: " + strings.Join(wrong, "; "), nil
}

// tells are the entries of a payment up to its version.
func (v *verification) tells(ctx context.Context, p payment.Payment) ([]journal.Entry, error) {
	var all []journal.Entry
	for after := int64(0); after < p.Version; {
		page, err := v.Journal.Entries(ctx, p.Stream(), after, int(min(p.Version-after, 200)))
		if err != nil || len(page) == 0 {
			return all, err
		}
		all, after = append(all, page...), page[len(page)-1].N
	}
	return all, nil
}

// differingOperations names the operations that are not what the last entry of each says.
func differingOperations(held []payment.Operation, of map[payment.OperationID]told) []string {
	var all []string
	for _, o := range held {
		t, begun := of[o.ID]
		if !begun {
			all = append(all, fmt.Sprintf("operation %s is there, the journal does not know of it", o.ID))
			continue
		}
		all = append(all, differing("operation "+string(o.ID), operationColumns(heldOperation(o)), operationColumns(t),
			func(string) bool { return true })...)
		delete(of, o.ID)
	}
	for id := range of {
		all = append(all, fmt.Sprintf("operation %s is gone", id))
	}
	return all
}

// orphans are journals of payments that are gone.
func (v *verification) orphans(ctx context.Context) error {
	var lost []string
	for stream, h := range v.heads {
		if id, ok := paymentOf(stream); ok && !h.seen {
			switch _, err := v.Ledger.Load(ctx, "", id); {
			case err == nil: // it began while payments were read
			case fault.KindOf(err) == fault.NotFound:
				lost = append(lost, stream)
			default:
				return err
			}
		}
	}
	slices.SortFunc(lost, cmp.Compare[string])
	for _, stream := range lost {
		v.bad(journal.Placed{Place: v.at, Entry: journal.Entry{Stream: stream, N: v.heads[stream].n}}, paymentMissing,
			"the payment of this journal is gone")
	}
	return nil
}
