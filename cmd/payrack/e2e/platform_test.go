package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long anything may take before a test calls it stuck. No test measures time with it.
const patience = 60 * time.Second

// binaries are the program and the folder of provider plugins under test, built once.
type binaries struct{ payrack, plugins string }

var built = sync.OnceValues(build)

// ownBuild is the folder of the binaries that these tests built themselves; TestMain removes it.
var ownBuild string

// build takes the binaries that the Makefile made, or builds them into a folder of its own.
func build() (binaries, error) {
	if bin, plugins := os.Getenv("PAYRACK_BIN"), os.Getenv("PAYRACK_PLUGINS"); bin != "" && plugins != "" {
		return binaries{bin, plugins}, nil
	}
	dir, err := os.MkdirTemp("", "payrack-e2e-")
	if err != nil {
		return binaries{}, err
	}
	ownBuild = dir
	root, err := filepath.Abs("../../..")
	if err != nil {
		return binaries{}, err
	}
	b := binaries{payrack: filepath.Join(dir, "payrack"), plugins: filepath.Join(dir, "plugins")}
	for _, args := range [][]string{
		{"go", "build", "-o", b.payrack, "./cmd/payrack"},
		{"make", "--no-print-directory", "plugins", "OUT=" + b.plugins},
	} {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return binaries{}, fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, out)
		}
	}
	return b, nil
}

// devFile is DIR/dev.json.
type devFile struct {
	HTTPURL      string `json:"http_url"`
	AdminURL     string `json:"admin_url"`
	SandboxURL   string `json:"sandbox_url"`
	TokenURL     string `json:"token_url"`
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	AdminToken   string `json:"admin_token"`
	CompanyID    string `json:"company_id"`
	StoreID      string `json:"store_id"`
	EmptyStoreID string `json:"store_id_without_credentials"`
	DatabaseURL  string `json:"database_url"`
	PID          int    `json:"pid"`
	SandboxPID   int    `json:"sandbox_pid"`
	LinePay      struct {
		ChannelID     string `json:"channel_id"`
		ChannelSecret string `json:"channel_secret"`
	} `json:"linepay"`
	IPass struct {
		MerchantID string `json:"merchantid"`
		Key        string `json:"key"`
	} `json:"ipass"`
}

// platform is a running `payrack dev`.
type platform struct {
	devFile
	t      *testing.T
	dir    string
	cmd    *exec.Cmd
	output *lockedBuffer
	exited chan struct{}
	client *http.Client
	token  string
}

// start runs `payrack dev` on free ports in a folder and waits until it serves.
func start(t *testing.T, dir string, env []string, args ...string) *platform {
	t.Helper()
	b, err := built()
	if err != nil {
		t.Fatal(err)
	}
	p := &platform{t: t, dir: dir, output: &lockedBuffer{}, exited: make(chan struct{}), client: newClient()}
	all := append([]string{
		"dev", "--data", dir, "--http", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--sandbox", "127.0.0.1:0",
		"--plugins", b.plugins,
	}, append(databaseOf(t, dir), args...)...)
	p.cmd = exec.Command(b.payrack, all...)
	p.cmd.Env = append(append(os.Environ(), "NO_COLOR=1"), env...)
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = p.cmd.Wait(); close(p.exited) }()
	t.Cleanup(p.stop)
	p.waitFor("dev.json", func() bool {
		select {
		case <-p.exited:
			t.Fatalf("payrack dev ended at start:\n%s", p.output)
		default:
		}
		raw, err := os.ReadFile(filepath.Join(dir, "dev.json"))
		return err == nil && json.Unmarshal(raw, &p.devFile) == nil && p.PID == p.cmd.Process.Pid
	})
	p.token = p.newToken("")
	return p
}

func newClient() *http.Client {
	return &http.Client{
		Timeout:       patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true},
	}
}

// stop ends the program as Ctrl-C does and expects a clean exit.
func (p *platform) stop() {
	select {
	case <-p.exited:
		return
	default:
	}
	_ = p.cmd.Process.Signal(os.Interrupt)
	select {
	case <-p.exited:
		if code := p.cmd.ProcessState.ExitCode(); code != 0 {
			p.t.Errorf("payrack dev ended with %d:\n%s", code, tail(p.output.String()))
		}
	case <-time.After(patience):
		_ = p.cmd.Process.Kill()
		p.t.Errorf("payrack dev did not end:\n%s", tail(p.output.String()))
	}
}

// kill ends the program as kill -9 does.
func (p *platform) kill() {
	_ = p.cmd.Process.Signal(syscall.SIGKILL)
	<-p.exited
}

// waitFor polls until something holds.
func (p *platform) waitFor(what string, holds func() bool) {
	p.t.Helper()
	p.waitUpTo(patience, what, holds)
}

func (p *platform) waitUpTo(limit time.Duration, what string, holds func() bool) {
	p.t.Helper()
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if holds() {
			return
		}
	}
	p.t.Fatalf("%s did not happen:\n%s", what, tail(p.output.String()))
}

// answer is an HTTP answer, read.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) String() string { return fmt.Sprintf("%d %s", a.status, a.body) }

// member reads one member of a JSON object, as text.
func (a answer) member(name string) string {
	var object map[string]json.RawMessage
	if json.Unmarshal(a.body, &object) != nil {
		return ""
	}
	var text string
	if json.Unmarshal(object[name], &text) == nil {
		return text
	}
	return string(object[name])
}

// send performs a request with the token.
func (p *platform) send(method, target string, body []byte, headers ...string) (answer, error) {
	return p.sendWith(context.Background(), method, target, body, headers...)
}

