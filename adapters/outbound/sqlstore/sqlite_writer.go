package sqlstore

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"slices"
	"sync"

	"github.com/uptrace/bun"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/ports/outbound"
)

// sqliteWriter is the one place from which a SQLite file is written. Whatever queued while the last transaction
// was made durable goes into the next one: the fsync, which costs most, is shared. The place is a goroutine's, and a
// caller's own as long as it is the only one.
type sqliteWriter struct {
	queue *queue
	db    *bun.DB
	log   *slog.Logger
	// ctx carries no cancellation: a transaction that has begun is finished.
	ctx   context.Context //nolint:containedctx // the writer outlives every caller; it has no context of its own
	limit int

	// The rest belongs to whoever has the place: see queue.borrow.
	conn   *bun.Conn
	hot    *prepared
	months months

	once    sync.Once
	stopped chan struct{}
}

func newSQLiteWriter(ctx context.Context, db *bun.DB, log *slog.Logger, limit int) *sqliteWriter {
	w := &sqliteWriter{queue: newQueue(), db: db, log: log, ctx: ctx, limit: limit, stopped: make(chan struct{})}
	go w.run()
	return w
}

func (w *sqliteWriter) commit(ctx context.Context, c *change) (outbound.Committed, int, error) {
	r := newRequest(c, nil)
	if ctx.Err() == nil && w.queue.borrow() {
		defer w.queue.giveBack()
		w.serve([]*request{r})
		return r.committed, r.batch, r.err
	}
	if err := w.queue.push(r); err != nil {
		return outbound.Committed{}, 0, err
	}
	r.wait(ctx)
	return r.committed, r.batch, r.err
}

func (w *sqliteWriter) do(ctx context.Context, j job) error {
	r := newRequest(nil, j)
	if err := w.queue.push(r); err != nil {
		return err
	}
	r.wait(ctx)
	return r.err
}

// close finishes what waits.
func (w *sqliteWriter) close() {
	w.once.Do(w.queue.close)
	<-w.stopped
}

func (w *sqliteWriter) run() {
	defer close(w.stopped)
	for group := w.queue.next(w.limit); len(group) > 0; group = w.nextGroup(len(group)) {
		w.serve(group)
	}
	if w.conn != nil {
		w.disconnect()
	}
}

// serve runs a job, or the changes of a group, and finishes them.
func (w *sqliteWriter) serve(group []*request) {
	if err := w.connect(); err != nil {
		for _, r := range group {
			r.finish(outbound.Committed{}, unavailable(err), 0)
		}
		return
	}
	if group[0].job != nil {
		group[0].finish(outbound.Committed{}, w.runJob(group[0].job), 1)
		return
	}
	w.runGroup(group)
}

// nextGroup takes what waits. Behind a group of several, whoever can run goes first: their changes join this group
// and share its fsync. A single writer never gives way, because nobody would come.
func (w *sqliteWriter) nextGroup(last int) []*request {
	if last > 1 {
		for range yields {
			runtime.Gosched()
		}
	}
	return w.queue.next(w.limit)
}

// yields is how often the writer lets others run before it takes the next group. It is no timer: on an idle machine
// it costs microseconds.
const yields = 64

// connect takes the connection. Its statements are prepared with the first change, because the schema may not
// be there before.
func (w *sqliteWriter) connect() error {
	if w.conn != nil {
		return nil
	}
	conn, err := w.db.Conn(w.ctx)
	if err != nil {
		return unavailable(err)
	}
	w.conn = &conn
	return nil
}

func (w *sqliteWriter) disconnect() {
	if w.hot != nil {
		w.hot.close()
		w.hot = nil
	}
	if err := w.conn.Close(); err != nil {
		w.log.LogAttrs(w.ctx, slog.LevelWarn, "database connection did not close", slog.Any("error", err))
	}
	w.conn = nil
}

func (w *sqliteWriter) exec(statement string) error {
	_, err := w.conn.ExecContext(w.ctx, statement)
	return err //nolint:wrapcheck // the callers make the fault
}

// runJob runs a job in a transaction of its own.
func (w *sqliteWriter) runJob(j job) error {
	if err := w.exec("BEGIN IMMEDIATE"); err != nil {
		return unavailable(err)
	}
	if err := j(w.ctx, w.conn); err != nil {
		w.rollback()
		return err
	}
	if err := w.exec("COMMIT"); err != nil {
		w.rollback()
		return inDoubt(err)
	}
	return nil
}

