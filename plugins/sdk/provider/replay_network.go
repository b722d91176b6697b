package provider

import (
	"context"
	"errors"
	"net"
	"net/http"
)

var errNoNetwork = errors.New("there is no network in a rehearsal")

// cutNetwork takes the ways to the network away that a plugin may use beside Host.HTTP, and counts who tries. A plugin
// that opens sockets of its own is stopped by the sandbox of its process, where the host has one.
func (s *stage) cutNetwork() {
	refuse := func(context.Context, string, string) (net.Conn, error) {
		s.dials.Add(1)
		return nil, errNoNetwork
	}
	http.DefaultTransport = &http.Transport{DialContext: refuse, DialTLSContext: refuse}
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: refuse}
}
