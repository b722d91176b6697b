package httpapi_test

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/payrack/payrack/adapters/inbound/httpapi"
	"github.com/payrack/payrack/core/access"
	"github.com/payrack/payrack/core/company"
)

// badInput is one row of testdata/badinputs.json: bytes on the wire that must end before the core, and what
// the client is told. {type} and {alias_pay} stand for a payment type and for the route that its provider
// declared for pay, {token} for a good token, {canary} for a secret that must appear nowhere.
type badInput struct {
	ID     string `json:"id"`
	What   string `json:"what"`
	Method string `json:"method"`
	Target text   `json:"target"`
	// Headers beside Host and Authorization.
	Headers []header `json:"headers"`
	Body    text     `json:"body"`
	// Token is valid if absent, none, or search for a token with that scope only.
	Token  string `json:"token"`
	Status int    `json:"status"`
	// Code is empty where the answer is not ours: net/http refuses some requests by itself.
	Code    string  `json:"code"`
	Pointer *string `json:"pointer"`
	Allow   string  `json:"allow"`
	Message string  `json:"message"`
}

// text is a string, or a list of strings, {"repeat","times"} and {"hex"}.
type text string

func (x *text) UnmarshalJSON(b []byte) error {
	if b[0] == '"' {
		return json.Unmarshal(b, (*string)(x))
	}
	var parts []json.RawMessage
	if err := json.Unmarshal(b, &parts); err != nil {
		return err
	}
	var all strings.Builder
	for _, part := range parts {
		if part[0] == '"' {
			var s string
			if err := json.Unmarshal(part, &s); err != nil {
				return err
			}
			all.WriteString(s)
			continue
		}
		var p struct {
			Repeat string `json:"repeat"`
			Times  int    `json:"times"`
			Hex    string `json:"hex"`
		}
		if err := json.Unmarshal(part, &p); err != nil {
			return err
		}
		raw, err := hex.DecodeString(p.Hex)
		if err != nil {
			return err
		}
		all.WriteString(strings.Repeat(p.Repeat, p.Times) + string(raw))
	}
	*x = text(all.String())
	return nil
}

type header [2]text

func readBadInputs(t *testing.T) []badInput {
	t.Helper()
	b, err := os.ReadFile("testdata/badinputs.json")
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var rows []badInput
	if err := d.Decode(&rows); err != nil {
		t.Fatal(err)
	}
	return rows
}

// wire is the request as bytes.
func (b badInput) wire(fill *strings.Replacer, token string) []byte {
	var w bytes.Buffer
	body := fill.Replace(string(b.Body))
	fmt.Fprintf(&w, "%s %s HTTP/1.1\r\nHost: payrack.test\r\nConnection: close\r\n", b.Method, fill.Replace(string(b.Target)))
	if token != "" {
		fmt.Fprintf(&w, "Authorization: Bearer %s\r\n", token)
	}
	framed := false
	for _, h := range b.Headers {
		framed = framed || h[0] == "Content-Length" || h[0] == "Transfer-Encoding"
		fmt.Fprintf(&w, "%s: %s\r\n", h[0], fill.Replace(string(h[1])))
	}
	if !framed && (body != "" || b.Method == http.MethodPost) {
		fmt.Fprintf(&w, "Content-Length: %d\r\n", len(body))
	}
	w.WriteString("\r\n" + body)
	return w.Bytes()
}

// server runs the plane with its real limits on a real socket.
func server(t *testing.T, p *plane) string {
	t.Helper()
	s := httptest.NewUnstartedServer(nil)
	s.Config = httpapi.NewServer(p.handler, httpapi.ServerOptions{WriteTimeout: time.Minute, Log: discard()})
	s.Start()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// send writes bytes and returns the whole answer, as bytes and read as HTTP.
func send(t *testing.T, address, method string, request []byte) (raw []byte, status int, h http.Header, body []byte) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	// The server may answer and close before it has read a large request; the answer is what counts.
	go func() { _, _ = conn.Write(request) }()
	raw, _ = io.ReadAll(conn)
	res, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(raw)), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("no answer: %v: %q", err, raw)
	}
	if body, err = io.ReadAll(res.Body); err != nil {
		t.Fatalf("reading %q: %v", raw, err)
	}
	if err := res.Body.Close(); err != nil {
		t.Error(err)
	}
	return raw, res.StatusCode, res.Header, body
}