// sendWith is send with a context of the caller's.
func (p *platform) sendWith(ctx context.Context, method, target string, body []byte, headers ...string) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if len(body) > 0 {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("Authorization", "Bearer "+p.token)
	for i := 0; i+1 < len(headers); i += 2 {
		if r.Header.Set(headers[i], headers[i+1]); headers[i+1] == "" {
			r.Header.Del(headers[i])
		}
	}
	res, err := p.client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	return answer{res.StatusCode, res.Header, raw}, err
}

// do is send that must reach the program.
func (p *platform) do(method, target string, body []byte, headers ...string) answer {
	p.t.Helper()
	a, err := p.send(method, target, body, headers...)
	if err != nil {
		p.t.Fatal(err)
	}
	return a
}

// post sends a JSON value to a path of the public API.
func (p *platform) post(path string, v any, headers ...string) answer {
	p.t.Helper()
	return p.do(http.MethodPost, p.HTTPURL+path, encode(p.t, v), headers...)
}

// newToken fetches an access token.
func (p *platform) newToken(scope string) string {
	p.t.Helper()
	form := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {p.ClientID}, "client_secret": {p.ClientSecret}, "scope": {scope},
	}
	a := p.do(http.MethodPost, p.TokenURL, []byte(form.Encode()), "Content-Type", "application/x-www-form-urlencoded", "Authorization", "")
	if a.status != http.StatusOK {
		p.t.Fatalf("token: %s", a)
	}
	return a.member("access_token")
}

// control calls the sandbox's control plane.
func (p *platform) control(method, path string, v any) answer {
	p.t.Helper()
	var body []byte
	if v != nil {
		body = encode(p.t, v)
	}
	a := p.do(method, p.SandboxURL+"/_sandbox/"+path, body, "Authorization", "")
	if a.status/100 != 2 {
		p.t.Fatalf("sandbox %s %s: %s", method, path, a)
	}
	return a
}

// code is a fresh one-time customer code.
func (p *platform) code(provider string) string { //nolint:unparam // the name says whose code it is
	p.t.Helper()
	return p.control(http.MethodPost, "codes", map[string]string{"provider": provider}).member("code")
}

// entry is a line of the sandbox's ledger. A later attempt of an order has an order id of its own at the provider, with
// the number of the attempt behind it; the base order is the client's.
type entry struct {
	Kind          string      `json:"kind"`
	OrderID       string      `json:"order_id"`
	BaseOrderID   string      `json:"base_order_id"`
	TransactionID string      `json:"transaction_id"`
	Amount        json.Number `json:"amount"`
	Currency      string      `json:"currency"`
}

// ledger is what the sandbox booked for an order of LINE Pay, all attempts together.
func (p *platform) ledger(order string) []entry {
	p.t.Helper()
	var page struct {
		Entries []entry `json:"entries"`
	}
	decode(p.t, p.control(http.MethodGet, "ledger?provider=linepay", nil).body, &page)
	return slices.DeleteFunc(page.Entries, func(e entry) bool { return e.OrderID != order && !attemptOf(e.OrderID, order) })
}

// attemptOf reports whether an order id is that of a later attempt or a retry of an order. The sandbox's own base_order_id knows
// only orders that arrived there.
func attemptOf(id, order string) bool {
	more, ok := strings.CutPrefix(id, order+"-")
	return ok && laterAttempt.MatchString(more)
}

// laterAttempt is what the platform appends to an order number, so that no two charges have one id at the provider.
var laterAttempt = regexp.MustCompile(`^([2-9]|[1-9][0-9]+|r[0-9]+)(-[0-9a-f]{6})?$`)

// seen is a transmission that arrived at the sandbox.
type seen struct {
	Operation string `json:"operation"`
	OrderID   string `json:"order_id"`
	TraceID   string `json:"trace_id"`
}

// requests are the transmissions of an order; "" is every order.
func (p *platform) requests(provider, order string) []seen {
	p.t.Helper()
	var page struct {
		Requests []seen `json:"requests"`
	}
	decode(p.t, p.control(http.MethodGet, "requests?"+url.Values{"provider": {provider}, "order_id": {order}}.Encode(), nil).body, &page)
	return page.Requests
}

// linePay is a LINE_QRCODE_PAY body with a fresh code.
func (p *platform) linePay(order string) map[string]any {
	p.t.Helper()
	return map[string]any{
		"type": "LINE_QRCODE_PAY", "store_id": p.StoreID, "is_test": true,
		"request": map[string]any{
			"productName": "拿鐵", "amount": 229, "currency": "TWD", "orderId": order, "oneTimeKey": p.code("linepay"),
		},
	}
}

// The integrate routes.
const (
	integrate   = "/v1/payment/integrate/"
	linePayPath = integrate + "pay"
)

func encode(t *testing.T, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func decode(t *testing.T, raw []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(raw, v); err != nil {
		t.Fatalf("%v: %s", err, raw)
	}
}

func tail(s string) string {
	if len(s) > 6000 {
		return "…" + s[len(s)-6000:]
	}
	return s
}

// maxAnswer is the longest answer that a test reads: the ledger of ten thousand orders has some megabytes.
const maxAnswer = 64 << 20

// lockedBuffer collects output that another goroutine writes.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// alive reports whether a process exists and is not a zombie.
func alive(pid int) bool {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if errors.Is(err, os.ErrNotExist) || err != nil {
		return false
	}
	_, rest, ok := strings.Cut(string(raw), ") ")
	return ok && !strings.HasPrefix(rest, "Z")
}
