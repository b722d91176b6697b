package webhooks

import (
	"context"
	"net"
)

// ResolveBy lets a poster ask the name server at an address.
func ResolveBy(p *Poster, server string) {
	p.dial.Resolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", server)
	}}
}

// May reports whether a poster would dial an address.
func May(p *Poster, address string) bool { return p.may(address) }
