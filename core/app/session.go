package app

import (
	"context"

	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
)

// hold opens a session whose calls are counted for the release that it holds.
func (a *App) hold(ctx context.Context, r outbound.Route) (outbound.Session, error) {
	s, err := a.Providers.Open(ctx, r)
	if err != nil {
		return nil, err
	}
	return counted{Session: s, app: a}, nil
}

// chosen is the session that the channel chooses for a payment, once it is known which payment a request is about: the
// operations of a payment meet one release. The session that was opened without that is given back closed, unless it is the
// one, or the other cannot be opened.
func (a *App) chosen(ctx context.Context, s outbound.Session, p payment.Payment) (outbound.Session, bool) {
	l, ok := a.fleet.known(p.Provider)
	if !ok {
		return s, false
	}
	c := l.view()
	if !c.Shares() || c.Pick(string(p.ID), string(p.Store)) == s.Type().Version {
		return s, false
	}
	other, err := a.hold(ctx, outbound.Route{Type: p.Type, Payment: p.ID, Store: p.Store, Existing: true})
	if err != nil {
		return s, false // any release can continue any payment
	}
	s.Close()
	return other, true
}

// counted is a session whose calls are counted.
type counted struct {
	outbound.Session

	app *App
}

// Send counts what became of a call that moves money.
func (c counted) Send(ctx context.Context, i outbound.Instruction) outbound.Answer {
	began := c.app.Clock.Now()
	done := false
	defer func() {
		if !done { // it broke below the port: nobody knows
			c.app.count(c.Session, outbound.Answer{}, c.app.Clock.Now().Sub(began))
		}
	}()
	answer := c.Session.Send(ctx, i)
	done = true
	c.app.count(c.Session, answer, c.app.Clock.Now().Sub(began))
	return answer
}

// Ask counts whether a search found anything out.
func (c counted) Ask(ctx context.Context, q outbound.Question) outbound.Findings {
	done := false
	defer func() {
		if !done {
			c.app.countAsk(c.Session, outbound.Findings{Failed: true})
		}
	}()
	found := c.Session.Ask(ctx, q)
	done = true
	c.app.countAsk(c.Session, found)
	return found
}
