package sandbox

import (
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Book is a map that survives a restart. It is read and written inside [Env.Do] only.
type Book[T any] struct {
	name string
	rows map[string]T
}

// NewBook opens a dialect's book of that name with what it held before.
func NewBook[T any](e *Env, name string) *Book[T] {
	b := &Book[T]{name: e.dialect.Name + "/" + name, rows: map[string]T{}}
	s := e.server
	for key, value := range s.replayed[b.name] {
		var v T
		if err := json.Unmarshal(value, &v); err != nil && e.openErr == nil {
			e.openErr = fmt.Errorf("book %s: %w", name, err)
		}
		b.rows[key] = v
	}
	delete(s.replayed, b.name)
	return b
}

// Get returns a value. Slices in it are shared: replace them, do not change them.
func (b *Book[T]) Get(_ *Tx, key string) (T, bool) {
	v, ok := b.rows[key]
	return v, ok
}

// Put sets a value.
func (b *Book[T]) Put(tx *Tx, key string, value T) {
	encoded, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("sandbox: book %s holds a value without a JSON form: %v", b.name, err))
	}
	b.rows[key] = value
	tx.rows = append(tx.rows, row{Book: b.name, Key: key, Value: jsontext.Value(encoded)})
}

// All visits every value, in no order, while a dialect is mounted: to build its indexes.
func (b *Book[T]) All(visit func(key string, value T)) {
	for key, value := range b.rows {
		visit(key, value)
	}
}

// Tx is one change of the sandbox's state.
type Tx struct {
	env   *Env
	now   time.Time
	rows  []row
	entry *Entry
}

// Do runs change alone, nothing else in the sandbox moves meanwhile, and returns when what change saw and
// wrote is on the disk. Its books and its ledger entry are kept together or not at all. change must not
// block. An error means that the journal is broken, and no answer may leave.
func (e *Env) Do(change func(*Tx)) error {
	s := e.server
	s.mu.Lock()
	if err := s.journal.broken(); err != nil {
		s.mu.Unlock()
		return err
	}
	tx := &Tx{env: e, now: s.now()}
	change(tx)
	if len(tx.rows) > 0 || tx.entry != nil {
		if err := s.appendLocked(record{Rows: tx.rows, Entry: tx.entry}); err != nil {
			s.mu.Unlock()
			return err
		}
	}
	last := s.last
	s.mu.Unlock()
	return last.wait()
}

// Now is the sandbox's clock when the change began.
func (tx *Tx) Now() time.Time { return tx.now }

// Serial is a number that no other change of this sandbox has, below 10^15.
func (tx *Tx) Serial() uint64 {
	s := tx.env.server
	const room = 100_000 // the base is below 2^32, so that the product stays below 10^15
	return s.base*room + s.seq + 1
}

// Enter puts the movement of money that this change makes into the ledger; at most one for a change.
// Seq, At, Provider and BaseOrderID are filled in.
func (tx *Tx) Enter(entry Entry) {
	if tx.entry != nil {
		panic("sandbox: one change makes one ledger entry")
	}
	if entry.Amount <= 0 {
		panic("sandbox: the ledger holds positive amounts")
	}
	s := tx.env.server
	entry.Seq = s.seq + 1
	entry.At = tx.now
	entry.Provider = tx.env.dialect.Name
	entry.BaseOrderID = s.baseOrder(entry.Provider, entry.OrderID)
	tx.entry = &entry
}

// Code returns a one-time code.
func (tx *Tx) Code(code string) (Code, bool) { return tx.env.codes.Get(tx, code) }

// SpendCode marks a code as taken.
func (tx *Tx) SpendCode(code Code) {
	code.Used = true
	tx.env.codes.Put(tx, code.Code, code)
}
