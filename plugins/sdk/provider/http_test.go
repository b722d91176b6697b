package provider_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

func TestDoClassifiesEveryBreak(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do     act
		sent   bool
		reason provider.Reason
		status int
	}{
		"reset after the request":  {func(c net.Conn, _ int) bool { reset(c); return false }, true, provider.ReasonUnavailable, 0},
		"closed after the request": {func(net.Conn, int) bool { return false }, true, provider.ReasonUnavailable, 0},
		"half a head":              {func(c net.Conn, _ int) bool { say("HTTP/1.1 200 canary")(c, 0); return false }, true, provider.ReasonUnavailable, 0},
		"no HTTP":                  {func(c net.Conn, _ int) bool { say("canary, canary\r\n\r\n")(c, 0); return false }, true, provider.ReasonUnavailable, 0},
		"half a body":              {func(c net.Conn, _ int) bool { say(ok("0123456789canary")[:45])(c, 0); return false }, true, provider.ReasonBadAnswer, 200},
		"half a body, then silence": {func(c net.Conn, _ int) bool {
			say(ok("0123456789canary")[:45])(c, 0)
			time.Sleep(5 * time.Second)
			return false
		}, true, provider.ReasonTimeout, 200},
		"bad chunk":       {say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\ncanary"), true, provider.ReasonBadAnswer, 200},
		"silence":         {func(net.Conn, int) bool { time.Sleep(5 * time.Second); return false }, true, provider.ReasonTimeout, 0},
		"too long a body": {say(ok(strings.Repeat("canary", 20_000))), true, provider.ReasonBadAnswer, 200},
		"too long without a length": {func(c net.Conn, _ int) bool {
			say("HTTP/1.1 200 OK\r\n\r\n"+strings.Repeat("x", 70_000))(c, 0)
			return false
		}, true, provider.ReasonBadAnswer, 200},
		"too long a head":            {say("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("canary", 20_000) + "\r\n\r\n"), true, provider.ReasonUnavailable, 0},
		"a status that is no number": {say("HTTP/1.1 abc canary\r\n\r\n"), true, provider.ReasonUnavailable, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, c.do)
			patience := 20 * time.Second
			if c.reason == provider.ReasonTimeout {
				patience = time.Second
			}
			res, failed := send(t, provider.NewClient(provider.ClientOptions{Timeout: patience}), g.url())
			if failed == nil {
				t.Fatalf("answered %d %q", res.Status, res.Body)
			}
			if failed.Sent != c.sent || failed.Reason != c.reason || failed.Status != c.status {
				t.Errorf("sent %v, reason %q, status %d (%v)", failed.Sent, failed.Reason, failed.Status, failed)
			}
			if _, requests := g.seen(); len(requests) != 1 {
				t.Errorf("the gateway saw %v", requests)
			}
			a := failed.Answer()
			if a.Failure() == nil || (a.Failure().Effect == provider.EffectPossible) != c.sent {
				t.Errorf("answer %+v", a.Failure())
			}
		})
	}
}

func TestDoReturnsEveryStatus(t *testing.T) {
	t.Parallel()
	for head, reason := range map[string]provider.Reason{
		"200 OK":                    "",
		"204 No Content":            "",
		"302 Found":                 provider.ReasonBadAnswer,
		"401 Unauthorized":          provider.ReasonAuth,
		"429 Too Many Requests":     provider.ReasonRateLimited,
		"500 Internal Server Error": provider.ReasonUnavailable,
		"504 Gateway Timeout":       provider.ReasonTimeout,
	} {
		g := newGateway(t, say("HTTP/1.1 "+head+"\r\nLocation: /elsewhere\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n"))
		res, failed := send(t, provider.NewClient(provider.ClientOptions{}), g.url())
		if failed != nil || strconv.Itoa(res.Status) != head[:3] {
			t.Errorf("%s: %d, %v", head, res.Status, failed)
			continue
		}
		if _, requests := g.seen(); len(requests) != 1 {
			t.Errorf("%s: the gateway saw %v", head, requests)
		}
		wrong := res.StatusError()
		switch {
		case reason == "" && wrong != nil, reason != "" && (wrong == nil || wrong.Reason != reason || !wrong.Sent || wrong.RetryAfter != 7*time.Second):
			t.Errorf("%s: %+v", head, wrong)
		case wrong != nil && wrong.Answer().Failure().RetryAfter != 7*time.Second:
			t.Errorf("%s: the answer loses the wish to wait", head)
		}
	}
}

