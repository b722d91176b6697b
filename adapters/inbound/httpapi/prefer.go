package httpapi

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxWait is the longest wait that a client may ask for, in seconds. A longer one is taken as this one.
const maxWait = 120

// patience reads how long the client wants to wait for an outcome: the preference wait of the header Prefer (RFC 7240
// section 4.3), in whole seconds. It tells the client what was understood. A preference that cannot be read is
// ignored, as that specification demands.
func patience(request, reply http.Header) *time.Duration {
	all := request["Prefer"]
	if len(all) == 0 {
		return nil
	}
	for _, header := range all {
		for preference := range strings.SplitSeq(header, ",") {
			preference, _, _ = strings.Cut(preference, ";")
			name, value, _ := strings.Cut(preference, "=")
			if lower(strings.TrimSpace(name)) != "wait" {
				continue
			}
			seconds, ok := wholeSeconds(strings.Trim(strings.TrimSpace(value), `"`))
			if !ok {
				return nil // the first one counts, and nobody can tell what it means
			}
			reply.Set("Preference-Applied", "wait="+strconv.Itoa(seconds))
			return new(time.Duration(seconds) * time.Second)
		}
	}
	return nil
}

func wholeSeconds(s string) (int, bool) {
	if s == "" || len(s) > 9 || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return min(n, maxWait), err == nil
}
