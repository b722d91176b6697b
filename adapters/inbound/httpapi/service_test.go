package httpapi_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/payrack/payrack/adapters/inbound/httpapi"
)

func TestReadyzNamesTheCauseAndNotTheError(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		state  *httpapi.NotReadyError
		status int
		says   string
	}{
		"not ready": {
			&httpapi.NotReadyError{Causes: []string{"the database cannot be written", "no provider serves"}, Err: errDatabase},
			http.StatusServiceUnavailable, "The platform is not ready: the database cannot be written; no provider serves.",
		},
		"ready, but limited": {
			&httpapi.NotReadyError{Serving: true, Causes: []string{"provider acme is quarantined"}},
			http.StatusOK, `{"status":"ready","limited":["provider acme is quarantined"]}`,
		},
	} {
		p := newPlane(t, func(o *httpapi.Options) { o.Ready = func(context.Context) error { return c.state } })
		w := p.do(httptest.NewRequest(http.MethodGet, "/readyz", nil))
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.says) || strings.Contains(w.Body.String(), "canary") {
			t.Errorf("%s: got %d %s", name, w.Code, w.Body)
		}
	}
}
