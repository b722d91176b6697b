package e2e_test

import (
	"bufio"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
)

// documentedCode is a line of the table that was transcribed from LINE Pay's documents.
type documentedCode struct {
	code, class string
	deviations  []string
}

// documentedCodes reads the table. It is not the plugin's: that one is written in Go, from the same documents.
func documentedCodes(t *testing.T) []documentedCode {
	t.Helper()
	f, err := os.Open("../../../plugins/providers/linepay/testdata/codes.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var all []documentedCode
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if fields := strings.Fields(lines.Text()); len(fields) > 1 && fields[0] != "#" {
			all = append(all, documentedCode{fields[0], fields[1], fields[2:]})
		}
	}
	if len(all) < 70 {
		t.Fatalf("the table has only %d codes", len(all))
	}
	return all
}

// declines reports whether the code is a definite no to an operation. All else leaves it to a search: 0000 too, when it comes
// without what belongs to it.
func (d documentedCode) declines(t *testing.T, op codedOperation) bool {
	t.Helper()
	switch d.class {
	case "FAIL", "CONFIG", "BUG":
		// Every version here signs, and what takes no money is not searched for.
		signed := slices.Contains(d.deviations, "signed=search") && op.atSandbox != "request"
		return !signed && !slices.Contains(d.deviations, op.operation+"=search")
	case "OK", "DONE", "UNKNOWN", "RETRY", "QUERY", "STATE":
		return false
	}
	t.Fatalf("the table has the class %q", d.class)
	return false
}

// codedOperation is an operation that a return code answers.
type codedOperation struct {
	paymentType, operation, atSandbox string
	// prepare makes what the operation is about.
	prepare func(p shop, order string)
	request func(p shop, order string) fields
	// before is the state of the payment when nothing has happened, with so many movements in the ledger.
	before    string
	movements int
}

func codedOperations() []codedOperation {
	nothing := func(shop, string) {}
	pays := func(paymentType string, capture bool) func(shop, string) {
		return func(p shop, order string) { p.pays(paymentType, order, "100", "TWD", capture) }
	}
	follow := func(_ shop, order string) fields { return fields{"orderId": order} }
	amount := func(_ shop, order string) fields { return fields{"orderId": order, "amount": 100, "currency": "TWD"} }
	all := []codedOperation{
		{typeQRCode, "pay", "pay", nothing, func(p shop, order string) fields {
			return fields{"productName": "拿鐵", "amount": 100, "currency": "TWD", "orderId": order, "oneTimeKey": p.code("linepay")}
		}, "FAILED", 0},
		{typeOnline, "pay", "request", nothing, func(_ shop, order string) fields { return onlineRequest(order, 100, nil) }, "FAILED", 0},
		{typeOnline, "confirm", "confirm", func(p shop, order string) {
			// Nobody calls back: the platform would confirm by itself, and it looks for approvals.
			p.approve(p.begin(order, 100, nil).transaction, nil)
		}, amount, "FAILED", 0},
		{typePreapproved, "pay", "mandate_pay", nothing, func(p shop, order string) fields {
			return fields{"productName": "拿鐵", "amount": 100, "currency": "TWD", "orderId": order, "regKey": p.stored("KEY-" + order)}
		}, "FAILED", 0},
	}
	for _, paymentType := range []string{typeQRCode, typeOnline, typePreapproved} {
		all = append(
			all,
			codedOperation{paymentType, "capture", "capture", pays(paymentType, false), amount, "AUTHORIZED", 1},
			codedOperation{paymentType, "cancel", "void", pays(paymentType, false), follow, "AUTHORIZED", 1},
			codedOperation{paymentType, "refund", "refund", pays(paymentType, true), follow, "SUCCEEDED", 1},
		)
	}
	return all
}

// TestReturnCodes lets the sandbox answer every operation with every documented code, and looks at what the client is told,
// at what the payment becomes, at what it is told later, and at the ledger, in which nothing may have moved.
//
//nolint:paralleltest,tparallel // the second part comes after the first, when time has settled most of it
func TestReturnCodes(t *testing.T) {
	t.Parallel()
	codes, p := documentedCodes(t), startQuick(t, patient)
	operations := codedOperations()
	open := make([][]func(shop), len(operations))
	each := func(t *testing.T, do func(p shop, i int, op codedOperation)) {
		t.Helper()
		for i, op := range operations {
			t.Run(op.paymentType+" "+op.operation, func(t *testing.T) {
				t.Parallel()
				do(p.sub(t), i, op)
			})
		}
	}
	t.Run("told", func(t *testing.T) {
		each(t, func(p shop, i int, op codedOperation) {
			for _, d := range codes {
				if d.code == "0000" && op.operation == "cancel" {
					continue // a void has nothing but the code
				}
				if settle := p.answered(op, d); settle != nil {
					open[i] = append(open[i], settle)
				}
			}
		})
	})
	t.Run("settled", func(t *testing.T) {
		each(t, func(p shop, i int, op codedOperation) {
			if op.atSandbox != "request" && len(open[i]) < 18 {
				p.t.Errorf("only %d codes left it to a search", len(open[i]))
			}
			for _, settle := range open[i] {
				settle(p)
			}
		})
	})
	var armed struct {
		Faults []struct {
			Fault, Operation string
			Fired            int
		} `json:"faults"`
	}
	decode(t, p.control(http.MethodGet, "faults", nil).body, &armed)
	for _, f := range armed.Faults {
		if f.Fired != 1 {
			t.Errorf("%s of %s was armed and fired %d times", f.Fault, f.Operation, f.Fired)
		}
	}
	if want := len(codes)*len(operations) - 3; len(armed.Faults) != want {
		t.Errorf("%d codes were armed, want %d", len(armed.Faults), want)
	}
}

