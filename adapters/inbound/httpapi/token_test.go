package httpapi_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/payrack/payrack/adapters/inbound/httpapi"
	"github.com/payrack/payrack/adapters/inbound/internal/httpkit"
	"github.com/payrack/payrack/ports/inbound"
)

const form = "application/x-www-form-urlencoded"

func TestToken(t *testing.T) {
	t.Parallel()
	good := "grant_type=client_credentials&client_id=till&client_secret=till-secret%2B1"
	basic := func(r *http.Request) { r.SetBasicAuth("till", "till-secret%2B1") }
	tests := []struct {
		name, body, media, target string
		change                    func(*http.Request)
		status                    int
		want                      string // error, or scope of a token
	}{
		{name: "form", body: good, status: 200, want: "pay search refund"},
		{name: "charset", body: good, media: form + "; charset=UTF-8", status: 200, want: "pay search refund"},
		{name: "basic", body: "grant_type=client_credentials", change: basic, status: 200, want: "pay search refund"},
		{name: "basic and the same client_id", body: "grant_type=client_credentials&client_id=till", change: basic, status: 200, want: "pay search refund"},
		{name: "scope", body: good + "&scope=search", status: 200, want: "search"},
		{name: "api is everything", body: good + "&scope=api", status: 200, want: "pay search refund"},
		{name: "unknown parameters are ignored", body: good + "&audience=x", status: 200, want: "pay search refund"},
		{name: "scope that the client lacks", body: good + "&scope=admin", status: 400, want: "invalid_scope"},
		{name: "no grant type", body: "client_id=till&client_secret=x", status: 400, want: "invalid_request"},
		{name: "empty body", status: 400, want: "invalid_request"},
		{name: "password", body: "grant_type=password&username=u&password=p", status: 400, want: "unsupported_grant_type"},
		{name: "JSON", body: `{"grant_type":"client_credentials"}`, media: "application/json", status: 400, want: "invalid_request"},
		{name: "no client", body: "grant_type=client_credentials", status: 401, want: "invalid_client"},
		{name: "no secret", body: "grant_type=client_credentials&client_id=till", status: 401, want: "invalid_client"},
		{name: "wrong secret", body: "grant_type=client_credentials&client_id=till&client_secret=canary", status: 401, want: "invalid_client"},
		{name: "unknown client", body: "grant_type=client_credentials&client_id=canary&client_secret=canary", status: 401, want: "invalid_client"},
		{name: "both ways", body: good, change: basic, status: 400, want: "invalid_request"},
		{name: "basic and another client_id", body: "grant_type=client_credentials&client_id=x", change: basic, status: 400, want: "invalid_request"},
		{
			name: "bearer", body: good, change: func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") },
			status: 401, want: "invalid_client",
		},
		{
			name: "basic that is not base64", body: "grant_type=client_credentials",
			change: func(r *http.Request) { r.Header.Set("Authorization", "Basic ?") }, status: 401, want: "invalid_client",
		},
		{name: "secret twice", body: good + "&client_secret=canary", status: 400, want: "invalid_request"},
		{name: "wrong escape", body: good + "&x=%zz", status: 400, want: "invalid_request"},
		{name: "in the URL", target: "/oauth/v1/token?" + good, body: "", status: 400, want: "invalid_request"},
		{name: "suspended", body: "grant_type=client_credentials&client_id=sleeper&client_secret=sleeper-secret", status: 400, want: "unauthorized_client"},
		{name: "busy", body: "grant_type=client_credentials&client_id=busy&client_secret=x", status: 503, want: "temporarily_unavailable"},
		{name: "broken", body: "grant_type=client_credentials&client_id=broken&client_secret=x", status: 500, want: "server_error"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPlane(t, nil)
			target, media := tt.target, tt.media
			if target == "" {
				target = "/oauth/v1/token"
			}
			if media == "" {
				media = form
			}
			r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(tt.body))
			r.Header.Set("Content-Type", media)
			if tt.change != nil {
				tt.change(r)
			}
			w := p.do(r)
			var got struct {
				AccessToken string `json:"access_token"`
				TokenType   string `json:"token_type"`
				ExpiresIn   int    `json:"expires_in"`
				Scope       string `json:"scope"`
				Error       string `json:"error"`
				Description string `json:"error_description"`
			}
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
				t.Fatalf("%v: %s", err, w.Body)
			}
			if w.Code != tt.status || w.Header().Get("Cache-Control") != "no-store" {
				t.Fatalf("got %d %v %s", w.Code, w.Header(), w.Body)
			}
			if tt.status == 200 {
				if got.AccessToken == "" || got.TokenType != "Bearer" || got.ExpiresIn != 3600 || got.Scope != tt.want {
					t.Errorf("got %+v", got)
				}
			} else if got.Error != tt.want || got.Description == "" {
				t.Errorf("got %+v, want %s", got, tt.want)
			}
			if challenge := w.Header().Get("WWW-Authenticate"); strings.HasPrefix(challenge, "Basic ") != (tt.status == 401) {
				t.Errorf("WWW-Authenticate: %q", challenge)
			}
			if tt.name == "busy" && w.Header().Get("Retry-After") != "3" {
				t.Errorf("headers: %v", w.Header())
			}
			if strings.Contains(w.Body.String(), "canary") {
				t.Errorf("the reply says too much: %s", w.Body)
			}
			if log := p.log.String(); strings.Contains(log, "till-secret") || strings.Contains(log, "canary") && tt.name != "broken" {
				t.Errorf("log: %s", log)
			}
		})
	}
}

