package conformance

import (
	"bytes"
	"net/http"
)

// fault is something that happens between the plugin and the gateway. "Before" means that the gateway
// never saw the request, "after" that it did all of it.
type fault string

const (
	noFault            fault = ""
	faultResetOnAccept fault = "reset_on_accept"
	faultDropBefore    fault = "drop_before"
	faultDropAfter     fault = "drop_after"
	faultResetAfter    fault = "reset_after"
	faultHangBefore    fault = "hang_before"
	faultHangAfter     fault = "hang_after"
	faultHangBody      fault = "hang_in_body"
	faultDrip          fault = "drip"
	faultSlow          fault = "slow"
	faultTruncated     fault = "truncated"
	faultGarbled       fault = "garbled"
	faultEmpty         fault = "empty"
	faultNoContent     fault = "no_content"
	faultEmptyObject   fault = "empty_object"
	faultNull          fault = "null"
	faultList          fault = "list"
	faultHTML          fault = "html"
	faultDeep          fault = "deep"
	faultTrailing      fault = "trailing"
	faultHuge          fault = "huge"
	faultEndless       fault = "endless"
	faultNotHTTP       fault = "not_http"
	faultRedirect      fault = "redirect"
	fault401           fault = "http_401"
	fault403           fault = "http_403"
	fault404           fault = "http_404"
	fault429           fault = "http_429"
	fault500Before     fault = "http_500_before"
	fault500After      fault = "http_500_after"
	fault502           fault = "http_502"
	fault503           fault = "http_503"
	fault504           fault = "http_504"
)

// statusOf is the HTTP status of a fault that is one, with whether the gateway saw the request.
func statusOf(f fault) (status int, landed bool) {
	switch f { //nolint:exhaustive // the others are no statuses
	case fault401:
		return http.StatusUnauthorized, true
	case fault403:
		return http.StatusForbidden, true
	case fault404:
		return http.StatusNotFound, true
	case fault429:
		return http.StatusTooManyRequests, true
	case fault500Before:
		return http.StatusInternalServerError, false
	case fault500After:
		return http.StatusInternalServerError, true
	case fault502:
		return http.StatusBadGateway, true
	case fault503:
		return http.StatusServiceUnavailable, true
	case fault504:
		return http.StatusGatewayTimeout, true
	default:
		return 0, false
	}
}

// spoiled is the body of a fault that replaces it; false if it is not one.
func spoiled(f fault, genuine []byte) ([]byte, bool) {
	switch f { //nolint:exhaustive // the others leave the body
	case faultGarbled:
		return bytes.Map(func(r rune) rune { return r ^ 'Z' }, genuine), true
	case faultEmpty:
		return nil, true
	case faultEmptyObject:
		return []byte("{}"), true
	case faultNull:
		return []byte("null"), true
	case faultList:
		return []byte("[]"), true
	case faultHTML:
		return []byte("<!doctype html><html><body>Scheduled maintenance</body></html>"), true
	case faultDeep:
		return append(bytes.Repeat([]byte(`{"a":`), 9000), []byte("1")...), true
	case faultTrailing:
		return append(bytes.TrimSpace(genuine), []byte(` {"second":"answer"}`)...), true
	case faultHuge:
		return append(genuine, bytes.Repeat([]byte{' '}, 8<<20)...), true
	default:
		return genuine, false
	}
}
