package e2e_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// struck is one fault against one operation.
type struck struct {
	// fault is the sandbox's name of it; note says what the row adds to it.
	fault, note string
	operation   string
	// delay is how long a fault lasts that lasts; zero leaves it to the fault.
	delay int
	// doubt loses the answer as well, so that a search follows.
	doubt bool
	// never is why the fault cannot strike this operation. The row shows that it did not.
	never string
}

// The operations of the table. "search" is the search that finds out about a payment whose answer was lost.
const (
	onPay, onRefund, onVoid, onSearch = "pay", "refund", "void", "search"
)

// knownFaults asks the sandbox for the names of all faults that it has for iPASS: a name that it does not know is
// answered with those that it does.
func (p *platform) knownFaults() []string {
	p.t.Helper()
	a := p.do(http.MethodPost, p.SandboxURL+"/_sandbox/faults", []byte(`{"provider":"ipass","fault":"no such fault"}`), "Authorization", "")
	_, list, ok := strings.Cut(a.member("error"), "or one of ")
	if a.status != http.StatusBadRequest || !ok {
		p.t.Fatalf("the sandbox does not list its faults: %s", a)
	}
	return strings.Split(list, ", ")
}

// iPassRows are all faults against all operations. A fault that the sandbox learns appears here by itself, once against
// each operation; what is written out below is what needs more than its name.
func iPassRows(t *testing.T, known []string) []struck {
	t.Helper()
	lasting := map[string][]struck{
		// A call ends a second after max_duration, and the first search comes at most a second later. What lands after that,
		// but before landing_max is over, which counts from 13 s on, must still be found.
		"delay":              {{note: "of 300 ms", delay: 300}, {note: "beyond the call", delay: 11_000}},
		"delay_after_commit": {{note: "of 300 ms", delay: 300}, {note: "beyond the call", delay: 11_000}},
		// What it hides shows only to a search, and a search comes only after an answer that settled nothing.
		"search_lag": {{note: "of 1.5 s", delay: 1500, doubt: true}},
	}
	never := map[string]map[string]string{
		"pay_status_9": {
			onPay: "only a search has a pay status", onRefund: "only a search has a pay status", onVoid: "only a search has a pay status",
		},
		"wrong_amount":         {onVoid: "the answer to a void names no amount"},
		"amount_as_string":     {onVoid: "the answer to a void names no amount"},
		"empty_transaction_id": {onVoid: "the answer to a void names no transaction"},
	}
	names := append([]string{"code:9999", "code:0006", "code:S402", "code:0042"}, known...)
	var rows []struck
	for _, name := range names {
		variants := lasting[name]
		if variants == nil {
			variants = []struck{{}}
		}
		for _, operation := range []string{onPay, onRefund, onVoid, onSearch} {
			for _, v := range variants {
				v.fault, v.operation, v.never = name, operation, never[name][operation]
				rows = append(rows, v)
			}
		}
	}
	for name := range never {
		if !slices.Contains(known, name) {
			t.Errorf("the sandbox has no fault %s any more", name)
		}
	}
	return rows
}

// name is how the table names a row.
func (s struck) name() string {
	return strings.TrimSpace(s.fault + " " + s.note)
}

// order is an order number of the row's own, which is not among the table's words.
func (s struck) order(n int) string { return fmt.Sprintf("IXN-F-%03d", n) }