// TestGuessing shows that only wrong secrets use up the attempts, and only those of one client and address.
func TestGuessing(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	p := newPlane(t, func(o *httpapi.Options) {
		o.FailureRate = httpapi.Rate{PerSecond: 1, Burst: 3}
		o.Now = func() time.Time { return now }
	})
	ask := func(id, secret, from string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, "/oauth/v1/token",
			strings.NewReader("grant_type=client_credentials&client_id="+id+"&client_secret="+secret))
		r.Header.Set("Content-Type", form)
		r.Header.Set("X-Forwarded-For", "203.0.113.9") // nobody trusts it here
		r.RemoteAddr = from + ":1234"
		return p.do(r)
	}
	for range 10 {
		if w := ask("till", "till-secret%2B1", "192.0.2.1"); w.Code != 200 {
			t.Fatalf("a good secret: %d", w.Code)
		}
	}
	for i := range 3 {
		if w := ask("till", "wrong", "192.0.2.1"); w.Code != 401 {
			t.Fatalf("attempt %d: %d", i, w.Code)
		}
	}
	w := ask("till", "till-secret%2B1", "192.0.2.1")
	if w.Code != 429 || w.Header().Get("Retry-After") != "1" {
		t.Errorf("the fourth attempt: %d %v", w.Code, w.Header())
	}
	if w := ask("till", "till-secret%2B1", "192.0.2.2"); w.Code != 200 {
		t.Errorf("another address: %d", w.Code)
	}
	if w := ask("reader", "reader-secret", "192.0.2.1"); w.Code != 200 {
		t.Errorf("another client: %d", w.Code)
	}
	now = now.Add(time.Second)
	if w := ask("till", "till-secret%2B1", "192.0.2.1"); w.Code != 200 {
		t.Errorf("after the wait: %d", w.Code)
	}
	// Many clients from one address run into the limit of the address.
	blocked := 0
	for i := range 60 {
		if w := ask("guess"+string(rune('a'+i%26))+string(rune('a'+i/26)), "x", "192.0.2.9"); w.Code == 429 {
			blocked++
		}
	}
	if blocked != 30 {
		t.Errorf("%d of 60 attempts were refused, want 30", blocked)
	}
}

// slowAccess takes a while over a secret, as a hash does.
type slowAccess struct {
	inbound.Access
	tries atomic.Int64
}

func (a *slowAccess) Token(ctx context.Context, r inbound.TokenRequest) (inbound.Token, error) {
	a.tries.Add(1)
	time.Sleep(20 * time.Millisecond)
	return a.Access.Token(ctx, r)
}

// TestGuessingAtOnce shows that the limit also holds for wrong secrets that are sent at the same time, and that a good one
// among them is no attempt.
func TestGuessingAtOnce(t *testing.T) {
	t.Parallel()
	access := &slowAccess{}
	now := time.Unix(0, 0)
	p := newPlane(t, func(o *httpapi.Options) {
		o.FailureRate = httpapi.Rate{PerSecond: 1, Burst: 3}
		o.Now = func() time.Time { return now }
		access.Access = o.Access
		o.Access = access
	})
	ask := func(secret, from string) int {
		r := httptest.NewRequest(http.MethodPost, "/oauth/v1/token",
			strings.NewReader("grant_type=client_credentials&client_id=till&client_secret="+secret))
		r.Header.Set("Content-Type", form)
		r.RemoteAddr = from + ":1234"
		return p.do(r).Code
	}
	atOnce := func(n int, secret, from string) map[int]int {
		codes := make(chan int, n)
		for range n {
			go func() { codes <- ask(secret, from) }()
		}
		all := make(map[int]int)
		for range n {
			all[<-codes]++
		}
		return all
	}
	if got := atOnce(60, "till-secret%2B1", "192.0.2.1"); got[200] != 60 {
		t.Errorf("good secrets: %v", got)
	}
	access.tries.Store(0)
	// What is being checked when the last attempt is used up is still answered.
	most := 3 + max(2, runtime.GOMAXPROCS(0)) - 1
	got := atOnce(60, "wrong", "192.0.2.2")
	if got[401] < 3 || got[401] > most || got[401]+got[429] != 60 {
		t.Errorf("60 wrong secrets at once: %v, want 3 to %d times 401 and else 429", got, most)
	}
	if tries := int(access.tries.Load()); tries != got[401] {
		t.Errorf("%d secrets were checked for %d answers", tries, got[401])
	}
}