// outcome is how one change of a group ended inside its transaction.
type outcome struct {
	committed outbound.Committed
	err       error
}

// runGroup commits changes together. If anything but an expected loss happens, nothing of the group stays and
// each change runs again alone, so that one bad change harms no other. Where no transaction can begin, no change is to
// blame, and to try each would let the last of them wait as often as there are others.
func (w *sqliteWriter) runGroup(group []*request) {
	slices.SortStableFunc(group, func(a, b *request) int { return byStream(a.change, b.change) })
	outcomes, err := w.transaction(group)
	if err == nil {
		for i, r := range group {
			r.finish(outcomes[i].committed, outcomes[i].err, len(group))
		}
		return
	}
	if errors.Is(err, errNotBegun) {
		for _, r := range group {
			r.finish(outbound.Committed{}, err, len(group))
		}
		return
	}
	if len(group) > 1 && !errors.Is(err, errMissed) {
		w.log.LogAttrs(w.ctx, slog.LevelWarn, "group commit failed, its changes run one by one",
			slog.Int("changes", len(group)), slog.Any("error", err))
	}
	for _, r := range group {
		committed, err := w.alone(r, err)
		r.finish(committed, err, 1)
	}
}

// errNotBegun marks an error of BEGIN: another program holds the file, or the disk does not answer.
var errNotBegun = errors.New("begin")

// errCommit marks an error of COMMIT itself.
var errCommit = errors.New("commit")

// alone runs a change in its own transaction, after the transaction that it was in failed with cause.
func (w *sqliteWriter) alone(r *request, cause error) (outbound.Committed, error) {
	const attempts = 3
	for range attempts {
		if errors.Is(cause, errCommit) {
			// The commit may have taken place before it failed. Then the change is there.
			done, err := w.isCommitted(r.change)
			if err != nil {
				return outbound.Committed{}, inDoubt(errors.Join(cause, err))
			}
			if done {
				return outbound.Committed{}, nil
			}
		}
		outcomes, err := w.transaction([]*request{r})
		if err == nil {
			return outcomes[0].committed, outcomes[0].err
		}
		if errors.Is(err, errMissed) {
			return diagnose(w.ctx, w.conn, &w.months, r.change)
		}
		if !errors.Is(err, errCommit) {
			return outbound.Committed{}, writeFault(err)
		}
		cause = err
	}
	return outbound.Committed{}, inDoubt(cause)
}

func (w *sqliteWriter) isCommitted(c *change) (bool, error) {
	var n int
	err := w.conn.QueryRowContext(w.ctx, writerStatements(sqlite).committed, c.committedArgs(nil)...).Scan(&n)
	return n > 0, readFault(err)
}

// transaction applies the changes of a group in order and commits them. After an error nothing of them stays,
// unless it is errCommit.
func (w *sqliteWriter) transaction(group []*request) ([]outcome, error) {
	if err := w.prepare(); err != nil {
		return nil, err
	}
	if err := w.hot.run(w.ctx, w.hot.begin, nil); err != nil {
		return nil, unavailable(errors.Join(errNotBegun, err))
	}
	won := map[outbound.ClaimKey]outbound.Claim{}
	outcomes := make([]outcome, len(group))
	for i, r := range group {
		committed, err := w.apply(r.change, won)
		if err != nil {
			w.rollback()
			return nil, err
		}
		outcomes[i].committed = committed
	}
	if err := w.hot.run(w.ctx, w.hot.commit, nil); err != nil {
		w.rollback()
		return nil, errors.Join(errCommit, err)
	}
	return outcomes, nil
}

// rollback ends the transaction. SQLite may have ended it already, after a full disk for one.
func (w *sqliteWriter) rollback() {
	if err := w.exec("ROLLBACK"); err != nil && sqliteCode(err) != 1 {
		w.log.LogAttrs(w.ctx, slog.LevelError, "rollback failed", slog.Any("error", err))
	}
	// What the months looked like inside the transaction is gone with it.
	w.months = months{}
}

func (w *sqliteWriter) prepare() error {
	if w.hot != nil {
		return nil
	}
	hot, err := prepare(w.ctx, w.conn.Conn)
	if err != nil {
		return writeFault(err)
	}
	w.hot = hot
	return nil
}

