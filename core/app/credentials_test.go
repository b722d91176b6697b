package app_test

import (
	"context"
	"testing"

	"github.com/payrack/payrack/core/app"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/inbound"
	"github.com/payrack/payrack/ports/outbound"
)

// otherLife is another process over the same store.
func (w *world) otherLife(boot string) *app.App {
	w.t.Helper()
	o := w.Options
	o.Boot = boot
	other, err := app.New(o)
	if err != nil {
		w.t.Fatal(err)
	}
	return other
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	text := func(s string) *string { return &s }
	own := []byte(`{"order":"%","amount":100,"req":"%-req","secret":"{\"key\":\"k\"}"}`)
	for i, c := range []struct {
		name    string
		store   *string
		request []byte
		env     company.Environment
		code    string
		account string
	}{
		{name: "the store's own", store: text("s1"), account: "store-account"},
		{name: "a store without, no company set", store: text("s2"), code: "config_missing"},
		{name: "the company's own, none", store: text("0"), code: "config_missing"},
		{name: "an unknown store", store: text("s9"), code: "config_missing"},
		{name: "no store at all", code: "missing_field"},
		{name: "the request's own, no store", request: own, account: "own-account"},
		{name: "the request's own win over the store's", store: text("s1"), request: own, account: "own-account"},
		{name: "an environment that the client may not use", store: text("s1"), env: company.Live, code: "environment_mismatch"},
	} {
		command := w.order(string(rune('A' + i)))
		command.Store = c.store
		if c.request != nil {
			command.Request = []byte(replaceAll(string(c.request), "%", string(rune('A'+i))))
		}
		if c.env != "" {
			command.Environment = c.env
		}
		var used outbound.Instruction
		w.till.answers = func(ctx context.Context, i outbound.Instruction) outbound.Answer {
			used = i
			return approved(ctx, i)
		}
		_, err := w.Payments().Pay(t.Context(), command)
		if c.code != "" {
			if fault.CodeOf(err) != c.code {
				t.Errorf("%s: %v, want %s", c.name, err, c.code)
			}
			continue
		}
		if err != nil || used.Payment.Account != c.account {
			t.Errorf("%s: account %q, %v", c.name, used.Payment.Account, err)
		}
		if c.account == "own-account" && (used.CredentialRef != "" || len(used.Operation.SealedCredential) == 0) {
			t.Errorf("%s: ref %q, sealed %d bytes", c.name, used.CredentialRef, len(used.Operation.SealedCredential))
		}
		if c.account == "store-account" && (used.CredentialRef == "" || len(used.Operation.SealedCredential) != 0) {
			t.Errorf("%s: ref %q, sealed %d bytes", c.name, used.CredentialRef, len(used.Operation.SealedCredential))
		}
	}
	// With a set of the company, a store without its own falls back, an unknown store still does not.
	must(t)(w.Directory().PutCredential(t.Context(), inbound.PutCredential{
		Company: "co", Type: "TILL_PAY", Environment: company.Test, Set: []byte(`{"account":"store-account"}`),
	}))
	command := w.order("Z1")
	command.Store = text("s2")
	must(t)(w.Payments().Pay(t.Context(), command))
	command = w.order("Z2")
	command.Store = text("s9")
	if _, err := w.Payments().Pay(t.Context(), command); fault.CodeOf(err) != "config_missing" {
		t.Errorf("an unknown store beside a company set: %v", err)
	}
}

func TestARequestsOwnCredentialIsErasedWhenTheOutcomeIsDefinite(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	command := w.order("K1")
	command.Request = []byte(`{"order":"K1","amount":100,"req":"K1","secret":"s"}`)
	w.till.answers = func(context.Context, outbound.Instruction) outbound.Answer { return outbound.Answer{} }
	must(t)(w.Payments().Pay(t.Context(), command))
	if r := w.record(t.Context(), "K1"); len(r.Operation.SealedCredential) == 0 {
		t.Error("without its credential this unknown outcome can never be settled")
	}
	command.Request = []byte(`{"order":"K2","amount":100,"req":"K2","secret":"s"}`)
	w.till.answers = func(context.Context, outbound.Instruction) outbound.Answer {
		return outbound.Answer{Known: payment.KnownDeclined, Native: []byte(`{}`)}
	}
	must(t)(w.Payments().Pay(t.Context(), command))
	if r := w.record(t.Context(), "K2"); len(r.Operation.SealedCredential) != 0 {
		t.Error("the credential of a declined payment was kept")
	}
}

func TestRotationTakesEffectAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	must(t)(w.Payments().Pay(t.Context(), w.order("R1")))
	must(t)(w.Directory().PutCredential(t.Context(), inbound.PutCredential{
		Company: "co", Store: "s1", Type: "TILL_PAY", Environment: company.Test, Set: []byte(`{"account":"store-account","key":"new"}`),
	}))
	var used string
	w.till.answers = func(ctx context.Context, i outbound.Instruction) outbound.Answer {
		used = string(i.Credential)
		return approved(ctx, i)
	}
	must(t)(w.Payments().Pay(t.Context(), w.order("R2")))
	if used != `{"account":"store-account","key":"new"}` {
		t.Errorf("the call was made with %s", used)
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, gate := t.Context(), w.Access()
	token, err := gate.Token(ctx, inbound.TokenRequest{ClientID: w.client.ID, ClientSecret: w.secret, Scope: "pay"})
	if err != nil {
		t.Fatal(err)
	}
	p, err := gate.Authenticate(ctx, token.AccessToken)
	if err != nil || p.Company != "co" || !p.May("pay") || p.May("search") {
		t.Errorf("%+v, %v", p, err)
	}
	for name, c := range map[string]struct {
		request inbound.TokenRequest
		code    string
	}{
		"wrong secret":       {inbound.TokenRequest{ClientID: w.client.ID, ClientSecret: "x"}, "invalid_client"},
		"unknown client":     {inbound.TokenRequest{ClientID: "x", ClientSecret: w.secret}, "invalid_client"},
		"a scope it lacks":   {inbound.TokenRequest{ClientID: w.client.ID, ClientSecret: w.secret, Scope: "refund"}, "invalid_scope"},
		"the admin's scope":  {inbound.TokenRequest{ClientID: w.client.ID, ClientSecret: w.secret, Scope: "admin"}, "invalid_scope"},
		"a scope among good": {inbound.TokenRequest{ClientID: w.client.ID, ClientSecret: w.secret, Scope: "pay x"}, "invalid_scope"},
	} {
		if _, err := gate.Token(ctx, c.request); fault.CodeOf(err) != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
	all, err := gate.Token(ctx, inbound.TokenRequest{ClientID: w.client.ID, ClientSecret: w.secret, Scope: "api"})
	if err != nil || len(all.Scopes) != 2 {
		t.Errorf("scope api: %+v, %v", all, err)
	}
	admin, err := w.AdminToken(ctx, "operator", 1)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := gate.Authenticate(ctx, admin); err != nil || !p.May("admin") || p.May("pay") || p.Company != "" {
		t.Errorf("%+v, %v", p, err)
	}
}

// A client that is switched off has no token any more: neither a new one nor those that it got before.
func TestADisabledClientIsOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := w.otherLife("boot-2")
	must(t)(nil, other.Directory().Reload(t.Context()))
	request := inbound.TokenRequest{ClientID: w.client.ID, ClientSecret: w.secret}
	token, err := w.Access().Token(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	expect := func(when, code string, at *app.App) {
		t.Helper()
		if _, err := at.Access().Token(t.Context(), request); codeOf(err) != code {
			t.Errorf("%s: a new token: %v, want %q", when, err, code)
		}
		if code == "invalid_client" {
			code = "invalid_token"
		}
		if _, err := at.Access().Authenticate(t.Context(), token.AccessToken); codeOf(err) != code {
			t.Errorf("%s: the token from before: %v, want %q", when, err, code)
		}
	}
	expect("before", "", w.App)
	off, err := w.Directory().SaveClient(t.Context(), inbound.SaveClient{ID: w.client.ID, Disabled: new(true)})
	if err != nil || !off.Disabled || off.Name != "till" || off.SecretHash != "" {
		t.Errorf("%+v, %v", off, err)
	}
	expect("switched off", "invalid_client", w.App)
	// A replica that has not looked yet renames it, and does not switch it on.
	expect("on another replica, before it looked", "", other)
	if named, err := other.Directory().SaveClient(t.Context(), inbound.SaveClient{ID: w.client.ID, Name: new("leaked")}); err != nil || !named.Disabled || named.Name != "leaked" {
		t.Errorf("%+v, %v", named, err)
	}
	expect("on another replica", "invalid_client", other)
	must(t)(w.Directory().SaveClient(t.Context(), inbound.SaveClient{ID: w.client.ID, Disabled: new(false)}))
	expect("switched on", "", w.App)
	if _, err := w.Directory().SaveClient(t.Context(), inbound.SaveClient{ID: "cl_nobody", Disabled: new(true)}); fault.CodeOf(err) != "client_not_found" {
		t.Errorf("%v", err)
	}
	if _, err := w.Directory().SaveClient(t.Context(), inbound.SaveClient{ID: w.client.ID, Name: new(" ")}); fault.CodeOf(err) != "missing_field" {
		t.Errorf("%v", err)
	}
}

// A company that is suspended gets no token, and its tokens end; a wrong secret still hears nothing of it.
func TestASuspendedCompanyIsOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	request := inbound.TokenRequest{ClientID: w.client.ID, ClientSecret: w.secret}
	token, err := w.Access().Token(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	suspend := func(yes bool) {
		t.Helper()
		must(t)(w.Directory().SaveCompany(t.Context(), inbound.SaveCompany{ID: "co", Suspended: &yes}))
	}
	expect := func(code string) {
		t.Helper()
		if _, err := w.Access().Token(t.Context(), request); codeOf(err) != code {
			t.Errorf("a new token: %v, want %q", err, code)
		}
		if _, err := w.Access().Authenticate(t.Context(), token.AccessToken); codeOf(err) != code {
			t.Errorf("the token from before: %v, want %q", err, code)
		}
	}
	suspend(true)
	expect("company_suspended")
	if _, err := w.Access().Token(t.Context(), inbound.TokenRequest{ClientID: w.client.ID, ClientSecret: "x"}); codeOf(err) != "invalid_client" {
		t.Errorf("a wrong secret: %v", err)
	}
	suspend(false)
	expect("")

	// A replica that has not looked yet renames the company, and does not let it in again.
	other := w.otherLife("boot-2")
	must(t)(nil, other.Directory().Reload(t.Context()))
	suspend(true)
	if named, err := other.Directory().SaveCompany(t.Context(), inbound.SaveCompany{ID: "co", Name: new("Other name")}); err != nil || !named.Suspended {
		t.Errorf("%+v, %v", named, err)
	}
}

// codeOf is the code of an error, empty without one.
func codeOf(err error) string {
	if err == nil {
		return ""
	}
	return fault.CodeOf(err)
}

func replaceAll(s, old, by string) string {
	out := ""
	for _, r := range s {
		if string(r) == old {
			out += by
		} else {
			out += string(r)
		}
	}
	return out
}
