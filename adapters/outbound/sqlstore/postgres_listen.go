package sqlstore

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// listenFirst and listenLast are the shortest and the longest wait before the listening connection is opened again.
	listenFirst = 200 * time.Millisecond
	listenLast  = 5 * time.Second
	// listenProbe is how long a silent connection is believed to be there.
	listenProbe = 30 * time.Second
)

// listen gives a hint for every notification, and for every connection that it makes, until ctx ends. It has a
// connection of its own, because LISTEN belongs to a session and a session of the pool belongs to nobody.
func (b *postgresBackend) listen(ctx context.Context, log *slog.Logger, give func()) {
	wait, told := listenFirst, false
	for ctx.Err() == nil {
		err := b.listenOnce(ctx, func() {
			wait = listenFirst
			if told {
				told = false
				log.LogAttrs(ctx, slog.LevelInfo, "changes of plugin channels are heard at once again")
			}
			give()
		})
		if ctx.Err() != nil {
			return
		}
		if !told {
			told = true
			log.LogAttrs(ctx, slog.LevelWarn, "changes of plugin channels are not heard at once; they are seen when this process looks next",
				slog.String("error", err.Error()))
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait/2 + rand.N(wait/2)): //nolint:gosec // spreading load is no secret
		}
		wait = min(2*wait, listenLast)
	}
}

// listenOnce listens on one connection until it is lost. heard is called when it listens and at each notification.
func (b *postgresBackend) listenOnce(ctx context.Context, heard func()) error {
	conn, err := pgx.ConnectConfig(ctx, b.pool.Config().ConnConfig)
	if err != nil {
		return err //nolint:wrapcheck // for the log
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(ctx) // the server ends the session when the connection is gone
	}()
	if _, err := conn.Exec(ctx, "LISTEN "+pluginChannel); err != nil {
		return err //nolint:wrapcheck // for the log
	}
	for heard(); ; heard() {
		if err := notified(ctx, conn); err != nil {
			return err
		}
	}
}

// notified waits for a notification. A connection that says nothing for long is asked whether it is there.
func notified(ctx context.Context, conn *pgx.Conn) error {
	for {
		waiting, cancel := context.WithTimeout(ctx, listenProbe)
		_, err := conn.WaitForNotification(waiting)
		cancel()
		if err == nil || ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			return err //nolint:wrapcheck // for the log
		}
		asking, cancel := context.WithTimeout(ctx, connectTimeout)
		err = conn.Ping(asking)
		cancel()
		if err != nil {
			return err //nolint:wrapcheck // for the log
		}
	}
}
