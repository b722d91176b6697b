package host

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/time/rate"
)

const (
	maxLogPiece    = 16 << 10 // a longer line is logged in pieces
	maxLogFields   = 64
	maxCrashReport = 16 << 10
	linesPerSecond = 200
	linesAtOnce    = 1000
	// lastWordsIn is how long a process that dies of a panic takes to say so at most.
	lastWordsIn = 5 * time.Second
)

// pluginLog carries what a plugin writes into the host's log. A plugin is foreign code: no line can stop
// the host, and the plugin never waits for the log: what is too much is dropped and counted.
type pluginLog struct {
	log   *slog.Logger
	limit *rate.Limiter

	mu       sync.Mutex
	dropped  uint64
	crashing bool
	since    time.Time // since when it is
	report   bytes.Buffer
}

func newPluginLog(log *slog.Logger) *pluginLog {
	return &pluginLog{log: log, limit: rate.NewLimiter(linesPerSecond, linesAtOnce)}
}

// consume reads r to its end.
func (l *pluginLog) consume(ctx context.Context, r io.Reader) {
	lines := bufio.NewReaderSize(r, maxLogPiece)
	for {
		piece, err := lines.ReadSlice('\n')
		if line := bytes.TrimRight(piece, "\r\n"); len(line) > 0 {
			l.line(ctx, line)
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			break
		}
	}
	l.mu.Lock()
	dropped := l.takeDropped()
	l.mu.Unlock()
	l.reportDropped(ctx, dropped)
}

func (l *pluginLog) line(ctx context.Context, line []byte) {
	defer func() {
		if recover() != nil { // a log handler that panics loses the line, not the host
			return
		}
	}()
	if words := l.survived(); words != "" {
		l.log.LogAttrs(ctx, slog.LevelInfo, "plugin wrote", slog.String("line", words))
	}
	l.mu.Lock()
	if !l.crashing && (bytes.HasPrefix(line, []byte("panic:")) || bytes.HasPrefix(line, []byte("fatal error:"))) {
		l.crashing, l.since = true, time.Now()
	}
	if l.crashing && line[0] != '{' { // other goroutines may still log
		if room := maxCrashReport - l.report.Len(); room > 0 {
			l.report.Write(line[:min(len(line), room)])
			l.report.WriteByte('\n')
		}
		l.mu.Unlock()
		return
	}
	if !l.limit.Allow() {
		l.dropped++
		l.mu.Unlock()
		return
	}
	dropped := l.takeDropped()
	l.mu.Unlock()
	l.reportDropped(ctx, dropped)

	level, text, fields, ok := parseRecord(line)
	if !ok {
		l.log.LogAttrs(ctx, slog.LevelInfo, "plugin wrote", slog.String("line", printable(line)))
		return
	}
	l.log.LogAttrs(ctx, level, "plugin log", append([]slog.Attr{slog.String("text", text)}, fields...)...)
}

// survived returns what was taken for the last words of a process that still writes, and forgets it: the process has printed
// something that looks so, and its last words are yet to come.
func (l *pluginLog) survived() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.crashing || time.Since(l.since) <= lastWordsIn {
		return ""
	}
	words := printable(l.report.Bytes())
	l.crashing = false
	l.report.Reset()
	return words
}

func (l *pluginLog) takeDropped() uint64 {
	n := l.dropped
	l.dropped = 0
	return n
}

func (l *pluginLog) reportDropped(ctx context.Context, n uint64) {
	if n > 0 {
		l.log.LogAttrs(ctx, slog.LevelWarn, "plugin log lines dropped", slog.Uint64("lines", n))
	}
}

// crashReport is what the Go runtime wrote when the plugin died, or empty.
func (l *pluginLog) crashReport() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return printable(l.report.Bytes())
}

// parseRecord reads a record of slog's JSON handler, or of hclog. Members of any type are accepted: a
// number where a text belongs is no record, and nothing more.
func parseRecord(line []byte) (level slog.Level, text string, fields []slog.Attr, ok bool) {
	if line[0] != '{' {
		return 0, "", nil, false
	}
	var members map[string]any
	if json.Unmarshal(line, &members) != nil {
		return 0, "", nil, false
	}
	if text, ok = textMember(members, "msg", "@message"); !ok {
		return 0, "", nil, false
	}
	word, _ := textMember(members, "level", "@level")
	level = levelOf(word)
	var rest []slog.Attr
	for name, value := range members {
		switch name {
		case "msg", "@message", "level", "@level", "time", "@timestamp", "@module":
		case "trace_id", "span_id":
			if id, isText := value.(string); isText {
				fields = append(fields, slog.String(name, id))
			}
		default:
			if len(rest) < maxLogFields {
				rest = append(rest, slog.Any(name, value))
			}
		}
	}
	if len(rest) > 0 {
		fields = append(fields, slog.Attr{Key: "fields", Value: slog.GroupValue(rest...)})
	}
	return level, text, fields, true
}

func textMember(members map[string]any, names ...string) (string, bool) {
	for _, name := range names {
		if text, ok := members[name].(string); ok {
			return text, true
		}
	}
	return "", false
}

func levelOf(word string) slog.Level {
	var level slog.Level
	switch {
	case strings.EqualFold(word, "trace"):
		return slog.LevelDebug
	case level.UnmarshalText([]byte(word)) != nil:
		return slog.LevelInfo
	}
	return min(max(level, slog.LevelDebug), slog.LevelError)
}

// printable is for lines that are no JSON: no control characters reach a terminal.
func printable(line []byte) string {
	return strings.Map(func(r rune) rune {
		if (r < 0x20 && r != '\n' && r != '\t') || r == 0x7f || r == utf8.RuneError || (r >= 0x80 && r < 0xa0) {
			return '?'
		}
		return r
	}, string(line))
}
