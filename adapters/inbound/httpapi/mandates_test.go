package httpapi_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/mandate"
)

func approval() mandate.Mandate {
	return mandate.Mandate{
		ID: mandateID, Company: "acme", Environment: company.Test, Store: "S1", Type: "DEMO_PAY", Provider: "demo", Account: "canary-account",
		CredentialRef: "canary-cred", Sealed: []byte("canary-sealed"), TokenHash: [32]byte{1}, State: mandate.Active, Expires: dawn.Add(time.Hour), Payment: paymentID,
		Version: 1, CreatedAt: dawn, UpdatedAt: dawn,
	}
}

func TestMandate(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	p.mandates.all = []mandate.Mandate{approval()}
	for query, asked := range map[string]string{
		"": "get", "?check=false&authorize_card=false": "get", "?check=true": "check", "?check=true&authorize_card=true": "check card",
	} {
		p.mandates.asked = nil
		w := p.neutral(t, "reader", "GET", "/v2/mandates/"+mandateID+query, "", "")
		if w.Code != 200 || len(p.mandates.asked) != 1 || p.mandates.asked[0] != asked || strings.Contains(w.Body.String(), "canary") {
			t.Errorf("%s: got %d %s, asked %v", query, w.Code, w.Body, p.mandates.asked)
		}
	}
	var got map[string]any
	if err := json.Unmarshal(p.neutral(t, "reader", "GET", "/v2/mandates/"+mandateID, "", "").Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"id": mandateID, "state": "ACTIVE", "type": "DEMO_PAY", "provider": "demo", "store_id": "S1", "label": "**** 1111", "is_test": true,
		"payment_id": paymentID, "expires_at": "2026-11-22T03:00:00.123456Z", "created_at": "2026-11-22T02:00:00.123456Z", "updated_at": "2026-11-22T02:00:00.123456Z",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestEndMandate(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	p.mandates.all = []mandate.Mandate{approval()}
	for range 2 {
		w := p.neutral(t, "till", "DELETE", "/v2/mandates/"+mandateID, "k-1", "")
		if w.Code != 200 || !strings.Contains(w.Body.String(), `"state":"DEAD"`) {
			t.Errorf("got %d %s", w.Code, w.Body)
		}
	}
}

func TestChargeMandate(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	p.mandates.all = []mandate.Mandate{approval()}
	w := p.neutral(t, "till", "POST", "/v2/mandates/"+mandateID+"/payments", "k-1", start(`,"is_test":true`))
	if w.Code != 201 || !strings.Contains(w.Body.String(), `"mandate_id":"`+mandateID+`"`) || !strings.Contains(w.Body.String(), `"state":"SUCCEEDED"`) {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if n := p.payments.asked()[0].Native; n.Neutral.Mandate != mandateID || n.Type != "DEMO_PAY" || n.Environment != company.Test {
		t.Errorf("the core got %+v", n)
	}
}
