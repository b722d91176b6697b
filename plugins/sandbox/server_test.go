package sandbox_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/payrack/payrack/plugins/sandbox"
	"github.com/payrack/payrack/plugins/sandbox/sandboxtest"
)

func TestLedgerAndRequests(t *testing.T) {
	t.Parallel()
	s := sandboxtest.Start(t, toyOptions(t))
	send(t, s, "pay", "A")
	send(t, s, "pay", "A")
	send(t, s, "search", "A")
	send(t, s, "pay", "B")

	want := []sandbox.Entry{{
		Provider: "toy", Account: "a", OrderID: "A", BaseOrderID: "A", TransactionID: "t", Kind: "charge", Amount: 5, Currency: "TWD",
	}}
	unstable := cmpopts.IgnoreFields(sandbox.Entry{}, "Seq", "At")
	if diff := cmp.Diff(want, s.Ledger("toy", "A"), unstable); diff != "" {
		t.Errorf("ledger of A (-want +got):\n%s", diff)
	}
	if got := len(s.Ledger("", "")); got != 2 {
		t.Errorf("%d entries in all, want 2", got)
	}
	if got := len(s.Ledger("other", "")); got != 0 {
		t.Errorf("%d entries of another provider, want none", got)
	}
	var operations []string
	requests := s.Requests("toy", "A")
	for i, r := range requests {
		operations = append(operations, r.Operation)
		if r.TraceID != "0af7651916cd43dd8448eb211c80319c" {
			t.Errorf("trace id %q of request %d", r.TraceID, i)
		}
	}
	if diff := cmp.Diff([]string{"pay", "pay", "search"}, operations); diff != "" {
		t.Errorf("operations (-want +got):\n%s", diff)
	}
	if entry := s.Ledger("toy", "A")[0]; entry.Seq <= requests[0].Seq || entry.Seq >= requests[1].Seq {
		t.Errorf("entry %d is not between the requests %d and %d", entry.Seq, requests[0].Seq, requests[1].Seq)
	}
}

func TestBaseOrder(t *testing.T) {
	t.Parallel()
	s := sandboxtest.Start(t, toyOptions(t))
	for _, order := range []string{"A", "A-2", "B-2", "C-1", "A-02"} {
		send(t, s, "pay", order)
	}
	got := map[string]string{}
	for _, e := range s.Ledger("", "") {
		got[e.OrderID] = e.BaseOrderID
	}
	want := map[string]string{"A": "A", "A-2": "A", "B-2": "B-2", "C-1": "C-1", "A-02": "A-02"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("base orders (-want +got):\n%s", diff)
	}
}

func TestConcurrentPaymentsOfOneOrderChargeOnce(t *testing.T) {
	t.Parallel()
	s := sandboxtest.Start(t, toyOptions(t))
	codes := make(chan string, 100)
	var wg sync.WaitGroup
	for range cap(codes) {
		wg.Go(func() { codes <- send(t, s, "pay", "A").code })
	}
	wg.Wait()
	close(codes)
	seen := map[string]int{}
	for code := range codes {
		seen[code]++
	}
	if diff := cmp.Diff(map[string]int{"ok": 1, "duplicate": 99}, seen); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	if got := len(s.Ledger("toy", "A")); got != 1 {
		t.Errorf("%d charges, want 1", got)
	}
}

