package sandbox

import (
	"encoding/json"
	"net/netip"
	"net/url"
	"strings"
)

// Endpoints are plugin settings of the usual form that lead both environments to one gateway.
//
// Plugins refuse plain http to another machine, because secrets would travel in clear. trusted permits it:
// for a sandbox in a test network, whose secrets are worth nothing.
func Endpoints(base string, trusted bool) json.RawMessage {
	type pair struct {
		Live string `json:"live"`
		Test string `json:"test"`
	}
	base = strings.TrimSuffix(base, "/")
	settings, err := json.Marshal(struct {
		Endpoints pair `json:"endpoints"`
		AllowHTTP bool `json:"allow_http,omitempty"`
	}{pair{Live: base, Test: base}, trusted && elsewhere(base)})
	if err != nil {
		panic("sandbox: texts have no JSON form: " + err.Error())
	}
	return settings
}

// elsewhere reports whether the URL is plain http to another machine.
func elsewhere(base string) bool {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" || u.Hostname() == "localhost" {
		return false
	}
	addr, err := netip.ParseAddr(u.Hostname())
	return err != nil || !addr.IsLoopback()
}
