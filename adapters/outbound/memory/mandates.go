package memory

import (
	"cmp"
	"context"
	"slices"

	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/mandate"
	"github.com/payrack/payrack/ports/outbound"
)

// mandateStore is the store's outbound.Mandates.
type mandateStore struct{ s *Store }

func tokenOf(m mandate.Mandate) outbound.MandateKey {
	return outbound.MandateKey{
		Company: m.Company, Environment: m.Environment, Provider: m.Provider, Account: m.Account, TokenHash: m.TokenHash,
	}
}

// keepMandate adds a mandate, or brings the one with the same token up to date, and returns the id that it has. The
// token stays sealed as it was: it is sealed for the id that is kept.
func (s *Store) keepMandate(m mandate.Mandate) mandate.ID {
	id, known := s.tokens[tokenOf(m)]
	if !known {
		s.tokens[tokenOf(m)] = m.ID
		s.mandates[m.ID] = keptMandate(m)
		return m.ID
	}
	kept := s.mandates[id]
	if m.Label != "" {
		kept.Label = m.Label
	}
	if !m.Expires.IsZero() {
		kept.Expires = stored(m.Expires)
	}
	if kept.State != mandate.Dead {
		kept.State = m.State
	}
	kept.CredentialRef, kept.UpdatedAt = m.CredentialRef, stored(m.UpdatedAt)
	kept.Version++
	s.mandates[id] = kept
	return id
}

// Get returns a company's mandate.
func (m *mandateStore) Get(ctx context.Context, co company.ID, id mandate.ID) (mandate.Mandate, error) {
	if err := m.s.enter(ctx); err != nil {
		return mandate.Mandate{}, err
	}
	defer m.s.mu.Unlock()
	kept, ok := m.s.mandates[id]
	if !ok || kept.Company != co {
		return mandate.Mandate{}, noMandate()
	}
	return keptMandate(kept), nil
}

// ByToken returns the mandate of a token.
func (m *mandateStore) ByToken(ctx context.Context, k outbound.MandateKey) (mandate.Mandate, error) {
	if err := m.s.enter(ctx); err != nil {
		return mandate.Mandate{}, err
	}
	defer m.s.mu.Unlock()
	id, ok := m.s.tokens[k]
	if !ok {
		return mandate.Mandate{}, noMandate()
	}
	return keptMandate(m.s.mandates[id]), nil
}

func noMandate() error { return notFound("mandate_not_found", "there is no such mandate") }

// List returns a company's mandates, newest first.
func (m *mandateStore) List(ctx context.Context, co company.ID, before mandate.ID, limit int) ([]mandate.Mandate, error) {
	if limit < 1 || limit > 200 {
		return nil, invalid("out_of_range", "a page has 1 to 200 mandates")
	}
	if err := m.s.enter(ctx); err != nil {
		return nil, err
	}
	defer m.s.mu.Unlock()
	cursor, ok := m.s.mandates[before]
	if before != "" && (!ok || cursor.Company != co) {
		return nil, invalid("unknown_cursor", "the cursor of the page is not one that was given out")
	}
	var all []mandate.Mandate
	for _, kept := range m.s.mandates {
		if kept.Company == co && (before == "" || newerMandate(cursor, kept) < 0) {
			all = append(all, keptMandate(kept))
		}
	}
	slices.SortFunc(all, newerMandate)
	return all[:min(limit, len(all)):min(limit, len(all))], nil
}

func newerMandate(a, b mandate.Mandate) int {
	return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.ID, a.ID))
}

// Save stores what may change of a mandate over the version before.
func (m *mandateStore) Save(ctx context.Context, changed mandate.Mandate) error {
	if err := m.s.enter(ctx); err != nil {
		return err
	}
	defer m.s.mu.Unlock()
	kept, ok := m.s.mandates[changed.ID]
	if !ok || kept.Company != changed.Company || kept.Version != changed.Version-1 {
		return conflict("mandate_moved", "the mandate was changed meanwhile; read it again")
	}
	if kept.State == mandate.Dead && changed.State != mandate.Dead {
		return refused("a dead mandate never lives again")
	}
	if changed.State != mandate.Active && changed.State != mandate.Dead {
		return refused("the state of the mandate is unknown")
	}
	kept.Label, kept.State, kept.Version = changed.Label, changed.State, changed.Version
	kept.Expires, kept.UpdatedAt = stored(changed.Expires), stored(changed.UpdatedAt)
	m.s.mandates[kept.ID] = kept
	return nil
}

func keptMandate(m mandate.Mandate) mandate.Mandate {
	m.Sealed = filled(m.Sealed)
	m.Expires, m.CreatedAt, m.UpdatedAt = stored(m.Expires), stored(m.CreatedAt), stored(m.UpdatedAt)
	return m
}
