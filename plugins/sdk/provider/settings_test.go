package provider_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

func TestEndpointProblems(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		endpoint string
		rules    provider.EndpointRules
		want     string
	}{
		"https":                {endpoint: "https://pay.example.com/base"},
		"https, no path":       {endpoint: "https://pay.example.com/", rules: provider.EndpointRules{NoPath: "it is signed"}},
		"path":                 {endpoint: "https://pay.example.com/base", rules: provider.EndpointRules{NoPath: "it is signed"}, want: "must not have a path: it is signed"},
		"this machine":         {endpoint: "http://127.0.0.1:8082"},
		"this machine by name": {endpoint: "http://localhost:8082"},
		"this machine, IPv6":   {endpoint: "http://[::1]:8082"},
		"http":                 {endpoint: "http://10.0.0.1", want: "must be https"},
		"http allowed":         {endpoint: "http://10.0.0.1", rules: provider.EndpointRules{AllowHTTP: true}},
		"looks like localhost": {endpoint: "http://localhost.example.com", want: "must be https"},
		"another scheme":       {endpoint: "ftp://pay.example.com", rules: provider.EndpointRules{AllowHTTP: true}, want: "must be https"},
		"no URL":               {endpoint: "pay.example.com", rules: provider.EndpointRules{Example: "https://a.example"}, want: "must be a URL such as https://a.example"},
		"user":                 {endpoint: "https://u:hunter2@pay.example.com", want: "must not have a user"},
		"query":                {endpoint: "https://pay.example.com?k=hunter2", want: "must not have a user, a query"},
		"empty":                {want: "must be a URL"},
		"empty and optional":   {rules: provider.EndpointRules{Optional: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := provider.Endpoints{Live: "https://live.example.com", Test: c.endpoint}.Problems(c.rules)
			text := strings.Join(got, "; ")
			switch {
			case c.want == "" && len(got) > 0:
				t.Errorf("refused: %s", text)
			case c.want != "" && (len(got) != 1 || !strings.HasPrefix(text, "endpoints.test "+c.want)):
				t.Errorf("got %q, want %q", text, c.want)
			case strings.Contains(text, "hunter2"):
				t.Error("a problem repeats the value")
			}
		})
	}
}

func TestEndpointOfAnEnvironment(t *testing.T) {
	t.Parallel()
	e := provider.Endpoints{Live: "https://live.example.com/base/"}
	u, err := e.Of(provider.EnvironmentLive)
	if err != nil || u.String() != "https://live.example.com/base" {
		t.Errorf("live: %v, %v", u, err)
	}
	if _, err := e.Of(provider.EnvironmentTest); err == nil || !strings.Contains(err.Error(), "endpoints.test") {
		t.Errorf("an endpoint that is not set: %v", err)
	}
	if _, err := e.Of("staging"); err == nil {
		t.Error("an unheard-of environment has a gateway")
	}
}

func TestTimeouts(t *testing.T) {
	t.Parallel()
	var got provider.Timeouts
	if err := json.Unmarshal([]byte(`{"pay":"1m30s"}`), &got); err != nil {
		t.Fatal(err)
	}
	longest := provider.Timeouts{Pay: provider.Duration(time.Minute), Search: provider.Duration(20 * time.Second)}
	got = got.Or(longest)
	if diff := cmp.Diff(provider.Timeouts{Pay: provider.Duration(90 * time.Second), Search: longest.Search}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"timeouts.pay must be more than 0s and at most 1m0s"}, got.Problems(longest)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if problems := (provider.Timeouts{Pay: 1, Search: -1}).Problems(longest); len(problems) != 1 || !strings.HasPrefix(problems[0], "timeouts.search") {
		t.Errorf("a negative time: %q", problems)
	}
	if raw, err := json.Marshal(longest); err != nil || string(raw) != `{"pay":"1m0s","search":"20s"}` {
		t.Errorf("written as %s, %v", raw, err)
	}
	if err := json.Unmarshal([]byte(`{"pay":5}`), &got); err == nil {
		t.Error("a number was taken as a duration")
	}
}
