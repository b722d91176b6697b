package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// otherCodes are strings that LINE Pay documents nowhere as a return code: every number of four digits that is none, and
// texts that a lenient reader would take for one that means something.
func otherCodes(t *testing.T) []string {
	t.Helper()
	known := map[string]bool{}
	for _, d := range documentedCodes(t) {
		known[d.code] = true
	}
	all := []string{
		"", " ", "0", "00", "000", "00000", "0000 ", " 0000", "0000\n", "\t0000", "0000\u0000", "\uff10\uff10\uff10\uff10", "OOOO", "oooo", "0000.0", "+0000",
		"-1101", "01101", "1101 ", " 1101", "11010", "110", "1.101e3", "null", "true", "SUCCESS", "success", "OK", "FAIL", "PAID", "0x0", "PRK1", "１１０１",
		"1101,0000", "0000;1101", "٠٠٠٠", "①①⓪①", strings.Repeat("0", 4000), strings.Repeat("1101", 1000), "拒絕", "\u200b0000", "0000\u200b",
	}
	for n := range 10_000 {
		if code := fmt.Sprintf("%04d", n); !known[code] {
			all = append(all, code)
		}
	}
	for n := range 200 {
		all = append(all, fmt.Sprintf("X%03d", n), strconv.FormatInt(int64(n)*7919+10_000, 36))
	}
	return all
}

// TestUndocumentedCodes answers payments with codes that nobody documented, beside every member of a success: they are told
// as pending, and none becomes paid or not paid.
func TestUndocumentedCodes(t *testing.T) {
	t.Parallel()
	codes := otherCodes(t)
	stub := newLinePayStub(t, func(r *http.Request, body []byte) []byte {
		var asked struct {
			OrderID string      `json:"orderId"` //nolint:tagliatelle // LINE Pay's name
			Amount  json.Number `json:"amount"`
		}
		if r.Method == http.MethodGet || json.Unmarshal(body, &asked) != nil {
			return []byte(`{"returnCode":"1150","returnMessage":"Transaction record not found."}`)
		}
		n, err := strconv.Atoi(strings.TrimPrefix(asked.OrderID, "OTHER-"))
		if err != nil || n >= len(codes) {
			return []byte(`{}`)
		}
		code, _ := json.Marshal(codes[n])
		return fmt.Appendf(nil, `{"returnCode":%s,"returnMessage":"Success.","info":{"transactionId":%d,"orderId":%q,`+
			`"transactionDate":"2026-11-22T06:00:00Z","payInfo":[{"method":"BALANCE","amount":%s}]}}`,
			code, 2026112200000000010+int64(n)*100, asked.OrderID, asked.Amount)
	})
	p := shop{start(t, t.TempDir(), nil, "--gateway", "linepay="+stub.URL, "--log-level", "error")}
	control := p.native("pay", typeQRCode, fields{
		"productName": "x", "amount": 1, "currency": "TWD", "orderId": "OTHER-CONTROL", "oneTimeKey": "381234567890123456",
	})
	if control.status != http.StatusGatewayTimeout {
		t.Fatalf("the control: %s", control)
	}

	next, wrong := atomic.Int64{}, atomic.Int64{}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for n := int(next.Add(1)) - 1; n < len(codes) && wrong.Load() < 20; n = int(next.Add(1)) - 1 {
				request := fields{
					"productName": "x", "amount": 1 + n%100, "currency": "TWD", "orderId": fmt.Sprintf("OTHER-%d", n), "oneTimeKey": "381234567890123456",
				}
				paymentType := typeQRCode
				if n%5 == 0 {
					paymentType, request["regKey"] = typePreapproved, "RK5C38F19XTF425"
					delete(request, "oneTimeKey")
				}
				body := fields{"type": paymentType, "store_id": p.StoreID, "is_test": true, "request": request}
				raw, err := json.Marshal(body)
				if err != nil {
					t.Error(err)
					return
				}
				a, err := p.send(http.MethodPost, p.HTTPURL+linePayPath, raw)
				if err != nil || a.status != http.StatusGatewayTimeout || a.member("status") != "PENDING" || a.member("payment_id") == "" {
					wrong.Add(1)
					t.Errorf("the return code %.40q to %s: %.300s %v", codes[n], paymentType, a, err)
				}
			}
		})
	}
	all.Wait()
	counts := map[string]int{}
	rows, err := p.database().QueryContext(t.Context(), "SELECT state, count(*) FROM payment GROUP BY state")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var state string
		var n int
		if err := rows.Scan(&state, &n); err != nil {
			t.Fatal(err)
		}
		counts[state] = n
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	// A payment whose till does not come back is reversed after a while, by policy: that is no decision about the code either.
	if got := counts["UNKNOWN"] + counts["REVERSING"]; got != len(codes)+1 || len(counts) > 2 {
		t.Errorf("%d codes became %v", len(codes), counts)
	}
	t.Logf("%d codes: %v", len(codes), counts)
}
