package linepaysandbox

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/payrack/payrack/plugins/sandbox"
)

// The versions that have an operation. v2.4 is of the in-store API only, v3 of the online API only; the status of
// an online payment came with v3, and authorizations went online with it.
var (
	everywhere = []string{"v2", "v2.4", "v3", "v4"}
	inStores   = []string{"v2", "v2.4", "v4"}
	online     = []string{"v2", "v3", "v4"}
	withStatus = []string{"v3", "v4"}
)

// What stands at the place of a name in a path.
const (
	anOrder  = "{order}"
	aPayment = "{txn}"
	aKey     = "{key}"
)

var routes = []struct {
	method    string
	path      string
	versions  []string
	operation string
}{
	{http.MethodGet, "", everywhere, sandbox.OpDetails},
	{http.MethodGet, "authorizations", inStores, sandbox.OpAuthorizations},
	{http.MethodPost, "oneTimeKeys/pay", inStores, sandbox.OpPay},
	{http.MethodGet, "orders/{order}/check", inStores, sandbox.OpCheck},
	{http.MethodPost, "orders/{order}/capture", inStores, sandbox.OpCapture},
	{http.MethodPost, "orders/{order}/void", inStores, sandbox.OpVoid},
	{http.MethodPost, "orders/{order}/refund", inStores, sandbox.OpRefund},
	{http.MethodPost, "request", online, sandbox.OpRequest},
	{http.MethodGet, "requests/{txn}/check", withStatus, sandbox.OpStatus},
	{http.MethodPost, "{txn}/confirm", online, sandbox.OpConfirm},
	{http.MethodPost, "authorizations/{txn}/capture", online, sandbox.OpCapture},
	{http.MethodPost, "authorizations/{txn}/void", online, sandbox.OpVoid},
	{http.MethodPost, "{txn}/refund", everywhere, sandbox.OpRefund},
	{http.MethodPost, "preapprovedPay/{key}/payment", online, sandbox.OpMandatePay},
	{http.MethodGet, "preapprovedPay/{key}/check", online, sandbox.OpMandateCheck},
	{http.MethodPost, "preapprovedPay/{key}/expire", online, sandbox.OpMandateExpire},
}

// call is one request, taken apart.
type call struct {
	version   string // v2, v2.4, v3 or v4
	operation string
	path      string // as sent
	query     string // as sent
	order     string // from the path
	txn       string // from the path
	regKey    string // from the path
	body      []byte
	http      *http.Request
}

// signed reports whether the version signs; the others show the secret.
func (c call) signed() bool { return c.version == "v3" || c.version == "v4" }

// route finds the operation of a path. Each segment may be percent-encoded.
func route(method, path string) (call, bool) {
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for i, s := range segments {
		plain, err := url.PathUnescape(s)
		if err != nil {
			return call{}, false
		}
		segments[i] = plain
	}
	if len(segments) < 2 || segments[1] != "payments" {
		return call{}, false
	}
	for _, r := range routes {
		if r.method != method || !slices.Contains(r.versions, segments[0]) {
			continue
		}
		c := call{version: segments[0], operation: r.operation, path: path}
		if c, ok := c.match(r.path, segments[2:]); ok {
			return c, true
		}
	}
	return call{}, false
}

// match compares a path with a route's and takes the names out of it.
func (c call) match(pattern string, segments []string) (call, bool) {
	if pattern == "" {
		return c, len(segments) == 0
	}
	want := strings.Split(pattern, "/")
	if len(want) != len(segments) {
		return c, false
	}
	for i, s := range segments {
		switch want[i] {
		case anOrder:
			c.order = s
		case aPayment:
			c.txn = s
		case aKey:
			c.regKey = s
		case s:
		default:
			return c, false
		}
	}
	return c, true
}
