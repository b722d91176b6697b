package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode"
)

// adminBooks is an admin plane with the payments of one company.
type adminBooks struct {
	*httptest.Server

	payments    []bookedPayment
	connections atomic.Int32
	rechecked   atomic.Int32
}

func newAdminBooks(t *testing.T, payments ...bookedPayment) *adminBooks {
	t.Helper()
	b := &adminBooks{payments: payments}
	b.Server = httptest.NewUnstartedServer(b)
	b.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			b.connections.Add(1)
		}
	}
	b.Start()
	t.Cleanup(b.Close)
	return b
}

func (b *adminBooks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	number := r.URL.Query().Get("order_number")
	switch {
	case strings.HasSuffix(r.URL.Path, "/p0/recheck"):
		w.WriteHeader(http.StatusForbidden)
		_, _ = fmt.Fprint(w, `{"code":"forbidden","detail":"No."}`)
	case r.Method == http.MethodPost:
		b.rechecked.Add(1)
		_, _ = fmt.Fprint(w, `{"state":"REVERSING"}`)
	case strings.ContainsFunc(number, unicode.IsControl) || len(r.RequestURI) > 8<<10:
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprint(w, `{"code":"control_character","detail":"A parameter has a control character."}`)
	default:
		page := struct {
			Data []bookedPayment `json:"data"`
		}{}
		for _, p := range b.payments {
			from, _ := time.Parse(time.RFC3339, r.URL.Query().Get("created_from"))
			if number == "" && !p.CreatedAt.Before(from) || p.OrderNumber == number {
				page.Data = append(page.Data, p)
			}
		}
		_ = json.NewEncoder(w).Encode(page)
	}
}

// matchReport runs the command on a report with the columns order_id, transaction_id and amount.
func (b *adminBooks) matchReport(t *testing.T, rows string, more ...string) (stdout, stderr string, err error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "report.csv")
	if err := os.WriteFile(file, []byte("order_id,transaction_id,amount\n"+rows), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errOut bytes.Buffer
	c := &cli{out: &out, errOut: &errOut}
	root := c.root()
	root.SetArgs(append([]string{
		"settlement", "match", file, "--admin-url", b.URL, "--company", "acme", "--provider", "demo", "--from", "2026-11-22T00:00:00Z",
		"--to", "2026-11-23T00:00:00Z",
	}, more...))
	err = root.ExecuteContext(t.Context())
	return out.String(), errOut.String(), err
}

func booked(id, order, state, account string) bookedPayment {
	return bookedPayment{
		ID: id, State: state, Provider: "demo", Environment: "live", Account: account, OrderNumber: order, Attempt: 1, Currency: "TWD", Amount: 229,
	}
}

// A report is foreign text. None of its rows ends the comparison of the others, or speaks to the terminal.
func TestMatchOfForeignText(t *testing.T) {
	t.Setenv("PAYRACK_ADMIN_TOKEN", "operator")
	b := newAdminBooks(t)
	rows := "\x1b[31mA,T1,5\n\"B\rC\",T2,5\n" + strings.Repeat("D", 5000) + ",T3,5\nE\u202e,T4,5\n"
	out, _, err := b.matchReport(t, rows)
	if exitCode(err) != exitFailure || strings.Count(out, "unknown_here ") != 4 {
		t.Errorf("got %v\n%s", err, out)
	}
	if strings.ContainsAny(out, "\x1b\r\u202e") {
		t.Errorf("the terminal is told what to do: %q", out)
	}
}

