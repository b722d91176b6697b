package main

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"
)

const (
	// logDelay is how long a line of the log may wait for others: one write for many requests instead of one each.
	logDelay = 20 * time.Millisecond
	// logSize is when lines wait no more. Whoever logs then waits for the writer, so that memory has a bound.
	logSize = 64 << 10
)

// logBuffer collects the lines of requests. Warnings and errors are written at once, with everything before
// them. What a process that is killed loses are the last milliseconds of plain lines; payments are in the
// database.
type logBuffer struct {
	// turn keeps writes in order; it is taken before mu.
	turn  sync.Mutex
	to    io.Writer
	spare []byte

	mu      sync.Mutex
	lines   []byte
	pending bool
}

func newLogBuffer(to io.Writer) *logBuffer { return &logBuffer{to: to} }

// Write keeps a copy. It never fails: there is nobody to tell that the log cannot be written.
func (b *logBuffer) Write(line []byte) (int, error) {
	b.mu.Lock()
	b.lines = append(b.lines, line...)
	full, first := len(b.lines) >= logSize, !b.pending
	b.pending = true
	b.mu.Unlock()
	switch {
	case full:
		b.Flush()
	case first:
		time.AfterFunc(logDelay, b.Flush)
	}
	return len(line), nil
}

// Flush writes what waits.
func (b *logBuffer) Flush() {
	b.turn.Lock()
	defer b.turn.Unlock()
	b.mu.Lock()
	lines := b.lines
	b.lines, b.pending = b.spare[:0], false
	b.mu.Unlock()
	if len(lines) > 0 {
		_, _ = b.to.Write(lines) // as slog does: a log that fails has nowhere to say so
	}
	b.spare = lines
}

// prompt flushes behind each record that somebody may be waiting for.
type prompt struct {
	slog.Handler

	buffer *logBuffer
}

// Handle writes a record.
func (h prompt) Handle(ctx context.Context, r slog.Record) error {
	err := h.Handler.Handle(ctx, r)
	if r.Level >= slog.LevelWarn {
		h.buffer.Flush()
	}
	return err
}

// WithAttrs keeps the buffer.
func (h prompt) WithAttrs(attrs []slog.Attr) slog.Handler {
	return prompt{h.Handler.WithAttrs(attrs), h.buffer}
}

// WithGroup keeps the buffer.
func (h prompt) WithGroup(name string) slog.Handler {
	return prompt{h.Handler.WithGroup(name), h.buffer}
}