// TestTokenGivenUp shows that nobody's secret is checked who went away while others' were.
func TestTokenGivenUp(t *testing.T) {
	t.Parallel()
	access := &slowAccess{}
	p := newPlane(t, func(o *httpapi.Options) {
		access.Access = o.Access
		o.Access = access
		o.Middleware = nil // nobody reads this status, so the document does not name it
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/oauth/v1/token",
		strings.NewReader("grant_type=client_credentials&client_id=till&client_secret=wrong"))
	r.Header.Set("Content-Type", form)
	if w := p.do(r); w.Code != httpkit.StatusClientClosed || access.tries.Load() != 0 {
		t.Errorf("%d after %d checks", w.Code, access.tries.Load())
	}
}

// TestSources shows which addresses share the limit of one.
func TestSources(t *testing.T) {
	t.Parallel()
	p := newPlane(t, func(o *httpapi.Options) {
		o.FailureRate = httpapi.Rate{PerSecond: 0.001, Burst: 1}
		o.ReturnRate = o.FailureRate
		o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	})
	for _, s := range []struct {
		what, from, forwarded string
		limited               bool
	}{
		{"an address of a network", "[2001:db8:1:2::1]:1", "", false},
		{"another address of it", "[2001:db8:1:2:ffff::2]:1", "", true},
		{"one that a proxy names", "10.0.0.1:1", "2001:db8:1:2::3", true},
		{"the network beside it", "[2001:db8:1:3::1]:1", "", false},
		{"an address with a zone", "[fe80::1%eth0]:1", "", false},
		{"another of that network", "[fe80::2%eth1]:1", "", true},
		{"an IPv4 address", "192.0.2.1:1", "", false},
		{"the same in IPv6", "[::ffff:192.0.2.1]:1", "", true},
		{"the one beside it", "192.0.2.2:1", "", false},
	} {
		refused := http.StatusUnauthorized
		returned := http.StatusNotFound
		if s.limited {
			refused, returned = http.StatusTooManyRequests, http.StatusTooManyRequests
		}
		r := httptest.NewRequest(http.MethodPost, "/oauth/v1/token", strings.NewReader("grant_type=client_credentials&client_id=till&client_secret=wrong"))
		r.Header.Set("Content-Type", form)
		back := httptest.NewRequest(http.MethodGet, httpapi.CallbackPrefix+"nobody", nil)
		for r, want := range map[*http.Request]int{r: refused, back: returned} {
			r.RemoteAddr = s.from
			if s.forwarded != "" {
				r.Header.Set("X-Forwarded-For", s.forwarded)
			}
			if got := p.do(r).Code; got != want {
				t.Errorf("%s, %s: got %d, want %d", s.what, r.URL.Path, got, want)
			}
		}
	}
}

// TestTrustedProxies shows whose X-Forwarded-For counts.
func TestTrustedProxies(t *testing.T) {
	t.Parallel()
	p := newPlane(t, func(o *httpapi.Options) {
		o.FailureRate = httpapi.Rate{PerSecond: 0.001, Burst: 1}
		o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}
	})
	ask := func(from, forwarded string) int {
		r := httptest.NewRequest(http.MethodPost, "/oauth/v1/token", strings.NewReader("grant_type=client_credentials&client_id=till&client_secret=wrong"))
		r.Header.Set("Content-Type", form)
		r.Header.Set("X-Forwarded-For", forwarded)
		r.RemoteAddr = from
		return p.do(r).Code
	}
	steps := []struct {
		what, from, forwarded string
		want                  int
	}{
		{"first client behind the proxy", "10.0.0.1:1", "203.0.113.1", 401},
		{"the same again", "10.0.0.2:1", "203.0.113.1", 429},
		{"the same, with a made-up address in front", "10.0.0.1:1", "198.51.100.1, 203.0.113.1", 429},
		{"another client behind the proxy", "[2001:db8::1]:1", "203.0.113.2", 401},
		{"a stranger", "192.168.0.1:1", "203.0.113.9", 401},
		{"the stranger under another name", "192.168.0.1:1", "203.0.113.10", 429},
		{"a stranger on the same machine", "127.0.0.1:1", "203.0.113.11", 401},
		{"that one under another name", "127.0.0.1:1", "203.0.113.12", 429},
	}
	for _, s := range steps {
		if got := ask(s.from, s.forwarded); got != s.want {
			t.Errorf("%s: got %d, want %d", s.what, got, s.want)
		}
	}
}
