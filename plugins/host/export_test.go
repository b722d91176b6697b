package host

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/payrack/payrack/plugins/internal/wire/providerv1"
)

// InfoFromWire is infoFromWire.
func InfoFromWire(r *providerv1.GetInfoResponse) (Info, error) { return infoFromWire(r) }

// Backoff is backoff.
func Backoff(crashesBefore int, base, limit time.Duration) time.Duration {
	return backoff(crashesBefore, base, limit)
}

// LogLines sends text through the reader of a plugin's output and returns the crash report.
func LogLines(ctx context.Context, text string, log *slog.Logger) string {
	return LogReader(ctx, strings.NewReader(text), log)
}

// LogReader sends what it reads through the reader of a plugin's output and returns the crash report.
func LogReader(ctx context.Context, r io.Reader, log *slog.Logger) string {
	l := newPluginLog(log)
	l.consume(ctx, r)
	return l.crashReport()
}

// Spread is spread.
var Spread = spread

// Waiting is how many calls wait for a plugin or fall in after its return, and how many places are taken.
func (s *Slot) Waiting() (waiting int64, places int) {
	s.calls.mu.Lock()
	defer s.calls.mu.Unlock()
	return s.waiting.Load(), s.calls.open
}
