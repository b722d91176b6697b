package configs

import (
	"regexp"
	"strings"
)

// links are the names that Kubernetes gives every container for each service of its namespace. A service called
// payrack, or payrack-something, gets names with our prefix.
var links = regexp.MustCompile(`^PAYRACK_([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_[0-9]+_(TCP|UDP|SCTP)(_PROTO|_PORT|_ADDR)?)$`)

// serviceLink reports whether a variable was written by Kubernetes and not by an operator.
func serviceLink(name, value string) bool {
	if name == "PAYRACK_PORT" || strings.HasPrefix(name, "PAYRACK_PORT_") || strings.HasPrefix(name, "PAYRACK_SERVICE_") || links.MatchString(name) {
		return true
	}
	scheme, _, address := strings.Cut(value, "://")
	return strings.HasSuffix(name, "_PORT") && address && (scheme == "tcp" || scheme == "udp" || scheme == "sctp")
}
