package secrets_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/payrack/payrack/adapters/outbound/secrets"
	"github.com/payrack/payrack/core/credential"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/ports/outbound"
	"github.com/payrack/payrack/ports/outbound/outboundtest"
)

func open(t *testing.T, dir string) *secrets.Secrets {
	t.Helper()
	s, err := secrets.New(secrets.Options{Dir: dir, Create: true, ReloadEvery: time.Nanosecond})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestContract(t *testing.T) {
	t.Parallel()
	outboundtest.Secrets(t, func(t *testing.T) outbound.Secrets {
		t.Helper()
		return open(t, t.TempDir())
	})
}

func field() credential.Field {
	return credential.Field{Company: "c1", Provider: "p", Name: "credential/1"}
}

func TestTwoProcessesShareAFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	var all sync.WaitGroup
	opened := make([]*secrets.Secrets, 8)
	for i := range opened {
		all.Go(func() { opened[i] = open(t, dir) })
	}
	all.Wait()
	sealed, err := opened[0].Seal(t.Context(), field(), []byte("plain"))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range opened {
		if plain, err := s.Open(t.Context(), field(), sealed); err != nil || string(plain) != "plain" {
			t.Errorf("%q, %v", plain, err)
		}
		if s.Fingerprint([]byte("x")) != opened[0].Fingerprint([]byte("x")) {
			t.Error("two fingerprints")
		}
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 2 {
		t.Errorf("files %v, %v", left, err)
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, second := open(t, dir), open(t, dir)
	old, err := first.Seal(t.Context(), field(), []byte("old"))
	if err != nil {
		t.Fatal(err)
	}
	before := first.Fingerprint([]byte("x"))

	// A key that was only added is not used yet.
	if err := secrets.AddKey(dir); err != nil {
		t.Fatal(err)
	}
	if err := first.Reload(); err != nil {
		t.Fatal(err)
	}
	between, err := first.Seal(t.Context(), field(), []byte("between"))
	if err != nil || string(between[:5]) != string(old[:5]) {
		t.Fatalf("the added key seals: %x %x %v", between[:5], old[:5], err)
	}

	if err := secrets.Promote(dir); err != nil {
		t.Fatal(err)
	}
	if err := first.Reload(); err != nil {
		t.Fatal(err)
	}
	fresh, err := first.Seal(t.Context(), field(), []byte("fresh"))
	if err != nil || string(fresh[:5]) == string(old[:5]) {
		t.Fatalf("the promoted key does not seal: %x %v", fresh[:5], err)
	}
	// The second process has not read the file since; it opens all three.
	for want, sealed := range map[string][]byte{"old": old, "between": between, "fresh": fresh} {
		for _, s := range []*secrets.Secrets{first, second} {
			if plain, err := s.Open(t.Context(), field(), sealed); err != nil || string(plain) != want {
				t.Errorf("%s: %q, %v", want, plain, err)
			}
		}
	}
	if first.Fingerprint([]byte("x")) != before {
		t.Error("rotation changed the fingerprints")
	}
}

func TestRotationsKeepApart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	mark := filepath.Join(dir, "kek.json.rotating")
	if err := os.WriteFile(mark, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := secrets.Rotate(dir); err == nil || !strings.Contains(err.Error(), mark) {
		t.Errorf("got %v", err)
	}
	if err := os.Remove(mark); err != nil {
		t.Fatal(err)
	}
	if err := secrets.Rotate(dir); err != nil {
		t.Fatal(err)
	}
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
}

func TestRefusedFolders(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		damage func(dir string) error
		want   string
	}{
		{"no folder set", nil, "not set"},
		{"missing", func(dir string) error { return os.RemoveAll(dir) }, "payrack init"},
		{"master missing", func(dir string) error { return os.Remove(filepath.Join(dir, "kek.json")) }, "payrack init"},
		{"pepper missing", func(dir string) error { return os.Remove(filepath.Join(dir, "pepper.key")) }, "payrack init"},
		{"master open to the group", func(dir string) error { return os.Chmod(filepath.Join(dir, "kek.json"), 0o640) }, "chmod 600"},
		{"pepper open to the world", func(dir string) error { return os.Chmod(filepath.Join(dir, "pepper.key"), 0o604) }, "chmod 600"},
		{"master damaged", func(dir string) error { return os.WriteFile(filepath.Join(dir, "kek.json"), []byte("{}"), 0o600) }, "backup"},
		{"pepper short", func(dir string) error { return os.WriteFile(filepath.Join(dir, "pepper.key"), []byte("00"), 0o600) }, "backup"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			open(t, dir)
			if c.damage == nil {
				dir = ""
			} else if err := c.damage(dir); err != nil {
				t.Fatal(err)
			}
			_, err := secrets.New(secrets.Options{Dir: dir})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestFilesArePrivate(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	open(t, dir)
	for name, want := range map[string]os.FileMode{".": 0o700, "kek.json": 0o600, "pepper.key": 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}

func TestReloadKeepsTheKeysInUse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	sealed, err := s.Seal(t.Context(), field(), []byte("plain"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "kek.json")); err != nil {
		t.Fatal(err)
	}
	if err := s.Reload(); fault.CodeOf(err) != "keys_unreadable" {
		t.Errorf("got %v", err)
	}
	if plain, err := s.Open(t.Context(), field(), sealed); err != nil || string(plain) != "plain" {
		t.Errorf("%q, %v", plain, err)
	}
}

// A company's key is its own: the associated data is not the only thing between two companies.
func TestCompaniesHaveTheirOwnKeys(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	one, err := s.Key("c1")
	if err != nil {
		t.Fatal(err)
	}
	two, err := s.Key("c2")
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := one.Encrypt([]byte("plain"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := one.Decrypt(sealed, nil); err != nil {
		t.Error(err)
	}
	if _, err := two.Decrypt(sealed, nil); err == nil {
		t.Error("another company's key opens it")
	}
}

// The format is the PHC one, so that other programs read it, and a hash with another cost still matches.
func TestHashFormat(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	hash, err := s.Hash("x")
	if err != nil || !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("%s, %v", hash, err)
	}
	// The vector of the reference implementation: password, somesalt, one pass over 64 KiB.
	if !s.Matches("$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$ZVrRXqxlLcWfcXCnMyv0m4Rpvh/bnCi7", "password") {
		t.Error("the reference vector does not match")
	}
	for _, parameters := range []string{"m=65537,t=1,p=1", "m=64,t=9,p=1", "m=64,t=0,p=1", "m=64,t=1,p=0", "m=0,t=1,p=1", "m=64,t=1,p=9", "m=-1,t=1,p=1", "m=64"} {
		if secrets.ReadsHash("$argon2id$v=19$" + parameters + "$c29tZXNhbHQ$" + strings.Repeat("A", 43)) {
			t.Errorf("%s would be computed", parameters)
		}
	}
	if s.Matches("$argon2id$v=19$m=4294967295,t=1,p=1$c29tZXNhbHQ$"+strings.Repeat("A", 43), "x") {
		t.Error("a hash that asks for four tebibytes was computed")
	}
}

// A flood of token requests takes no more memory than a few hashes.
func TestHashesAreBounded(t *testing.T) {
	t.Parallel()
	s, err := secrets.New(secrets.Options{Dir: t.TempDir(), Create: true, MaxHashes: 2})
	if err != nil {
		t.Fatal(err)
	}
	release := s.HoldHashes()
	done := make(chan bool, 1)
	go func() { done <- s.Matches("", "x") }()
	select {
	case <-done:
		t.Error("a third hash was computed")
	case <-time.After(50 * time.Millisecond):
	}
	release()
	if <-done {
		t.Error("an empty hash matches")
	}
}
