package e2e_test

import (
	"bytes"
	"crypto/rand"
	"database/sql"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

// The cases of a repeated request that HTTP decides, by the numbers of the specification; the others are tested over the
// core.

// TestKeyOfAnotherRoute is case 6: one key means one operation on one kind of routes. The alias and the integrate route of
// an operation are one; a refund, a cancellation and the neutral routes are others.
//
//nolint:paralleltest,tparallel // the parts go on with the same payment
func TestKeyOfAnotherRoute(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), nil)
	columns := map[string]any{
		"req_id": newReqID(), "trade_code": p.iPassCode(), "amount": 229, "order_number": "ROUTES-1", "store_id": "00681", "terminal_id": "AB123456",
	}
	first := p.post(iPassPay, p.iPassBody(columns), "Idempotency-Key", "one-key")
	if first.status != http.StatusOK || first.header.Get("Idempotent-Replayed") != "" {
		t.Fatalf("pay: %s", first)
	}
	t.Run("the integrate route is the alias", func(t *testing.T) {
		body := p.iPassBody(columns)
		body["type"] = "IPASS_OFFLINE_PAY"
		a := p.post(linePayPath, body, "Idempotency-Key", "one-key")
		if a.status != first.status || !bytes.Equal(a.body, first.body) || a.header.Get("Idempotent-Replayed") != "true" {
			t.Errorf("%s\nand %s", a, first)
		}
		if a := p.post(linePayPath, body, "Idempotency-Key", `"one-key"`); !bytes.Equal(a.body, first.body) {
			t.Errorf("the key in quotes: %s", a)
		}
	})
	t.Run("the neutral routes are others", func(t *testing.T) {
		neutral := map[string]any{
			"type": "IPASS_OFFLINE_PAY", "store_id": p.StoreID, "is_test": true, "order_number": "ROUTES-2",
			"amount": map[string]any{"amount": 50, "currency": "TWD"}, "source": map[string]any{"code": p.iPassCode()},
			"provider_data": map[string]any{"store_id": "00681", "terminal_id": "AB123456"},
		}
		if a := p.post("/v2/payments", neutral, "Idempotency-Key", "one-key"); a.status != http.StatusCreated || a.header.Get("Idempotent-Replayed") != "" {
			t.Errorf("%s", a)
		}
	})
	t.Run("each operation is another", func(t *testing.T) {
		id := first.header.Get("Payrack-Payment-Id")
		part := map[string]any{"amount": map[string]any{"amount": 29, "currency": "TWD"}}
		neutral := p.post("/v2/payments/"+id+"/refunds", part, "Idempotency-Key", "one-key")
		if neutral.status != http.StatusOK || neutral.member("state") != "PARTIALLY_REFUNDED" {
			t.Fatalf("%s", neutral)
		}
		native := p.post(iPassRefund, p.iPassBody(map[string]any{
			"req_id": newReqID(), "transaction_id": first.member("transaction_id"), "amount": 100,
		}), "Idempotency-Key", "one-key")
		if native.status != http.StatusOK || native.header.Get("Idempotent-Replayed") != "" {
			t.Errorf("%s", native)
		}
		if got := movements(p.iPassLedger("ROUTES-1")); got != "charge 229, refund 29, refund 100" {
			t.Errorf("ledger: %s", got)
		}
		again := p.post("/v2/payments/"+id+"/refunds", part, "Idempotency-Key", "one-key")
		if again.status != http.StatusOK || !bytes.Equal(again.body, neutral.body) || again.header.Get("Idempotent-Replayed") != "true" {
			t.Errorf("%s\nand %s", again, neutral)
		}
	})
	t.Run("a payment that was refunded replays as it was answered", func(t *testing.T) {
		a := p.post(iPassPay, p.iPassBody(columns), "Idempotency-Key", "one-key")
		if a.status != first.status || !bytes.Equal(a.body, first.body) {
			t.Errorf("%s\nand %s", a, first)
		}
	})
	t.Run("9: the request id alone, in capitals", func(t *testing.T) {
		id, _ := columns["req_id"].(string)
		a := p.post(iPassPay, p.iPassBody(with(columns, "req_id", strings.ToUpper(id))))
		if a.status != first.status || !bytes.Equal(a.body, first.body) || a.header.Get("Idempotent-Replayed") != "true" {
			t.Errorf("%s\nand %s", a, first)
		}
	})
	t.Run("10 and 11 and 12: the request id", func(t *testing.T) {
		for name, c := range map[string]struct {
			columns map[string]any
			key     string
			code    string
		}{
			"same request id, other amount": {with(columns, "amount", 230), "", "idempotency_mismatch"},
			"same key, other request id":    {with(columns, "req_id", newReqID()), "one-key", "idempotency_mismatch"},
		} {
			a := p.post(iPassPay, p.iPassBody(c.columns), "Idempotency-Key", c.key)
			if a.status != http.StatusUnprocessableEntity || a.member("code") != c.code {
				t.Errorf("%s: %s", name, a)
			}
		}
		other := with(columns, "req_id", newReqID(), "order_number", "ROUTES-3", "trade_code", p.iPassCode())
		if a := p.post(iPassPay, p.iPassBody(other), "Idempotency-Key", "another-key"); a.status != http.StatusOK {
			t.Fatalf("%s", a)
		}
		if a := p.post(iPassPay, p.iPassBody(other), "Idempotency-Key", "one-key"); a.status != http.StatusUnprocessableEntity || a.member("code") != "conflicting_keys" {
			t.Errorf("the key of one payment and the request id of another: %s", a)
		}
		if got := movements(p.iPassLedger("ROUTES-3")); got != "charge 229" {
			t.Errorf("ledger: %s", got)
		}
	})
}

