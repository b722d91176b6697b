// Package journal is the evidence of the platform: one entry per state change, written in the same commit
// as the change, chained per stream.
//
// An entry's hash is sha256(prev | stream | n | body) over the stored bytes, each part preceded by its
// length as eight bytes, so that no two different entries have the same input. The head of the chain
// stands in the row that the change locks anyway: a chain shared by all payments would make every commit
// wait for every other.
package journal

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// Hash is a chain value.
type Hash [sha256.Size]byte

// Entry is one link of a stream's chain.
type Entry struct {
	// Stream is "payment/<id>", "plugin/<name>" or "company/<id>".
	Stream string
	// N counts from 1 without gaps; for a payment it is the version after the change.
	N int64
	// At is when the change was decided.
	At time.Time
	// Event names what happened, such as payment.succeeded.
	Event string
	// Body is the canonical JSON of the facts. No secret, no personal data.
	Body []byte
	// Prev is the hash of entry N-1, zero for the first.
	Prev Hash
	// Hash of this entry.
	Hash Hash
}

// Link makes the entry that follows prev.
func Link(prev Hash, stream string, n int64, at time.Time, event string, body []byte) Entry {
	return Entry{Stream: stream, N: n, At: at, Event: event, Body: body, Prev: prev, Hash: Sum(prev, stream, n, body)}
}

// Sum is the hash of an entry.
func Sum(prev Hash, stream string, n int64, body []byte) Hash {
	h := sha256.New()
	var number [8]byte
	part := func(b []byte) {
		binary.BigEndian.PutUint64(number[:], uint64(len(b)))
		h.Write(number[:])
		h.Write(b)
	}
	part(prev[:])
	part([]byte(stream))
	binary.BigEndian.PutUint64(number[:], uint64(n)) //nolint:gosec // n counts from 1
	h.Write(number[:])
	part(body)
	var sum Hash
	h.Sum(sum[:0])
	return sum
}

// Verify reports whether the entry's hash is that of its content.
func (e Entry) Verify() bool { return e.Hash == Sum(e.Prev, e.Stream, e.N, e.Body) }