// Strangers by the thousand do not use up the machine's ports.
func TestMatchKeepsItsConnection(t *testing.T) {
	t.Setenv("PAYRACK_ADMIN_TOKEN", "operator")
	b := newAdminBooks(t)
	var rows strings.Builder
	for n := range 200 {
		fmt.Fprintf(&rows, "S%d,,5\n", n)
	}
	if _, _, err := b.matchReport(t, rows.String()); exitCode(err) != exitFailure {
		t.Error(err)
	}
	if n := b.connections.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// Only a charge behind a FAILED is asked about: of what has ended otherwise nothing is, and nobody is told that it was.
func TestRecheckOfEndedPayments(t *testing.T) {
	t.Setenv("PAYRACK_ADMIN_TOKEN", "operator")
	b := newAdminBooks(t, booked("p1", "A", "FAILED", "x"), booked("p2", "B", "REVERSED", "x"), booked("p3", "C", "EXPIRED", "x"), booked("p4", "D", "VOIDED", "x"))
	out, said, err := b.matchReport(t, "A,,229\nB,,229\nC,,229\nD,,229\n", "--recheck", "--output", "json")
	if exitCode(err) != exitFailure || b.rechecked.Load() != 1 {
		t.Errorf("%d were asked about: %v", b.rechecked.Load(), err)
	}
	var whole struct {
		From     string        `json:"from"`
		Findings []findingView `json:"findings"`
	}
	if err := json.Unmarshal([]byte(out), &whole); err != nil || whole.From != "2026-11-22T00:00:00Z" {
		t.Fatalf("stdout is not one document: %v\n%s", err, out)
	}
	for _, f := range whole.Findings {
		if want := map[bool]string{true: "REVERSING", false: notAsked}[f.State == "FAILED"]; f.Code != "not_paid_here" || f.Rechecked != want {
			t.Errorf("%+v", f)
		}
	}
	if !strings.Contains(said, "not_paid_here: 1. Next: payrack payment recheck") || !strings.Contains(said, "not_paid_here: 3. Next: these payments have ended") {
		t.Errorf("said: %s", said)
	}
}

// A charge of a first attempt that was retried, made before the period, is not taken for one of the attempt in the period.
func TestMatchOfARetryBeforeThePeriod(t *testing.T) {
	t.Setenv("PAYRACK_ADMIN_TOKEN", "operator")
	first, second := booked("p1", "A", "FAILED", "x"), booked("p2", "A", "SUCCEEDED", "x")
	second.Attempt, second.Captured, second.Capture, second.Transaction = 2, 229, true, "T2"
	second.CreatedAt = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	b := newAdminBooks(t, first, second)
	out, _, err := b.matchReport(t, "A-r4-0a1b2c,T9,229\nA-2-00ff00,T2,229\n")
	if exitCode(err) != exitFailure || strings.Contains(out, "charged_twice") || !strings.Contains(out, "not_paid_here: 1") {
		t.Errorf("got %v\n%s", err, out)
	}
}

// A recheck that is refused says why in its own row, and the others go on.
func TestARefusedRecheckIsOneCell(t *testing.T) {
	t.Setenv("PAYRACK_ADMIN_TOKEN", "operator")
	b := newAdminBooks(t, booked("p0", "A", "FAILED", "x"), booked("p1", "B", "FAILED", "x"))
	out, _, err := b.matchReport(t, "A,,229\nB,,229\n", "--recheck")
	if exitCode(err) != exitFailure || b.rechecked.Load() != 1 || strings.ContainsRune(out, unicode.ReplacementChar) ||
		!strings.Contains(out, "refused: No. the token lacks a scope for this (forbidden, status 403)") {
		t.Errorf("got %v\n%s", err, out)
	}
}

// Stores may have accounts of their own with one provider, and each account a report.
func TestMatchOfOneAccount(t *testing.T) {
	t.Setenv("PAYRACK_ADMIN_TOKEN", "operator")
	payments := []bookedPayment{booked("p1", "A", "SUCCEEDED", "north"), booked("p2", "B", "SUCCEEDED", "south")}
	for i := range payments {
		payments[i].Capture, payments[i].Captured = true, 229
		payments[i].CreatedAt = payments[i].CreatedAt.AddDate(2025, 10, 21) // 2026-11-22
	}
	b := newAdminBooks(t, payments...)
	if out, _, err := b.matchReport(t, "A,,229\n"); exitCode(err) != exitFailure || !strings.Contains(out, "missing_there") ||
		!strings.Contains(out, "accounts north, south") {
		t.Errorf("got %v\n%s", err, out)
	}
	if out, _, err := b.matchReport(t, "A,,229\n", "--account", "north"); err != nil || strings.Contains(out, "accounts") {
		t.Errorf("got %v\n%s", err, out)
	}
}
