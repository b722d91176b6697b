package e2e_test

import (
	"bytes"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var updateIPass = flag.Bool("update-ipass", false, "write testdata/ipass_faults.golden.md anew")

// faultRefund is the part that is given back.
const faultRefund = 100

// TestIPassFaults arms every fault of the sandbox, one at a time, against pay, refund and void and against the search that
// finds out, and writes down what the client saw at first and after everything was settled, the final state and the
// ledger. The table is compared with the one that is kept. It has no row in which the ledger and the final state
// disagree, and no fault that never fired.
func TestIPassFaults(t *testing.T) {
	t.Parallel()
	p := startIPass(t, calmIPass)
	rows := iPassRows(t, p.knownFaults())
	lines, ids := make([]string, len(rows)), make([]string, len(rows))
	var work sync.WaitGroup
	places := make(chan struct{}, 48) // most of a row is waiting
	for i, row := range rows {
		work.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			lines[i], ids[i] = p.strikeIPass(row, row.order(i))
		})
	}
	work.Wait()
	for i, row := range rows { // now, so that nothing can land behind the last look
		booked := p.iPassLedger(row.order(i))
		if ids[i] == "" {
			continue
		}
		if wrong := disagree(t, p.show(ids[i]), booked); wrong != "" {
			t.Errorf("%s against %s: %s: %+v, ledger %s", row.name(), row.operation, wrong, p.show(ids[i]), movements(booked))
		}
	}
	if broken := p.violations(); !strings.Contains(broken, `[]`) {
		t.Errorf("rules of the gateway that were broken: %s", broken)
	}

	var table bytes.Buffer
	table.WriteString(faultTableHead)
	for _, line := range lines {
		table.WriteString(line + "\n")
	}
	file := filepath.Join("testdata", "ipass_faults.golden.md")
	if *updateIPass {
		if err := os.WriteFile(file, table.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(table.String(), "\n")); diff != "" {
		t.Errorf("the table differs from %s (-want +got); -update-ipass writes it anew:\n%s", file, diff)
	}
}

const faultTableHead = `# What every fault of the sandbox does to a payment of iPASS

Written by TestIPassFaults: a payment of 229 TWD, a refund of 100 of it, a void of all of it, and the search after a
payment whose answer was lost. Each fault strikes once.

| fault | against | the client sees first | the same request, when all is settled | final state | ledger |
|---|---|---|---|---|---|
`

// strikeIPass plays one row and returns its line and its payment.
func (p *platform) strikeIPass(row struck, order string) (line, id string) {
	columns := p.iPassColumns(order)
	path, body := iPassPay, columns
	if row.operation == onRefund || row.operation == onVoid {
		paid := p.iPass(iPassPay, columns)
		if paid.member("return_code") != "0000" {
			p.t.Errorf("%s against %s: the payment before it: %s", row.name(), row.operation, paid)
			return "", ""
		}
		path, body = iPassVoid, map[string]any{"req_id": newReqID(), "order_number": order}
		if row.operation == onRefund {
			path = iPassRefund
			body = map[string]any{"req_id": newReqID(), "transaction_id": paid.member("transaction_id"), "amount": faultRefund}
		}
	}
	p.armRow(row, order)
	first := p.iPass(path, body)
	if id = first.header.Get("Payrack-Payment-Id"); id == "" {
		p.t.Errorf("%s against %s: no payment: %s", row.name(), row.operation, first)
		return "", ""
	}
	end := p.settled(id)
	last := p.iPass(path, body)
	p.fired(row, order)
	booked := p.iPassLedger(order)
	for operation, times := range p.sent(order) {
		if operation != onSearch && times > 1 && end.State != "REVERSED" {
			p.t.Errorf("%s against %s: %s was sent %d times", row.name(), row.operation, operation, times)
		}
	}
	told := words(first)
	if row.never != "" {
		told = "(cannot strike: " + row.never + ") " + told
	}
	state := end.State
	if end.Failure != "" {
		state += " " + end.Failure
	}
	return fmt.Sprintf("| `%s` | %s | %s | %s | %s | %s |", row.name(), row.operation, told, words(last), state, movements(booked)), id
}

// armRow arms what a row is about.
func (p *platform) armRow(row struck, order string) {
	on := row.operation
	switch {
	case on == onSearch:
		p.arm("drop_after_commit", onPay, order)
	case row.doubt:
		p.arm("drop_after_commit", on, order)
	}
	p.arm(row.fault, on, order, "delay_ms", row.delay)
}

// fired checks that a row's faults struck, and those that cannot did not.
func (p *platform) fired(row struck, order string) {
	var page struct {
		Faults []struct {
			Fault   string `json:"fault"`
			OrderID string `json:"order_id"`
			Fired   int    `json:"fired"`
		} `json:"faults"`
	}
	decode(p.t, p.control(http.MethodGet, "faults", nil).body, &page)
	seen := false
	for _, f := range page.Faults {
		if f.OrderID != order {
			continue
		}
		seen = seen || f.Fault == row.fault
		if never := row.never != "" && f.Fault == row.fault; never != (f.Fired == 0) {
			p.t.Errorf("%s against %s: %s fired %d times", row.name(), row.operation, f.Fault, f.Fired)
		}
	}
	if !seen {
		p.t.Errorf("%s against %s was not armed", row.name(), row.operation)
	}
}

// words is what a client reads of an answer, in short: the status, the gateway's code, and our own words.
func words(a answer) string {
	all := []string{fmt.Sprint(a.status)}
	for _, member := range []string{"return_code", "status", "code", "message_from"} {
		if v := a.member(member); v != "" && v != all[0] {
			all = append(all, v)
		}
	}
	return strings.Join(all, " ")
}

// disagree says how a final state contradicts the ledger, or "".
func disagree(t *testing.T, s shown, booked []entry) string {
	t.Helper()
	has, charges := left(t, booked), 0
	for _, e := range booked {
		if e.Kind == "charge" {
			charges++
		}
	}
	if charges > 1 {
		return "charged twice"
	}
	if says := s.Captured.Amount - s.Refunded.Amount; says != has {
		return fmt.Sprintf("the payment says that %d is left, the ledger %d", says, has)
	}
	want := map[string]int64{
		"SUCCEEDED": s.Amount.Amount, "PARTIALLY_REFUNDED": s.Captured.Amount - s.Refunded.Amount,
		"FAILED": 0, "REVERSED": 0, "VOIDED": 0, "REFUNDED": 0, "EXPIRED": 0,
	}
	if w, final := want[s.State]; !final {
		return "not final"
	} else if w != has {
		return fmt.Sprintf("%s, and %d is left in the ledger", s.State, has)
	}
	return ""
}
