package linepay_test

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/payrack/payrack/plugins/providers/linepay"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

// asked is an operation that a return code can answer.
type asked struct {
	paymentType string
	kind        provider.Kind
}

func operations() []asked {
	return []asked{
		{linepay.TypeQRCode, provider.KindPay},
		{linepay.TypeQRCode, provider.KindCapture},
		{linepay.TypeQRCode, provider.KindVoid},
		{linepay.TypeQRCode, provider.KindRefund},
		{linepay.TypeOnline, provider.KindPay},
		{linepay.TypeOnline, provider.KindConfirm},
		{linepay.TypeOnline, provider.KindCapture},
		{linepay.TypeOnline, provider.KindVoid},
		{linepay.TypeOnline, provider.KindRefund},
		{linepay.TypePreapproved, provider.KindPay},
		{linepay.TypePreapproved, provider.KindCapture},
	}
}

// documented is one line of testdata/codes.txt.
type documented struct {
	class      string
	deviations []string
}

// expect is what the line says about an operation: done, declined or search.
func (d documented) expect(t *testing.T, kind provider.Kind) string {
	t.Helper()
	if slices.Contains(d.deviations, string(kind)+"=search") {
		return "search"
	}
	switch d.class {
	case "OK":
		return "done"
	case "FAIL", "CONFIG", "BUG":
		return "declined"
	case "DONE", "UNKNOWN", "RETRY", "QUERY", "STATE":
		return "search"
	default:
		t.Fatalf("testdata/codes.txt has the class %q", d.class)
		return ""
	}
}

func readCodes(t *testing.T) map[string]documented {
	t.Helper()
	f, err := os.Open("testdata/codes.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	codes := map[string]documented{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if fields := strings.Fields(lines.Text()); len(fields) > 1 && fields[0] != "#" {
			codes[fields[0]] = documented{fields[1], fields[2:]}
		}
	}
	if len(codes) < 70 {
		t.Fatalf("only %d codes were read", len(codes))
	}
	return codes
}

// success is an answer of LINE Pay that has every member of every success.
const success = `{"returnCode":%q,"returnMessage":"-","info":{"transactionId":1,"refundTransactionId":2,"orderId":"PMX-0001",` +
	`"payInfo":[{"method":"BALANCE","amount":250}],"paymentUrl":{"web":"https://example.com/"}}}`

func outcomeWord(a provider.Answer) string {
	switch a.Outcome() {
	case provider.OutcomeApproved, provider.OutcomeRequiresAction:
		return "done"
	case provider.OutcomeDeclined:
		return "declined"
	case provider.OutcomeUnknown:
	}
	return "search"
}

func TestReturnCodes(t *testing.T) {
	t.Parallel()
	for code, want := range readCodes(t) {
		for _, op := range operations() {
			answer := linepay.Outcome(op.paymentType, op.kind, fmt.Appendf(nil, success, code))
			expected := want.expect(t, op.kind)
			if got := outcomeWord(answer); got != expected {
				t.Errorf("%s to %s of %s: got %s, want %s", code, op.kind, op.paymentType, got, expected)
			}
			r := answer.Result()
			if r == nil || r.Code != code || len(answer.Native().Body) == 0 {
				t.Errorf("%s to %s of %s: result %+v, native %s", code, op.kind, op.paymentType, r, answer.Native().Body)
			} else if (expected == "declined") != (r.DeclineCode != "") && expected != "search" {
				t.Errorf("%s to %s of %s: %s with the decline code %q", code, op.kind, op.paymentType, expected, r.DeclineCode)
			}
		}
	}
}

func TestCodesThatEndAnApproval(t *testing.T) {
	t.Parallel()
	ended := 0
	for code, want := range readCodes(t) {
		r := linepay.Outcome(linepay.TypePreapproved, provider.KindPay, fmt.Appendf(nil, success, code)).Result()
		dead := r.Mandate != nil && r.Mandate.State == provider.MandateDead
		if dead != slices.Contains(want.deviations, "regkey=dead") {
			t.Errorf("%s: dead %v, want %v", code, dead, !dead)
		}
		if dead {
			ended++
		}
	}
	if ended != 16 {
		t.Errorf("%d codes end an approval, want 16", ended)
	}
}

func TestUndocumentedCodesAreNeverADecision(t *testing.T) {
	t.Parallel()
	known := readCodes(t)
	tried := 0
	for i := range 10_000 {
		for _, code := range []string{fmt.Sprintf("%04d", i), fmt.Sprintf("X%d", i)} {
			if _, ok := known[code]; ok {
				continue
			}
			tried++
			op := operations()[tried%len(operations())]
			for _, op := range []asked{op, operations()[0]} {
				if a := linepay.Outcome(op.paymentType, op.kind, fmt.Appendf(nil, success, code)); a.Outcome() != provider.OutcomeUnknown {
					t.Fatalf("code %s to %s of %s was taken as %v", code, op.kind, op.paymentType, a.Outcome())
				}
			}
		}
	}
	if tried < 19_000 {
		t.Errorf("only %d codes were tried", tried)
	}
}
