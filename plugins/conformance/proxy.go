package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// hit is one HTTP request that reached the proxy.
type hit struct {
	door        string // "test" or "live"
	uri         string
	traceParent string
	// released is closed when the plugin has let go of a request that was held.
	released chan struct{}
}

// proxy stands between the plugin and the gateway and plays what can happen to a connection. One fault is
// armed at a time and strikes every request until it is disarmed.
type proxy struct {
	gateway Gateway
	servers []*http.Server
	urls    map[string]string

	armed   atomic.Pointer[fault]
	opened  atomic.Int64 // connections ever
	open    atomic.Int64 // connections now
	struck  atomic.Int64 // requests that a fault has struck
	closing chan struct{}
	end     sync.Once

	mu    sync.Mutex
	hits  []*hit
	conns map[net.Conn]http.ConnState
}

func newProxy(ctx context.Context, g Gateway) (*proxy, error) {
	p := &proxy{gateway: g, urls: map[string]string{}, closing: make(chan struct{}), conns: map[net.Conn]http.ConnState{}}
	for _, door := range []string{"test", "live"} {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			p.close()
			return nil, fmt.Errorf("listen for the plugin: %w", err)
		}
		server := &http.Server{
			Handler:           p.handler(door),
			ConnState:         p.watch,
			ConnContext:       p.accepted,
			ReadHeaderTimeout: 10 * time.Second,
			ErrorLog:          nil,
		}
		p.servers = append(p.servers, server)
		p.urls[door] = "http://" + l.Addr().String()
		go func() { _ = server.Serve(l) }() // it ends with close
	}
	return p, nil
}

func (p *proxy) close() {
	p.end.Do(func() { close(p.closing) })
	for _, s := range p.servers {
		_ = s.Close()
	}
}

// arm lets a fault strike all requests from now on.
func (p *proxy) arm(f fault) { p.armed.Store(&f) }

func (p *proxy) disarm() { p.arm(noFault) }

func (p *proxy) present() fault {
	if f := p.armed.Load(); f != nil {
		return *f
	}
	return noFault
}

// mark is a place in the list of requests; since lists those that came after it.
func (p *proxy) mark() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.hits)
}

func (p *proxy) since(mark int) []*hit {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]*hit(nil), p.hits[mark:]...)
}

// dropIdle closes the connections that the plugin keeps.
func (p *proxy) dropIdle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c, state := range p.conns {
		if state == http.StateIdle {
			_ = c.Close()
		}
	}
}

func (p *proxy) watch(c net.Conn, state http.ConnState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch state {
	case http.StateNew:
		p.opened.Add(1)
		p.open.Add(1)
	case http.StateClosed, http.StateHijacked:
		if _, known := p.conns[c]; known {
			p.open.Add(-1)
		}
		delete(p.conns, c)
		return
	case http.StateActive, http.StateIdle:
	}
	p.conns[c] = state
}

func (p *proxy) accepted(ctx context.Context, c net.Conn) context.Context {
	if p.present() == faultResetOnAccept {
		reset(c)
	}
	return ctx
}

// reset closes with RST.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

func (p *proxy) handler(door string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f := p.present()
		h := &hit{
			door: door, uri: r.RequestURI, traceParent: r.Header.Get("Traceparent"),
			released: make(chan struct{}),
		}
		body, err := io.ReadAll(io.LimitReader(r.Body, 2<<20))
		p.mu.Lock()
		p.hits = append(p.hits, h)
		if f != noFault {
			p.struck.Add(1)
		}
		p.mu.Unlock()
		if err != nil {
			return // the plugin left in the middle of its request
		}
		p.strike(w, r, f, h, body)
	})
}

// forward hands the request to the gateway and keeps the answer. A gateway that closes the connection
// closes ours.
func (p *proxy) forward(r *http.Request, body []byte) *kept {
	// It lands even if the plugin has left.
	landed := r.Clone(context.WithoutCancel(r.Context()))
	landed.Body, landed.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	k := newKept()
	p.gateway.ServeHTTP(k, landed)
	return k
}

// hold keeps the connection until the plugin leaves.
func (p *proxy) hold(r *http.Request, h *hit) {
	select {
	case <-r.Context().Done():
		close(h.released)
	case <-p.closing:
	}
	panic(http.ErrAbortHandler)
}

