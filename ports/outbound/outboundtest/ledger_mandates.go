package outboundtest

import (
	"sync"
	"testing"
	"time"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/mandate"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
)

// mandateCases are about mandates that come with a change.
func mandateCases() []ledgerCase {
	return []ledgerCase{
		{"a mandate comes with its payment", func(t *testing.T, b *book) {
			t.Helper()
			r := b.begun(t)
			m := approval(r)
			b.holds(t, b.stored(t, approved(r, m)))
			b.keeps(t, *m)
		}},
		{"a change that loses or is refused brings no mandate", func(t *testing.T, b *book) {
			t.Helper()
			r := b.begun(t)
			late := approved(r, approval(r))
			taken := b.intent()
			b.stored(t, taken)
			collides := approved(r, approval(r))
			collides.Claims = []outbound.Claim{claim(r, outbound.ClaimHeader, epochStart())}
			collides.Claims[0].ClaimKey = taken.Claims[0].ClaimKey
			b.lost(t, collides, outbound.LostClaim)
			broken := approved(r, approval(r))
			broken.Record.Payment.Refunded = 230
			link(&broken, broken.Entry.Prev)
			b.refused(t, broken, fault.Internal, "ledger_refused")
			b.ended(t, r, payment.Unknown)
			b.lost(t, late, outbound.LostVersion)
			for _, c := range []outbound.Change{late, collides, broken} {
				_, err := b.Mandates.Get(t.Context(), b.company, c.Mandate.ID)
				wantCode(t, err, fault.NotFound, "mandate_not_found")
			}
		}},
		{"a token that the company has keeps its mandate, and the payment names it", func(t *testing.T, b *book) {
			t.Helper()
			first := b.begun(t)
			kept := approval(first)
			b.stored(t, approved(first, kept))
			second := b.begun(t)
			m := approval(second)
			m.TokenHash, m.Sealed, m.Label = kept.TokenHash, []byte("sealed token 2"), "************2222"
			m.Expires, m.CredentialRef = epochStart().AddDate(2, 0, 0), "credential-1/2"
			c := approved(second, m)
			b.stored(t, c)
			want := *kept
			want.Label, want.Expires, want.CredentialRef = m.Label, m.Expires, m.CredentialRef
			want.Version, want.UpdatedAt = 2, m.UpdatedAt
			// The token is the same; it stays sealed for the id that is kept.
			b.keeps(t, want)
			_, err := b.Mandates.Get(t.Context(), b.company, m.ID)
			wantKind(t, err, fault.NotFound)
			stored := c.Record
			stored.Payment.Mandate = string(kept.ID)
			b.holds(t, stored)
		}},
		{"a dead mandate does not live again with the next payment", func(t *testing.T, b *book) {
			t.Helper()
			first := b.begun(t)
			m := approval(first)
			b.stored(t, approved(first, m))
			dead := *m
			dead.State, dead.Version = mandate.Dead, 2
			if err := b.Mandates.Save(t.Context(), dead); err != nil {
				t.Fatalf("Save: %v", err)
			}
			second := b.begun(t)
			again := approval(second)
			again.TokenHash, again.Label, again.Expires = m.TokenHash, "", time.Time{}
			b.stored(t, approved(second, again))
			dead.Version, dead.UpdatedAt = 3, again.UpdatedAt
			b.keeps(t, dead)
		}},
		{"a token belongs to company, environment, provider and account", func(t *testing.T, b *book) {
			t.Helper()
			first := b.begun(t)
			kept := approval(first)
			b.stored(t, approved(first, kept))
			other := newBook(b.Stores)
			for _, x := range []struct {
				b *book
				r payment.Record
			}{
				{b, b.begun(t, func(x *payment.Record) { x.Payment.Environment = "live" })},
				{b, b.begun(t, func(x *payment.Record) { x.Payment.Provider = "kiosk" })},
				{b, b.begun(t, func(x *payment.Record) { x.Payment.Account = "other" })},
				{other, other.begun(t)},
			} {
				m := approval(x.r)
				m.TokenHash = kept.TokenHash
				x.b.stored(t, approved(x.r, m))
				x.b.keeps(t, *m)
			}
			b.keeps(t, *kept)
		}},
		{"of many payments that bring one token one mandate is kept", func(t *testing.T, b *book) {
			t.Helper()
			changes := make([]outbound.Change, racers)
			var first *mandate.Mandate
			for i := range changes {
				r := b.begun(t)
				m := approval(r)
				if first == nil {
					first = m
				}
				m.TokenHash = first.TokenHash
				changes[i] = approved(r, m)
			}
			for i, e := range b.race(t, changes) {
				if e.Loss != outbound.NoLoss {
					t.Errorf("%d lost: %+v", i, e)
				}
			}
			kept, err := b.Mandates.ByToken(t.Context(), tokenOf(*first))
			if err != nil || kept.Version != racers {
				t.Fatalf("ByToken = %+v, %v; want version %d", kept, err, racers)
			}
			for _, c := range changes {
				if got := b.load(t, c.Record.Payment.ID).Payment.Mandate; got != string(kept.ID) {
					t.Errorf("payment %s names mandate %s, want %s", c.Record.Payment.ID, got, kept.ID)
				}
			}
		}},
		{"a mandate of another account, or without a token, is malformed", func(t *testing.T, b *book) {
			t.Helper()
			r := b.begun(t)
			for name, edit := range map[string]func(*mandate.Mandate){
				"id":          func(m *mandate.Mandate) { m.ID = "" },
				"company":     func(m *mandate.Mandate) { m.Company = "another" },
				"environment": func(m *mandate.Mandate) { m.Environment = "live" },
				"provider":    func(m *mandate.Mandate) { m.Provider = "kiosk" },
				"account":     func(m *mandate.Mandate) { m.Account = "other" },
				"token":       func(m *mandate.Mandate) { m.Sealed = nil },
				"hash":        func(m *mandate.Mandate) { m.TokenHash = [32]byte{} },
				"state":       func(m *mandate.Mandate) { m.State = "ASLEEP" },
				"version":     func(m *mandate.Mandate) { m.Version = 0 },
			} {
				m := approval(r)
				edit(m)
				if _, err := b.ledger.Commit(t.Context(), approved(r, m)); fault.CodeOf(err) != "change_malformed" {
					t.Errorf("%s: %v, want change_malformed", name, err)
				}
			}
			b.holds(t, r)
		}},
		{"the id of another token's mandate is refused", func(t *testing.T, b *book) {
			t.Helper()
			first := b.begun(t)
			kept := approval(first)
			b.stored(t, approved(first, kept))
			second := b.begun(t)
			m := approval(second)
			m.ID = kept.ID
			b.refused(t, approved(second, m), fault.Internal, "ledger_refused")
			b.holds(t, second)
			b.keeps(t, *kept)
		}},
	}
}

