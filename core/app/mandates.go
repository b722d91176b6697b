package app

import (
	"context"
	"time"

	"github.com/payrack/payrack/core/access"
	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/mandate"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
)

// mandateTime bounds a question about a stored approval.
const mandateTime = 30 * time.Second

// learnTries is how often what a provider said of an approval is kept anew because charges changed the approval meanwhile.
const learnTries = 5

// mandates implements inbound.Mandates.
type mandates struct{ *App }

// Get returns a company's mandate as it is known here.
func (a mandates) Get(ctx context.Context, p access.Principal, id mandate.ID) (mandate.Mandate, error) {
	m, err := a.Options.Mandates.Get(ctx, p.Company, id)
	if err != nil {
		return mandate.Mandate{}, err
	}
	if !p.In(m.Environment) {
		return mandate.Mandate{}, fault.New(fault.NotFound, "mandate_not_found", "there is no such approval")
	}
	return m, nil
}

// Check asks the provider whether the mandate can still be charged, and keeps the answer.
func (a mandates) Check(ctx context.Context, p access.Principal, id mandate.ID, card bool) (mandate.Mandate, error) {
	m, err := a.Get(ctx, p, id)
	if err != nil || m.State == mandate.Dead {
		return m, err
	}
	return a.ask(ctx, m, outbound.MandateQuestion{AuthorizeCard: card})
}

// Expire ends the mandate at the provider.
func (a mandates) Expire(ctx context.Context, p access.Principal, id mandate.ID) (mandate.Mandate, error) {
	m, err := a.Get(ctx, p, id)
	if err != nil || m.State == mandate.Dead {
		return m, err
	}
	return a.ask(ctx, m, outbound.MandateQuestion{End: true})
}

// ask puts a question about a mandate and keeps what the provider says.
func (a mandates) ask(ctx context.Context, m mandate.Mandate, q outbound.MandateQuestion) (mandate.Mandate, error) {
	asks := func(t catalogue.Type) bool {
		return t.Provider == m.Provider && (q.End && t.EndsMandates || !q.End && t.ChecksMandates)
	}
	for _, t := range a.Providers.Types() {
		if asks(t) && q.Type == "" {
			q.Type = t.Name
		}
	}
	if q.Type == "" {
		return m, fault.New(fault.Unsupported, "unsupported", "the provider of this approval cannot be asked this")
	}
	token, err := a.Secrets.Open(ctx, m.Field(), m.Sealed)
	if err != nil {
		return m, err
	}
	set, err := a.storedSet(ctx, m.CredentialRef, m.Account)
	if err != nil {
		return m, err
	}
	session, err := a.hold(ctx, outbound.Route{Type: q.Type, Store: m.Store, Existing: true})
	if err != nil {
		return m, err
	}
	defer session.Close()
	q.Environment, q.Account, q.Wire, q.Token = m.Environment, m.Account, m.Wire, string(token)
	q.Credential, q.CredentialRef = set.plain, set.ref
	// The end of an approval is not undone by a client that hangs up.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), mandateTime)
	defer cancel()
	answer := session.Mandate(ctx, q)
	if !answer.Known {
		return m, &fault.Error{
			Kind: fault.Unavailable, Code: "provider_unavailable", RetryAfter: retryAfter,
			Message: "the provider did not say how the approval stands; ask again later",
		}
	}
	return a.learn(ctx, m, func(next *mandate.Mandate) {
		if answer.Dead || q.End {
			next.State = mandate.Dead
		}
		if answer.Label != "" {
			next.Label = answer.Label
		}
		if !answer.Expires.IsZero() {
			next.Expires = answer.Expires
		}
	})
}

// learn keeps what the provider said of a mandate. A charge that ends at the same time changes the mandate too; what was said
// is true all the same.
func (a *App) learn(ctx context.Context, m mandate.Mandate, said func(*mandate.Mandate)) (mandate.Mandate, error) {
	for tries := 1; ; tries++ {
		next := m
		said(&next)
		kept, err := a.keep(ctx, m, next)
		if fault.CodeOf(err) != "mandate_moved" || tries == learnTries {
			return kept, err
		}
		if m, err = a.Options.Mandates.Get(ctx, m.Company, m.ID); err != nil {
			return kept, err
		}
	}
}

// keep saves what changed of a mandate.
func (a *App) keep(ctx context.Context, old, next mandate.Mandate) (mandate.Mandate, error) {
	if old.State == next.State && old.Label == next.Label && old.Expires.Equal(next.Expires) {
		return old, nil
	}
	next.Version, next.UpdatedAt = old.Version+1, a.Clock.Now()
	if err := a.Options.Mandates.Save(ctx, next); err != nil {
		return old, err
	}
	return next, nil
}

// approved makes the mandate that came with an answer, and ties it to the payment.
func (a *App) approved(ctx context.Context, r *payment.Record, got *outbound.Approval) (*mandate.Mandate, error) {
	if got == nil || got.Token == "" || r.Operation.State != payment.OperationSucceeded {
		return nil, nil //nolint:nilnil // most answers bring none
	}
	p, now := r.Payment, a.Clock.Now()
	m := mandate.Mandate{
		ID: mandate.ID(a.IDs.New()), Company: p.Company, Environment: p.Environment, Store: p.Store, Type: p.Type,
		Provider: p.Provider, Account: p.Account, Wire: p.Wire, CredentialRef: p.CredentialRef, Label: got.Label,
		State: mandate.Active, Expires: got.Expires, Payment: string(p.ID), TokenHash: a.tokenHash(got.Token),
		Version: 1, CreatedAt: now, UpdatedAt: now,
	}
	if got.Dead {
		m.State = mandate.Dead
	}
	known, err := a.Options.Mandates.ByToken(ctx, outbound.MandateKey{
		Company: m.Company, Environment: m.Environment, Provider: m.Provider, Account: m.Account, TokenHash: m.TokenHash,
	})
	if err == nil {
		// A charge of it brings it again, with a new expiry: what it is and whose stays.
		label := m.Label
		if label == "" {
			label = known.Label
		}
		state, expires := m.State, m.Expires
		m = known
		m.Label, m.State, m.Version, m.UpdatedAt = label, state, known.Version+1, now
		if !expires.IsZero() {
			m.Expires = expires
		}
		if known.State == mandate.Dead {
			m.State = mandate.Dead
		}
	}
	if m.Sealed, err = a.Secrets.Seal(ctx, m.Field(), []byte(got.Token)); err != nil {
		return nil, err
	}
	r.Payment.Mandate = string(m.ID)
	return &m, nil
}

// bury marks the approval that a payment charged as dead: the provider said that it never lives again.
func (a *App) bury(ctx context.Context, p payment.Payment) {
	if p.Mandate == "" {
		return
	}
	a.later(ctx, func(ctx context.Context) bool {
		m, err := a.Options.Mandates.Get(ctx, p.Company, mandate.ID(p.Mandate))
		if err != nil {
			return fault.KindOf(err) == fault.NotFound
		}
		next := m
		next.State = mandate.Dead
		_, err = a.keep(ctx, m, next)
		return err == nil
	})
}
