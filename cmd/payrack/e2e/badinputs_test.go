package e2e_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// bad is one input that must be refused before anything is done for it. {canary} in the line, a header or the body
// becomes a secret of this row alone; {order} an order number of this row alone; {token} the access token.
type bad struct {
	// id is the number in the catalogue of bad inputs, or a letter for one of our own.
	id   string
	what string
	// line is method and target; the default is the POST of seed 002.
	line string
	// headers replace the defaults (Authorization, Content-Type) by name; "-Name" leaves one out; a value is sent
	// as written.
	headers []string
	body    string
	// length replaces the true Content-Length; "-" leaves the header out.
	length string
	status int
	// code of the problem document; "" where Go's own server refuses the request in plain text.
	code string
	// pointer of one of its errors, if it matters.
	pointer string
	// begun is true where only the plugin can tell: it is asked when the intent is durable, which is then one that
	// was never sent.
	begun bool
}

const (
	payLine    = "POST /v1/payment/ipass/offline/pay"
	linePost   = "POST /v1/payment/integrate/pay"
	searchGet  = "GET /v1/payment/integrate/search?"
	searchPost = "POST /v1/payment/integrate/search"
	reqID      = `"9CC197A0-E12C-4AC5-8CC0-0052E09D3752"`
)

// columns are the smallest good columns of an iPASS payment, with the secret where a secret goes.
func columns() map[string]string {
	return map[string]string{
		"req_id": reqID, "trade_code": `"{canary}"`, "amount": "229", "order_number": `"{order}"`, "store_id": `"00681"`,
		"terminal_id": `"AB123456"`,
	}
}

// pay is a body of seed 002 with columns changed; a value of "" leaves the column out. Changes beginning with ">"
// are members of the envelope.
func pay(changes ...string) string {
	c, outer := columns(), map[string]string{"store_id": `"0"`}
	for i := 0; i+1 < len(changes); i += 2 {
		if name, ok := strings.CutPrefix(changes[i], ">"); ok {
			outer[name] = changes[i+1]
		} else {
			c[changes[i]] = changes[i+1]
		}
	}
	if _, ok := outer["request"]; !ok {
		outer["request"] = object(c)
	}
	return object(outer)
}

