package outboundtest

import (
	"bytes"
	"strings"
	"sync"
	"testing"

	"github.com/payrack/payrack/core/credential"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/ports/outbound"
)

// Secrets is the contract of outbound.Secrets. open returns secrets; the suite calls it once a subtest.
func Secrets(t *testing.T, open func(t *testing.T) outbound.Secrets) {
	t.Helper()
	field := credential.Field{Company: "c1", Provider: "p1", Name: "credential/1"}

	t.Run("what is sealed opens", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		for _, plain := range [][]byte{[]byte(`{"key":"秘"}`), {}, {0}, bytes.Repeat([]byte("x"), 1<<20)} {
			sealed, err := s.Seal(t.Context(), field, plain)
			if err != nil {
				t.Fatal(err)
			}
			if len(plain) > 8 && bytes.Contains(sealed, plain[:8]) {
				t.Error("the sealed text shows the plain one")
			}
			opened, err := s.Open(t.Context(), field, sealed)
			if err != nil || !bytes.Equal(opened, plain) {
				t.Errorf("got %d bytes, %v; want %d", len(opened), err, len(plain))
			}
		}
	})

	t.Run("sealing twice gives two texts", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		a, errA := s.Seal(t.Context(), field, []byte("same"))
		b, errB := s.Seal(t.Context(), field, []byte("same"))
		if errA != nil || errB != nil || bytes.Equal(a, b) {
			t.Errorf("equal texts tell that two secrets are equal: %v %v", errA, errB)
		}
	})

	t.Run("a sealed text opens for its own field only", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		sealed, err := s.Seal(t.Context(), field, []byte("plain"))
		if err != nil {
			t.Fatal(err)
		}
		for _, other := range []credential.Field{
			{Company: "c2", Provider: "p1", Name: "credential/1"},
			{Company: "c1", Provider: "p2", Name: "credential/1"},
			{Company: "c1", Provider: "p1", Name: "credential/2"},
			{Company: "c1", Provider: "p1c", Name: "redential/1"},
			{Company: "c1p", Provider: "1", Name: "credential/1"},
			{},
		} {
			wantFault(t, opened(s.Open(t.Context(), other, sealed)), fault.Internal, "secret_unreadable")
		}
	})

	t.Run("a changed text does not open", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		sealed, err := s.Seal(t.Context(), field, []byte("plain"))
		if err != nil {
			t.Fatal(err)
		}
		for i := range sealed {
			changed := bytes.Clone(sealed)
			changed[i] ^= 1
			wantFault(t, opened(s.Open(t.Context(), field, changed)), fault.Internal, "secret_unreadable")
		}
		for _, text := range [][]byte{nil, {}, sealed[:len(sealed)-1], sealed[:4], append(bytes.Clone(sealed), 0)} {
			wantFault(t, opened(s.Open(t.Context(), field, text)), fault.Internal, "secret_unreadable")
		}
	})

	t.Run("fingerprints", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		if first := s.Fingerprint([]byte("a")); first != s.Fingerprint([]byte("a")) {
			t.Error("the same data has two fingerprints")
		}
		if s.Fingerprint([]byte("a")) == s.Fingerprint([]byte("b")) || s.Fingerprint(nil) == ([32]byte{}) {
			t.Error("a fingerprint tells nothing")
		}
	})

	t.Run("client secrets", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		a, err := s.Hash("tr0ub4dor&3")
		if err != nil {
			t.Fatal(err)
		}
		b, err := s.Hash("tr0ub4dor&3")
		if err != nil || a == b || strings.Contains(a, "tr0ub4dor") {
			t.Errorf("hashes %q and %q, %v", a, b, err)
		}
		if !s.Matches(a, "tr0ub4dor&3") || !s.Matches(b, "tr0ub4dor&3") {
			t.Error("the right secret does not match")
		}
		for _, wrong := range []string{"", "tr0ub4dor&", "tr0ub4dor&3 ", "Tr0ub4dor&3"} {
			if s.Matches(a, wrong) {
				t.Errorf("%q matches", wrong)
			}
		}
		for _, hash := range []string{"", "tr0ub4dor&3", a[:len(a)-4], a + "A", strings.Replace(a, "$", "", 1)} {
			if s.Matches(hash, "tr0ub4dor&3") {
				t.Errorf("matches the damaged hash %q", hash)
			}
		}
	})

	t.Run("many at once", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() {
				for range 20 {
					sealed, err := s.Seal(t.Context(), field, []byte("plain"))
					if err != nil {
						t.Error(err)
						return
					}
					if plain, err := s.Open(t.Context(), field, sealed); err != nil || string(plain) != "plain" {
						t.Errorf("%q, %v", plain, err)
					}
				}
			})
		}
		all.Wait()
	})
}

func opened(_ []byte, err error) error { return err }

func wantFault(t *testing.T, err error, kind fault.Kind, code string) {
	t.Helper()
	if err == nil || fault.KindOf(err) != kind || fault.CodeOf(err) != code {
		t.Errorf("got %v, want a fault of kind %d with code %s", err, kind, code)
	}
}
