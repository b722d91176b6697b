package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/payrack/payrack/plugins/sandbox"
)

// A stop with less grace than a provider's call: the client that waits is told that nobody knows, that is recorded,
// and the process goes.
func TestStopWithLessGraceThanACall(t *testing.T) {
	t.Parallel()
	s := startStand(t)
	s.must(s.box, http.MethodPost, "/_sandbox/faults", map[string]any{"fault": "hang", "operation": "pay"}, nil)
	var code struct {
		Code string `json:"code"`
	}
	s.must(s.box, http.MethodPost, "/_sandbox/codes", map[string]any{"provider": "linepay"}, &code)
	order, err := json.Marshal(map[string]any{"type": "LINE_QRCODE_PAY", "store_id": "1", "is_test": true, "request": map[string]any{
		"productName": "tea", "amount": 100, "currency": "TWD", "orderId": "STOP-1", "oneTimeKey": code.Code,
	}})
	if err != nil {
		t.Fatal(err)
	}
	replies := make(chan answer, 1)
	go func() {
		a, err := s.public.send(t.Context(), call{method: http.MethodPost, path: "/v1/payment/integrate/pay", body: order})
		if err != nil {
			a.body = []byte(err.Error())
		}
		replies <- a
	}()
	s.until("the call hangs", func() bool {
		var sent struct {
			Requests []json.RawMessage `json:"requests"`
		}
		s.must(s.box, http.MethodGet, "/_sandbox/requests?order_id=STOP-1", nil, &sent)
		return len(sent.Requests) > 0
	})

	s.stop()
	s.until("the load balancer is told", func() bool {
		a, err := s.public.send(t.Context(), call{method: http.MethodGet, path: "/readyz"})
		return err == nil && a.status == http.StatusServiceUnavailable && strings.Contains(string(a.body), "the platform is stopping")
	})
	a := <-replies
	if a.status != http.StatusGatewayTimeout || !strings.Contains(string(a.body), `"status":"PENDING"`) || a.header.Get("Payrack-Payment-Id") == "" {
		t.Errorf("the waiting client was told %d %s", a.status, a.body)
	}
	if code := <-s.ended; code != exitOK {
		t.Errorf("exit code %d", code)
	}
	log := s.log.String()
	for _, want := range []string{`"msg":"stopping","in_flight":1`, `"grace_ms":3000`, "provider calls were cut off", `"msg":"stopped"`} {
		if !strings.Contains(log, want) {
			t.Errorf("the log does not say %s:\n%s", want, log)
		}
	}
	db, err := sql.Open("sqlite", s.database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	var state string
	if err := db.QueryRowContext(t.Context(), "SELECT state FROM payment").Scan(&state); err != nil || state != "UNKNOWN" {
		t.Errorf("the payment is recorded as %s, %v", state, err)
	}
}

func TestReadyzSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	s := startStand(t)
	look := func() (int, string) {
		a, err := s.public.send(t.Context(), call{method: http.MethodGet, path: "/readyz"})
		if err != nil {
			t.Fatal(err)
		}
		return a.status, string(a.body)
	}
	if status, body := look(); status != http.StatusOK || strings.Contains(body, "limited") {
		t.Errorf("at rest: %d %s", status, body)
	}
	// Another program holds the write lock.
	db, err := sql.Open("sqlite", s.database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ExecContext(t.Context(), "PRAGMA busy_timeout=5000"); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	s.until("the lock is seen", func() bool {
		status, body := look()
		return status == http.StatusServiceUnavailable && strings.Contains(body, "the database cannot be written")
	})
	if _, err := conn.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	s.until("it is ready again", func() bool { status, _ := look(); return status == http.StatusOK })
	s.stop()
	if code := <-s.ended; code != exitOK {
		t.Errorf("exit code %d", code)
	}
	if log := s.log.String(); !strings.Contains(log, "readiness changed") || !strings.Contains(log, "the database cannot be written") || !strings.Contains(log, "ready again") {
		t.Errorf("the log does not tell it:\n%s", log)
	}
}

// stand is a prepared installation that serves in this process, beside a sandbox.
type stand struct {
	t                  *testing.T
	public, admin, box *caller
	database           string
	log                *synced
	stop               context.CancelFunc
	ended              chan int
}

func startStand(t *testing.T) *stand {
	t.Helper()
	binaries, err := plugins()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	// The run folder must have a short path.
	sockets, err := os.MkdirTemp("", "pr-") //nolint:usetesting // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(sockets) })
	box, err := openSandbox(t.Context(), filepath.Join(dir, "sandbox"), "127.0.0.1:0", sandboxBounds{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = box.close(context.Background()) })
	settings, err := devSettings(box.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	public, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	admin, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	config, err := json.Marshal(map[string]any{ // JSON is YAML
		"http": map[string]any{"addr": public}, "admin": map[string]any{"addr": admin},
		"database": map[string]any{"url": "data/payrack.db"}, "keys": map[string]any{"dir": "keys"},
		"plugins": map[string]any{"dir": binaries, "store_dir": "data/releases", "run_dir": sockets, "settings": settings},
		// Time enough to see that it drains, and less grace than a call takes.
		"shutdown": map[string]any{"grace": "3s", "drain_delay": "5s"},
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "payrack.yaml")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		t.Fatal(err)
	}
	var out, said bytes.Buffer
	if code := run(t.Context(), []string{"init", "--config", file, "--company-id", "shop", "-o", "json"}, &out, &said); code != exitOK {
		t.Fatalf("init ended with %d\n%s", code, said.String())
	}
	var first struct {
		AdminToken string `json:"admin_token"`
	}
	if err := json.Unmarshal(out.Bytes(), &first); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background()) // serve ends when the test says so
	s := &stand{
		t: t, public: &caller{base: "http://" + public}, admin: &caller{base: "http://" + admin, token: first.AdminToken},
		box: &caller{base: box.url}, database: filepath.Join(dir, "data", "payrack.db"), log: &synced{}, stop: stop, ended: make(chan int, 2),
	}
	go func() {
		code := run(ctx, []string{"serve", "--config", file}, &synced{}, s.log)
		s.ended <- code
		close(s.ended)
	}()
	t.Cleanup(func() {
		stop()
		for range s.ended { // until it is closed
		}
	})
	s.until("it serves", func() bool {
		a, err := s.public.send(t.Context(), call{method: http.MethodGet, path: "/readyz"})
		return err == nil && a.status == http.StatusOK
	})
	s.furnish()
	return s
}

// furnish adds a store, its account and a client.
func (s *stand) furnish() {
	s.t.Helper()
	var account sandbox.Account
	s.must(s.box, http.MethodPost, "/_sandbox/accounts", map[string]any{"provider": "linepay", "label": labelStore}, &account)
	s.must(s.admin, http.MethodPost, "/admin/v1/stores", map[string]any{"company_id": "shop", "id": "1", "name": "One"}, nil)
	s.must(s.admin, http.MethodPost, "/admin/v1/credentials", map[string]any{
		"company_id": "shop", "store_id": "1", "type": "LINE_QRCODE_PAY", "environment": "test", "set": account.Credential,
	}, nil)
	var client struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	s.must(s.admin, http.MethodPost, "/admin/v1/clients", map[string]any{
		"company_id": "shop", "name": "till", "scopes": []string{"pay", "search"}, "environments": []string{"test"},
	}, &client)
	var token tokenAnswer
	a, err := s.public.send(s.t.Context(), call{method: http.MethodPost, path: "/oauth/v1/token", form: map[string][]string{
		"grant_type": {"client_credentials"}, "client_id": {client.ID}, "client_secret": {client.Secret},
	}})
	if err != nil || json.Unmarshal(a.body, &token) != nil {
		s.t.Fatalf("%v %s", err, a.body)
	}
	s.public.token = token.AccessToken
}

func (s *stand) must(c *caller, method, path string, in, out any) {
	s.t.Helper()
	if err := c.ask(s.t.Context(), method, path, in, out); err != nil {
		s.t.Fatal(fmt.Errorf("%s %s: %w", method, path, err))
	}
}

// until waits for what must come.
func (s *stand) until(what string, ok func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("%s: it does not happen\n%s", what, s.log.String())
		}
	}
}
