package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// What a shop owner types, and what nobody else may see.
const (
	newChannel = "1234567890"
	newSecret  = "CANARY-7f2d-secret-of-the-new-provider"
)

// A provider that nobody had heard of when the platform started: installed and activated at run time, it is in the OpenAPI
// document, in the messages about missing columns and credentials, and in the two commands that ask and pay. The process
// stays the same, and no file of the platform names the provider.
func TestNewProviderAtRunTime(t *testing.T) {
	t.Parallel()
	gateway := newGateway(t)
	binary := buildExample(t, "linelike", "1.0.0")
	dir := t.TempDir()
	p := start(t, dir, nil, "--gateway", "linelike="+gateway.URL)
	pid := p.PID
	create := func(order, code string) []string {
		return []string{
			"payment", "create", "--data", dir, "--type", "LINELIKE_PAY", "--order", order, "--amount", "229", "--currency", "TWD",
			"--code", code, "--description", "tea", "--test", "-o", "json",
		}
	}
	columns := map[string]any{"amount": 229, "currency": "TWD", "orderId": "NEW-0", "oneTimeKey": "28"}
	pay := map[string]any{"type": "LINELIKE_PAY", "store_id": p.StoreID, "is_test": true, "request": columns}

	// Nobody knows it.
	p.openAPI(false)
	p.says(p.post("/v1/payment/integrate/pay", pay), http.StatusBadRequest, "無此付款方式 LINELIKE_PAY")
	p.cli(3, "無此付款方式 LINELIKE_PAY", create("NEW-1", "28")...)
	p.cli(3, `no installed provider has the payment type "LINELIKE_PAY"; there are: .*LINE_QRCODE_PAY`, "credential", "add", "--data", dir,
		"--company", p.CompanyID, "--store", p.StoreID, "--type", "LINELIKE_PAY", "--environment", "test", "channel_id="+newChannel)

	p.cli(0, "", "plugin", "install", "--data", dir, binary)
	p.openAPI(false) // installed is not yet serving
	p.cli(0, "", "plugin", "activate", "--data", dir, "linelike", "1.0.0")

	// The document, the page that shows it, and the messages.
	p.openAPI(true)
	p.says(p.do(http.MethodGet, p.HTTPURL+"/docs", nil, "Authorization", ""), http.StatusOK, "/openapi.json")
	p.says(p.post("/v1/payment/integrate/pay", pay), http.StatusBadRequest, "productName 不可為空")
	columns["productName"] = "tea"
	p.says(p.post("/v1/payment/integrate/pay", pay), http.StatusBadRequest, "公司/門市缺少 LINELIKE_PAY 金流相關設定")
	p.cli(3, "公司/門市缺少 LINELIKE_PAY 金流相關設定", create("NEW-2", "28")...)

	// The command asks for what this provider's set holds.
	transcript := askedFor(t, dir, p)
	for _, want := range []string{"LINELIKE_PAY, linelike 1.0.0", "channel_id", "channel_secret", "what you type is not shown"} {
		if !strings.Contains(transcript, want) {
			t.Errorf("the terminal does not show %q:\n%s", want, transcript)
		}
	}
	if !strings.Contains(transcript, newChannel) {
		t.Errorf("what is no secret is not shown while it is typed:\n%s", transcript)
	}
	if strings.Contains(transcript, newSecret) {
		t.Errorf("the terminal shows the secret:\n%s", transcript)
	}

	// It pays, in neutral terms and in its own, with the credentials that were typed.
	out := p.cli(0, "", create("NEW-3", "28")...)
	var paid struct {
		ID       string `json:"id"`
		State    string `json:"state"`
		Provider string `json:"provider"`
	}
	decode(t, []byte(out), &paid)
	if paid.State != "SUCCEEDED" || paid.Provider != "linelike" {
		t.Errorf("payment create printed %s", out)
	}
	p.says(p.post("/v1/payment/integrate/pay", pay), http.StatusOK, `"returnCode":"0000"`)
	p.says(p.post("/v1/payment/integrate/search", map[string]any{
		"type": "LINELIKE_PAY", "store_id": p.StoreID, "is_test": true, "request": map[string]any{"orderId": "NEW-3"},
	}), http.StatusOK, `"amount":229`)
	out = p.cli(3, "payment_declined", create("NEW-4", "decline")...)
	if !strings.Contains(out, `"state": "FAILED"`) || !strings.Contains(out, `"decline_code": "insufficient_funds"`) {
		t.Errorf("a decline does not show its payment: %s", out)
	}
	if out := p.cli(0, "", "payment", "show", "--data", dir, paid.ID); !strings.Contains(out, "LINELIKE_PAY") {
		t.Errorf("payment show printed %s", out)
	}
	// What the provider cannot do is refused before anything is sent.
	p.cli(3, "LINELIKE_PAY has no operation refund .operation_unsupported", "payment", "refund", "--data", dir, "--amount", "29", paid.ID)

	if now, err := os.ReadFile(filepath.Join(dir, "dev.json")); err != nil || !strings.Contains(string(now), fmt.Sprintf(`"pid": %d,`, pid)) {
		t.Errorf("the platform was started again: %v", err)
	}
	if strings.Contains(p.output.String(), newSecret) {
		t.Errorf("the log shows the secret")
	}
}

