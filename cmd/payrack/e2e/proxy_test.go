package e2e_test

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
)

// proxy stands between a plugin and the sandbox and decides which bytes pass.
type proxy struct {
	url      string
	listener net.Listener
	target   string
	mu       sync.Mutex
	holdUp   bool // keep what the plugin sends
	holdDown bool // keep what the gateway answers
	conns    []net.Conn
	arrived  chan struct{} // one value for each chunk that was kept
}

func newProxy(t *testing.T) *proxy {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{url: "http://" + l.Addr().String(), listener: l, arrived: make(chan struct{}, 1024)}
	go p.accept()
	t.Cleanup(func() { _ = l.Close(); p.drop() })
	return p
}

// to says where the bytes go; the sandbox's address is known only when it runs.
func (p *proxy) to(t *testing.T, target string) {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	p.target = u.Host
	p.mu.Unlock()
}

func (p *proxy) hold(up, down bool) {
	p.mu.Lock()
	p.holdUp, p.holdDown = up, down
	p.mu.Unlock()
}

// drop closes every connection, with what was kept.
func (p *proxy) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.conns = nil
}

func (p *proxy) accept() {
	for {
		near, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		target := p.target
		p.mu.Unlock()
		far, err := net.Dial("tcp", target)
		if err != nil {
			_ = near.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, near, far)
		p.mu.Unlock()
		go p.pass(near, far, func() bool { return p.holdUp })
		go p.pass(far, near, func() bool { return p.holdDown })
	}
}

func (p *proxy) pass(from, to net.Conn, held func() bool) {
	defer func() { _, _ = from.Close(), to.Close() }()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			p.mu.Lock()
			keep := held()
			p.mu.Unlock()
			if keep {
				p.arrived <- struct{}{}
				_, _ = io.Copy(io.Discard, from)
				return
			}
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
