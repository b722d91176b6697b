package providers_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/ports/outbound"
)

func TestMandates(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	r := alpha()
	r.Behaviour = "a type without approvals"
	p.activate(t, binary(t, r))
	s := session(t, p)
	if d := s.Type(); !d.ChecksMandates || !d.EndsMandates {
		t.Errorf("%+v", d)
	}
	q := outbound.MandateQuestion{
		AuthorizeCard: true, Environment: "live", Type: "ALPHA_PAY", Account: "A2", Wire: "two", Credential: []byte(`{"account_id":"A2"}`),
		CredentialRef: "cred/2", Token: "RK1",
	}
	for _, end := range []bool{false, true} {
		q.End = end
		a := s.Mandate(within(t, 10*time.Second), q)
		if !a.Known || a.Dead != end || a.Label != "card 1111" || !a.Expires.Equal(time.Unix(3, 0)) || a.Reason != "" {
			t.Errorf("%+v", a)
		}
		var got heard
		if err := json.Unmarshal(a.Native, &got); err != nil {
			t.Fatal(err)
		}
		if got.NotAfterUnix <= time.Now().Unix() {
			t.Errorf("not_after %d", got.NotAfterUnix)
		}
		got.NotAfterUnix = 0
		want := heard{
			Operation: "check", Label: "from the settings", Columns: json.RawMessage(`{}`), Credential: json.RawMessage(`{"account_id":"A2"}`),
			Mandate: "RK1", Card: true,
			Call: map[string]string{"operation_id": "", "type": "ALPHA_PAY", "environment": "live", "credential_ref": "cred/2", "account": "A2", "wire": "two", "request_id": ""},
		}
		if end {
			want.Operation, want.Card = "expire", false
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	for token, reason := range map[string]string{"failure": "unsupported", "unspecified": "bad_answer", "nothing": "internal"} {
		q.Token = token
		if a := s.Mandate(within(t, 10*time.Second), q); a.Known || a.Dead || a.Reason != reason {
			t.Errorf("%s: %+v", token, a)
		}
	}
	if a := s.Mandate(context.WithoutCancel(t.Context()), q); a.Known || a.Reason != "internal" {
		t.Errorf("without a deadline: %+v", a)
	}

	plain, err := p.Open(t.Context(), outbound.Route{Type: "ALPHA_PAY_PLAIN"})
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	if d := plain.Type(); d.ChecksMandates || d.EndsMandates {
		t.Errorf("%+v", d)
	}
	for _, q.End = range []bool{false, true} {
		if a := plain.Mandate(within(t, 10*time.Second), q); a.Known || a.Reason != "unsupported" || len(a.Native) > 0 {
			t.Errorf("a type without approvals: %+v", a)
		}
	}
}

func TestAttendedAndRedirects(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.activate(t, binary(t, alpha()))
	d := session(t, p).Type()
	for kind, want := range map[catalogue.Kind]bool{catalogue.Pay: true, catalogue.Search: false, catalogue.Refund: false} {
		if o, ok := d.Find(kind); !ok || o.Attended != want || o.Redirects != want {
			t.Errorf("%s: %+v", kind, o)
		}
	}
}