// pause waits, and reports whether the plugin is still there.
func (p *proxy) pause(r *http.Request, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-r.Context().Done():
		return false
	case <-p.closing:
		return false
	}
}

// slowAnswer is how long the fault slow takes: longer than it takes to send a signal, and no more.
const slowAnswer = 300 * time.Millisecond

func (p *proxy) strike(w http.ResponseWriter, r *http.Request, f fault, h *hit, body []byte) {
	if status, landed := statusOf(f); status != 0 {
		if landed {
			p.forward(r, body)
		}
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "<html><body><h1>"+http.StatusText(status)+"</h1></body></html>")
		return
	}
	switch f { //nolint:exhaustive // statuses are above, bodies below
	case faultDropBefore, faultResetOnAccept:
		panic(http.ErrAbortHandler)
	case faultHangBefore:
		p.hold(r, h)
	case faultSlow:
		p.pause(r, slowAnswer)
	case faultRedirect:
		p.forward(r, body)
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(http.StatusTemporaryRedirect)
		return
	}
	k := p.forward(r, body)
	switch f { //nolint:exhaustive // the others spoil the body
	case faultDropAfter:
		panic(http.ErrAbortHandler)
	case faultHangAfter:
		p.hold(r, h)
	case faultResetAfter, faultNotHTTP:
		p.spoilConnection(w, f)
		return
	}
	p.answer(w, r, f, h, k)
}

func (*proxy) spoilConnection(w http.ResponseWriter, f fault) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if f == faultNotHTTP {
		_, _ = conn.Write([]byte("220 mail.example.com ESMTP\r\n"))
		_ = conn.Close()
		return
	}
	reset(conn)
}

func (p *proxy) answer(w http.ResponseWriter, r *http.Request, f fault, h *hit, k *kept) {
	maps.Copy(w.Header(), k.header)
	body, _ := spoiled(f, k.body.Bytes())
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	switch f { //nolint:exhaustive // the others are whole answers
	case faultNoContent:
		w.Header().Del("Content-Length")
		w.WriteHeader(http.StatusNoContent)
		return
	case faultTruncated:
		w.WriteHeader(k.status)
		_, _ = w.Write(body[:len(body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	case faultHangBody:
		w.WriteHeader(k.status)
		_, _ = w.Write(body[:len(body)/2])
		_ = http.NewResponseController(w).Flush()
		p.hold(r, h)
	case faultDrip:
		w.WriteHeader(k.status)
		p.drip(w, r, body)
		p.hold(r, h)
	case faultEndless:
		w.Header().Del("Content-Length")
		w.WriteHeader(k.status)
		p.pour(w, r, body)
	}
	w.WriteHeader(k.status)
	_, _ = w.Write(body) // a plugin that has left changes nothing
}

// drip writes a byte now and then, all but the last.
func (p *proxy) drip(w http.ResponseWriter, r *http.Request, body []byte) {
	for i := range max(len(body)-1, 0) {
		if _, err := w.Write(body[i : i+1]); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush()
		if !p.pause(r, 50*time.Millisecond) {
			return
		}
	}
}

// pour writes white space until the plugin leaves or has taken 64 MiB.
func (p *proxy) pour(w http.ResponseWriter, r *http.Request, body []byte) {
	_, err := w.Write(body)
	filler := bytes.Repeat([]byte{' '}, 64<<10)
	for range 1024 {
		if err != nil || r.Context().Err() != nil {
			break
		}
		_, err = w.Write(filler)
	}
	panic(http.ErrAbortHandler)
}

// kept is an answer that was not sent yet.
type kept struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func newKept() *kept { return &kept{status: http.StatusOK, header: http.Header{}} }

// Header implements http.ResponseWriter.
func (k *kept) Header() http.Header { return k.header }

// WriteHeader implements http.ResponseWriter.
func (k *kept) WriteHeader(status int) { k.status = status }

// Write implements http.ResponseWriter.
func (k *kept) Write(p []byte) (int, error) { return k.body.Write(p) }

// FlushError is asked for by faults of the sandbox that the kit does not arm.
func (*kept) FlushError() error { return errors.ErrUnsupported }