func object(members map[string]string) string {
	names := make([]string, 0, len(members))
	for name := range members {
		names = append(names, name)
	}
	slices.Sort(names)
	var parts []string
	for _, name := range names {
		if members[name] != "" {
			parts = append(parts, `"`+name+`":`+members[name])
		}
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// search is a query of seed 000 with its parameters as written.
func search(parameters ...string) string { return searchGet + strings.Join(parameters, "&") }

// TestBadInputs sends every row to the running program and looks at three things besides the answer: no operation
// row appeared, nothing arrived at the gateway, and the row's own secret is nowhere in stdout, logs, spans, metrics,
// database or write-ahead log. The same search must find what is allowed to be there, or it proves nothing.
func TestBadInputs(t *testing.T) {
	t.Parallel()
	rows := badInputs()
	if len(rows) < 150 {
		t.Fatalf("%d rows, want at least 150", len(rows))
	}
	spans := newReceiver(t)
	dir := t.TempDir()
	p := start(t, dir, append(spans.env(), "PAYRACK_LOG__LEVEL=debug"))
	db := p.database()
	operations := func() (n int) {
		if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM operation").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}

	good := p.linePay("CONTROL-ORDER-0001")
	if a := p.post(linePayPath, good, "X-Request-Id", "control-request-0001"); a.status != http.StatusOK {
		t.Fatalf("a good payment: %s", a)
	}
	before, arrived := operations(), len(p.requests("", ""))
	if before == 0 || arrived == 0 {
		t.Fatal("a good payment left no operation row or no request at the gateway: the checks below prove nothing")
	}

	canaries := map[string]string{}
	for i, row := range rows {
		name := row.id + " " + row.what
		canary := fmt.Sprintf("cnry%03dx%x", i, time.Now().UnixNano())
		fill := strings.NewReplacer("{canary}", canary, "{order}", fmt.Sprintf("BAD-%03d", i), "{token}", p.token).Replace
		if written := row.line + strings.Join(row.headers, "") + row.body; strings.Contains(written, "{canary}") {
			canaries[name] = canary
		}
		a, err := p.sendBad(row, fill)
		switch {
		case err != nil:
			t.Errorf("%s: %v", name, err)
			continue
		case a.status != row.status:
			t.Errorf("%s: %s, want %d %s", name, a, row.status, row.code)
		case row.code != "" && a.member("code") != row.code:
			t.Errorf("%s: code %q, want %q: %s", name, a.member("code"), row.code, a)
		case row.code != "" && row.code != "invalid_request" && (a.member("message_from") != "OMNI" || a.header.Get("X-Request-Id") == ""):
			t.Errorf("%s: %s has no message_from or no request id", name, a)
		case row.pointer != "" && !strings.Contains(string(a.body), `"pointer":"`+row.pointer+`"`):
			t.Errorf("%s: no error points at %s: %s", name, row.pointer, a)
		}
		if strings.Contains(string(a.body)+fmt.Sprint(a.header), canary) {
			t.Errorf("%s: the secret came back: %s %v", name, a, a.header)
		}
		if row.begun {
			before++
		}
		if now := operations(); now != before {
			t.Errorf("%s: %d operation rows more than expected", name, now-before)
			before = now
		}
		if now := len(p.requests("", "")); now != arrived {
			t.Errorf("%s: %d requests arrived at the gateway", name, now-arrived)
			arrived = now
		}
	}

	metrics := p.do(http.MethodGet, p.AdminURL+"/metrics", nil, "Authorization", "Bearer "+p.AdminToken)
	p.waitFor("spans of the good payment", func() bool { return strings.Contains(spans.text(), "CONTROL-ORDER-0001") })
	var store, stored string
	if strings.HasPrefix(p.DatabaseURL, "postgres") {
		store, stored = "rows", dump(t, db)
	} else {
		store = "file " + filepath.Base(p.databaseFile())
	}
	_ = db.Close() // the last one out folds SQLite's write-ahead log into its file
	p.stop()
	places := map[string]string{"output": p.output.String(), "spans": spans.text(), "metrics": string(metrics.body)}
	if stored != "" {
		places[store] = stored
	}
	walk(t, dir, func(path string, content []byte) { places["file "+filepath.Base(path)] += string(content) })
	for place, control := range map[string]string{
		"output": "control-request-0001", "spans": "CONTROL-ORDER-0001", "metrics": "LINE_QRCODE_PAY",
		store: "CONTROL-ORDER-0001",
	} {
		if !strings.Contains(places[place], control) {
			t.Errorf("the search does not find %q in %s: it would not find a secret there either", control, place)
		}
	}
	// The client's secret is left out: `payrack dev` prints it on purpose, in curl lines that can be pasted.
	secret := good["request"].(map[string]any)["oneTimeKey"].(string) //nolint:forcetypeassert // made above
	canaries["the one-time key of the good payment"] = secret
	canaries["the channel secret"] = p.LinePay.ChannelSecret
	canaries["the iPASS key"] = p.IPass.Key
	for place, content := range places {
		if strings.Contains(place, "dev") || strings.Contains(place, "sandbox") {
			continue // dev.json and the sandbox's own files are the other side's
		}
		for name, canary := range canaries {
			if strings.Contains(content, canary) {
				t.Errorf("%s: the secret stands in %s", name, place)
			}
		}
	}
}

// text is everything the receiver got, as bytes.
func (r *receiver) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.raw.String()
}

// walk reads every file below a folder that is not the sandbox's.
func walk(t *testing.T, dir string, see func(string, []byte)) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			if d != nil && d.IsDir() && d.Name() == "sandbox" {
				return filepath.SkipDir
			}
			return err
		}
		if !d.Type().IsRegular() {
			return nil
		}
		content, err := os.ReadFile(path)
		if err == nil {
			see(path, content)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// sendBad writes a row as it stands, byte for byte.
func (p *platform) sendBad(row bad, fill func(string) string) (answer, error) {
	u, err := url.Parse(p.HTTPURL)
	if err != nil {
		return answer{}, err
	}
	line := row.line
	if line == "" {
		line = payLine
	}
	method, target, _ := strings.Cut(line, " ")
	headers := []string{"Host: " + u.Host, "Connection: close"}
	lower := strings.ToLower(strings.Join(row.headers, "\n"))
	add := func(name, value string) {
		if !strings.Contains("\n"+lower, "\n"+strings.ToLower(name)) && !strings.Contains(lower, "-"+strings.ToLower(name)+"\n") &&
			!strings.HasSuffix(lower, "-"+strings.ToLower(name)) {
			headers = append(headers, name+": "+value)
		}
	}
	add("Authorization", "Bearer "+p.token)
	if method != http.MethodGet {
		add("Content-Type", "application/json")
	}
	for _, h := range row.headers {
		if !strings.HasPrefix(h, "-") {
			headers = append(headers, fill(h))
		}
	}
	body := fill(row.body)
	switch {
	case row.length == "-":
	case row.length != "":
		headers = append(headers, "Content-Length: "+row.length)
	default:
		headers = append(headers, fmt.Sprintf("Content-Length: %d", len(body)))
	}
	conn, err := (&net.Dialer{Timeout: patience}).DialContext(p.t.Context(), "tcp", u.Host)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(patience))
	text := method + " " + fill(target) + " HTTP/1.1\r\n" + strings.Join(headers, "\r\n") + "\r\n\r\n" + body
	sent := make(chan struct{})
	go func() { defer close(sent); _, _ = io.WriteString(conn, text) }()
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		return answer{}, fmt.Errorf("no answer: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	_ = conn.Close()
	<-sent
	if err == nil && row.code != "" && !json.Valid(raw) && method != http.MethodHead {
		err = fmt.Errorf("the answer is not JSON: %s", raw)
	}
	return answer{res.StatusCode, res.Header, raw}, err
}
