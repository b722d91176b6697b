// Package sandboxtest starts a sandbox for a test and drives its control routes over HTTP.
package sandboxtest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/payrack/payrack/plugins/sandbox"
)

// Sandbox is a running sandbox.
type Sandbox struct {
	// URL is its root.
	URL string
	// Dir is its folder.
	Dir string

	tb     testing.TB
	opts   sandbox.Options
	server *sandbox.Server
	http   *httptest.Server
}

// Start runs a sandbox on a free port until the test ends. A zero Dir is a temporary one.
func Start(tb testing.TB, opts sandbox.Options) *Sandbox {
	tb.Helper()
	if opts.Dir == "" {
		opts.Dir = tb.TempDir()
	}
	s := &Sandbox{Dir: opts.Dir, tb: tb, opts: opts}
	s.open()
	tb.Cleanup(s.Stop)
	return s
}

// Serve runs an opened sandbox on a free port until the test ends.
func Serve(tb testing.TB, server *sandbox.Server) *Sandbox {
	tb.Helper()
	s := &Sandbox{tb: tb}
	s.serve(server)
	tb.Cleanup(func() {
		_ = server.Close() // the test may have broken it on purpose
		s.http.Close()
	})
	return s
}

func (s *Sandbox) open() {
	s.tb.Helper()
	server, err := sandbox.New(s.opts)
	if err != nil {
		s.tb.Fatalf("start the sandbox: %v", err)
	}
	s.serve(server)
}

func (s *Sandbox) serve(server *sandbox.Server) {
	s.server = server
	s.http = httptest.NewServer(server.Handler())
	s.URL = s.http.URL
}

// Stop ends it; what is in Dir stays.
func (s *Sandbox) Stop() {
	s.tb.Helper()
	if s.server == nil {
		return
	}
	s.http.CloseClientConnections()
	if err := s.server.Close(); err != nil {
		s.tb.Errorf("close the sandbox: %v", err)
	}
	s.http.Close()
	s.server = nil
}

// Restart stops it and starts it again on the same folder, at another URL.
func (s *Sandbox) Restart() {
	s.tb.Helper()
	s.Stop()
	s.open()
}

// Control sends a control request and decodes its answer into out, if that is not nil. It returns the
// HTTP status.
func (s *Sandbox) Control(method, path string, body, out any) int {
	s.tb.Helper()
	var payload io.Reader = http.NoBody
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			s.tb.Fatalf("encode a control request: %v", err)
		}
		payload = bytes.NewReader(encoded)
	}
	// A test's cleanup may ask too, when the test's own context has ended.
	req, err := http.NewRequestWithContext(context.WithoutCancel(s.tb.Context()), method, s.URL+"/_sandbox/"+path, payload)
	if err != nil {
		s.tb.Fatalf("build a control request: %v", err)
	}
	resp, err := s.http.Client().Do(req)
	if err != nil {
		s.tb.Fatalf("control request: %v", err)
	}
	defer func() { _ = resp.Body.Close() }() // read to the end below
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		s.tb.Fatalf("read a control answer: %v", err)
	}
	if out != nil {
		if err := json.Unmarshal(raw, out); err != nil {
			s.tb.Fatalf("decode the answer of %s %s: %v: %s", method, path, err, raw)
		}
	}
	return resp.StatusCode
}

func (s *Sandbox) must(method, path string, body, out any) {
	s.tb.Helper()
	if status := s.Control(method, path, body, out); status != http.StatusOK {
		s.tb.Fatalf("%s %s: HTTP %d", method, path, status)
	}
}

// Object is a JSON object.
type Object = map[string]any

// Code issues a one-time code; options may be nil.
func (s *Sandbox) Code(provider string, options Object) string {
	s.tb.Helper()
	body := Object{"provider": provider}
	maps.Copy(body, options)
	var out struct{ Code string }
	s.must(http.MethodPost, "codes", body, &out)
	return out.Code
}

// Account returns the public members of a development account.
func (s *Sandbox) Account(provider, label string, options Object) map[string]string {
	s.tb.Helper()
	body := Object{"provider": provider, "label": label}
	if options != nil {
		body["options"] = options
	}
	var out struct{ Public map[string]string }
	s.must(http.MethodPost, "accounts", body, &out)
	return out.Public
}

// Arm arms a fault.
func (s *Sandbox) Arm(fault Object) {
	s.tb.Helper()
	s.must(http.MethodPost, "faults", fault, nil)
}

// Fired returns how often the faults of that name fired.
func (s *Sandbox) Fired(fault string) int {
	s.tb.Helper()
	var out struct{ Faults []sandbox.Fault }
	s.must(http.MethodGet, "faults", nil, &out)
	fired := 0
	for _, f := range out.Faults {
		if f.Fault == fault {
			fired += f.Fired
		}
	}
	return fired
}

// Disarm clears all faults.
func (s *Sandbox) Disarm() {
	s.tb.Helper()
	s.must(http.MethodDelete, "faults", nil, nil)
}

// Advance moves the clock.
func (s *Sandbox) Advance(by string) {
	s.tb.Helper()
	s.must(http.MethodPost, "clock", Object{"advance": by}, nil)
}

// Ledger returns the entries of an order; of all orders if it is empty.
func (s *Sandbox) Ledger(provider, orderID string) []sandbox.Entry {
	s.tb.Helper()
	var out struct{ Entries []sandbox.Entry }
	s.must(http.MethodGet, "ledger?"+filter(provider, orderID), nil, &out)
	return out.Entries
}

// Requests returns the transmissions about an order; all of them if it is empty.
func (s *Sandbox) Requests(provider, orderID string) []sandbox.Request {
	s.tb.Helper()
	var out struct{ Requests []sandbox.Request }
	s.must(http.MethodGet, "requests?"+filter(provider, orderID), nil, &out)
	return out.Requests
}

// Violations returns what clients must not have done.
func (s *Sandbox) Violations() []sandbox.Violation {
	s.tb.Helper()
	var out struct{ Violations []sandbox.Violation }
	s.must(http.MethodGet, "violations", nil, &out)
	return out.Violations
}

func filter(provider, orderID string) string {
	return url.Values{"provider": {provider}, "order_id": {orderID}}.Encode()
}
