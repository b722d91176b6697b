package provider

import (
	"context"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// divertStdout sends what is printed on standard output to the log, and returns how to undo it.
func divertStdout(ctx context.Context, log *slog.Logger) (restore func()) {
	before := os.Stdout
	r, w, err := os.Pipe()
	if err != nil {
		return func() {}
	}
	go logLines(ctx, r, log)
	os.Stdout = w // the handshake owns the real one
	return func() {
		os.Stdout = before
		_ = w.Close()
	}
}

// ignoreSignals keeps the plugin alive when the whole process group or control group is signalled: the
// host drains its calls first and then closes the lifeline.
func ignoreSignals() {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	go func() {
		for range signals {
			continue
		}
	}()
}

// awaitLifeline ends the process when standard input ends: the host closed it, or is gone.
func awaitLifeline(stdin io.Reader, end func()) {
	_, _ = io.Copy(io.Discard, stdin)
	end()
}

// watchParent is the second net under the lifeline: an orphan gets another parent.
func watchParent(parent int, every time.Duration, end func()) {
	for os.Getppid() == parent {
		time.Sleep(every)
	}
	end()
}
