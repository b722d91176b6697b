package e2e_test

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The routes of iPASS.
const (
	iPassPath   = "/v1/payment/ipass/offline/"
	iPassPay    = iPassPath + "pay"
	iPassSearch = iPassPath + "search"
	iPassRefund = iPassPath + "refund"
	iPassVoid   = iPassPath + "void"
)

// iPassAmount is what every payment of these tests is about, in dollars.
const iPassAmount = 229

// quickIPass is a configuration in which an outcome that nobody knows is final within seconds: the same rules as in
// production, with shorter windows.
const quickIPass = `
recovery: {interval: 50ms, send_margin: 2s, final_margin: 500ms, searches_per_second: 1000}
plugins:
  limits:
    ipass: {max_duration: 3s, landing_max: 1s, search_lag_max: 2s}
`

// calmIPass gives a loaded machine time: what is meant to be in time must not be late because much is played at once.
const calmIPass = `
recovery: {interval: 50ms, send_margin: 5s, final_margin: 500ms, searches_per_second: 1000}
plugins:
  limits:
    ipass: {max_duration: 8s, landing_max: 2s, search_lag_max: 2s}
`

// startIPass runs `payrack dev` with a configuration file.
func startIPass(t *testing.T, config string, args ...string) *platform {
	t.Helper()
	return startIPassIn(t, t.TempDir(), config, nil, args...)
}

