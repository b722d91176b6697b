package app

import (
	"context"
	"net/url"
	"strings"

	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/mandate"
	"github.com/payrack/payrack/ports/inbound"
	"github.com/payrack/payrack/ports/outbound"
)

// draft is a request that was read and may be sent.
type draft struct {
	command   inbound.Native
	form      outbound.Form
	set       credentialSet
	described catalogue.Type
	promises  catalogue.Operation
	// unread says that the request was not read in full, because its provider is down: it is never sent.
	unread bool
	// mandate is our id of the stored approval that is charged, if there is one; ended says that it cannot be charged any
	// more: the request starts nothing, and only what it started before has an answer.
	mandate string
	ended   bool
}

// refusal is why a request starts nothing, nil if it may. What it started before has its own answer all the same.
func (d draft) refusal() error {
	switch {
	case d.set.off:
		return configMissing(d.described.Name)
	case d.ended:
		return mandateDead()
	default:
		return nil
	}
}

// draft reads a request that starts a payment: its columns, its credentials, the approval that it charges.
func (a *App) draft(ctx context.Context, session outbound.Session, k catalogue.Kind, c inbound.Native) (draft, error) {
	if c.Neutral != nil && c.Neutral.Mandate != "" {
		named, err := a.named(ctx, c)
		if err != nil {
			return draft{}, err
		}
		c.Neutral = named
	}
	form, err := a.form(session, k, c)
	if err != nil {
		return draft{}, err
	}
	if c.Neutral != nil && c.Neutral.Mandate != "" {
		form.MandateID = string(c.Neutral.Mandate) // it is this very one that is checked, not whichever the token leads to
	}
	promises, _ := session.Type().Find(k)
	set, err := a.credentials(ctx, c, session.Type(), form)
	if err != nil {
		return draft{}, err
	}
	d := draft{command: c, form: form, set: set, described: session.Type(), promises: promises}
	for _, back := range []struct{ url, pointer string }{{form.ReturnURL, "/return_url"}, {form.CancelURL, "/cancel_url"}} {
		if err := webAddress(back.url, back.pointer); err != nil {
			return draft{}, err
		}
	}
	if err := a.charge(ctx, &d); err != nil {
		return draft{}, err
	}
	return d, nil
}

// form reads the columns of a request; one in neutral terms is written into the columns first.
func (a *App) form(session outbound.Session, k catalogue.Kind, c inbound.Native) (outbound.Form, error) {
	if c.Neutral == nil {
		return session.Form(k, c.Request)
	}
	v := c.Neutral.Values
	if v.RequestID == "" {
		v.RequestID = a.requestID(string(c.Principal.Company), string(c.Environment), string(k), c.IdempotencyKey)
	}
	native, err := session.Compose(k, v)
	if err != nil {
		return outbound.Form{}, err
	}
	return session.Form(k, native)
}

// requestID is the id that a provider demands of a request which has none of its own: the same for every try of it.
func (a *App) requestID(parts ...string) string {
	sum := a.Secrets.Fingerprint([]byte("request-id\x00" + strings.Join(parts, "\x00")))
	return uuidOf(sum)
}

// uuidOf makes a UUID of version 8 (RFC 9562 section 5.8) of a keyed hash.
func uuidOf(sum [32]byte) string {
	const hex = "0123456789abcdef"
	sum[6] = sum[6]&0x0f | 0x80
	sum[8] = sum[8]&0x3f | 0x80
	b := make([]byte, 0, 36)
	for i, c := range sum[:16] {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			b = append(b, '-')
		}
		b = append(b, hex[c>>4], hex[c&15])
	}
	return string(b)
}

// webAddress accepts an absolute address of the web: we send people there.
func webAddress(text, pointer string) error {
	if text == "" {
		return nil
	}
	u, err := url.Parse(text)
	if err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil && len(text) <= 2000 {
		return nil
	}
	return &fault.Error{
		Kind: fault.Invalid, Code: "invalid_format", Message: strings.TrimPrefix(pointer, "/") + " must be an absolute http or https address",
		Fields: []fault.Field{{Pointer: pointer, Code: "invalid_format", Detail: "an absolute http or https address of at most 2000 characters"}},
	}
}

// charge finds the stored approval that a request charges: by our id, or by the provider's token. One that the platform
// does not know is the company's own business and goes on as it is.
func (a *App) charge(ctx context.Context, d *draft) error {
	var (
		m   mandate.Mandate
		err error
	)
	id := mandate.ID(d.form.MandateID)
	co := d.command.Principal.Company
	switch {
	case id != "":
		m, err = a.Options.Mandates.Get(ctx, co, id)
	case d.form.Mandate != "":
		m, err = a.Options.Mandates.ByToken(ctx, outbound.MandateKey{
			Company: co, Environment: d.command.Environment, Provider: d.described.Provider, Account: d.set.account,
			TokenHash: a.tokenHash(d.form.Mandate),
		})
		if fault.KindOf(err) == fault.NotFound {
			return nil
		}
	default:
		return nil
	}
	if err != nil {
		return err
	}
	if m.Environment != d.command.Environment || m.Provider != d.described.Provider || m.Account != d.set.account {
		return fault.New(fault.Conflict, "mandate_of_other_account", "this approval belongs to another provider account or environment; charge it with the credentials that it was given to")
	}
	if d.form.Mandate == "" {
		token, err := a.Secrets.Open(ctx, m.Field(), m.Sealed)
		if err != nil {
			return err
		}
		d.form.Mandate = string(token)
	}
	d.mandate, d.ended = string(m.ID), !m.Usable(a.Clock.Now())
	return nil
}

// mandateDead refuses what would charge an approval that has ended.
func mandateDead() error {
	return fault.New(fault.Conflict, "mandate_dead", "this approval has ended and can never be charged again; ask the payer for a new one")
}

// named puts the token of the approval that a neutral request names into its values.
func (a *App) named(ctx context.Context, c inbound.Native) (*inbound.Neutral, error) {
	m, err := a.Options.Mandates.Get(ctx, c.Principal.Company, c.Neutral.Mandate)
	if err != nil {
		return nil, err
	}
	token, err := a.Secrets.Open(ctx, m.Field(), m.Sealed)
	if err != nil {
		return nil, err
	}
	n := *c.Neutral
	n.Values.Mandate = string(token)
	return &n, nil
}

// tokenHash finds a token again without keeping it readable.
func (a *App) tokenHash(token string) [32]byte {
	return a.Secrets.Fingerprint([]byte("mandate\x00" + token))
}
