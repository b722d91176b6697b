package httpapi_test

import (
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/payrack/payrack/adapters/inbound/httpapi"
)

func TestDocsPolicy(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	w := p.do(httptest.NewRequest(http.MethodGet, "/docs", nil))
	policy := w.Header().Get("Content-Security-Policy")
	if w.Code != 200 || !strings.HasPrefix(policy, "default-src 'none'; ") {
		t.Fatalf("got %d %q", w.Code, policy)
	}
	for _, weak := range []string{"unsafe-inline", "unsafe-eval", "*", "http:", "https:"} {
		if strings.Contains(policy, weak) {
			t.Errorf("the policy allows %s: %s", weak, policy)
		}
	}
	inline := 0
	for _, found := range regexp.MustCompile(`(?s)<(?:script|style)>(.*?)</`).FindAllStringSubmatch(w.Body.String(), -1) {
		sum := sha256.Sum256([]byte(found[1]))
		if !strings.Contains(policy, "'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'") {
			t.Errorf("the browser would refuse %.60s", found[1])
		}
		inline++
	}
	if inline < 2 {
		t.Errorf("only %d inline parts: the test looks at the wrong page", inline)
	}
	if !strings.Contains(w.Body.String(), "/openapi.json") {
		t.Error("the page does not lead to the document")
	}
	for _, asset := range regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(w.Body.String(), -1) {
		got := p.do(httptest.NewRequest(http.MethodGet, asset[1], nil))
		if got.Code != 200 || got.Body.Len() == 0 || got.Header().Get("Content-Security-Policy") == "" {
			t.Errorf("%s: got %d, %d bytes", asset[1], got.Code, got.Body.Len())
		}
	}
}

func TestDocsAssets(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	r := httptest.NewRequest(http.MethodGet, "/docs/swagger-ui.css", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	w := p.do(r)
	z, err := gzip.NewReader(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(z); err != nil || !strings.Contains(string(text), ".swagger-ui") {
		t.Errorf("%v, %d bytes", err, len(text))
	}
	for _, path := range []string{"/docs/nothing.js", "/docs/embed.go", "/docs/a/b.js", "/docs/index"} {
		if w := p.do(httptest.NewRequest(http.MethodGet, path, nil)); w.Code != 404 {
			t.Errorf("%s: got %d", path, w.Code)
		}
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	for _, method := range []string{"GET", "HEAD"} {
		for path, want := range map[string]string{"/healthz": "ok", "/readyz": "ready"} {
			w := p.do(httptest.NewRequest(method, path, nil))
			if w.Code != 200 || !strings.Contains(w.Body.String(), want) {
				t.Errorf("%s %s: got %d %s", method, path, w.Code, w.Body)
			}
		}
	}
	if w := p.do(httptest.NewRequest(http.MethodGet, "/.well-known/jwks.json", nil)); w.Body.String() != `{"keys":[]}` {
		t.Errorf("keys: %s", w.Body)
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	good := httpapi.Options{Payments: p.payments, Records: p.records, Mandates: p.mandates, Notices: p.notices, Access: p.access, Catalogue: p.catalogue, Log: discard()}
	for name, change := range map[string]func(*httpapi.Options){
		"no payments":         func(o *httpapi.Options) { o.Payments = nil },
		"no mandates":         func(o *httpapi.Options) { o.Mandates = nil },
		"no notices":          func(o *httpapi.Options) { o.Notices = nil },
		"no log":              func(o *httpapi.Options) { o.Log = nil },
		"unknown mode":        func(o *httpapi.Options) { o.QuerySecrets = "maybe" },
		"unknown environment": func(o *httpapi.Options) { o.DefaultEnvironment = "staging" },
	} {
		o := good
		change(&o)
		if _, err := httpapi.New(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := httpapi.New(good); err != nil {
		t.Error(err)
	}
}

var errDatabase = errors.New("database is locked: canary-path")

func TestNotReady(t *testing.T) {
	t.Parallel()
	p := newPlane(t, func(o *httpapi.Options) { o.Ready = func(context.Context) error { return errDatabase } })
	w := p.do(httptest.NewRequest(http.MethodGet, "/readyz", nil))
	if w.Code != 503 || !strings.Contains(w.Body.String(), `"code":"not_ready"`) || strings.Contains(w.Body.String(), "canary") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}