// Mandates is the contract of outbound.Mandates, over stores whose Ledger keeps its own contract. open returns an empty
// store; the subtests share one, each as a company of its own, and run in parallel.
func Mandates(t *testing.T, open func(t *testing.T) Stores) {
	t.Helper()
	shared := open(t)
	for _, c := range []ledgerCase{
		{"another company's mandate is not found", mandateOwners},
		{"a mandate is saved over the version before", mandateSaved},
		{"a dead mandate never lives again", mandateDies},
		{"mandates are listed newest first, in parts", mandatesListed},
		{"of many changes of one mandate one wins", mandateRaces},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t, newBook(shared))
		})
	}
}

// mandated stores a payment with a mandate.
func (b *book) mandated(t *testing.T) mandate.Mandate {
	t.Helper()
	r := b.begun(t)
	m := approval(r)
	b.stored(t, approved(r, m))
	return *m
}

func mandateOwners(t *testing.T, b *book) {
	t.Helper()
	m := b.mandated(t)
	_, err := b.Mandates.Get(t.Context(), "another", m.ID)
	wantCode(t, err, fault.NotFound, "mandate_not_found")
	_, unknown := b.Mandates.Get(t.Context(), "another", mandate.ID(id(epochStart())))
	if err == nil || unknown == nil || err.Error() != unknown.Error() {
		t.Errorf("another's mandate %v and an unknown one %v can be told apart", err, unknown)
	}
	for name, edit := range map[string]func(*outbound.MandateKey){
		"company":     func(k *outbound.MandateKey) { k.Company = "another" },
		"environment": func(k *outbound.MandateKey) { k.Environment = "live" },
		"provider":    func(k *outbound.MandateKey) { k.Provider = "kiosk" },
		"account":     func(k *outbound.MandateKey) { k.Account = "other" },
		"token":       func(k *outbound.MandateKey) { k.TokenHash[0]++ },
	} {
		k := tokenOf(m)
		edit(&k)
		if _, err := b.Mandates.ByToken(t.Context(), k); fault.KindOf(err) != fault.NotFound {
			t.Errorf("another %s: %v, want not found", name, err)
		}
	}
	foreign := m
	foreign.Company, foreign.Version = "another", 2
	wantCode(t, b.Mandates.Save(t.Context(), foreign), fault.Conflict, "mandate_moved")
	b.keeps(t, m)
}

