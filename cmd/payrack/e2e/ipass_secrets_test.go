package e2e_test

import (
	"database/sql"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// ivTap stands between the plugin and the gateway and keeps every IV that passes, both ways.
type ivTap struct {
	*httptest.Server
	mu     sync.Mutex
	target *url.URL
	up     []string
	down   []string
	// merchants are the ids in the header iPass-MerchantId.
	merchants map[string]bool
}

func newIVTap(t *testing.T) *ivTap {
	t.Helper()
	tap := &ivTap{merchants: map[string]bool{}}
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			tap.mu.Lock()
			defer tap.mu.Unlock()
			r.SetURL(tap.target)
			tap.up = append(tap.up, r.In.Header.Get("iPass-Iv"))
			tap.merchants[r.In.Header.Get("iPass-MerchantId")] = true
		},
		ModifyResponse: func(r *http.Response) error {
			tap.mu.Lock()
			defer tap.mu.Unlock()
			tap.down = append(tap.down, r.Header.Get("iPass-Iv"))
			return nil
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	tap.Server = httptest.NewServer(forward)
	t.Cleanup(tap.Close)
	return tap
}

// to says where the gateway is, which is known only when it runs.
func (tap *ivTap) to(t *testing.T, target string) {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	tap.mu.Lock()
	tap.target = u
	tap.mu.Unlock()
}

// TestIPassSecrets pays, searches, refunds and voids, on iPASS's routes and in neutral terms, with the company's
// credentials and with the request's own, loses answers so that the platform searches and gives money back by itself,
// and lets the gateway answer what cannot be read. Then no key, no IV, no trade code and no invoice carrier stands in
// output, spans, metrics, answers of ours or any file of the database. The same search must find what may be there.
func TestIPassSecrets(t *testing.T) {
	t.Parallel()
	spans, tap := newReceiver(t), newIVTap(t)
	dir := t.TempDir()
	p := startIPassIn(t, dir, quickIPass, spans.env(), "--log-level", "debug", "--gateway", "ipass="+tap.URL)
	tap.to(t, p.SandboxURL+"/ipass")

	const merchant = "7000000077"
	ownKey := newIV()
	p.control(http.MethodPost, "accounts", map[string]any{"provider": "ipass", "credential": map[string]any{"merchantid": merchant, "key": ownKey}})
	secrets := map[string]string{"the store's key": p.IPass.Key, "the company's key": p.companyKey(t), "the request's key": ownKey}
	var answers strings.Builder
	hear := func(a answer) answer { fmt.Fprintf(&answers, "%d %v\n%s\n", a.status, a.header, a.body); return a }
	code := func(columns map[string]any) map[string]any {
		secrets["a trade code, "+fmt.Sprint(columns["order_number"])], _ = columns["trade_code"].(string)
		return columns
	}

	// With the request's own credentials: the resolver has nothing else to search with than what was sealed beside the operation.
	own := func(path string, columns map[string]any) answer {
		iv := newIV()
		secrets["the iv of "+path+" "+fmt.Sprint(columns["order_number"])] = iv
		c := with(columns, "merchantid", merchant, "key", ownKey, "iv", iv)
		return hear(p.post(path, map[string]any{"is_test": true, "request": c}, "X-Request-Id", "control-ipass-0001"))
	}
	p.arm("drop_after_commit", onPay, "IXN-S-OWN")
	lost := own(iPassPay, code(p.iPassColumns("IXN-S-OWN")))
	p.arm("9999_before_commit", onPay, "IXN-S-OWN9999")
	never := own(iPassPay, code(p.iPassColumns("IXN-S-OWN9999")))
	p.reach(lost.header.Get("Payrack-Payment-Id"), "SUCCEEDED")
	p.reach(never.header.Get("Payrack-Payment-Id"), "FAILED")
	found := own(iPassSearch, map[string]any{"req_id": newReqID(), "order_number": "IXN-S-OWN"})
	p.arm("wrong_key", onRefund, "IXN-S-OWN")
	own(iPassRefund, map[string]any{"req_id": newReqID(), "transaction_id": found.member("original_transactionId")})
	p.reach(lost.header.Get("Payrack-Payment-Id"), "REFUNDED")
	kept := own(iPassPay, code(p.iPassColumns("IXN-S-OWNVOID")))
	own(iPassVoid, map[string]any{"req_id": newReqID(), "order_number": "IXN-S-OWNVOID"})
	p.reach(kept.header.Get("Payrack-Payment-Id"), "VOIDED")

	// With stored credentials, on both kinds of routes, and an invoice carrier that goes through unchanged.
	const carrier = "/SEC.R7+"
	secrets["the invoice carrier"] = carrier
	columns := p.iPassColumns("IXN-S-STORED")
	columns["trade_code"] = p.iPassCode("carrier", carrier)
	paid := p.iPass(iPassPay, code(columns)) // the one answer that may show the carrier
	if paid.member("electronic_invoice_carrier") != carrier {
		t.Errorf("the carrier did not come through: %s", paid)
	}
	for _, fault := range []string{"foreign_req_id", "garbage_base64", "flipped_iv", "wrong_amount", "plain_text"} {
		order := "IXN-S-" + fault
		p.arm(fault, onPay, order)
		a := hear(p.iPass(iPassPay, code(p.iPassColumns(order))))
		p.reach(a.header.Get("Payrack-Payment-Id"), "SUCCEEDED")
	}
	neutral := p.neutralPay("IXN-S-NEUTRAL")
	secrets["a code in neutral terms"] = neutral["source"].(map[string]any)["code"].(string) //nolint:forcetypeassert // made above
	p.arm("drop_after_commit", onPay, "IXN-S-NEUTRAL")
	id := hear(p.neutral("", "secrets-1", neutral)).member("id")
	hear(p.neutral("/"+id+"/cancel", "secrets-2", map[string]any{}))
	p.reach(id, "REVERSED")
	mine := p.neutralPay("IXN-S-NEUTRALOWN")
	secrets["a code beside credentials"] = mine["source"].(map[string]any)["code"].(string) //nolint:forcetypeassert // made above
	secrets["an iv in neutral terms"] = newIV()
	mine["credentials"] = map[string]any{"merchantid": merchant, "key": ownKey, "iv": secrets["an iv in neutral terms"]}
	made := hear(p.neutral("", "secrets-3", mine))
	expect(t, "pay with credentials of the request in neutral terms", made, http.StatusCreated, "SUCCEEDED")
	hear(p.neutral("/"+made.member("id")+"/refunds", "secrets-4", map[string]any{"amount": map[string]any{"amount": 29, "currency": "TWD"}}))
	// Refused before anything is sent, with the secrets in it.
	bad := code(p.iPassColumns("IXN-S-BAD"))
	own(iPassPay, with(bad, "amount", "229"))
	own(iPassPay, with(bad, "capture", false))
	own(iPassPay, with(bad, "redeem", map[string]any{"non_redeem_amout": 230}))

	p.checkIVs(tap, secrets)
	p.search(dir, spans, secrets, answers.String())
}

// checkIVs adds the IVs that passed to the secrets: each but one that the request brought is the plugin's own, and none
// was used twice.
func (p *platform) checkIVs(tap *ivTap, secrets map[string]string) {
	p.t.Helper()
	tap.mu.Lock()
	defer tap.mu.Unlock()
	if len(tap.up) < 20 || len(tap.down) < 15 || len(tap.merchants) < 2 {
		p.t.Errorf("%d requests and %d answers of %d merchants passed: the checks below prove little", len(tap.up), len(tap.down), len(tap.merchants))
	}
	seen := map[string]bool{}
	for i, iv := range tap.up {
		if len(iv) != 32 || seen[iv] {
			p.t.Errorf("request %d has the iv %q", i, iv)
		}
		seen[iv] = true
		secrets[fmt.Sprintf("the iv of request %d", i)] = iv
	}
	for i, iv := range tap.down {
		if iv != "" {
			secrets[fmt.Sprintf("the iv of answer %d", i)] = iv
		}
	}
}

// erased checks that the credentials of requests are gone where nothing can follow any more, and sealed where
// something can.
func (p *platform) erased(db *sql.DB) {
	p.t.Helper()
	count := func(states string) (n int) {
		query := "SELECT count(*) FROM operation o JOIN payment p ON p.id = o.payment_id WHERE o.sealed_credential IS NOT NULL AND p.state IN (" + states + ")"
		if err := db.QueryRowContext(p.t.Context(), query).Scan(&n); err != nil {
			p.t.Fatal(err)
		}
		return n
	}
	if n := count("'REFUNDED', 'VOIDED', 'REVERSED'"); n > 0 {
		p.t.Errorf("%d operations of payments that have ended still hold the request's credentials", n)
	}
	if count("'PARTIALLY_REFUNDED'") == 0 {
		p.t.Error("no credentials are kept for the payment that may still be refunded")
	}
}

// search ends the program and looks for the secrets wherever it wrote.
func (p *platform) search(dir string, spans *receiver, secrets map[string]string, answers string) {
	p.t.Helper()
	metrics := p.do(http.MethodGet, p.AdminURL+"/metrics", nil, "Authorization", "Bearer "+p.AdminToken)
	p.waitFor("spans of the last payment", func() bool { return strings.Contains(spans.text(), "IXN-S-NEUTRALOWN") })
	time.Sleep(300 * time.Millisecond) // spans of the last refused requests
	db := p.database()
	p.erased(db)
	var store, stored string
	if strings.HasPrefix(p.DatabaseURL, "postgres") {
		store, stored = "rows", dump(p.t, db)
	} else {
		store = "file " + filepath.Base(p.databaseFile())
	}
	_ = db.Close() // the last one out folds SQLite's write-ahead log into its file
	p.stop()

	places := map[string]string{"output": p.output.String(), "spans": spans.text(), "metrics": string(metrics.body), "answers": answers}
	if stored != "" {
		places[store] = stored
	}
	walk(p.t, dir, func(path string, content []byte) { places["file "+filepath.Base(path)] += string(content) })
	for place, control := range map[string]string{
		"output": "control-ipass-0001", "spans": "IXN-S-OWN", "metrics": "IPASS_OFFLINE_PAY", "answers": "9999", store: "IXN-S-OWN",
	} {
		if !strings.Contains(places[place], control) {
			p.t.Errorf("the search does not find %q in %s: it would not find a secret there either", control, place)
		}
	}
	for place, content := range places {
		if place == "file dev.json" || strings.Contains(place, "sandbox") {
			continue // they are the other side's: what a development start tells its user, and the sandbox's own files
		}
		for name, secret := range secrets {
			for what, form := range map[string]string{"": secret, " in upper case": strings.ToUpper(secret)} {
				if secret != "" && strings.Contains(content, form) {
					p.t.Errorf("%s%s stands in %s", name, what, place)
				}
			}
		}
	}
}
