package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// matched is what settlement match prints with --output json.
type matched struct {
	Lines    int `json:"lines"`
	Matched  int `json:"matched"`
	Payments int `json:"payments"`
	Findings []struct {
		Code      string `json:"code"`
		State     string `json:"state"`
		OrderID   string `json:"order_id"`
		Rechecked string `json:"rechecked"`
	} `json:"findings"`
}

// matchReport compares rows below the sandbox's columns with the payments of the last day.
func (p *platform) matchReport(exit int, rows []string, more ...string) matched {
	p.t.Helper()
	file := filepath.Join(p.t.TempDir(), "report.csv")
	text := "\ufeffLINE Pay settlement\nOrder No,Type,Transaction ID,Amount,Currency\n" + strings.Join(rows, "\n") + "\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
	now := time.Now()
	args := append([]string{
		"settlement", "match", file, "--output", "json", "--data", p.dir, "--company", "dev", "--environment", "test", "--provider", "linepay",
		"--from", now.Add(-24 * time.Hour).Format(time.RFC3339), "--to", now.Add(2 * time.Hour).Format(time.RFC3339), "--skip", "1",
		"--order", "order no", "--transaction", "Transaction ID", "--kind", "Type", "--currency-column", "Currency",
	}, more...)
	stderr := ""
	if exit != 0 {
		stderr = "the report and the payments do not agree"
	}
	var got matched
	decode(p.t, []byte(p.cli(exit, stderr, args...)), &got)
	return got
}

// TestSettlementMatch makes a provider's settlement report of the sandbox's ledger, which is the truth, and then spoils it.
func TestSettlementMatch(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), nil)
	for _, order := range []string{"S-1", "S-2", "S-3"} {
		got := p.payment(0, "", p.createArgs(order)...)
		if got.State != "SUCCEEDED" {
			t.Fatalf("%s: %+v", order, got)
		}
		if order == "S-2" {
			p.payment(0, "", "refund", got.ID, "--amount", "100")
		}
	}
	p.control("POST", "faults", map[string]any{"provider": "linepay", "operation": "pay", "order_id": "S-4", "fault": "code:1142"})
	if got := p.payment(3, "payment_declined", p.createArgs("S-4")...); got.State != "FAILED" {
		t.Fatalf("%+v", got)
	}
	row := map[string][]string{}
	for _, order := range []string{"S-1", "S-2", "S-3", "S-4"} {
		for _, e := range p.ledger(order) {
			row[order] = append(row[order], fmt.Sprintf("%s,%s,%s,%q,%s", e.OrderID, e.Kind, e.TransactionID, e.Amount.String()+".00", e.Currency))
		}
	}
	if len(row["S-2"]) != 2 || len(row["S-4"]) != 0 {
		t.Fatalf("the sandbox's ledger is %v", row)
	}
	whole := append(append(append([]string{}, row["S-1"]...), row["S-2"]...), row["S-3"]...)
	if got := p.matchReport(0, whole); got.Lines != 4 || got.Matched != 4 || got.Payments != 4 || len(got.Findings) != 0 {
		t.Errorf("a true report: %+v", got)
	}

	spoilt := []string{
		"S-1,Charge,,230,TWD", // its amount
		row["S-2"][0], row["S-2"][1], strings.Replace(row["S-2"][0], ",charge,", ",CHARGE,9", 1),
		"S-4,charge,2026112200000000004,229,", "S-9,charge,2026112200000000009,\"1,229\",TWD", "S-1,fee,,3,TWD", ",,,4,",
	}
	got := p.matchReport(1, spoilt, "--ignore-words", "fee", "--recheck")
	var codes []string
	for _, f := range got.Findings {
		codes = append(codes, strings.TrimRight(f.Code+" "+f.OrderID+" "+f.State+" "+strings.ToLower(f.Rechecked), " "))
	}
	want := []string{
		"charged_twice S-2 PARTIALLY_REFUNDED", "not_paid_here S-4 FAILED failed", "unknown_here S-9", "amount_differs S-1 SUCCEEDED",
		"missing_there S-3 SUCCEEDED",
	}
	if diff := cmp.Diff(want, codes); diff != "" {
		t.Error(diff)
	}
	if n := len(p.ledger("S-4")); n != 0 {
		t.Errorf("a row of a report moved money: %d entries", n)
	}
}
