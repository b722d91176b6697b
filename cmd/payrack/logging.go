package main

import (
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/payrack/payrack/adapters/telemetry"
)

// newLog writes records to w; each names its trace.
func newLog(w io.Writer, level, format string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, usagef("the log level is %q: choose debug, info, warn or error", level)
	}
	o := &slog.HandlerOptions{Level: l}
	var h slog.Handler
	switch format {
	case "json":
		h = slog.NewJSONHandler(w, o)
	case "text":
		h = slog.NewTextHandler(w, o)
	default:
		return nil, usagef("the log format is %q: choose json or text", format)
	}
	if buffer, ok := w.(*logBuffer); ok {
		h = prompt{h, buffer}
	}
	return slog.New(telemetry.LogHandler(h)), nil
}

// logFlags are the flags of commands without a configuration file.
type logFlags struct{ level, format string }

func (f *logFlags) add(cmd *cobra.Command, level string) {
	cmd.Flags().StringVar(&f.level, "log-level", level, "debug, info, warn or error")
	cmd.Flags().StringVar(&f.format, "log-format", "text", "json or text")
}

func (f *logFlags) logger(w io.Writer) (*slog.Logger, error) { return newLog(w, f.level, f.format) }
