package dialects_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/payrack/payrack/plugins/sandbox"
	"github.com/payrack/payrack/plugins/sandbox/dialects"
	"github.com/payrack/payrack/plugins/sandbox/sandboxtest"
)

func TestAllTogether(t *testing.T) {
	t.Parallel()
	all := dialects.All()
	s := sandboxtest.Start(t, sandbox.Options{Dialects: all})
	for _, d := range all {
		for _, made := range d.Accounts(neverEnding{}) {
			if got := s.Account(d.Name, made.Label, nil); len(got) == 0 || len(made.Types) == 0 {
				t.Errorf("%s account %s has no public members or no types", d.Name, made.Label)
			}
			if _, err := d.Identify(made.Credential); err != nil {
				t.Errorf("%s does not take its own account: %v", d.Name, err)
			}
		}
		if s.Code(d.Name, nil) == "" {
			t.Errorf("%s makes no codes", d.Name)
		}
		var settings struct {
			Endpoints struct {
				Live string `json:"live"`
				Test string `json:"test"`
			} `json:"endpoints"`
		}
		if err := json.Unmarshal(d.GatewaySettings("http://127.0.0.1:9000"), &settings); err != nil ||
			settings.Endpoints.Live != "http://127.0.0.1:9000" || settings.Endpoints.Test != "http://127.0.0.1:9000" {
			t.Errorf("%s: gateway settings %+v, error %v", d.Name, settings, err)
		}
		if err := json.Unmarshal(d.Settings(s.URL), &settings); err != nil {
			t.Fatal(err)
		}
		for _, base := range []string{settings.Endpoints.Live, settings.Endpoints.Test} {
			if got := operationsAt(t, s, base); got != d.Name {
				t.Errorf("%s: %s leads to %q", d.Name, base, got)
			}
		}
	}
}

// operationsAt asks a path that nobody serves and returns which dialect the sandbox heard it with.
func operationsAt(t *testing.T, s *sandboxtest.Sandbox, base string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/nothing", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	requests := s.Requests("", "")
	return requests[len(requests)-1].Provider
}

// neverEnding is a source of chance without any.
type neverEnding struct{}

func (neverEnding) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 7
	}
	return len(b), nil
}