// TestKeysThatAreNone is case 23: a key that is none is refused before anything happens, and case 16: what was refused
// leaves the key free.
func TestKeysThatAreNone(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), nil)
	native, neutral := encode(t, p.linePay("NOKEY-1")), encode(t, map[string]any{
		"type": "LINE_QRCODE_PAY", "store_id": p.StoreID, "is_test": true, "order_number": "NOKEY-1",
		"amount": map[string]any{"amount": 229, "currency": "TWD"}, "source": map[string]any{"code": p.code("linepay")}, "description": "拿鐵",
	})
	for name, keys := range map[string][]string{
		"empty": {""}, "empty in quotes": {`""`}, "256 characters": {strings.Repeat("k", 256)}, "a blank inside": {"a b"},
		"a control character": {"a\tb"}, "beyond ASCII": {"ключ"}, "half a quote": {`"key`}, "a quote inside": {`ke"y`}, "two headers": {"a", "b"},
	} {
		for path, body := range map[string][]byte{linePayPath: native, "/v2/payments": neutral} {
			if status, answered := p.onTheWire(path, body, keys); status != http.StatusBadRequest || !strings.Contains(answered, `"invalid_idempotency_key"`) {
				t.Errorf("%s at %s: %d %s", name, path, status, answered)
			}
		}
	}
	if got := p.requests("linepay", "NOKEY-1"); len(got) != 0 {
		t.Fatalf("%+v was sent", got)
	}
	longest := strings.Repeat("~", 255)
	invalid := p.linePay("NOKEY-1")
	delete(invalid["request"].(map[string]any), "orderId") //nolint:forcetypeassert // made by linePay
	if a := p.post(linePayPath, invalid, "Idempotency-Key", longest); a.status != http.StatusBadRequest {
		t.Errorf("without an order: %s", a)
	}
	if a := p.do(http.MethodPost, p.HTTPURL+linePayPath, native, "Idempotency-Key", longest, "Authorization", "Bearer nobody"); a.status != http.StatusUnauthorized {
		t.Errorf("without a token: %s", a)
	}
	if a := p.do(http.MethodPost, p.HTTPURL+linePayPath, native, "Idempotency-Key", longest); a.status != http.StatusOK || a.header.Get("Idempotent-Replayed") != "" {
		t.Errorf("the longest key, after refusals: %s", a)
	}
	if got := len(p.ledger("NOKEY-1")); got != 1 {
		t.Errorf("%d ledger entries", got)
	}
}

// onTheWire writes a request to the wire as it is: Go's client refuses some headers and joins others.
func (p *platform) onTheWire(path string, body []byte, keys []string) (status int, answered string) {
	p.t.Helper()
	u, err := url.Parse(p.HTTPURL)
	if err != nil {
		p.t.Fatal(err)
	}
	conn, err := (&net.Dialer{}).DialContext(p.t.Context(), "tcp", u.Host)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	var text bytes.Buffer
	text.WriteString("POST " + path + " HTTP/1.1\r\nHost: " + u.Host + "\r\nConnection: close\r\nContent-Type: application/json\r\nAuthorization: Bearer " + p.token + "\r\n")
	for _, key := range keys {
		text.WriteString("Idempotency-Key: " + key + "\r\n")
	}
	text.WriteString("Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n")
	text.Write(body)
	if _, err := conn.Write(text.Bytes()); err != nil {
		p.t.Fatal(err)
	}
	raw, err := io.ReadAll(conn)
	if err != nil {
		p.t.Fatal(err)
	}
	if _, rest, ok := strings.Cut(string(raw), " "); ok && len(rest) > 3 {
		for _, c := range rest[:3] {
			status = status*10 + int(c-'0')
		}
	}
	return status, string(raw)
}

