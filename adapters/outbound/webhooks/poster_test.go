package webhooks_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/payrack/payrack/adapters/outbound/webhooks"
	"github.com/payrack/payrack/core/webhook"
)

func message(url string) webhook.Message {
	at := time.Unix(1_700_000_000, 0)
	body := []byte(`{"type":"webhook.test"}`)
	return webhook.Message{URL: url, ID: "msg_1", At: at, Body: body, Signature: webhook.Sign("msg_1", at, body, []byte("key"))}
}

func serving(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func TestAMessageIsSignedAndSentOnce(t *testing.T) {
	t.Parallel()
	var got http.Header
	var body []byte
	var calls atomic.Int64
	url := serving(t, func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		got = r.Header
		body, _ = io.ReadAll(r.Body)
		w.WriteHeader(http.StatusNoContent)
	})
	p := webhooks.New(webhooks.Options{Loopback: true, UserAgent: "payrack/1"})
	o := p.Post(t.Context(), message(url))
	if !o.Delivered() || o.Status != 204 || calls.Load() != 1 || o.Took <= 0 {
		t.Fatalf("%+v after %d calls", o, calls.Load())
	}
	want := map[string]string{
		"Webhook-Id": "msg_1", "Webhook-Timestamp": "1700000000", "Content-Type": "application/json", "User-Agent": "payrack/1",
		"Webhook-Signature": webhook.Sign("msg_1", time.Unix(1_700_000_000, 0), body, []byte("key")),
	}
	for name, value := range want {
		if got.Get(name) != value {
			t.Errorf("%s: %q, want %q", name, got.Get(name), value)
		}
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	var elsewhere atomic.Int64
	other := serving(t, func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) })
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		status int
		words  string
		retry  time.Duration
	}{
		"taken":    {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) }, 202, "", 0},
		"failed":   {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, 500, "status 500", 0},
		"redirect": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other, http.StatusTemporaryRedirect) }, 307, "redirect", 0},
		"busy": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "120")
			w.WriteHeader(http.StatusTooManyRequests)
		}, 429, "status 429", 2 * time.Minute},
		"endless": {func(w http.ResponseWriter, _ *http.Request) {
			for range 100 {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		}, 200, "", 0},
		"silent": {func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // only then is a hang-up noticed
			select {
			case <-release:
			case <-r.Context().Done():
			}
		}, 0, "in time", 0},
		"large headers": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Large", strings.Repeat("x", 64<<10))
		}, 0, "connection failed", 0},
		"hangs up": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 0, "connection failed", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := webhooks.New(webhooks.Options{Loopback: true, Timeout: 10 * time.Second})
			o := p.Post(t.Context(), message(serving(t, c.answer)))
			if o.Status != c.status || o.RetryAfter != c.retry || o.Delivered() != (c.words == "") || !strings.Contains(o.Trouble, c.words) {
				t.Errorf("%+v", o)
			}
			if elsewhere.Load() != 0 {
				t.Error("a redirect was followed")
			}
		})
	}
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + l.Addr().String()
	_ = l.Close()
	if o := webhooks.New(webhooks.Options{Loopback: true}).Post(t.Context(), message(url)); !strings.Contains(o.Trouble, "refuses") {
		t.Errorf("%+v", o)
	}
}

// TestANameThatLeadsInside has a name server that answers with the address of this machine, as one that is rebound does.
func TestANameThatLeadsInside(t *testing.T) {
	t.Parallel()
	var reached atomic.Int64
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	names := nameServer(t, net.IPv4(127, 0, 0, 1))
	p := webhooks.New(webhooks.Options{TLS: &tls.Config{RootCAs: roots}})
	webhooks.ResolveBy(p, names)
	o := p.Post(t.Context(), message("https://example.com/hook"))
	if o.Trouble != "its name leads to an address that is not a public one" || reached.Load() != 0 {
		t.Errorf("%+v, reached %d times", o, reached.Load())
	}
	// The same URL that was allowed when it was registered is looked at again.
	if o := p.Post(t.Context(), message("https://127.0.0.1/")); !strings.Contains(o.Trouble, "not allowed") {
		t.Errorf("%+v", o)
	}
	// A name that is not known.
	webhooks.ResolveBy(p, nameServer(t, nil))
	if o := p.Post(t.Context(), message("https://example.com/hook")); !strings.Contains(o.Trouble, "resolved") {
		t.Errorf("%+v", o)
	}
}

func TestAnUntrustedCertificateIsRefused(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = nil
	s.StartTLS()
	t.Cleanup(s.Close)
	o := webhooks.New(webhooks.Options{Loopback: true}).Post(t.Context(), message(s.URL))
	if !strings.Contains(o.Trouble, "certificate") {
		t.Errorf("%+v", o)
	}
}

// nameServer answers every question for an A record with the address, and knows no name if there is none.
func nameServer(t *testing.T, address net.IP) string {
	t.Helper()
	conn, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		packet := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(packet)
			if err != nil {
				return
			}
			end := 12
			for end < n && packet[end] != 0 {
				end += int(packet[end]) + 1
			}
			end += 5
			if end > n {
				continue
			}
			answer := append([]byte{packet[0], packet[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, packet[12:end]...)
			switch {
			case address == nil:
				answer[3] = 0x83
			case packet[end-3] == 1:
				answer[7] = 1
				answer = append(answer, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
				answer = append(answer, address.To4()...)
			}
			_, _ = conn.WriteTo(answer, from)
		}
	}()
	return conn.LocalAddr().String()
}