func mandateSaved(t *testing.T, b *book) {
	t.Helper()
	m := b.mandated(t)
	for version := int64(2); version <= 4; version++ {
		for _, wrong := range []int64{version - 1, version + 1, 0} {
			stale := m
			stale.Version = wrong
			wantCode(t, b.Mandates.Save(t.Context(), stale), fault.Conflict, "mandate_moved")
		}
		m.Version, m.Label, m.Expires = version, "標籤 "+random(2), time.Time{}
		if version%2 == 0 {
			m.Expires = epochStart().AddDate(0, int(version), 0)
		}
		m.UpdatedAt = m.UpdatedAt.Add(time.Hour)
		saved := m
		// What it is does not change with it.
		saved.Wire, saved.Payment, saved.Sealed, saved.CreatedAt = "v9", "other", []byte("other"), time.Time{}
		written(t, b.Mandates.Save(t.Context(), saved))
		b.keeps(t, m)
	}
	unknown := m
	unknown.ID = mandate.ID(id(epochStart()))
	wantCode(t, b.Mandates.Save(t.Context(), unknown), fault.Conflict, "mandate_moved")
}

func mandateDies(t *testing.T, b *book) {
	t.Helper()
	m := b.mandated(t)
	m.State, m.Version = "ASLEEP", 2
	wantCode(t, b.Mandates.Save(t.Context(), m), fault.Internal, "ledger_refused")
	m.State = mandate.Dead
	written(t, b.Mandates.Save(t.Context(), m))
	b.keeps(t, m)
	again := m
	again.State, again.Version = mandate.Active, 3
	wantCode(t, b.Mandates.Save(t.Context(), again), fault.Internal, "ledger_refused")
	m.Version, m.Label = 3, "still dead"
	written(t, b.Mandates.Save(t.Context(), m))
	b.keeps(t, m)
}

func mandatesListed(t *testing.T, b *book) {
	t.Helper()
	var want []mandate.Mandate
	for range 7 {
		want = append([]mandate.Mandate{b.mandated(t)}, want...)
	}
	newBook(b.Stores).mandated(t) // another company's
	for _, limit := range []int{1, 3, 7, 200} {
		var all []mandate.Mandate
		for before := mandate.ID(""); ; before = all[len(all)-1].ID {
			part, err := b.Mandates.List(t.Context(), b.company, before, limit)
			if err != nil {
				t.Fatalf("List: %v", err)
			}
			if len(part) > limit {
				t.Fatalf("a part of %d, want at most %d", len(part), limit)
			}
			if all = append(all, part...); len(part) == 0 {
				break
			}
		}
		same(t, all, want)
	}
	for _, limit := range []int{-1, 0, 201} {
		_, err := b.Mandates.List(t.Context(), b.company, "", limit)
		wantCode(t, err, fault.Invalid, "out_of_range")
	}
	foreign := newBook(b.Stores).mandated(t).ID
	_, err := b.Mandates.List(t.Context(), b.company, foreign, 1)
	wantCode(t, err, fault.Invalid, "unknown_cursor")
}

func mandateRaces(t *testing.T, b *book) {
	t.Helper()
	m := b.mandated(t)
	var mu sync.Mutex
	labels := 0
	won := manyAtOnce(t, func() error {
		mu.Lock()
		changed := m
		labels++
		changed.Version, changed.Label = 2, random(4)
		mu.Unlock()
		return b.Mandates.Save(t.Context(), changed)
	})
	if won != 1 || labels < 2 {
		t.Errorf("%d of %d changes won, want 1", won, labels)
	}
}