// TestKeyOnGET is case 24: reading needs no key, and one that comes along is not looked at.
func TestKeyOnGET(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), nil)
	paid := p.post(linePayPath, p.linePay("GET-1"), "Idempotency-Key", "get")
	id := paid.header.Get("Payrack-Payment-Id")
	query := integrate + "search?" + url.Values{
		"type": {"LINE_QRCODE_PAY"}, "store_id": {p.StoreID}, "is_test": {"true"}, "request": {`{"orderId":"GET-1"}`},
	}.Encode()
	for _, key := range []string{"get", "another", strings.Repeat("k", 300), `"`} {
		for _, path := range []string{"/v2/payments/" + id, "/v2/payments", query} {
			a := p.do(http.MethodGet, p.HTTPURL+path, nil, "Idempotency-Key", key)
			if a.status != http.StatusOK || a.header.Get("Idempotent-Replayed") != "" {
				t.Errorf("GET %s with a key of %d characters: %s", path, len(key), a)
			}
		}
	}
	// And a key that was seen with a GET is free.
	if a := p.post(linePayPath, p.linePay("GET-2"), "Idempotency-Key", "another"); a.status != http.StatusOK || a.header.Get("Idempotent-Replayed") != "" {
		t.Errorf("%s", a)
	}
}

// TestRefundWithoutKey is case 26: what gives money back is refused without a key, on every route.
func TestRefundWithoutKey(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), nil)
	a := p.post(linePayPath, p.linePay("BACK-1"), "Idempotency-Key", "pay")
	id := a.header.Get("Payrack-Payment-Id")
	native := map[string]any{
		"type": "LINE_QRCODE_PAY", "store_id": p.StoreID, "is_test": true, "request": map[string]any{"orderId": "BACK-1"},
	}
	for path, body := range map[string]any{
		integrate + "refund": native, integrate + "cancel": native,
		"/v2/payments/" + id + "/refunds": map[string]any{}, "/v2/payments/" + id + "/void": map[string]any{},
		"/v2/payments/" + id + "/cancel": map[string]any{},
	} {
		if a := p.post(path, body); a.status != http.StatusBadRequest || a.member("code") != "idempotency_key_required" {
			t.Errorf("%s: %s", path, a)
		}
	}
	entries := p.ledger("BACK-1")
	if len(entries) != 1 || p.state(id) != "SUCCEEDED" {
		t.Errorf("ledger %+v", entries)
	}
	if a := p.post(integrate+"refund", native, "Idempotency-Key", rand.Text()); a.status != http.StatusOK || p.state(id) != "REFUNDED" {
		t.Errorf("with a key: %s", a)
	}
}

// TestBugBeforeTheIntent is case 19: a request that broke inside the platform before anything was recorded has left
// nothing. What breaks here are the stored credentials: their bytes are damaged, and repaired afterwards.
func TestBugBeforeTheIntent(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := start(t, dir, nil)
	body := p.linePay("BUG-1")
	p.stop()
	p.flipCredentials()
	q := start(t, dir, nil)
	a := q.post(linePayPath, body, "Idempotency-Key", "bug")
	if a.status != http.StatusInternalServerError || a.header.Get("Payrack-Payment-Id") != "" || a.header.Get("Retry-After") != "" {
		t.Errorf("%s", a)
	}
	if got := q.requests("linepay", "BUG-1"); len(got) > 0 {
		t.Errorf("%+v was sent", got)
	}
	q.stop()
	q.flipCredentials()
	r := start(t, dir, nil)
	body["request"].(map[string]any)["oneTimeKey"] = r.code("linepay") //nolint:forcetypeassert // made by linePay
	if a := r.post(linePayPath, body, "Idempotency-Key", "bug"); a.status != http.StatusOK || a.header.Get("Idempotent-Replayed") != "" {
		t.Errorf("after the repair: %s", a)
	}
	if got := r.ledger("BUG-1"); len(got) != 1 {
		t.Errorf("%+v", got)
	}
}

// flipCredentials flips one bit of every stored credential set; twice is as before.
func (p *platform) flipCredentials() {
	p.t.Helper()
	driver, source := "pgx", p.DatabaseURL
	if !strings.HasPrefix(source, "postgres") {
		driver, source = "sqlite", "file:"+p.databaseFile()
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for _, s := range sealedSets(p.t, db) {
		s.sealed[len(s.sealed)-1] ^= 1
		if _, err := db.ExecContext(p.t.Context(), "UPDATE credential SET sealed = $1 WHERE id = $2 AND revision = $3", s.sealed, s.id, s.revision); err != nil {
			p.t.Fatal(err)
		}
	}
}

// sealedSet is a stored credential set.
type sealedSet struct {
	id       string
	revision int64
	sealed   []byte
}

func sealedSets(t *testing.T, db *sql.DB) []sealedSet {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "SELECT id, revision, sealed FROM credential")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var all []sealedSet
	for rows.Next() {
		var s sealedSet
		if err := rows.Scan(&s.id, &s.revision, &s.sealed); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	if err := rows.Err(); err != nil || len(all) == 0 {
		t.Fatalf("%d credential sets, %v", len(all), err)
	}
	return all
}
