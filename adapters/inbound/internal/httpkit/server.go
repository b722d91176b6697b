package httpkit

import (
	"context"
	"log/slog"
	"net/http"
	"time"
)

// ServerOptions sets up a server.
type ServerOptions struct {
	// WriteTimeout bounds a request from its header to the end of its reply. It must be longer than the
	// longest call to a provider.
	WriteTimeout time.Duration
	Log          *slog.Logger
}

// NewServer returns a server with the limits of a plane. The caller listens and shuts down.
func NewServer(h http.Handler, o ServerOptions) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      o.WriteTimeout,
		IdleTimeout:       2 * time.Minute,
		// net/http adds 4 KiB of slack to this number.
		MaxHeaderBytes:               MaxHeader - 4<<10,
		DisableGeneralOptionsHandler: true,
		// net/http's own lines are about connections; they go where ours go, and hold no request.
		ErrorLog: slog.NewLogLogger(connectionLog{o.Log.Handler()}, slog.LevelWarn),
	}
}

// connectionLog marks the lines of net/http and cuts their text: a line about a malformed request could
// repeat a part of it.
type connectionLog struct{ next slog.Handler }

func (h connectionLog) Enabled(ctx context.Context, l slog.Level) bool { return h.next.Enabled(ctx, l) }

func (h connectionLog) Handle(ctx context.Context, r slog.Record) error {
	kind := "other"
	for _, known := range []string{"TLS handshake error", "Accept error", "superfluous", "panic serving", "timeout"} {
		if containsFold(r.Message, known) {
			kind = known
		}
	}
	line := slog.NewRecord(r.Time, r.Level, "http server trouble", r.PC)
	line.AddAttrs(slog.String("kind", kind))
	return h.next.Handle(ctx, line) //nolint:wrapcheck // a handler hands its error on as it is
}

func (h connectionLog) WithAttrs(a []slog.Attr) slog.Handler {
	return connectionLog{h.next.WithAttrs(a)}
}

func (h connectionLog) WithGroup(name string) slog.Handler {
	return connectionLog{h.next.WithGroup(name)}
}
