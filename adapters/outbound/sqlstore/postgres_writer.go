package sqlstore

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/uptrace/bun"

	"github.com/payrack/payrack/ports/outbound"
)

const (
	// directWriters is how many changes go out on connections of their own, which PostgreSQL commits together
	// by itself. Beyond that a queue forms, and what waits in it goes out as one group.
	directWriters = 8
	// lockTimeout bounds the wait for a row that another transaction holds.
	lockTimeout = 5 * time.Second
	// writeTimeout bounds a transaction of ours after its hand-over.
	writeTimeout = 15 * time.Second
	// acquireTimeout bounds the wait for a connection, of changes whose caller has no deadline.
	acquireTimeout = 10 * time.Second
	// attempts bounds how often a change that met another one runs again.
	attempts = 5
	// doubtBudget bounds how long a commit without an answer is asked about.
	doubtBudget = 5 * time.Second
)

// postgresWriter makes changes durable in PostgreSQL.
type postgresWriter struct {
	pool    *pgxpool.Pool
	read    *bun.DB
	log     *slog.Logger
	text    statements
	months  months
	queue   *queue
	direct  chan struct{}
	once    sync.Once
	stopped chan struct{}
}

// newPostgresWriter starts the goroutine that commits groups. ctx carries no cancellation, because that
// goroutine outlives every caller.
func newPostgresWriter(ctx context.Context, pool *pgxpool.Pool, read *bun.DB, log *slog.Logger) *postgresWriter {
	w := &postgresWriter{
		pool: pool, read: read, log: log, text: writerStatements(postgres), months: months{shared: true},
		queue: newQueue(), direct: make(chan struct{}, directWriters), stopped: make(chan struct{}),
	}
	go w.run(ctx)
	return w
}

// commit sends a change directly while few others are on their way and nobody waits; else it waits for the
// next group.
func (w *postgresWriter) commit(ctx context.Context, c *change) (outbound.Committed, int, error) {
	if w.queue.idle() {
		select {
		case w.direct <- struct{}{}:
			defer func() { <-w.direct }()
			committed, err := w.alone(ctx, c)
			return committed, 1, err
		default:
		}
	}
	r := newRequest(c, nil)
	if err := w.queue.push(r); err != nil {
		return outbound.Committed{}, 0, err
	}
	r.wait(ctx)
	return r.committed, r.batch, r.err
}

func (w *postgresWriter) close() {
	w.once.Do(w.queue.close)
	<-w.stopped
}

func (w *postgresWriter) run(ctx context.Context) {
	defer close(w.stopped)
	for group := w.queue.next(maxBatch); len(group) > 0; group = w.queue.next(maxBatch) {
		w.runGroup(ctx, group)
	}
}

// alone runs a change in a transaction of its own. ctx is obeyed until a connection is there.
func (w *postgresWriter) alone(ctx context.Context, c *change) (outbound.Committed, error) {
	var last error
	for attempt := range attempts {
		if attempt > 0 {
			pause(attempt)
		}
		result, err := w.attempt(ctx, []*change{c})
		switch {
		case err == nil && result.lost == nil:
			return outbound.Committed{}, nil
		case err == nil:
			committed, err := diagnose(context.WithoutCancel(ctx), w.read, &w.months, c)
			if !errors.Is(err, errVanished) {
				return committed, err
			}
			last = err
		case errors.Is(err, errCommit):
			return w.settle(ctx, c, err)
		case isLostRace(err):
			last = err
		case attempt == 0 && isConnectionLost(err):
			// It was lost before COMMIT, so nothing is stored. The other idle ones are likely lost too.
			w.pool.Reset()
			last = err
		default:
			w.leaveReadOnly(err)
			return outbound.Committed{}, writeFault(err)
		}
	}
	return outbound.Committed{}, unavailable(last)
}

// leaveReadOnly gives up all connections if the server takes no writes: its address may be another server's by now, and these
// would lead to the old one as long as they live.
func (w *postgresWriter) leaveReadOnly(err error) {
	if isReadOnly(err) {
		w.pool.Reset()
	}
}

// pause waits a little longer each time, and never as long as another one that met the same rows.
func pause(attempt int) {
	time.Sleep(time.Duration(attempt)*2*time.Millisecond + rand.N(3*time.Millisecond)) //nolint:gosec // no secret
}

// do runs a job in a transaction of its own, again if it met another one.
func (w *postgresWriter) do(ctx context.Context, j job) error {
	if err := ended(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	var last error
	for attempt := range attempts {
		if attempt > 0 {
			pause(attempt)
		}
		tx, err := w.read.BeginTx(ctx, nil)
		if attempt == 0 && isConnectionLost(err) {
			w.pool.Reset()
			last = err
			continue
		}
		if err != nil {
			return unavailable(err)
		}
		if err := j(ctx, tx); err != nil {
			if rollback := tx.Rollback(); rollback != nil {
				w.log.LogAttrs(ctx, slog.LevelWarn, "rollback failed", slog.Any("error", rollback))
			}
			if !isLostRace(err) {
				w.leaveReadOnly(err)
				return err
			}
			last = err
			continue
		}
		err = tx.Commit()
		switch {
		case err == nil:
			return nil
		case isLostRace(err):
			last = err
		case isConstraint(err):
			return err //nolint:wrapcheck // whoever made the job makes the fault
		default:
			return inDoubt(err)
		}
	}
	return unavailable(last)
}

// errNoConnection says that no connection could be had.
var errNoConnection = errors.New("no connection")

// acquire takes a connection that has the writer's statements prepared.
func (w *postgresWriter) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, acquireTimeout)
	defer cancel()
	conn, err := w.pool.Acquire(ctx)
	if err != nil {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) && w.pool.Stat().IdleConns() > 0 {
			// It was no lack of connections: those that were tried lead nowhere, and the others are not tried one by one.
			w.pool.Reset()
		}
		return nil, unavailable(errors.Join(errNoConnection, err))
	}
	for _, text := range w.text.all() {
		// A connection remembers what it has prepared, so this costs a look into a map.
		if _, err := conn.Conn().Prepare(ctx, text, text); err != nil {
			conn.Release()
			return nil, err //nolint:wrapcheck // the writer tells a lost connection from a missing table
		}
	}
	return conn, nil
}

// all are the statements that the PostgreSQL writer prepares, by themselves as names.
func (s statements) all() []string {
	return []string{
		s.insertClaim, s.insertPayment, s.updatePayment, s.lockPayment, s.insertOperation, s.beginOperation,
		s.updateOperation, s.insertJournal,
	}
}

// giveBack gives a connection back, closed if it is still inside a transaction that could not be ended.
func giveBack(ctx context.Context, conn *pgxpool.Conn) {
	if conn.Conn().PgConn().TxStatus() != 'I' {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		_, err := conn.Exec(ctx, "ROLLBACK", pgx.QueryExecModeSimpleProtocol)
		cancel()
		if err != nil {
			_ = conn.Conn().Close(ctx) // the server rolls back when the connection ends
		}
	}
	conn.Release()
}