// startIPassIn is startIPass in a folder.
func startIPassIn(t *testing.T, dir, config string, env []string, args ...string) *platform {
	t.Helper()
	file := filepath.Join(t.TempDir(), "payrack.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return start(t, dir, env, append([]string{"--config", file}, args...)...)
}

// newReqID is a fresh UUID of version 4.
func newReqID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// iPassCode is a fresh customer code of iPASS; wallet says what stands behind it.
func (p *platform) iPassCode(wallet ...string) string {
	p.t.Helper()
	body := map[string]any{"provider": "ipass"}
	for i := 0; i+1 < len(wallet); i += 2 {
		body[wallet[i]] = wallet[i+1]
	}
	return p.control(http.MethodPost, "codes", body).member("code")
}

// iPassColumns are the columns of a good payment.
func (p *platform) iPassColumns(order string) map[string]any {
	p.t.Helper()
	return map[string]any{
		"req_id": newReqID(), "trade_code": p.iPassCode(), "amount": iPassAmount, "order_number": order, "store_id": "00681",
		"terminal_id": "AB123456",
	}
}

// iPassBody puts columns into the envelope of the alias routes.
func (p *platform) iPassBody(columns map[string]any) map[string]any {
	return map[string]any{"store_id": p.StoreID, "is_test": true, "request": columns}
}

// iPass posts columns to a route of iPASS.
func (p *platform) iPass(path string, columns map[string]any, headers ...string) answer {
	p.t.Helper()
	return p.post(path, p.iPassBody(columns), headers...)
}

// paid makes a payment that succeeds.
func (p *platform) paid(order string) (columns map[string]any, a answer) {
	p.t.Helper()
	columns = p.iPassColumns(order)
	a = p.iPass(iPassPay, columns)
	if a.status != http.StatusOK || a.member("return_code") != "0000" || a.member("transaction_id") == "" {
		p.t.Fatalf("pay %s: %s", order, a)
	}
	return columns, a
}

// with is a copy of columns, with changes; a nil value leaves a column out.
func with(columns map[string]any, changes ...any) map[string]any {
	c := maps.Clone(columns)
	for i := 0; i+1 < len(changes); i += 2 {
		name, _ := changes[i].(string)
		if c[name] = changes[i+1]; changes[i+1] == nil {
			delete(c, name)
		}
	}
	return c
}

// arm arms a fault of iPASS for an order.
func (p *platform) arm(fault, operation, order string, more ...any) {
	p.t.Helper()
	body := map[string]any{"provider": "ipass", "operation": operation, "order_id": order, "fault": fault, "times": 1}
	p.control(http.MethodPost, "faults", with(body, more...))
}

// iPassLedger is what the sandbox booked for an order of iPASS.
func (p *platform) iPassLedger(order string) []entry {
	p.t.Helper()
	var page struct {
		Entries []entry `json:"entries"`
	}
	decode(p.t, p.control(http.MethodGet, "ledger?"+url.Values{"provider": {"ipass"}, "order_id": {order}}.Encode(), nil).body, &page)
	return page.Entries
}

// iPassTransmission is a request that arrived at the sandbox.
type iPassTransmission struct {
	Operation   string `json:"operation"`
	OrderID     string `json:"order_id"`
	Redelivered bool   `json:"redelivered"`
}

// sent counts what the platform sent for an order, by operation. What the sandbox delivered twice counts once.
func (p *platform) sent(order string) map[string]int {
	p.t.Helper()
	var page struct {
		Requests []iPassTransmission `json:"requests"`
	}
	decode(p.t, p.control(http.MethodGet, "requests?"+url.Values{"provider": {"ipass"}, "order_id": {order}}.Encode(), nil).body, &page)
	count := map[string]int{}
	for _, r := range page.Requests {
		if !r.Redelivered {
			count[r.Operation]++
		}
	}
	return count
}

// violations are the rules that the platform broke although the gateway let it pass.
func (p *platform) violations() string {
	p.t.Helper()
	return string(p.control(http.MethodGet, "violations", nil).body)
}

// movements shows ledger entries in one line.
func movements(entries []entry) string {
	if len(entries) == 0 {
		return "nothing"
	}
	all := make([]string, len(entries))
	for i, e := range entries {
		all[i] = e.Kind + " " + e.Amount.String()
	}
	return strings.Join(all, ", ")
}

// left is what the merchant has of an order, by the ledger.
func left(t *testing.T, entries []entry) int64 {
	t.Helper()
	var sum int64
	for _, e := range entries {
		n, err := e.Amount.Int64()
		if err != nil {
			t.Fatal(err)
		}
		switch e.Kind {
		case "charge", "capture":
			sum += n
		case "refund", "void":
			sum -= n
		}
	}
	return sum
}

// shown is a payment as GET /v2/payments/{id} shows it.
type shown struct {
	ID       string       `json:"id"`
	State    string       `json:"state"`
	Failure  string       `json:"failure"`
	Amount   neutralMoney `json:"amount"`
	Captured neutralMoney `json:"captured"`
	Refunded neutralMoney `json:"refunded"`
	Code     string       `json:"provider_code"`
}

type neutralMoney struct {
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

// show reads a payment.
func (p *platform) show(id string) shown {
	p.t.Helper()
	a := p.do(http.MethodGet, p.HTTPURL+"/v2/payments/"+id, nil)
	if a.status != http.StatusOK {
		p.t.Fatalf("payment %s: %s", id, a)
	}
	var s shown
	decode(p.t, a.body, &s)
	return s
}

// settled waits until nothing about a payment is open any more.
func (p *platform) settled(id string) shown {
	p.t.Helper()
	var s shown
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		switch s = p.show(id); s.State {
		case "SENDING", "UNKNOWN", "REVERSING", "MISMATCH", "REQUIRES_ACTION", "CAPTURING", "VOIDING", "REFUNDING":
		default:
			return s
		}
	}
	p.t.Fatalf("payment %s is still %s", id, s.State)
	return s
}

// reach waits until a payment is in a state.
func (p *platform) reach(id, state string) {
	p.t.Helper()
	if got := p.settled(id).State; got != state {
		p.t.Errorf("payment %s ended %s, want %s", id, got, state)
	}
}

// newIV is 16 random bytes as hexadecimal: an IV, or a key of 32 characters.
func newIV() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // it never fails
	return hex.EncodeToString(b)
}
