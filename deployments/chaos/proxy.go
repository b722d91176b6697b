package main

import (
	"context"
	"net"
	"sync"
)

// passage is what a proxy does with bytes.
type passage int

const (
	// passing hands everything on.
	passing passage = iota
	// cut closes every connection, and new ones at once.
	cut
	// stalled keeps what arrives until the passage opens again: a network without an answer.
	stalled
)

// filter sees every chunk that a proxy would hand on, with the number of its connection; up is the way to the target. What it
// returns is handed on instead.
type filter func(conn int, up bool, chunk []byte) []byte

// proxy is a TCP proxy on the loopback whose passage can be cut and stalled.
type proxy struct {
	listener net.Listener
	target   string

	mu      sync.Mutex
	changed *sync.Cond
	mode    passage
	filter  filter
	conns   map[net.Conn]struct{}
	number  int // of connections
	closed  bool
}

func newProxy(ctx context.Context, target string) (*proxy, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{listener: l, target: target, conns: map[net.Conn]struct{}{}}
	p.changed = sync.NewCond(&p.mu)
	go p.accept(ctx)
	return p, nil
}

func (p *proxy) addr() string { return p.listener.Addr().String() }

// set changes the passage. Cutting closes what is open.
func (p *proxy) set(m passage) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mode = m
	if m == cut {
		p.dropLocked()
	}
	p.changed.Broadcast()
}

// watch puts a filter in the way; nil takes it out.
func (p *proxy) watch(f filter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.filter = f
}

// drop closes every connection once.
func (p *proxy) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dropLocked()
}

func (p *proxy) dropLocked() {
	for c := range p.conns {
		_ = c.Close()
	}
	clear(p.conns)
}

func (p *proxy) close() {
	_ = p.listener.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.dropLocked()
	p.changed.Broadcast()
}

func (p *proxy) accept(ctx context.Context) {
	var dialer net.Dialer
	for {
		near, err := p.listener.Accept()
		if err != nil {
			return
		}
		if !p.open() {
			_ = near.Close()
			continue
		}
		go func() {
			far, err := dialer.DialContext(ctx, "tcp", p.target)
			if err != nil {
				_ = near.Close()
				return
			}
			p.mu.Lock()
			p.conns[near], p.conns[far] = struct{}{}, struct{}{}
			p.number++
			number := p.number
			p.mu.Unlock()
			go p.pass(number, near, far, true)
			p.pass(number, far, near, false)
		}()
	}
}

// open waits while the passage is stalled and reports whether a connection may be made.
func (p *proxy) open() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mode != cut && !p.closed
}

func (p *proxy) pass(conn int, from, to net.Conn, up bool) {
	defer p.forget(from, to)
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			chunk, ok := p.through(conn, up, buffer[:n])
			if !ok {
				return
			}
			if _, err := to.Write(chunk); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// through is what of a chunk goes on, once it may.
func (p *proxy) through(conn int, up bool, chunk []byte) ([]byte, bool) {
	p.mu.Lock()
	for p.mode == stalled && !p.closed {
		p.changed.Wait()
	}
	f, ok := p.filter, p.mode != cut && !p.closed
	p.mu.Unlock()
	if ok && f != nil {
		chunk = f(conn, up, chunk)
	}
	return chunk, ok
}

func (p *proxy) forget(a, b net.Conn) {
	_, _ = a.Close(), b.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, a)
	delete(p.conns, b)
}