func TestRestartGoesOn(t *testing.T) {
	t.Parallel()
	s := sandboxtest.Start(t, toyOptions(t))
	account := s.Account("toy", "store", nil)
	send(t, s, "pay", "A")
	s.Advance("25m")
	entries, requests := s.Ledger("", ""), s.Requests("", "")
	s.Restart()

	if diff := cmp.Diff(entries, s.Ledger("", "")); diff != "" {
		t.Errorf("ledger (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(requests, s.Requests("", "")); diff != "" {
		t.Errorf("requests (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(account, s.Account("toy", "store", nil)); diff != "" {
		t.Errorf("account (-before +after):\n%s", diff)
	}
	if got := send(t, s, "pay", "A"); got.code != "duplicate" {
		t.Errorf("answer %q after the restart: the order was forgotten", got.code)
	}
	var clock struct{ Ahead string }
	s.Control(http.MethodGet, "clock", nil, &clock)
	if clock.Ahead != "25m0s" {
		t.Errorf("the clock is %s ahead after the restart, want 25m0s", clock.Ahead)
	}
	send(t, s, "pay", "B")
	if all := s.Ledger("", ""); len(all) != 2 || all[1].Seq <= entries[0].Seq {
		t.Errorf("numbers do not go on after the restart: %+v", all)
	}
}

func journalOf(t *testing.T, s *sandboxtest.Sandbox) (path string, content []byte) {
	t.Helper()
	path = filepath.Join(s.Dir, sandbox.JournalName)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, content
}

func TestTornEnd(t *testing.T) {
	t.Parallel()
	for name, tear := range map[string]func([]byte) []byte{
		"half a line":         func(b []byte) []byte { return append(b, "0badf00d {\"seq\":99,\"ent"...) },
		"a line of zeros":     func(b []byte) []byte { return append(b, make([]byte, 512)...) },
		"a wrong checksum":    func(b []byte) []byte { return append(b, "00000000 {\"seq\":99}\n"...) },
		"two unfinished ones": func(b []byte) []byte { return append(b, "00000000 {\"seq\":99}\n00000"...) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := sandboxtest.Start(t, toyOptions(t))
			send(t, s, "pay", "A")
			s.Stop()
			path, content := journalOf(t, s)
			if err := os.WriteFile(path, tear(content), 0o600); err != nil {
				t.Fatal(err)
			}
			s.Restart()
			send(t, s, "pay", "B")
			s.Restart()
			var orders []string
			for _, e := range s.Ledger("", "") {
				orders = append(orders, e.OrderID)
			}
			if diff := cmp.Diff([]string{"A", "B"}, orders); diff != "" {
				t.Errorf("orders in the ledger (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDamageInTheMiddleIsRefused(t *testing.T) {
	t.Parallel()
	opts := toyOptions(t)
	s := sandboxtest.Start(t, opts)
	send(t, s, "pay", "A")
	send(t, s, "pay", "B")
	s.Stop()
	path, content := journalOf(t, s)
	broken := strings.Replace(string(content), `"order_id":"A"`, `"order_id":"Z"`, 1)
	if err := os.WriteFile(path, []byte(broken), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sandbox.New(opts); err == nil || !strings.Contains(err.Error(), "damaged at byte") {
		t.Errorf("error %v, want one that says where the file is damaged", err)
	}
}

func TestOneSandboxToAFolder(t *testing.T) {
	t.Parallel()
	opts := toyOptions(t)
	sandboxtest.Start(t, opts)
	if _, err := sandbox.New(opts); err == nil || !strings.Contains(err.Error(), "another sandbox") {
		t.Errorf("error %v, want that another sandbox uses the folder", err)
	}
}

func TestBrokenJournalAnswersNothing(t *testing.T) {
	t.Parallel()
	server, err := sandbox.New(toyOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	s := sandboxtest.Serve(t, server)
	server.BreakJournal()
	if got := send(t, s, "pay", "A"); got.err == nil {
		t.Errorf("answer %q although nothing could be written", got.raw)
	}
	if status := s.Control(http.MethodGet, "healthz", nil, nil); status != http.StatusServiceUnavailable {
		t.Errorf("healthz answers %d, want 503", status)
	}
	if status := s.Control(http.MethodGet, "ledger", nil, nil); status != http.StatusServiceUnavailable {
		t.Errorf("ledger answers %d, want 503", status)
	}
}

func TestCloseLetsGoOfHeldConnections(t *testing.T) {
	t.Parallel()
	opts := toyOptions(t)
	opts.HangLimit = time.Hour
	s := sandboxtest.Start(t, opts)
	s.Arm(sandboxtest.Object{"fault": "hang"})
	done := make(chan struct{})
	go func() {
		defer close(done)
		send(t, s, "pay", "A")
	}()
	for deadline := time.Now().Add(30 * time.Second); s.Fired("hang") == 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the request did not arrive")
		}
	}
	s.Stop()
	<-done
}

func TestControlRoutes(t *testing.T) {
	t.Parallel()
	s := sandboxtest.Start(t, toyOptions(t))
	if a, b := s.Account("toy", "store", nil), s.Account("toy", "store", nil); a["key"] == "" || !cmp.Equal(a, b) {
		t.Errorf("accounts %v and %v, want one that stays", a, b)
	}
	if a, b := s.Code("toy", nil), s.Code("toy", nil); len(a) != 8 || a == b {
		t.Errorf("codes %q and %q, want two fresh ones", a, b)
	}
	if got := s.Code("toy", sandboxtest.Object{"code": "chosen"}); got != "chosen" {
		t.Errorf("code %q, want the chosen one", got)
	}
	for name, tt := range map[string]struct {
		method, path string
		body         any
		want         int
	}{
		"health":                     {http.MethodGet, "healthz", nil, 200},
		"registered account":         {http.MethodPost, "accounts", sandboxtest.Object{"provider": "toy", "credential": sandboxtest.Object{"key": "k"}}, 200},
		"account without a key":      {http.MethodPost, "accounts", sandboxtest.Object{"provider": "toy", "credential": sandboxtest.Object{}}, 400},
		"account of nobody":          {http.MethodPost, "accounts", sandboxtest.Object{"provider": "nobody", "label": "store"}, 400},
		"account with another label": {http.MethodPost, "accounts", sandboxtest.Object{"provider": "toy", "label": "moon"}, 400},
		"account with neither":       {http.MethodPost, "accounts", sandboxtest.Object{"provider": "toy"}, 400},
		"account with both": {
			http.MethodPost, "accounts",
			sandboxtest.Object{"provider": "toy", "label": "store", "credential": sandboxtest.Object{"key": "k"}},
			400,
		},
		"code of nobody":      {http.MethodPost, "codes", sandboxtest.Object{}, 400},
		"misspelt member":     {http.MethodPost, "codes", sandboxtest.Object{"provider": "toy", "cod": "x"}, 400},
		"clock without words": {http.MethodPost, "clock", sandboxtest.Object{}, 400},
		"clock backwards":     {http.MethodPost, "clock", sandboxtest.Object{"advance": "-1m"}, 400},
		"unknown route":       {http.MethodGet, "nothing", nil, 404},
		"wrong method":        {http.MethodDelete, "ledger", nil, 405},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := s.Control(tt.method, tt.path, tt.body, nil); got != tt.want {
				t.Errorf("status %d, want %d", got, tt.want)
			}
		})
	}
}

func TestNewRefusesDialectsThatCollide(t *testing.T) {
	t.Parallel()
	if _, err := sandbox.New(sandbox.Options{Dir: t.TempDir(), Dialects: []sandbox.Dialect{toy(), toy()}}); err == nil {
		t.Error("two dialects of one name were taken")
	}
	if _, err := sandbox.New(sandbox.Options{}); err == nil {
		t.Error("no folder was taken")
	}
}

func TestEndpoints(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]string{
		"http://127.0.0.1:8082/": `{"endpoints":{"live":"http://127.0.0.1:8082","test":"http://127.0.0.1:8082"}}`,
		"http://localhost:1":     `{"endpoints":{"live":"http://localhost:1","test":"http://localhost:1"}}`,
		"http://sandbox:8082":    `{"endpoints":{"live":"http://sandbox:8082","test":"http://sandbox:8082"},"allow_http":true}`,
		"https://sandbox":        `{"endpoints":{"live":"https://sandbox","test":"https://sandbox"}}`,
	} {
		if got := string(sandbox.Endpoints(base, true)); got != want {
			t.Errorf("Endpoints(%q) = %s, want %s", base, got, want)
		}
	}
	if got := string(sandbox.Endpoints("http://sandbox:8082", false)); strings.Contains(got, "allow_http") {
		t.Errorf("plain http to another gateway was permitted: %s", got)
	}
}
