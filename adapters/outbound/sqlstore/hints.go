package sqlstore

import (
	"context"
	"log/slog"
	"sync"

	"github.com/uptrace/bun"
)

// pluginChannel is the channel of PostgreSQL's NOTIFY on which saved plugin channels are told.
const pluginChannel = "payrack_plugin"

// hints tells the goroutines of this process that something was saved. Nobody waits for a listener: each has room for
// one hint, and a second one says nothing that the first has not said.
type hints struct {
	mu  sync.Mutex
	all map[chan struct{}]struct{}
	// closed ends every listener when the store is closed, and listeners waits for them.
	closed    chan struct{}
	listeners sync.WaitGroup
}

func newHints() *hints { return &hints{all: map[chan struct{}]struct{}{}, closed: make(chan struct{})} }

// add makes a listener that ends with ctx or with the store. While it lives, listen runs. Its channel is closed when it
// ends, at once if the store is closed already.
func (h *hints) add(ctx context.Context, listen func(ctx context.Context)) <-chan struct{} {
	hint := make(chan struct{}, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	select {
	case <-h.closed:
		close(hint)
		return hint
	default:
	}
	h.all[hint] = struct{}{}
	ctx, cancel := context.WithCancel(ctx)
	h.listeners.Go(func() {
		defer cancel()
		select {
		case <-ctx.Done():
		case <-h.closed:
		}
	})
	h.listeners.Go(func() {
		listen(ctx)
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.all, hint)
		close(hint)
	})
	return hint
}

// give hints to all listeners of this process.
func (h *hints) give() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for hint := range h.all {
		select {
		case hint <- struct{}{}:
		default:
		}
	}
}

// close ends all listeners and waits for them.
func (h *hints) close() {
	h.mu.Lock()
	select {
	case <-h.closed:
	default:
		close(h.closed)
	}
	h.mu.Unlock()
	h.listeners.Wait()
}

// Changes gets a value soon after a channel was saved: on SQLite by this process, which owns the file, on PostgreSQL by any
// replica, and whenever the listening connection is new, because what was told before then is lost.
func (s *replicaStore) Changes(ctx context.Context) <-chan struct{} {
	return s.store.hints.add(ctx, func(ctx context.Context) {
		s.store.backend.listen(ctx, s.store.log, s.store.hints.give)
	})
}

// tell tells the replicas that share the database, in the commit of the change.
func (s *Store) tell(ctx context.Context, db bun.IDB, name string) error {
	if s.dialect == sqlite {
		return nil
	}
	_, err := db.NewRaw("SELECT pg_notify(?, ?)", pluginChannel, name).Exec(ctx)
	return err //nolint:wrapcheck // made a fault by the caller
}

// listen waits: nobody else writes a SQLite file.
func (b *sqliteBackend) listen(ctx context.Context, _ *slog.Logger, _ func()) { <-ctx.Done() }