func TestNothingReachable(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + l.Addr().String()
	_ = l.Close()
	_, failed := send(t, provider.NewClient(provider.ClientOptions{}), url)
	if failed == nil || failed.Sent || failed.Reason != provider.ReasonUnavailable || failed.Answer().Failure().Effect != provider.EffectNone {
		t.Errorf("refused: %+v", failed)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = provider.NewClient(provider.ClientOptions{}).Do(ended, provider.Call{}, post(t, ended, url, "x"))
	if failed := sendError(t, err); failed == nil || failed.Sent || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before: %+v", failed)
	}
}

// A connection that the gateway closes in the moment of its second use is the classical way to pay twice:
// Go repeats some requests by itself then.
func TestReusedConnectionBreaks(t *testing.T) {
	t.Parallel()
	for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodDelete} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, func(c net.Conn, n int) bool {
				if n == 1 {
					return false // closed after the second request was read
				}
				return say(ok("{}"))(c, n)
			})
			client := provider.NewClient(provider.ClientOptions{})
			request := func() *http.Request {
				var body io.Reader
				if method == http.MethodPost {
					body = strings.NewReader("x")
				}
				r, err := http.NewRequestWithContext(t.Context(), method, g.url()+"/p", body)
				if err != nil {
					t.Fatal(err)
				}
				return r
			}
			if _, err := client.Do(t.Context(), provider.Call{}, request()); err != nil {
				t.Fatal(err)
			}
			_, err := client.Do(t.Context(), provider.Call{}, request())
			if failed := sendError(t, err); failed == nil || !failed.Sent {
				t.Errorf("the broken request: %+v", failed)
			}
			if _, requests := g.seen(); len(requests) != 2 {
				t.Errorf("the gateway saw %v: something was sent twice", requests)
			}
			// And a fresh connection afterwards.
			if _, err := client.Do(t.Context(), provider.Call{}, request()); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

func TestConnectionsAreReused(t *testing.T) {
	t.Parallel()
	g := newGateway(t, say(ok("{}")))
	client := provider.NewClient(provider.ClientOptions{})
	for range 20 {
		if _, failed := send(t, client, g.url()); failed != nil {
			t.Fatal(failed)
		}
	}
	if n := g.conns.Load(); n != 1 {
		t.Errorf("%d connections for 20 requests", n)
	}
}

