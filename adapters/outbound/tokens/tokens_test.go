package tokens_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/payrack/payrack/adapters/outbound/tokens"
	"github.com/payrack/payrack/core/access"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/ports/outbound"
	"github.com/payrack/payrack/ports/outbound/outboundtest"
)

func TestContract(t *testing.T) {
	t.Parallel()
	outboundtest.Signer(t, func(t *testing.T) outbound.Signer {
		t.Helper()
		s, err := tokens.New(tokens.Options{Dir: t.TempDir(), Create: true})
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

// clock is a clock that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func start() *clock { return &clock{now: time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)} }

func open(t *testing.T, dir string, c *clock) *tokens.Tokens {
	t.Helper()
	s, err := tokens.New(tokens.Options{Dir: dir, Create: true, Issuer: "https://pay.example.com", Now: c.Now, CacheSize: 100})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func who(expires time.Time) access.Principal {
	return access.Principal{Client: "client-1", Company: "c1", Scopes: []access.Scope{access.Pay}, Environments: []company.Environment{company.Test}, Expires: expires}
}

func sign(t *testing.T, s *tokens.Tokens, p access.Principal, issued time.Time) string {
	t.Helper()
	token, err := s.Sign(t.Context(), p, issued)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func code(s *tokens.Tokens, t *testing.T, token string) string { //nolint:thelper // reads better at the call
	_, err := s.Verify(t.Context(), token)
	if err == nil {
		return ""
	}
	if fault.KindOf(err) != fault.Unauthenticated {
		t.Errorf("kind %d", fault.KindOf(err))
	}
	return fault.CodeOf(err)
}

func TestEndOfATokenInTheCache(t *testing.T) {
	t.Parallel()
	c := start()
	s := open(t, t.TempDir(), c)
	token := sign(t, s, who(time.Time{}), c.Now())
	for _, want := range []string{"", ""} {
		if got := code(s, t, token); got != want {
			t.Errorf("got %q", got)
		}
	}
	c.add(time.Hour - time.Second)
	if got := code(s, t, token); got != "" {
		t.Errorf("a second before its end: %q", got)
	}
	c.add(time.Second)
	if got := code(s, t, token); got != "token_expired" {
		t.Errorf("at its end: %q", got)
	}
}

func TestClockStepsBack(t *testing.T) {
	t.Parallel()
	c := start()
	s := open(t, t.TempDir(), c)
	token := sign(t, s, who(time.Time{}), c.Now())
	c.add(-30 * time.Second)
	if got := code(s, t, token); got != "" {
		t.Errorf("within the leeway: %q", got)
	}
	c.add(-31 * time.Second)
	fresh := sign(t, s, who(time.Time{}), c.Now().Add(61*time.Second))
	if got := code(s, t, fresh); got != "invalid_token" {
		t.Errorf("issued in the future: %q", got)
	}
}

func TestLongTokensAreRefused(t *testing.T) {
	t.Parallel()
	c := start()
	s := open(t, t.TempDir(), c)
	if got := code(s, t, sign(t, s, who(c.Now().Add(30*24*time.Hour)), c.Now())); got != "" {
		t.Errorf("thirty days: %q", got)
	}
	if got := code(s, t, sign(t, s, who(c.Now().Add(32*24*time.Hour)), c.Now())); got != "invalid_token" {
		t.Errorf("thirty-two days: %q", got)
	}
}

func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	c := start()
	s := open(t, t.TempDir(), c)
	for range 500 {
		if got := code(s, t, sign(t, s, who(time.Time{}), c.Now())); got != "" {
			t.Fatal(got)
		}
	}
	if n := s.Remembered(); n > 100 {
		t.Errorf("%d tokens are remembered", n)
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	dir, c := t.TempDir(), start()
	first, second := open(t, dir, c), open(t, dir, c)
	old := sign(t, first, who(time.Time{}), c.Now())
	if err := tokens.Rotate(dir, tokens.Rotation{Now: c.Now()}); err != nil {
		t.Fatal(err)
	}

	// The new key is published, and does not sign yet.
	c.add(31 * time.Second)
	if n := published(t, second); n != 2 {
		t.Errorf("%d keys are published", n)
	}
	if keyOf(t, sign(t, first, who(time.Time{}), c.Now())) != keyOf(t, old) {
		t.Error("the new key signs before its time")
	}
	c.add(2 * time.Minute)
	fresh := sign(t, first, who(time.Time{}), c.Now())
	if keyOf(t, fresh) == keyOf(t, old) {
		t.Error("the new key does not sign")
	}
	for _, s := range []*tokens.Tokens{first, second} {
		for _, token := range []string{old, fresh} {
			if got := code(s, t, token); got != "" {
				t.Errorf("refused in the overlap: %q", got)
			}
		}
	}

	// Long after, the next rotation drops the first key; a token that names it is not even looked at.
	long := sign(t, first, who(c.Now().Add(30*24*time.Hour)), c.Now())
	c.add(20 * 24 * time.Hour)
	if err := tokens.Rotate(dir, tokens.Rotation{Now: c.Now(), Keep: 10 * 24 * time.Hour}); err != nil {
		t.Fatal(err)
	}
	if n := published(t, first); n != 2 {
		t.Errorf("%d keys are published", n)
	}
	if got := code(first, t, long); got != "" {
		t.Errorf("a token of a key that is kept: %q", got)
	}
}

// A key that leaked signs and verifies nothing any more, and each process says in its log when it has heard of it.
func TestALeakedKeyIsGone(t *testing.T) {
	t.Parallel()
	dir, c := t.TempDir(), start()
	var log bytes.Buffer
	s, err := tokens.New(tokens.Options{Dir: dir, Create: true, Issuer: "https://pay.example.com", Now: c.Now, Log: slog.New(slog.NewJSONHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if err := tokens.Rotate(dir, tokens.Rotation{Now: c.Now()}); err != nil {
		t.Fatal(err)
	}
	c.add(time.Minute)
	old := sign(t, s, who(time.Time{}), c.Now())
	if got := code(s, t, old); got != "" {
		t.Fatal(got)
	}
	if keys, err := tokens.List(dir, c.Now()); err != nil || len(keys) != 2 || !keys[0].Signs || keys[1].Signs || keys[0].ID != keyOf(t, old) {
		t.Errorf("%+v, %v", keys, err)
	}
	log.Reset()
	if err := tokens.Rotate(dir, tokens.Rotation{Now: c.Now(), Leaked: true}); err != nil {
		t.Fatal(err)
	}
	c.add(31 * time.Second)
	if got := code(s, t, old); got != "invalid_token" {
		t.Errorf("a token of the leaked key: %q", got)
	}
	fresh := sign(t, s, who(time.Time{}), c.Now())
	if got := code(s, t, fresh); got != "" || published(t, s) != 1 {
		t.Errorf("a token of the new key: %q, %d keys are published", got, published(t, s))
	}
	keys, err := tokens.List(dir, c.Now())
	if err != nil || len(keys) != 1 || !keys[0].Signs || keys[0].ID != keyOf(t, fresh) || !keys[0].SignsFrom.Before(c.Now()) {
		t.Errorf("%+v, %v", keys, err)
	}
	if said := log.String(); strings.Count(said, "signing keys have changed") != 1 || !strings.Contains(said, keyOf(t, old)) || !strings.Contains(said, keyOf(t, fresh)) {
		t.Errorf("log: %s", said)
	}
}

// Root must not leave a key file that the platform's own user cannot read.
func TestAnotherUsersKeysAreLeftAlone(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	dir, c := t.TempDir(), start()
	open(t, dir, c)
	path := filepath.Join(dir, "jwt.json")
	if err := os.Chown(path, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	err := tokens.Rotate(dir, tokens.Rotation{Now: c.Now()})
	if err == nil || !strings.Contains(err.Error(), "belongs to user 65534, and this is user 0: run payrack as the user") {
		t.Errorf("%v", err)
	}
	if keys, err := tokens.List(dir, c.Now()); err != nil || len(keys) != 1 {
		t.Errorf("%d keys, %v", len(keys), err)
	}
	// The refusal leaves no mark behind.
	if err := os.Chown(path, 0, 0); err != nil {
		t.Fatal(err)
	}
	if err := tokens.Rotate(dir, tokens.Rotation{Now: c.Now()}); err != nil {
		t.Error(err)
	}
}

// A key that an operator takes out of the file is honoured, though its tokens were remembered.
func TestRemovedKey(t *testing.T) {
	t.Parallel()
	dir, c := t.TempDir(), start()
	s := open(t, dir, c)
	token := sign(t, s, who(time.Time{}), c.Now())
	if got := code(s, t, token); got != "" {
		t.Fatal(got)
	}
	if err := os.Remove(filepath.Join(dir, "jwt.json")); err != nil {
		t.Fatal(err)
	}
	// Unreadable: the keys in use stay.
	c.add(time.Minute)
	if got := code(s, t, token); got != "" {
		t.Errorf("after the file went away: %q", got)
	}
	open(t, dir, c) // makes another key
	c.add(time.Minute)
	if got := code(s, t, token); got != "invalid_token" {
		t.Errorf("a token of a removed key: %q", got)
	}
}

func published(t *testing.T, s *tokens.Tokens) int {
	t.Helper()
	doc, err := s.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(doc, &set); err != nil {
		t.Fatal(err)
	}
	return len(set.Keys)
}

func TestRefusedFolders(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, want string
		damage     func(path string) error
	}{
		{"missing", "payrack init", os.Remove},
		{"open to others", "chmod 600", func(path string) error { return os.Chmod(path, 0o644) }},
		{"no JSON", "backup", func(path string) error { return os.WriteFile(path, []byte("-----BEGIN"), 0o600) }},
		{"no keys", "backup", func(path string) error { return os.WriteFile(path, []byte(`{"keys":[]}`), 0o600) }},
		{"a symmetric key", "P-256", func(path string) error {
			return os.WriteFile(path, []byte(`{"keys":[{"signs_from":"2020-01-01T00:00:00Z","key":{"kty":"oct","kid":"a","k":"c2VjcmV0"}}]}`), 0o600)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			open(t, dir, start())
			if err := c.damage(filepath.Join(dir, "jwt.json")); err != nil {
				t.Fatal(err)
			}
			_, err := tokens.New(tokens.Options{Dir: dir})
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "c2VjcmV0") {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	dir, c := t.TempDir(), start()
	s := open(t, dir, c)
	shared := sign(t, s, who(time.Time{}), c.Now())
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 50 {
				if got := code(s, t, shared); got != "" {
					t.Error(got)
				}
				if got := code(s, t, sign(t, s, who(time.Time{}), c.Now())); got != "" {
					t.Error(got)
				}
				if i == 0 {
					c.add(time.Second)
				}
			}
		})
	}
	all.Wait()
}
