package webhooks

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/payrack/payrack/core/fault"
)

// errForbidden is the reason of a dial to an address that is not public.
var errForbidden = errors.New("the address is not a public one")

// forbidden are networks that are no public unicast addresses, beside those that netip knows: IANA's special-purpose
// address registries, and the prefixes in which an IPv6 address carries an IPv4 one.
var forbidden = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),        // this network (RFC 791)
	netip.MustParsePrefix("100.64.0.0/10"),    // shared by carriers (RFC 6598); cloud metadata lives in it too
	netip.MustParsePrefix("192.0.0.0/24"),     // protocol assignments (RFC 6890)
	netip.MustParsePrefix("192.0.2.0/24"),     // documentation (RFC 5737)
	netip.MustParsePrefix("192.88.99.0/24"),   // 6to4 relays (RFC 7526)
	netip.MustParsePrefix("198.18.0.0/15"),    // benchmarks (RFC 2544)
	netip.MustParsePrefix("198.51.100.0/24"),  // documentation
	netip.MustParsePrefix("203.0.113.0/24"),   // documentation
	netip.MustParsePrefix("240.0.0.0/4"),      // reserved, and the broadcast address
	netip.MustParsePrefix("168.63.129.16/32"), // the platform services of a cloud
	netip.MustParsePrefix("::/96"),            // IPv4-compatible (deprecated), unspecified and loopback
	netip.MustParsePrefix("::ffff:0:0:0/96"),  // IPv4-translated (RFC 2765)
	netip.MustParsePrefix("64:ff9b::/96"),     // NAT64 (RFC 6052)
	netip.MustParsePrefix("64:ff9b:1::/48"),   // NAT64 of a local network (RFC 8215)
	netip.MustParsePrefix("100::/64"),         // discard (RFC 6666)
	netip.MustParsePrefix("2001::/23"),        // protocol assignments, Teredo among them
	netip.MustParsePrefix("2001:db8::/32"),    // documentation
	netip.MustParsePrefix("2002::/16"),        // 6to4 carries an IPv4 address
	netip.MustParsePrefix("3fff::/20"),        // documentation
	netip.MustParsePrefix("5f00::/16"),        // segment routing
	netip.MustParsePrefix("fec0::/10"),        // site-local (deprecated)
}

// public reports whether an address may be spoken to.
func public(a netip.Addr) bool {
	if !a.IsValid() || a.Zone() != "" {
		return false
	}
	a = a.Unmap()
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsMulticast() {
		return false
	}
	for _, p := range forbidden {
		if p.Contains(a) {
			return false
		}
	}
	// Of IPv6 only 2000::/3 is in use for public addresses.
	return a.Is4() || netip.MustParsePrefix("2000::/3").Contains(a)
}

// may reports whether a dialled address may be spoken to.
func (p *Poster) may(address string) bool {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return false
	}
	if p.loopback && at.Addr().Unmap().IsLoopback() {
		return true
	}
	return public(at.Addr())
}

func refuse(message string) error {
	f := fault.New(fault.Invalid, "webhook_url", message)
	f.Fields = []fault.Field{{Pointer: "/url", Code: "invalid_format", Detail: message}}
	return f
}

// Allowed refuses a URL to which nothing may be sent whatever its name resolves to. The addresses that a name resolves
// to are looked at when they are dialled: they can change.
func (p *Poster) Allowed(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Opaque != "" || u.Host == "" {
		return refuse("a webhook URL is a complete address such as https://shop.example/payrack")
	}
	host := u.Hostname()
	address, err := netip.ParseAddr(host)
	literal := err == nil
	local := p.loopback && (literal && address.Unmap().IsLoopback() || host == "localhost")
	switch {
	case u.Scheme != "https" && (u.Scheme != "http" || !local):
		return refuse("a webhook URL begins with https://")
	case u.User != nil:
		return refuse("a webhook URL holds no name and no password; messages are signed instead")
	case u.Fragment != "" || strings.Contains(raw, "#"):
		return refuse("a webhook URL has no fragment")
	case local:
		return nil
	case literal && !public(address):
		return refuse("a webhook URL names a public server; this address is not a public one")
	case !literal && !domain(host):
		return refuse("a webhook URL names its server by a full domain name in ASCII letters (an international name as xn--…), or by a public address")
	case !allowedPort(u.Port()):
		return refuse("a webhook URL uses port 443")
	}
	return nil
}

func allowedPort(port string) bool { return port == "" || port == "443" }

// domain reports whether a host is a domain name of several labels that nobody can read as a number: resolvers take
// "0x7f.1" and "2130706433" for addresses.
func domain(host string) bool {
	labels := strings.Split(strings.TrimSuffix(host, "."), ".")
	if len(host) > 253 || len(labels) < 2 {
		return false
	}
	for _, label := range labels {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, r := range label {
			if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' {
				return false
			}
		}
	}
	last := strings.ToLower(labels[len(labels)-1])
	if _, err := strconv.ParseUint(last, 0, 64); err == nil || strings.HasPrefix(last, "0x") || last[0] >= '0' && last[0] <= '9' {
		return false
	}
	switch last {
	case "localhost", "local", "internal", "localdomain", "home", "lan", "intranet", "corp", "arpa", "onion", "test", "invalid":
		return false
	}
	return net.ParseIP(host) == nil
}