func TestNotAfterIsKeptAtTheFirstByte(t *testing.T) {
	t.Parallel()
	g := newGateway(t, say(ok("{}")))
	limit := time.Now()
	for name, now := range map[string]time.Time{"passed": limit.Add(time.Nanosecond), "not yet": limit} {
		before, _ := g.seen()
		client := provider.NewClient(provider.ClientOptions{Now: func() time.Time { return now }})
		_, err := client.Do(t.Context(), provider.Call{NotAfter: limit}, post(t, t.Context(), g.url(), "x"))
		after, _ := g.seen()
		if name == "passed" {
			if failed := sendError(t, err); failed == nil || failed.Sent || failed.Reason != provider.ReasonTimeout || after != before {
				t.Errorf("%s: %+v, and %d bytes arrived", name, failed, len(after)-len(before))
			}
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReplayableRequestsAreRefused(t *testing.T) {
	t.Parallel()
	g := newGateway(t, say(ok("{}")))
	client := provider.NewClient(provider.ClientOptions{})
	for _, header := range []string{"Idempotency-Key", "idempotency-key", "X-Idempotency-Key"} {
		r := post(t, t.Context(), g.url(), "x")
		r.Header[header] = []string{"1"}
		_, err := client.Do(t.Context(), provider.Call{}, r)
		if failed := sendError(t, err); failed == nil || failed.Sent {
			t.Errorf("%s: %+v", header, failed)
		}
	}
	relative, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Do(t.Context(), provider.Call{}, relative); sendError(t, err) == nil {
		t.Error("a URL without a host was accepted")
	}
	if bytes, _ := g.seen(); bytes != "" {
		t.Errorf("the gateway saw %q", bytes)
	}
}

func TestBytesOnTheWire(t *testing.T) {
	t.Parallel()
	g := newGateway(t, say(ok("{}")))
	recorder := tracetest.NewSpanRecorder()
	tracers := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
	client := provider.NewClient(provider.ClientOptions{TracerProvider: tracers})
	r := post(t, t.Context(), g.url(), "body-canary")
	r.Header["iPass-MerchantId"] = []string{"m"} // no canonical spelling
	if _, err := client.Do(provider.WithTemplate(t.Context(), "/pay"), provider.Call{OperationID: "op"}, r); err != nil {
		t.Fatal(err)
	}
	bytes, _ := g.seen()
	span := recorder.Ended()[0]
	parent := "Traceparent: 00-" + span.SpanContext().TraceID().String() + "-" + span.SpanContext().SpanID().String() + "-01\r\n"
	for _, want := range []string{"POST /pay?query-canary=1 HTTP/1.1\r\n", "\r\niPass-MerchantId: m\r\n", parent, "\r\n\r\nbody-canary"} {
		if !strings.Contains(bytes, want) {
			t.Errorf("no %q in %q", want, bytes)
		}
	}
	if strings.Contains(bytes, "Accept-Encoding") {
		t.Error("compression was asked for")
	}
	if span.Name() != "POST /pay" || strings.Contains(fmt.Sprint(span.Attributes()), "canary") {
		t.Errorf("span %s %v", span.Name(), span.Attributes())
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	var hits atomic.Int64
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hits.Add(1)
		_, _ = fmt.Fprintf(w, "HTTP/%d", r.ProtoMajor)
	})
	modern := httptest.NewUnstartedServer(handler)
	modern.Config.ErrorLog = log.New(io.Discard, "", 0)
	modern.StartTLS()
	t.Cleanup(modern.Close)
	old := httptest.NewUnstartedServer(handler)
	old.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	old.Config.ErrorLog = log.New(io.Discard, "", 0)
	old.StartTLS()
	t.Cleanup(old.Close)
	roots := x509.NewCertPool()
	roots.AddCert(modern.Certificate())
	roots.AddCert(old.Certificate())

	_, failed := send(t, provider.NewClient(provider.ClientOptions{}), modern.URL)
	if failed == nil || failed.Sent || !strings.Contains(failed.Error(), "not trusted") {
		t.Errorf("an unknown authority: %v", failed)
	}
	trusting := provider.NewClient(provider.ClientOptions{}).With(provider.ClientOptions{TLS: &provider.TLSOptions{Roots: roots}})
	if _, failed := send(t, trusting, old.URL); failed == nil || failed.Sent {
		t.Errorf("TLS 1.1: %v", failed)
	}
	if hits.Load() != 0 {
		t.Fatal("a handler was reached")
	}
	for range 2 {
		res, failed := send(t, trusting, modern.URL)
		if failed != nil || string(res.Body) != "HTTP/1" {
			t.Errorf("trusted: %q, %v", res.Body, failed)
		}
	}
}

// Many callers, a gateway that breaks connections at every point: nothing arrives twice, and "not sent" is
// never wrong.
func TestNeverTwiceAndNeverWronglyNotSent(t *testing.T) {
	t.Parallel()
	g := newGateway(t, func(c net.Conn, n int) bool {
		switch n % 7 {
		case 1:
			return false
		case 3:
			reset(c)
			return false
		case 5:
			_, _ = io.WriteString(c, ok("{}"))
			return false // after an answer that promised to keep the connection
		case 6:
			_, _ = io.WriteString(c, ok("{}")[:20])
			return false
		}
		return say(ok("{}"))(c, n)
	})
	client := provider.NewClient(provider.ClientOptions{Timeout: 5 * time.Second})
	var outcomes sync.Map
	var callers sync.WaitGroup
	for w := range 16 {
		callers.Go(func() {
			for i := range 60 {
				id := fmt.Sprintf("id-%d-%d.", w, i)
				_, err := client.Do(t.Context(), provider.Call{}, post(t, t.Context(), g.url(), id))
				outcomes.Store(id, sendError(t, err))
			}
		})
	}
	callers.Wait()
	bytes, _ := g.seen()
	var good, sent, unsent int
	outcomes.Range(func(key, value any) bool {
		id, _ := key.(string)
		failed, _ := value.(*provider.SendError)
		n := strings.Count(bytes, id)
		switch {
		case failed == nil:
			good++
			if n != 1 {
				t.Errorf("%s was answered and arrived %d times", id, n)
			}
		case failed.Sent:
			sent++
			if n > 1 {
				t.Errorf("%s arrived %d times", id, n)
			}
		default:
			unsent++
			if n != 0 {
				t.Errorf("%s was called not sent and arrived", id)
			}
		}
		return true
	})
	if good < 300 || sent < 100 {
		t.Errorf("%d good, %d sent, %d not sent: the faults did not fire", good, sent, unsent)
	}
}
