package journal_test

import (
	"testing"
	"time"

	"github.com/payrack/payrack/core/journal"
)

func TestEveryPartOfAnEntryIsInItsHash(t *testing.T) {
	t.Parallel()
	at := time.Unix(0, 0)
	e := journal.Link(journal.Hash{}, "payment/1", 1, at, "payment.sending", []byte(`{"a":1}`))
	if !e.Verify() {
		t.Fatal("a fresh entry does not verify")
	}
	for name, change := range map[string]func(*journal.Entry){
		"stream": func(e *journal.Entry) { e.Stream = "payment/2" },
		"n":      func(e *journal.Entry) { e.N = 2 },
		"body":   func(e *journal.Entry) { e.Body = []byte(`{"a":2}`) },
		"prev":   func(e *journal.Entry) { e.Prev[0] = 1 },
		"hash":   func(e *journal.Entry) { e.Hash[0] ^= 1 },
		// The boundary between two parts must not move unnoticed.
		"boundary": func(e *journal.Entry) { e.Stream, e.Body = e.Stream+"{", e.Body[1:] },
	} {
		changed := e
		change(&changed)
		if changed.Verify() {
			t.Errorf("a changed %s still verifies", name)
		}
	}
}
