package httpapi

import (
	"net/http"
	"strings"

	"github.com/payrack/payrack/core/fault"
)

// maxKey is the longest idempotency key, in characters.
const maxKey = 255

// idempotencyKey reads the header Idempotency-Key: visible ASCII, bare or as a quoted string (RFC 9651
// section 3.3.3). Both spellings are the same key. Empty without the header.
func idempotencyKey(h http.Header) (string, error) {
	all := h["Idempotency-Key"]
	if len(all) == 0 {
		return "", nil
	}
	key := all[0]
	ok := len(all) == 1
	if ok && strings.HasPrefix(key, `"`) {
		key, ok = unquote(key)
	} else if strings.Contains(key, `"`) {
		ok = false
	}
	if !ok || key == "" || len(key) > maxKey || strings.ContainsFunc(key, invisible) {
		return "", fault.New(fault.Invalid, "invalid_idempotency_key",
			"Send at most one Idempotency-Key, of 1 to 255 visible ASCII characters, bare or in double quotes.")
	}
	return key, nil
}

func invisible(r rune) bool { return r <= ' ' || r >= 0x7f }

// unquote reads a quoted string in which only the quote and the backslash may be escaped.
func unquote(s string) (string, bool) {
	if len(s) < 2 || s[len(s)-1] != '"' {
		return "", false
	}
	var b strings.Builder
	inner := s[1 : len(s)-1]
	for i := 0; i < len(inner); i++ {
		switch inner[i] {
		case '"':
			return "", false
		case '\\':
			i++
			if i == len(inner) || (inner[i] != '"' && inner[i] != '\\') {
				return "", false
			}
		}
		b.WriteByte(inner[i])
	}
	return b.String(), true
}