func TestBadInputs(t *testing.T) { //nolint:tparallel // the subtest only gathers the rows, which are parallel
	t.Parallel()
	p := newPlane(t, nil)
	address := server(t, p)
	both := []company.Environment{company.Live, company.Test}
	p.access.add(access.Client{ID: "search-only", Company: "acme", Scopes: []access.Scope{access.Search}, Environments: both}, "x")
	rows := readBadInputs(t)
	if len(rows) < 500 {
		t.Fatalf("only %d rows", len(rows))
	}
	t.Run("rows", func(t *testing.T) {
		for _, row := range rows {
			t.Run(row.ID+" "+strings.ReplaceAll(row.What, "/", "|"), func(t *testing.T) {
				t.Parallel()
				badRow(t, p, address, row)
			})
		}
	})
	if calls := p.payments.asked(); len(calls) != 0 {
		t.Errorf("the core was asked: %+v", calls)
	}
	if len(p.notices.asked) != 0 || slices.Contains(p.mandates.asked, "expire") || slices.Contains(p.mandates.asked, "check") {
		t.Errorf("the core was asked about payers %v and mandates %v", p.notices.asked, p.mandates.asked)
	}
}

func badRow(t *testing.T, p *plane, address string, row badInput) {
	t.Helper()
	canary := "canary-" + strings.ReplaceAll(row.ID, "/", "-") + "-6b86b273ff34fce1"
	good := p.access.token(t, "till")
	token := map[string]string{"": good, "none": "", "search": p.access.token(t, "search-only")}[row.Token]
	fill := strings.NewReplacer("{type}", "DEMO_PAY", "{alias_pay}", "/v1/payment/demo/offline/pay", "{token}", good, "{canary}", canary)
	raw, status, h, body := send(t, address, row.Method, row.wire(fill, token))
	if status != row.Status {
		t.Fatalf("got %d, want %d: %s", status, row.Status, body)
	}
	if bytes.Contains(raw, []byte(canary)) {
		t.Errorf("the reply repeats the secret: %s", raw)
	}
	if strings.Contains(p.log.String(), canary) {
		t.Error("the log has the secret")
	}
	if row.Allow != "" && h.Get("Allow") != row.Allow {
		t.Errorf("Allow %q, want %q", h.Get("Allow"), row.Allow)
	}
	if row.Code == "" {
		return
	}
	var problem struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		From    string `json:"message_from"`
		ID      string `json:"request_id"`
		Status  int    `json:"status"`
		Errors  []struct {
			Pointer string `json:"pointer"`
			Code    string `json:"code"`
		} `json:"errors"`
	}
	if err := json.Unmarshal(body, &problem); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	if problem.Code != row.Code || problem.Status != row.Status || problem.From != "OMNI" || problem.ID != h.Get("X-Request-Id") {
		t.Errorf("got %s, want code %s", body, row.Code)
	}
	if row.Message != "" && problem.Message != row.Message {
		t.Errorf("message %q, want %q", problem.Message, row.Message)
	}
	if row.Pointer != nil && (len(problem.Errors) == 0 || problem.Errors[0].Pointer != *row.Pointer || problem.Errors[0].Code != row.Code) {
		t.Errorf("errors %+v, want the first at %q", problem.Errors, *row.Pointer)
	}
	for _, name := range []string{"Cache-Control", "Referrer-Policy", "X-Content-Type-Options"} {
		if h.Get(name) == "" {
			t.Errorf("no %s", name)
		}
	}
	if row.Status == http.StatusUnauthorized && !strings.Contains(h.Get("WWW-Authenticate"), `error="invalid_token"`) {
		t.Errorf("WWW-Authenticate: %q", h.Get("WWW-Authenticate"))
	}
}

// TestCanariesAreFound shows that the search of TestBadInputs would find a secret if it were there.
func TestCanariesAreFound(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	r := p.request(t, http.MethodGet, "/healthz", "")
	r.Header.Set("X-Request-Id", "canary-control")
	p.do(r)
	if !strings.Contains(p.log.String(), "canary-control") {
		t.Error("the log does not have what it should have")
	}
}

func TestBadInputIDsAreUnique(t *testing.T) {
	t.Parallel()
	var ids []string
	for _, row := range readBadInputs(t) {
		if slices.Contains(ids, row.ID) {
			t.Errorf("%s stands twice", row.ID)
		}
		ids = append(ids, row.ID)
	}
}
