package e2e_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

// TestDevFile checks dev.json: written once, for its owner only, with every member that others rely on.
func TestDevFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := start(t, dir, nil)
	file := filepath.Join(dir, "dev.json")
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("dev.json has mode %o, want 600", info.Mode().Perm())
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]json.RawMessage
	decode(t, raw, &members)
	for _, name := range []string{
		"http_url", "admin_url", "sandbox_url", "token_url", "client_id", "client_secret", "admin_token", "company_id",
		"store_id", "store_id_without_credentials", "database_url", "pid", "sandbox_pid", "linepay", "ipass",
	} {
		if len(members[name]) == 0 {
			t.Errorf("dev.json has no %s", name)
		}
	}
	if p.PID != p.cmd.Process.Pid {
		t.Errorf("pid %d, want %d", p.PID, p.cmd.Process.Pid)
	}
	p.stop()
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("dev.json after a clean stop: %v", err)
	}

	// The same folder again: the same company and client, and what was paid stays paid.
	q := start(t, dir, nil)
	if q.ClientID != p.ClientID || q.CompanyID != p.CompanyID || q.StoreID != p.StoreID {
		t.Errorf("after a restart: client %s company %s store %s", q.ClientID, q.CompanyID, q.StoreID)
	}
}

// TestPaymentRunsThrough pays and searches with both providers and reads the ledger as the referee.
func TestPaymentRunsThrough(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := start(t, dir, nil)
	body := p.linePay("RUN-1")
	a := p.post(linePayPath, body)
	if a.status != http.StatusOK || a.member("returnCode") != "0000" || a.header.Get("Payrack-Payment-Id") == "" || a.header.Get("X-Request-Id") == "" {
		t.Fatalf("pay: %s %v", a, a.header)
	}
	if got := p.ledger("RUN-1"); len(got) != 1 || got[0].Kind != "charge" || got[0].Amount != "229" || got[0].Currency != "TWD" {
		t.Errorf("ledger: %+v", got)
	}
	if got := p.state(a.header.Get("Payrack-Payment-Id")); got != "SUCCEEDED" {
		t.Errorf("state %s", got)
	}

	// The same order with another code: the order number was paid before.
	other := p.linePay("RUN-1")
	if b := p.post(linePayPath, other); b.status != http.StatusOK || b.member("returnCode") != "1172" || b.member("message_from") != "OMNI" {
		t.Errorf("the same order again: %s", b)
	}
	// The same key with the same request is replayed, with another request refused.
	keyed := p.linePay("RUN-2")
	first := p.post(linePayPath, keyed, "Idempotency-Key", "till-7-0001")
	second := p.post(linePayPath, keyed, "Idempotency-Key", `"till-7-0001"`)
	if first.status != http.StatusOK || string(first.body) != string(second.body) || second.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("replay: %s then %s", first, second)
	}
	if third := p.post(linePayPath, p.linePay("RUN-3"), "Idempotency-Key", "till-7-0001"); third.status != http.StatusUnprocessableEntity {
		t.Errorf("the key with another request: %s", third)
	}
	if got := len(p.requests("linepay", "RUN-2")); got != 1 {
		t.Errorf("%d transmissions for a replayed request, want 1", got)
	}

	found := p.post("/v1/payment/integrate/search", map[string]any{
		"type": "LINE_QRCODE_PAY", "store_id": p.StoreID, "is_test": true, "request": map[string]any{"orderId": "RUN-1"},
	})
	if found.status != http.StatusOK || found.member("returnCode") != "0000" {
		t.Errorf("search: %s", found)
	}

	// A code that was used is a decline: 200, in the provider's words, and no money.
	used := p.linePay("RUN-4")
	used["request"].(map[string]any)["oneTimeKey"] = body["request"].(map[string]any)["oneTimeKey"] //nolint:forcetypeassert // made above
	if d := p.post(linePayPath, used); d.status != http.StatusOK || d.member("returnCode") != "1133" || d.member("message_from") != "LINE_PAY" {
		t.Errorf("decline: %s", d)
	}
	if got := p.ledger("RUN-4"); len(got) != 0 {
		t.Errorf("a declined order in the ledger: %+v", got)
	}
}
