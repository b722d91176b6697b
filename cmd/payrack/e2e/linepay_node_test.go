package e2e_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// ledgerLine is what a movement of money is compared by.
type ledgerLine struct{ Kind, Order, Transaction, Amount, Currency string }

// TestForeignClient lets a client of LINE Pay that another author wrote, in another language, lead whole payments against
// the sandbox. It speaks v3 and has LINE Pay's hosts built in: see node/gateway.js.
func TestForeignClient(t *testing.T) {
	t.Parallel()
	dir := nodeFolder(t)
	p := &platform{t: t, client: newClient()}
	p.SandboxURL = sandboxProcess(t, t.TempDir())
	var account struct {
		Public map[string]string `json:"public"`
	}
	decode(t, p.control(http.MethodPost, "accounts", map[string]string{"provider": "linepay", "label": "store"}).body, &account)
	cmd := exec.Command("node", "flow.js")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "SANDBOX_URL="+p.SandboxURL,
		"CHANNEL_ID="+account.Public["channel_id"], "CHANNEL_SECRET="+account.Public["channel_secret"])
	var told, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &told, &complaint
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v:\n%s", err, complaint.String())
	}

	type deed struct {
		TransactionID string   `json:"transaction_id"`
		Refunds       []string `json:"refunds"`
		Charge        string   `json:"charge"`
	}
	var deeds map[string]deed
	decode(t, told.Bytes(), &deeds)
	refunded, preapproved := deeds["refunded"], deeds["preapproved"]
	if len(refunded.Refunds) != 2 || preapproved.Charge == "" {
		t.Fatalf("the client told %s", told.String())
	}
	want := []ledgerLine{
		{"charge", "NODE-REFUND", refunded.TransactionID, "100", "TWD"},
		{"refund", "NODE-REFUND", refunded.Refunds[0], "30", "TWD"},
		{"refund", "NODE-REFUND", refunded.Refunds[1], "70", "TWD"},
		{"authorize", "NODE-CAPTURE", deeds["captured"].TransactionID, "999", "USD"},
		{"capture", "NODE-CAPTURE", deeds["captured"].TransactionID, "425", "USD"},
		{"authorize", "NODE-VOID", deeds["voided"].TransactionID, "25000", "THB"},
		{"void", "NODE-VOID", deeds["voided"].TransactionID, "25000", "THB"},
		{"charge", "NODE-PREAPPROVED", preapproved.TransactionID, "168", "TWD"},
		{"charge", "NODE-CHARGE", preapproved.Charge, "1680", "TWD"},
	}
	if diff := cmp.Diff(want, p.lines()); diff != "" {
		t.Errorf("the ledger (-what the client was told +what was booked):\n%s", diff)
	}
	var violations struct {
		Violations []json.RawMessage `json:"violations"`
	}
	decode(t, p.control(http.MethodGet, "violations", nil).body, &violations)
	if len(violations.Violations) > 0 {
		t.Errorf("the sandbox objects to %s", violations.Violations)
	}
}

// lines is LINE Pay's whole ledger, oldest first.
func (p *platform) lines() []ledgerLine {
	p.t.Helper()
	var page struct {
		Entries []entry `json:"entries"`
	}
	decode(p.t, p.control(http.MethodGet, "ledger?provider=linepay", nil).body, &page)
	var all []ledgerLine
	for _, e := range page.Entries {
		all = append(all, ledgerLine{e.Kind, e.OrderID, e.TransactionID, e.Amount.String(), e.Currency})
	}
	return all
}

// nodeFolder installs the client of node/ into a folder of the test's own, by its lock file.
func nodeFolder(t *testing.T) string {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			without(t, program+" is not installed: the independent client of LINE Pay cannot run")
		}
	}
	dir := t.TempDir()
	files, err := filepath.Glob("node/*.js*")
	if err != nil || len(files) < 4 {
		t.Fatalf("node/ has %q: %v", files, err)
	}
	for _, path := range files {
		raw, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, filepath.Base(path)), raw, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for try := 1; ; try++ {
		install := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
		install.Dir = dir
		out, err := install.CombinedOutput()
		switch {
		case err == nil:
			return dir
		case strings.Contains(string(out), "EINTEGRITY"):
			t.Fatalf("the package is not the one that node/package-lock.json names:\n%s", out)
		case try == 3: // a registry may be away for a moment
			without(t, "the independent client of LINE Pay cannot be installed: "+err.Error()+"\n"+string(out))
		}
		time.Sleep(5 * time.Second)
	}
}

// without leaves out a test whose program is missing on this machine. CI has them all.
func without(t *testing.T, reason string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}
