package outboundtest

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/journal"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
)

// Journal is the contract of outbound.Journal, over stores whose Ledger keeps its own contract. open returns an empty
// store; the suite calls it once a subtest and runs the subtests in parallel.
func Journal(t *testing.T, open func(t *testing.T) Stores) {
	t.Helper()
	for _, c := range []ledgerCase{
		{"the entries of a stream are read in order, in parts, and verify", journalInOrder},
		{"the tail holds the entries of all streams in the order of their commits", tailInOrder},
		{"a reader of the tail misses nothing while many write", tailMissesNothing},
		{"a block that is read again has the same hash", blocksStay},
		{"seals are kept as they are, in order", sealsKept},
		{"a number is sealed once, and after the one before", sealsFollow},
		{"of many seals of one number one wins", sealRaces},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t, newBook(open(t)))
		})
	}
}

func journalInOrder(t *testing.T, b *book) {
	t.Helper()
	r := b.ended(t, b.begun(t), payment.Unknown)
	want := []outbound.Change{}
	for range 12 {
		c := next(r, func(x *payment.Record) { x.Operation.Checks++ })
		want = append(want, c)
		r = b.stored(t, c)
	}
	b.begun(t) // another stream
	var all []journal.Entry
	for after := int64(0); ; {
		part, err := b.Journal.Entries(t.Context(), r.Payment.Stream(), after, 5)
		if err != nil {
			t.Fatalf("Journal: %v", err)
		}
		if len(part) == 0 {
			break
		}
		if len(part) > 5 {
			t.Fatalf("a part of %d entries, want at most 5", len(part))
		}
		all = append(all, part...)
		after = part[len(part)-1].N
	}
	if len(all) != 14 {
		t.Fatalf("%d entries, want 14", len(all))
	}
	var prev journal.Hash
	for i, e := range all {
		if e.N != int64(i)+1 || e.Prev != prev || !e.Verify() || e.Stream != r.Payment.Stream() {
			t.Errorf("entry %d does not follow: %+v", i+1, e)
		}
		prev = e.Hash
	}
	same(t, all[13], want[11].Entry)
	if _, err := b.Journal.Entries(t.Context(), r.Payment.Stream(), 0, 0); fault.KindOf(err) != fault.Invalid {
		t.Errorf("limit 0: %v, want invalid", err)
	}
	none, err := b.Journal.Entries(t.Context(), "payment/unknown", 0, 5)
	if err != nil || len(none) != 0 {
		t.Errorf("an unknown stream: %v, %v; want nothing", none, err)
	}
}

// drained reads the tail of a journal to its end, a part at a time.
func (b *book) drained(t *testing.T, from journal.Place, limit int) []journal.Placed {
	t.Helper()
	var all []journal.Placed
	for {
		part, err := b.Journal.Tail(t.Context(), from, limit)
		if err != nil {
			t.Fatalf("Tail: %v", err)
		}
		if len(part) == 0 {
			return all
		}
		if len(part) > limit {
			t.Fatalf("a part of %d entries, want at most %d", len(part), limit)
		}
		if !slices.IsSortedFunc(part, func(x, y journal.Placed) int {
			if x.After(y.Place) {
				return 1
			}
			return -1
		}) || !part[0].After(from) {
			t.Fatal("the places do not grow")
		}
		all = append(all, part...)
		from = part[len(part)-1].Place
	}
}

func tailInOrder(t *testing.T, b *book) {
	t.Helper()
	if none := b.drained(t, journal.Place{}, 10); len(none) != 0 {
		t.Fatalf("an empty journal has %d entries", len(none))
	}
	var want []journal.Entry
	kept := func(c outbound.Change) payment.Record {
		want = append(want, c.Entry)
		return b.stored(t, c)
	}
	for range 5 {
		first, second := kept(b.intent()), kept(b.intent())
		kept(next(first, closing(payment.Succeeded)))
		kept(next(second, closing(payment.Unknown)))
		// A claim and a fence are no entries.
		b.due(t, 1)
	}
	b.visible(t, len(want))
	for _, limit := range []int{1, 7, 100} {
		all := b.drained(t, journal.Place{}, limit)
		if len(all) != len(want) {
			t.Fatalf("%d entries, want %d", len(all), len(want))
		}
		for i, e := range all {
			same(t, e.Entry, want[i])
		}
		if rest := b.drained(t, all[11].Place, limit); len(rest) != len(want)-12 {
			t.Errorf("%d entries behind the twelfth, want %d", len(rest), len(want)-12)
		}
	}
	for _, limit := range []int{-1, 0} {
		_, err := b.Journal.Tail(t.Context(), journal.Place{}, limit)
		wantKind(t, err, fault.Invalid)
	}
}

// visible waits until the tail has so many entries: a transaction that is open elsewhere on the same server may
// hide them for a while.
func (b *book) visible(t *testing.T, n int) []journal.Placed {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(5 * time.Millisecond) {
		all := b.drained(t, journal.Place{}, 100)
		if len(all) >= n || time.Now().After(deadline) {
			return all
		}
	}
}