// answered lets one code answer one operation. What it returns waits for the truth about an outcome that the code left open.
func (p shop) answered(op codedOperation, d documentedCode) (settle func(shop)) {
	p.t.Helper()
	order := strings.ReplaceAll(op.paymentType+"-"+op.operation+"-"+d.code, "_", "")
	op.prepare(p, order)
	request := op.request(p, order)
	p.arm(op.atSandbox, order, "code:"+d.code)
	a := p.native(op.operation, op.paymentType, request, "Idempotency-Key", order)
	id := paymentID(a)
	if id == "" {
		p.t.Errorf("%s: %s", order, a)
		return nil
	}
	s := p.shown(id)
	switch {
	case d.declines(p.t, op):
		if a.status != http.StatusOK || a.member("returnCode") != d.code || a.member("message_from") != "LINE_PAY" || s.State != op.before {
			p.t.Errorf("%s (%s), a definite no: the client is told %s, the payment is %s, want %s", order, d.class, a, s.State, op.before)
		}
	case op.atSandbox == "request":
		// Nobody has the page on which the customer would approve: nothing was charged, and the same request may be sent again.
		if a.status != http.StatusServiceUnavailable || s.State != op.before || s.Failure != "not_sent" {
			p.t.Errorf("%s (%s), no page for the customer: the client is told %s, the payment is %+v", order, d.class, a, s)
		}
	default:
		code := d.code
		if code == "0000" {
			code = "" // a success that lacks what belongs to it is not passed on
		}
		if a.status != http.StatusGatewayTimeout || a.member("status") != "PENDING" || a.member("returnCode") != code || a.header.Get("Retry-After") == "" ||
			!slices.Contains(openStates, s.State) {
			p.t.Errorf("%s (%s), a search decides: the client is told %s, the payment is %s", order, d.class, a, s.State)
		}
		return func(p shop) { p.provenUndone(op, d, order, id, request) }
	}
	p.unmoved(op, order)
	if op.atSandbox != "mandate_pay" {
		return nil
	}
	return func(p shop) { p.endsMandate(d, s.Mandate) }
}

// endsMandate expects of a stored approval that it is dead after the codes that end one, and lives after all others.
func (p shop) endsMandate(d documentedCode, id string) {
	p.t.Helper()
	state := func() string { return p.mandate(id, "").member("state") }
	if !slices.Contains(d.deviations, "regkey=dead") {
		if got := state(); got != "ACTIVE" {
			p.t.Errorf("the approval that met %s is %s", d.code, got)
		}
		return
	}
	p.waitFor("the end of an approval that met "+d.code, func() bool { return state() == "DEAD" })
}

// openStates are the states of a payment of which nobody knows yet what became of it.
var openStates = []string{"UNKNOWN", "CAPTURING", "VOIDING", "REFUNDING"}

// provenUndone waits until searches have proven that nothing happened.
func (p shop) provenUndone(op codedOperation, d documentedCode, order, id string, request fields) {
	p.t.Helper()
	p.waitFor("the truth about "+order, func() bool { return !slices.Contains(openStates, p.shown(id).State) })
	if s := p.shown(id); s.State != op.before {
		p.t.Errorf("%s (%s): the payment is %s, want %s", order, d.class, s.State, op.before)
	}
	a := p.native(op.operation, op.paymentType, request, "Idempotency-Key", order)
	if d.code == "0000" {
		if a.status != http.StatusConflict || !strings.HasPrefix(a.member("code"), "not_") {
			p.t.Errorf("%s (%s), settled: the same request is answered %s", order, d.class, a)
		}
	} else if a.status != http.StatusOK || a.member("returnCode") != d.code || a.member("message_from") != "LINE_PAY" {
		p.t.Errorf("%s (%s), settled: the same request is answered %s", order, d.class, a)
	}
	p.unmoved(op, order)
}

// unmoved expects that nothing but the preparation stands in the ledger.
func (p shop) unmoved(op codedOperation, order string) {
	p.t.Helper()
	if got := p.booked(order); got != op.movements {
		p.t.Errorf("%s: %d movements in the ledger, want %d", order, got, op.movements)
	}
}

// booked counts the movements of an order.
func (p shop) booked(order string) int {
	p.t.Helper()
	var page struct {
		Entries []entry `json:"entries"`
	}
	decode(p.t, p.control(http.MethodGet, "ledger?"+url.Values{"provider": {"linepay"}, "order_id": {order}}.Encode(), nil).body, &page)
	return len(page.Entries)
}