// apply writes one change inside the transaction. Nobody else writes to the file meanwhile, so what is seen
// here stands until the commit. A loss leaves nothing behind.
func (w *sqliteWriter) apply(c *change, won map[outbound.ClaimKey]outbound.Claim) (outbound.Committed, error) {
	if winners := wonBefore(c, won); len(winners) == len(c.Claims) && len(winners) > 0 {
		return outbound.Committed{Loss: outbound.LostClaim, Claims: winners}, nil
	}
	stored, err := w.write(c)
	if err != nil {
		return outbound.Committed{}, err
	}
	if stored {
		for _, claim := range c.Claims {
			claim.At = utc(claim.At.UnixMicro())
			won[claim.ClaimKey] = claim
		}
		return outbound.Committed{}, nil
	}
	committed, err := diagnose(w.ctx, w.conn, &w.months, c)
	if errors.Is(err, errVanished) {
		return outbound.Committed{}, fault.Wrap(fault.Internal, codeRefused,
			"the database refused a new payment and does not say against what it lost", err)
	}
	return committed, err
}

// write stores a change and reports whether it did. If not, it has taken back what it had written.
func (w *sqliteWriter) write(c *change) (stored bool, err error) {
	claimed, ok, err := w.claim(c)
	if err != nil {
		return false, err
	}
	if ok {
		if err := w.nameMandate(c); err != nil {
			return false, err
		}
		ok, err = w.writeRecord(c)
		if err != nil {
			return false, err
		}
	}
	if !ok {
		for _, claim := range claimed {
			if err := w.hot.run(w.ctx, w.hot.deleteClaim, claimKeyArgs(w.hot.args, claim)); err != nil {
				return false, err
			}
		}
		return false, nil
	}
	if err := w.writeRest(c); err != nil {
		return false, err
	}
	return true, w.hot.run(w.ctx, w.hot.insertJournal, c.journalArgs(w.hot.args))
}

// claim takes the keys of a change. It stops at the first that is taken and returns those that it took.
func (w *sqliteWriter) claim(c *change) (claimed []outbound.Claim, ok bool, err error) {
	for _, claim := range c.Claims {
		older, err := w.months.others(w.ctx, w.conn, claim.At)
		if err != nil {
			return nil, false, err
		}
		for _, generation := range older {
			held, err := w.hot.exists(w.ctx, w.hot.findClaim, monthKeyArgs(w.hot.args, generation, claim.ClaimKey))
			if err != nil || held {
				return claimed, false, err
			}
		}
		taken, err := w.hot.changes(w.ctx, w.hot.insertClaim, claimArgs(w.hot.args, claim))
		if err != nil || !taken {
			return claimed, false, err
		}
		claimed = append(claimed, claim)
	}
	return claimed, true, nil
}

// errMissed says that the payment was as the change was decided on, but its operation was not: another process
// life has fenced it. What was written of the change is taken back with its transaction.
var errMissed = errors.New("the operation is not as the change was decided on")

// writeRecord stores payment and operation. Of two statements the first is the one that may lose.
func (w *sqliteWriter) writeRecord(c *change) (bool, error) {
	switch {
	case c.Version == 0:
		if ok, err := w.hot.changes(w.ctx, w.hot.insertPayment, c.insertPaymentArgs(w.hot.args)); err != nil || !ok {
			return false, err
		}
		return true, w.hot.run(w.ctx, w.hot.insertOperation, c.insertOperationArgs(w.hot.args))
	case c.NewOperation:
		args := c.standsArgs(c.insertOperationArgs(w.hot.args))
		if ok, err := w.hot.changes(w.ctx, w.hot.beginOperation, args); err != nil || !ok {
			return false, err
		}
		ok, err := w.updatePayment(c)
		if err == nil && !ok {
			err = fault.New(fault.Internal, codeRefused, "a payment moved inside a transaction of the only writer")
		}
		return ok, err
	default:
		if ok, err := w.updatePayment(c); err != nil || !ok {
			return false, err
		}
		ok, err := w.hot.changes(w.ctx, w.hot.updateOperation, c.updateOperationArgs(w.hot.args))
		if err == nil && !ok {
			err = errMissed
		}
		return ok, err
	}
}

// updatePayment moves a payment, unless it stands otherwise than the change was decided on.
func (w *sqliteWriter) updatePayment(c *change) (bool, error) {
	if c.Record.Payment.State.Live() {
		if kept, err := w.hot.changes(w.ctx, w.hot.keepLive, c.keepLiveArgs(w.hot.args)); err != nil || kept {
			return kept, err
		}
	}
	return w.hot.changes(w.ctx, w.hot.updatePayment, c.updatePaymentArgs(w.hot.args))
}