// tailMissesNothing follows the journal while it grows.
func tailMissesNothing(t *testing.T, b *book) {
	t.Helper()
	changes := make([]outbound.Change, 0, 4*racers)
	for range cap(changes) {
		changes = append(changes, b.intent())
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		var wg sync.WaitGroup
		for part := range slices.Chunk(changes, 16) {
			wg.Go(func() {
				for _, c := range part {
					if got, err := b.ledger.Commit(t.Context(), c); err != nil || got.Loss != outbound.NoLoss {
						t.Errorf("Commit = %+v, %v", got, err)
					}
				}
			})
		}
		wg.Wait()
	}()
	seen := map[string]int{}
	var last journal.Place
	follow := func() {
		for _, e := range b.drained(t, last, 50) {
			seen[e.Stream]++
			last = e.Place
		}
	}
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		follow()
	}
	// What another transaction still hid is seen when that has ended.
	for deadline := time.Now().Add(2 * time.Minute); len(seen) < len(changes) && time.Now().Before(deadline); {
		follow()
		time.Sleep(time.Millisecond)
	}
	for _, c := range changes {
		if seen[c.Entry.Stream] != 1 {
			t.Errorf("%s was seen %d times", c.Entry.Stream, seen[c.Entry.Stream])
		}
	}
}

func blocksStay(t *testing.T, b *book) {
	t.Helper()
	for range 5 {
		b.ended(t, b.begun(t), payment.Succeeded)
	}
	all := b.visible(t, 10)
	want := journal.Block(all)
	for range 5 {
		b.begun(t)
	}
	again, err := b.Journal.Tail(t.Context(), journal.Place{}, len(all))
	if err != nil || journal.Block(again) != want {
		t.Errorf("the block has another hash: %v", err)
	}
}

func someSeal(number int64, prev journal.Hash) journal.Seal {
	s := journal.Seal{
		Number: number, From: journal.Place{Transaction: number * 10, Row: number * 100},
		To: journal.Place{Transaction: number*10 + 9, Row: number*100 + 50}, Count: 42, Prev: prev,
		At: epochStart().Add(time.Duration(number) * time.Second), Key: "seal-1", Signature: []byte(strings.Repeat("s", 64)),
	}
	s.Root[0] = byte(number)
	return s
}

func sealsKept(t *testing.T, b *book) {
	t.Helper()
	var want []journal.Seal
	var prev journal.Hash
	for number := range int64(7) {
		s := someSeal(number+1, prev)
		written(t, b.Journal.AddSeal(t.Context(), s))
		want, prev = append(want, s), s.Sum()
	}
	for _, limit := range []int{1, 3, 100} {
		var all []journal.Seal
		for after := int64(0); ; after = all[len(all)-1].Number {
			part, err := b.Journal.Seals(t.Context(), after, limit)
			if err != nil || len(part) > limit {
				t.Fatalf("Seals = %d, %v; want at most %d", len(part), err, limit)
			}
			if all = append(all, part...); len(part) == 0 {
				break
			}
		}
		same(t, all, want)
	}
	_, err := b.Journal.Seals(t.Context(), 0, 0)
	wantKind(t, err, fault.Invalid)
}

func sealsFollow(t *testing.T, b *book) {
	t.Helper()
	first := someSeal(1, journal.Hash{})
	for _, number := range []int64{0, 2} {
		wantCode(t, b.Journal.AddSeal(t.Context(), someSeal(number, journal.Hash{})), fault.Internal, "ledger_refused")
	}
	written(t, b.Journal.AddSeal(t.Context(), first))
	wantCode(t, b.Journal.AddSeal(t.Context(), first), fault.Conflict, "seal_taken")
	wantCode(t, b.Journal.AddSeal(t.Context(), someSeal(3, first.Sum())), fault.Internal, "ledger_refused")
	for name, edit := range map[string]func(*journal.Seal){
		"entries":   func(s *journal.Seal) { s.Count = 0 },
		"key":       func(s *journal.Seal) { s.Key = "" },
		"signature": func(s *journal.Seal) { s.Signature = nil },
	} {
		s := someSeal(2, first.Sum())
		edit(&s)
		if err := b.Journal.AddSeal(t.Context(), s); fault.CodeOf(err) != "ledger_refused" {
			t.Errorf("no %s: %v, want ledger_refused", name, err)
		}
	}
	written(t, b.Journal.AddSeal(t.Context(), someSeal(2, first.Sum())))
	all, err := b.Journal.Seals(t.Context(), 0, 10)
	if err != nil || len(all) != 2 {
		t.Errorf("Seals = %+v, %v; want two", all, err)
	}
}

func sealRaces(t *testing.T, b *book) {
	t.Helper()
	won := manyAtOnce(t, func() error { return b.Journal.AddSeal(t.Context(), someSeal(1, journal.Hash{})) })
	if won != 1 {
		t.Errorf("%d seals won, want 1", won)
	}
}