// openAPI expects the payment type in the document, or not.
func (p *platform) openAPI(there bool) {
	p.t.Helper()
	a := p.do(http.MethodGet, p.HTTPURL+"/openapi.json", nil, "Authorization", "")
	if got := bytes.Contains(a.body, []byte("LINELIKE_PAY")); a.status != http.StatusOK || got != there {
		p.t.Errorf("/openapi.json (%d) names the new type: %v, want %v", a.status, got, there)
	}
}

// says expects an answer with a text.
func (p *platform) says(a answer, status int, text string) {
	p.t.Helper()
	if a.status != status || !bytes.Contains(a.body, []byte(text)) {
		p.t.Errorf("got %s, want %d with %s", a, status, text)
	}
}

// cli runs the program under test and returns its stdout.
func (p *platform) cli(exit int, stderr string, args ...string) string {
	p.t.Helper()
	b, err := built()
	if err != nil {
		p.t.Fatal(err)
	}
	var out, errOut bytes.Buffer
	cmd := exec.Command(b.payrack, args...)
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		p.t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != exit || !regexp.MustCompile(stderr).MatchString(errOut.String()) {
		p.t.Errorf("payrack %s ended with %d, want %d and %q:\n%s%s", strings.Join(args, " "), got, exit, stderr, &out, &errOut)
	}
	return out.String()
}

// askedFor adds the credentials as a person at a terminal does, with a mistake on the way, and returns what the person saw.
func askedFor(t *testing.T, dir string, p *platform) string {
	t.Helper()
	b, err := built()
	if err != nil {
		t.Fatal(err)
	}
	person, tty := openTerminal(t)
	cmd := exec.Command(b.payrack, "credential", "add", "--data", dir, "--company", p.CompanyID, "--store", p.StoreID,
		"--type", "LINELIKE_PAY", "--environment", "test")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = tty.Close() // the command has it
	seen := &lockedBuffer{}
	read := make(chan struct{})
	go func() { defer close(read); _, _ = io.Copy(seen, person) }()
	for i, typed := range []string{"12345", newChannel, newSecret} {
		// Nothing is typed before it is asked for: the echo is off by then.
		p.waitFor(fmt.Sprintf("question %d", i+1), func() bool { return strings.Count(seen.String(), "> ") > i })
		if _, err := person.WriteString(typed + "\n"); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("credential add: %v\n%s", err, seen)
	}
	<-read
	if !strings.Contains(seen.String(), "channel_id: ") {
		t.Errorf("the wrong answer is not told:\n%s", seen)
	}
	return seen.String()
}

// openTerminal makes a pseudo terminal: the side of the person, and that of the program.
func openTerminal(t *testing.T) (person, tty *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = person.Close() })
	number, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return person, tty
}

// buildExample builds an example provider.
func buildExample(t *testing.T, name, version string) string {
	t.Helper()
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "payrack-provider-"+name)
	cmd := exec.Command("go", "build", "-trimpath",
		"-ldflags", "-X github.com/payrack/payrack/plugins/sdk/provider.Version="+version, "-o", path, "./plugins/examples/"+name)
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", name, err, out)
	}
	return path
}

// newGateway is the gateway of the new provider. It knows one merchant, and takes every code but "decline".
func newGateway(t *testing.T) *httptest.Server {
	t.Helper()
	answer := func(w http.ResponseWriter, code string, info any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"returnCode": code, "returnMessage": "-", "info": info})
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v4/payments/oneTimeKeys/pay", func(w http.ResponseWriter, r *http.Request) {
		var order map[string]any
		err := json.NewDecoder(r.Body).Decode(&order)
		amount, _ := order["amount"].(float64)
		switch {
		case err != nil || r.Header.Get("X-LINE-ChannelId") != newChannel:
			answer(w, "1106", nil)
		case order["oneTimeKey"] == "decline":
			answer(w, "1142", nil)
		default:
			answer(w, "0000", charged(fmt.Sprint(order["orderId"]), int64(amount)))
		}
	})
	mux.HandleFunc("GET /v4/payments", func(w http.ResponseWriter, r *http.Request) {
		answer(w, "0000", []any{charged(r.URL.Query().Get("orderId"), 229)})
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func charged(order string, amount int64) map[string]any {
	id := int64(2026112200000000000) + int64(crc32.ChecksumIEEE([]byte(order)))
	return map[string]any{"orderId": order, "transactionId": id, "payInfo": []any{map[string]any{"method": "BALANCE", "amount": amount}}}
}
