package journal

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// Place is where an entry stands among the entries of all streams: by the transaction that wrote it, then by its row.
// A ledger with one writer has transaction 0 everywhere. The zero place is before all entries.
type Place struct {
	Transaction int64
	Row         int64
}

// After reports whether p stands behind q.
func (p Place) After(q Place) bool {
	if p.Transaction != q.Transaction {
		return p.Transaction > q.Transaction
	}
	return p.Row > q.Row
}

// Placed is an entry with its place.
type Placed struct {
	Place
	Entry
}

// Seal is a signed statement over a block of entries: what stands between two places, and that the blocks before are those
// of the seal before.
type Seal struct {
	// Number counts from 1.
	Number int64
	// From is the place behind which the block begins, To the place of its last entry.
	From, To Place
	// Count of entries in the block.
	Count int64
	// Root is Block over the entries of the block, Prev the Sum of the seal before, zero for the first.
	Root Hash
	Prev Hash
	At   time.Time
	// Key names the signing key, Signature is over Text.
	Key       string
	Signature []byte
}

// Block is the hash of a block's entries in order.
func Block(entries []Placed) Hash {
	h := sha256.New()
	var b [8]byte
	for _, e := range entries {
		for _, n := range []int64{e.Transaction, e.Row, int64(len(e.Stream)), e.N} {
			binary.BigEndian.PutUint64(b[:], uint64(n)) //nolint:gosec // none is negative
			h.Write(b[:])
		}
		h.Write([]byte(e.Stream))
		h.Write(e.Hash[:])
	}
	var sum Hash
	h.Sum(sum[:0])
	return sum
}

// Text is what a seal's signature is over.
func (s Seal) Text() []byte {
	text := []byte("payrack journal seal v1\n")
	for _, n := range []int64{
		s.Number, s.From.Transaction, s.From.Row, s.To.Transaction, s.To.Row, s.Count, s.At.UTC().UnixMicro(),
	} {
		text = binary.BigEndian.AppendUint64(text, uint64(n)) //nolint:gosec // a bit pattern
	}
	return append(append(text, s.Root[:]...), s.Prev[:]...)
}

// Sum is the hash of the seal, which the next one names.
func (s Seal) Sum() Hash {
	h := sha256.New()
	h.Write(s.Text())
	h.Write([]byte(s.Key))
	h.Write([]byte{0})
	h.Write(s.Signature)
	var sum Hash
	h.Sum(sum[:0])
	return sum
}
