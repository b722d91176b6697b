package sqlstore

import "context"

// Durability is whether the database keeps what it has confirmed.
type Durability struct {
	// System is "sqlite" or "postgresql".
	System string
	// Settings are the ones that it rests on, by their own names.
	Settings map[string]string
	// Problems are sentences for the operator; empty means that a confirmed commit survives a power cut.
	Problems []string
}

// OK reports whether there is no problem.
func (d Durability) OK() bool { return len(d.Problems) == 0 }

// Durability reads the settings that the promise "a confirmed payment is not forgotten" rests on.
func (s *Store) Durability(ctx context.Context) (d Durability, err error) {
	end := s.span(ctx, "store.durability", "SHOW")
	defer func() { end(SpanEnd{Err: err}) }()
	d, err = s.backend.durability(ctx)
	return d, readFault(err)
}
