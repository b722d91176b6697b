package provider_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// gateway is a TCP server that does what a test says with each request, and keeps what arrived.
type gateway struct {
	listener net.Listener
	mu       sync.Mutex
	arrived  bytes.Buffer
	requests []string // first line and body of each complete request
	conns    atomic.Int64
}

// act gets a connection and the number of the request on the whole server, from 0.
type act func(c net.Conn, n int) (keep bool)

func newGateway(t *testing.T, do act) *gateway {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gateway{listener: l}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			g.conns.Add(1)
			go g.serve(c, do)
		}
	}()
	return g
}

func (g *gateway) serve(c net.Conn, do act) {
	defer func() { _ = c.Close() }()
	in := bufio.NewReader(io.TeeReader(c, lockedWriter{g}))
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		g.mu.Lock()
		n := len(g.requests)
		g.requests = append(g.requests, r.Method+" "+r.URL.Path+" "+string(body))
		g.mu.Unlock()
		if !do(c, n) {
			return
		}
	}
}

type lockedWriter struct{ g *gateway }

func (w lockedWriter) Write(p []byte) (int, error) {
	w.g.mu.Lock()
	defer w.g.mu.Unlock()
	return w.g.arrived.Write(p)
}

func (g *gateway) seen() (bytes string, requests []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.arrived.String(), append([]string(nil), g.requests...)
}

func (g *gateway) url() string { return "http://" + g.listener.Addr().String() }

func say(text string) act {
	return func(c net.Conn, _ int) bool { _, _ = io.WriteString(c, text); return true }
}

func ok(body string) string {
	return "HTTP/1.1 200 OK\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
}

func reset(c net.Conn) {
	if tcp, isTCP := c.(*net.TCPConn); isTCP {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

func post(t *testing.T, ctx context.Context, url, body string) *http.Request { //nolint:revive // t first, as everywhere in tests
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/pay?query-canary=1", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header["X-Secret"] = []string{"header-canary"}
	return r
}

func send(t *testing.T, c *provider.Client, url string) (provider.Response, *provider.SendError) {
	t.Helper()
	res, err := c.Do(t.Context(), provider.Call{}, post(t, t.Context(), url, "body-canary"))
	return res, sendError(t, err)
}

func sendError(t *testing.T, err error) *provider.SendError {
	t.Helper()
	if err == nil {
		return nil
	}
	var failed *provider.SendError
	if !errors.As(err, &failed) {
		t.Fatalf("%v is no SendError", err)
	}
	if strings.Contains(err.Error(), "canary") {
		t.Errorf("the error tells what was sent or answered: %v", err)
	}
	return failed
}
