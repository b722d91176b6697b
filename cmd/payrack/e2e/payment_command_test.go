package e2e_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// told is what a payment command prints with --output json.
type told struct {
	ID       string `json:"id"`
	State    string `json:"state"`
	Captured struct {
		Amount json.Number `json:"amount"`
	} `json:"captured"`
	Refunded struct {
		Amount json.Number `json:"amount"`
	} `json:"refunded"`
}

// payment runs a payment command and reads what it printed.
func (p *platform) payment(exit int, stderr string, args ...string) told {
	p.t.Helper()
	out := p.cli(exit, stderr, append([]string{"payment", "--output", "json"}, append(args, "--data", p.dir)...)...)
	var got told
	decode(p.t, []byte(out), &got)
	return got
}

func (p *platform) createArgs(order string, more ...string) []string {
	p.t.Helper()
	return append([]string{
		"create", "--type", "LINE_QRCODE_PAY", "--order", order, "--amount", "229", "--currency", "TWD", "--code", p.code("linepay"),
		"--description", "拿鐵", "--test",
	}, more...)
}

// The operator's commands that move money: each does once what it says, also when it is repeated.
func TestPaymentCommands(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), nil)
	expect := func(what string, got told, state, captured, refunded string) {
		t.Helper()
		if got.State != state || got.Captured.Amount.String() != captured || got.Refunded.Amount.String() != refunded {
			t.Errorf("%s: got %+v, want %s, captured %s, refunded %s", what, got, state, captured, refunded)
		}
	}
	kinds := func(order string) string {
		var all []string
		for _, e := range p.ledger(order) {
			all = append(all, e.Kind+" "+e.Amount.String())
		}
		return strings.Join(all, ", ")
	}

	// Paid; the same key again moves nothing.
	create := p.createArgs("CLI-1", "--key", "till-7-1")
	paid := p.payment(0, "", create...)
	expect("create", paid, "SUCCEEDED", "229", "0")
	if again := p.payment(0, "", create...); again.ID != paid.ID {
		t.Errorf("the same key made another payment: %s and %s", again.ID, paid.ID)
	}
	expect("refund a part", p.payment(0, "Idempotency-Key: [A-Z2-7]{26}", "refund", paid.ID, "--amount", "29", "--reason", "cold"), "PARTIALLY_REFUNDED", "229", "29")
	expect("refund the rest", p.payment(0, "", "refund", paid.ID), "REFUNDED", "229", "229")
	if got := kinds("CLI-1"); got != "charge 229, refund 29, refund 200" {
		t.Errorf("the provider booked %s", got)
	}

	// Held, taken in part; held and given up.
	held := p.payment(0, "", p.createArgs("CLI-2", "--capture=false")...)
	expect("hold", held, "AUTHORIZED", "0", "0")
	expect("capture", p.payment(0, "", "capture", held.ID, "--amount", "100"), "SUCCEEDED", "100", "0")
	held = p.payment(0, "", p.createArgs("CLI-3", "--capture=false")...)
	expect("void", p.payment(0, "", "void", held.ID), "VOIDED", "0", "0")
	held = p.payment(0, "", p.createArgs("CLI-4", "--capture=false")...)
	expect("cancel", p.payment(0, "", "cancel", held.ID, "--reason", "the payer left"), "VOIDED", "0", "0")

	// Declined: the payment is printed, and the exit code is no success.
	p.control(http.MethodPost, "faults", map[string]any{"provider": "linepay", "operation": "pay", "order_id": "CLI-5", "fault": "code:1142"})
	if got := p.payment(3, "payment_declined", p.createArgs("CLI-5")...); got.State != "FAILED" {
		t.Errorf("declined: %+v", got)
	}
	// Nobody knows: no success either, and the way on is told.
	p.control(http.MethodPost, "faults", map[string]any{"provider": "linepay", "operation": "pay", "order_id": "CLI-6", "fault": "garbled", "times": 1})
	if got := p.payment(1, "nobody knows the outcome yet.*payrack payment show", p.createArgs("CLI-6")...); got.ID == "" {
		t.Errorf("in doubt: %+v", got)
	}

	// What is wrong is told before anything is sent, or by the platform with the name of the column.
	p.cli(2, "choose --code or --mandate", append([]string{"payment"}, p.createArgs("CLI-7", "--mandate", "x")...)...)
	p.cli(2, "--amount is missing", "payment", "create", "--type", "T", "--order", "O", "--currency", "TWD")
	p.cli(2, "--provider-data is no JSON object", append([]string{"payment"}, p.createArgs("CLI-7", "--provider-data", "[1]")...)...)
	p.cli(2, "--amount is less than one charge unit", "payment", "refund", paid.ID, "--amount", "0", "--data", p.dir)
	p.cli(3, "/provider_data: unknown_member", append([]string{"payment"}, p.createArgs("CLI-7", "--provider-data", `{"nonsense":1}`, "--data", p.dir)...)...)
	p.cli(3, "no such payment|There is no such payment", "payment", "cancel", "01234567-89ab-7def-8123-456789abcdef", "--data", p.dir)
	p.cli(4, "is not running", "payment", "refund", paid.ID, "--data", t.TempDir())
	if got := kinds("CLI-7"); got != "" {
		t.Errorf("a refused command was sent: %s", got)
	}
}
