package ipass_test

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// capture is the bytes of one HTTP request as they were on the wire.
func capture(t *testing.T, send func(url string)) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	captured := make(chan string, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			captured <- err.Error()
			return
		}
		defer func() { _ = conn.Close() }()
		var seen bytes.Buffer
		in := bufio.NewReader(io.TeeReader(conn, &seen))
		head := textproto.NewReader(in)
		if _, err := head.ReadLine(); err != nil {
			return
		}
		header, err := head.ReadMIMEHeader()
		if err != nil {
			return
		}
		length, _ := strconv.ParseInt(header.Get("Content-Length"), 10, 64)
		_, _ = io.CopyN(io.Discard, in, length)
		captured <- strings.ReplaceAll(seen.String(), l.Addr().String(), "gateway")
	}()
	send("http://" + l.Addr().String() + "/base/")
	return <-captured
}

// The exchange as the gateway receives it, byte for byte but for the length, the IV and the ciphertext: header
// names in the published spelling, the IV as 32 lower-case digits, and nothing in clear.
func TestCapturedExchange(t *testing.T) {
	t.Parallel()
	const form = `^POST /base/offline/OPERATION HTTP/1\.1\r\n` +
		`Host: gateway\r\n` +
		`User-Agent: payrack/[0-9a-z.-]+\r\n` +
		`Content-Length: [0-9]+\r\n` +
		`Accept: application/json\r\n` +
		`Content-Type: application/json; charset=utf-8\r\n` +
		`iPass-Iv: [0-9a-f]{32}\r\n` +
		`iPass-MerchantId: MERCHANT-01\r\n` +
		`\r\n` +
		`\{"data":"[A-Za-z0-9+/]+={0,2}"\}$`
	hidden := []string{key, tradeCode, orderID, transactionID, reqID, "traceparent", "Idempotency"}
	for operation, do := range map[string]func(openProvider){
		"pay":     func(p openProvider) { p.Pay(t.Context(), payRequest(t, nil, seedColumns)) },
		"search":  func(p openProvider) { p.Search(t.Context(), searchRequest(t, provider.PurposeClient, nil)) },
		"void":    func(p openProvider) { p.Void(t.Context(), voidRequest(t)) },
		"refund":  func(p openProvider) { p.Refund(t.Context(), refundRequest(t, 29)) },
		"capture": func(p openProvider) { p.Capture(t.Context(), captureRequest(t)) },
	} {
		t.Run(operation, func(t *testing.T) {
			t.Parallel()
			got := capture(t, func(url string) { do(open(t, url, nil)) })
			if !regexp.MustCompile(strings.Replace(form, "OPERATION", operation, 1)).MatchString(got) {
				t.Errorf("the exchange was\n%s", got)
			}
			for _, secret := range hidden {
				if strings.Contains(got, secret) {
					t.Errorf("%q stands in the exchange:\n%s", secret, got)
				}
			}
		})
	}
	own := capture(t, func(url string) {
		open(t, url, nil).Pay(t.Context(), payRequest(t, map[string]string{"iv": strings.ToUpper(vectorIV)}, seedColumns))
	})
	if !strings.Contains(own, "\r\niPass-Iv: "+vectorIV+"\r\n") {
		t.Errorf("the client's iv is not in\n%s", own)
	}
}

// Where a run of TestPluginProcess finds its gateway, and how many rounds it makes.
const (
	processGateway = "PAYRACK_TEST_IPASS_GATEWAY"
	processRounds  = "PAYRACK_TEST_IPASS_ROUNDS"
)

// TestPluginProcess is the body of the processes that TestIVsNeverRepeat starts.
func TestPluginProcess(t *testing.T) {
	t.Parallel()
	url := os.Getenv(processGateway)
	if url == "" {
		t.Skip("only as a process of TestIVsNeverRepeat")
	}
	rounds, err := strconv.Atoi(os.Getenv(processRounds))
	if err != nil {
		t.Fatal(err)
	}
	p := open(t, url, nil)
	for range rounds {
		p.Pay(t.Context(), payRequest(t, nil, seedColumns))
		p.Search(t.Context(), searchRequest(t, provider.PurposeResolve, nil))
		p.Void(t.Context(), voidRequest(t))
		p.Refund(t.Context(), refundRequest(t, 29))
	}
}

// Ten thousand requests of two lives of the plugin's process, over all operations: no IV comes twice. The
// gateway fails the test when one does.
func TestIVsNeverRepeat(t *testing.T) {
	t.Parallel()
	const lives, rounds, operations = 2, 1250, 4
	g := newGateway(t, always(reply{clear: `{"returnCode":"9999"}`}))
	pids := map[int]bool{}
	for range lives {
		process := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestPluginProcess$")
		process.Env = append(os.Environ(), processGateway+"="+g.URL, processRounds+"="+strconv.Itoa(rounds))
		process.WaitDelay = time.Second
		if out, err := process.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		pids[process.Process.Pid] = true
	}
	sent, paths, form := g.requests(), map[string]int{}, regexp.MustCompile(`^[0-9a-f]{32}$`)
	for _, s := range sent {
		paths[s.path]++
		if !form.MatchString(s.iv) {
			t.Errorf("IV %q", s.iv)
		}
	}
	for _, path := range []string{"/offline/pay", "/offline/search", "/offline/void", "/offline/refund"} {
		if paths[path] != lives*rounds {
			t.Errorf("%s was called %d times", path, paths[path])
		}
	}
	if len(sent) != lives*rounds*operations || len(pids) != lives {
		t.Errorf("%d requests of %d processes", len(sent), len(pids))
	}
}

// Nothing is sent again by the HTTP layer: the gateway sees one request for each call, whatever breaks.
func TestNothingIsSentTwice(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]reply{
		"500": {status: http.StatusInternalServerError, raw: "x"}, "302": {status: http.StatusFound, raw: "x"}, "undecipherable": {raw: `{"data":"AAAA"}`},
	} {
		g := newGateway(t, always(r))
		p := open(t, g.URL, nil)
		p.Pay(t.Context(), payRequest(t, nil, seedColumns))
		p.Void(t.Context(), voidRequest(t))
		p.Refund(t.Context(), refundRequest(t, 29))
		if n := len(g.requests()); n != 3 {
			t.Errorf("%s: %d requests for 3 calls", name, n)
		}
	}
}
