package sqlstore_test

import (
	"bytes"
	"io"
	"math"
	"net"
	"net/url"
	"sync"
	"testing"
)

// cut says what a proxy does with the next COMMIT that passes.
type cut int

const (
	nothing cut = iota
	// beforeServer closes both ends before the server has seen it.
	beforeServer
	// afterServer closes both ends when the server has answered, before the client sees that.
	afterServer
	// deaf closes the client's end when the server has answered, and every connection from then on at once.
	deaf
	// halfway closes both ends when the server has it and has not answered.
	halfway
)

// proxy stands between a store and PostgreSQL and loses answers on command.
type proxy struct {
	listener net.Listener
	server   string

	mu   sync.Mutex
	next cut
	// shut refuses new connections.
	shut bool
	cuts int
	open []net.Conn
	// silent is how many of the connections lead nowhere any more, the oldest ones.
	silent int
}

// silence lets every connection lead nowhere without closing it, as when its server's machine is gone; new ones are served.
func (p *proxy) silence() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.silent = len(p.open)
}

// mute lets every connection lead nowhere, also those to come.
func (p *proxy) mute() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.silent = math.MaxInt
}

// end closes every connection.
func (p *proxy) end() { p.closeOthers(nil) }

// dead reports whether a connection leads nowhere.
func (p *proxy) dead(n int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return n < p.silent
}

// proxied starts a proxy in front of a database and returns its URL.
func proxied(t *testing.T, dsn string) (*proxy, string) {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	p := &proxy{listener: l, server: u.Host}
	go p.run()
	u.Host = l.Addr().String()
	return p, u.String()
}

// order tells the proxy what to do with the next COMMIT.
func (p *proxy) order(c cut) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next = c
}

func (p *proxy) done() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cuts
}

func (p *proxy) take() cut {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.next
	p.next = nothing
	if c != nothing {
		p.cuts++
	}
	if c == deaf {
		p.shut = true
	}
	return c
}

// closeOthers closes every connection but one, which ends with its answer.
func (p *proxy) closeOthers(but net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.open {
		if c != but {
			_ = c.Close()
		}
	}
}

func (p *proxy) run() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		shut := p.shut
		number := len(p.open)
		p.open = append(p.open, client)
		p.mu.Unlock()
		server, err := net.Dial("tcp", p.server)
		if err != nil || shut {
			_ = client.Close()
			continue
		}
		go p.serve(number, client, server)
	}
}

func (p *proxy) serve(number int, client, server net.Conn) {
	defer func() { _ = client.Close() }()
	defer func() { _ = server.Close() }()
	var mu sync.Mutex
	swallow := false
	go func() {
		buf := make([]byte, 64<<10)
		for {
			n, err := server.Read(buf)
			mu.Lock()
			stop := swallow
			mu.Unlock()
			if err != nil || stop {
				_ = client.Close()
				_ = server.Close()
				return
			}
			if _, err := client.Write(buf[:n]); err != nil {
				return
			}
		}
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		if p.dead(number) {
			continue
		}
		if bytes.Contains(buf[:n], []byte("COMMIT\x00")) {
			switch p.take() {
			case beforeServer:
				return
			case afterServer:
				mu.Lock()
				swallow = true
				mu.Unlock()
			case deaf:
				mu.Lock()
				swallow = true
				mu.Unlock()
				p.closeOthers(client)
			case halfway:
				_, _ = server.Write(buf[:n])
				return
			case nothing:
			}
		}
		if _, err := server.Write(buf[:n]); err != nil {
			_, _ = io.Copy(io.Discard, client)
			return
		}
	}
}
