package provider

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

var (
	errTooLate    = errors.New("not_after has passed")
	errSecondSend = errors.New("the request was already sent once")
	errGateClosed = errors.New("the request has ended")
)

// gate stands between one Do and the connections that carry it. It knows whether a byte of the request
// left, lets bytes out on one connection only, keeps Call.NotAfter at the first byte, and once closed
// lets nothing more out: a writer that was slow to start cannot prove "nothing was sent" wrong.
type gate struct {
	notAfter time.Time
	now      func() time.Time

	mu     sync.Mutex
	conn   *gatedConn // the connection of the present try
	reused bool
	sentOn *gatedConn // the connection that took the first byte
	busy   bool       // a write is under way
	late   bool
	closed bool
}

// enter puts a connection behind the gate.
func (g *gate) enter(c *gatedConn, reused bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.conn, g.reused = c, reused
	c.gate.Store(g)
}

// begin is asked before each write.
func (g *gate) begin(c *gatedConn) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.closed || g.conn != c:
		return errGateClosed
	case g.busy, g.sentOn != nil && g.sentOn != c:
		return errSecondSend
	case g.sentOn == nil && !g.notAfter.IsZero() && g.now().After(g.notAfter):
		g.late = true
		return errTooLate
	}
	g.busy = true
	return nil
}

// end is told how many bytes the operating system took.
func (g *gate) end(c *gatedConn, took bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.busy = false
	if took && g.sentOn == nil {
		g.sentOn = c
	}
}

// mayReconnect reports whether the last try used a kept connection, and whether nothing left, so that
// another connection may be tried. It shuts the last connection out first.
func (g *gate) mayReconnect() (reused, nothingSent bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	reused, nothingSent = g.reused, g.sentOn == nil && !g.busy && !g.late
	g.conn, g.reused = nil, false
	return reused, nothingSent
}

// close lets nothing more out and reports whether a byte may have left.
func (g *gate) close() (sent bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	return g.sentOn != nil || g.busy
}

// gatedConn is a connection as the HTTP layer sees it: above TLS where there is TLS. Bytes are counted
// below TLS, where they meet the operating system.
type gatedConn struct {
	net.Conn
	raw  *countedConn
	gate atomic.Pointer[gate]
}

// Write asks the gate first.
func (c *gatedConn) Write(p []byte) (int, error) {
	g := c.gate.Load()
	if g == nil {
		return 0, errGateClosed
	}
	if err := g.begin(c); err != nil {
		return 0, err
	}
	before := c.raw.taken.Load()
	n, err := c.Conn.Write(p)
	g.end(c, n > 0 || c.raw.taken.Load() != before)
	return n, err
}

type countedConn struct {
	net.Conn
	taken atomic.Uint64
}

func (c *countedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if n > 0 {
		c.taken.Add(uint64(n))
	}
	return n, err
}

// TLSOptions are the few things about TLS that a gateway may need.
type TLSOptions struct {
	// Roots replace the system's certificate authorities.
	Roots *x509.CertPool
	// Certificates are client certificates for mutual TLS.
	Certificates []tls.Certificate
}

func (o *TLSOptions) config() *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	if o != nil {
		c.RootCAs, c.Certificates = o.Roots, o.Certificates
	}
	return c
}

type tlsError struct{ untrusted bool }

func (*tlsError) Error() string { return "tls handshake failed" }

type dialer struct {
	timeout time.Duration
	tls     *tls.Config
}

func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	raw, err := d.raw(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &gatedConn{Conn: raw, raw: raw}, nil
}

func (d *dialer) dialTLS(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	raw, err := d.raw(ctx, network, address)
	if err != nil {
		return nil, err
	}
	config := d.tls.Clone()
	if config.ServerName, _, err = net.SplitHostPort(address); err != nil {
		config.ServerName = address
	}
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		if ctx.Err() != nil {
			return nil, err
		}
		var untrusted *tls.CertificateVerificationError
		return nil, &tlsError{untrusted: errors.As(err, &untrusted)}
	}
	return &gatedConn{Conn: conn, raw: raw}, nil
}

func (d *dialer) raw(ctx context.Context, network, address string) (*countedConn, error) {
	conn, err := (&net.Dialer{KeepAlive: 15 * time.Second}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &countedConn{Conn: conn}, nil
}
