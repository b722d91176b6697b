package memory

import (
	"context"

	"github.com/payrack/payrack/core/journal"
)

// journalStore is the store's outbound.Journal.
type journalStore struct{ s *Store }

// write adds an entry to its stream and to the log of all.
func (s *Store) write(e journal.Entry) {
	e.At, e.Body = stored(e.At), filled(e.Body)
	s.streams[e.Stream] = append(s.streams[e.Stream], e)
	s.log = append(s.log, journal.Placed{Place: journal.Place{Row: int64(len(s.log)) + 1}, Entry: e})
}

// Entries returns the entries of a stream in order.
func (j *journalStore) Entries(ctx context.Context, stream string, after int64, limit int) ([]journal.Entry, error) {
	if limit < 1 {
		return nil, invalid("out_of_range", "the limit is at least 1")
	}
	if err := j.s.enter(ctx); err != nil {
		return nil, err
	}
	defer j.s.mu.Unlock()
	var all []journal.Entry
	for _, e := range j.s.streams[stream] {
		if e.N > after && len(all) < limit {
			e.Body = filled(e.Body)
			all = append(all, e)
		}
	}
	return all, nil
}

// Tail returns entries of all streams in order. What is stored is visible at once.
func (j *journalStore) Tail(ctx context.Context, after journal.Place, limit int) ([]journal.Placed, error) {
	if limit < 1 {
		return nil, invalid("out_of_range", "the limit is at least 1")
	}
	if err := j.s.enter(ctx); err != nil {
		return nil, err
	}
	defer j.s.mu.Unlock()
	if after.Transaction > 0 {
		return nil, nil
	}
	var all []journal.Placed
	for row := max(after.Row, 0); row < int64(len(j.s.log)) && len(all) < limit; row++ {
		e := j.s.log[row]
		e.Body = filled(e.Body)
		all = append(all, e)
	}
	return all, nil
}

// Seals returns seals in order.
func (j *journalStore) Seals(ctx context.Context, after int64, limit int) ([]journal.Seal, error) {
	if limit < 1 {
		return nil, invalid("out_of_range", "the limit is at least 1")
	}
	if err := j.s.enter(ctx); err != nil {
		return nil, err
	}
	defer j.s.mu.Unlock()
	var all []journal.Seal
	for number := max(after, 0); number < int64(len(j.s.seals)) && len(all) < limit; number++ {
		all = append(all, keptSeal(j.s.seals[number]))
	}
	return all, nil
}

// AddSeal keeps the next seal.
func (j *journalStore) AddSeal(ctx context.Context, s journal.Seal) error {
	if err := j.s.enter(ctx); err != nil {
		return err
	}
	defer j.s.mu.Unlock()
	next := int64(len(j.s.seals)) + 1
	if s.Number >= 1 && s.Number < next {
		return conflict("seal_taken", "another replica has sealed this block already")
	}
	if s.Number != next || s.Count < 1 || s.Key == "" || len(s.Signature) == 0 {
		return refused("a seal follows the one before, and is signed")
	}
	j.s.seals = append(j.s.seals, keptSeal(s))
	return nil
}

func keptSeal(s journal.Seal) journal.Seal {
	s.At, s.Signature = stored(s.At), filled(s.Signature)
	return s
}
