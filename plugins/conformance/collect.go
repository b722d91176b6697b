package conformance

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
)

// collected is everything that came out of a plugin by other ways than the gateway, with where it came
// from.
type collected struct {
	mu    sync.Mutex
	lines []line
	bytes int
	also  *collected
}

type line struct{ from, text string }

// maxCollected bounds what is kept of a plugin that talks without end.
const maxCollected = 64 << 20

func (c *collected) add(from, text string) {
	if text == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.also != nil {
		c.also.add(from, text)
	}
	if c.bytes += len(text); c.bytes > maxCollected {
		return
	}
	c.lines = append(c.lines, line{from, text})
}

// tee sends what comes from now on to another place as well; nil ends it.
func (c *collected) tee(to *collected) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.also = to
}

// from lists what came from one source.
func (c *collected) from(source string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []string
	for _, l := range c.lines {
		if l.from == source {
			out = append(out, l.text)
		}
	}
	return out
}

// find returns the secrets that stand in what came from one source, in clear or in one of the usual
// disguises. All texts are read once, however many secrets there are: a window of eight bytes moves over
// them, and only where a secret begins so it is compared.
func (c *collected) find(source string, all []secret) []secret {
	type needle struct {
		text string
		of   int
	}
	begins := map[uint64][]needle{}
	for i, s := range all {
		for _, text := range disguises(s.value) {
			if len(text) >= window {
				key := binary.BigEndian.Uint64([]byte(text))
				begins[key] = append(begins[key], needle{text, i})
			}
		}
	}
	found := map[int]bool{}
	for _, text := range c.from(source) {
		var key uint64
		for i := range len(text) {
			key = key<<8 | uint64(text[i])
			if i < window-1 {
				continue
			}
			for _, n := range begins[key] {
				if strings.HasPrefix(text[i-window+1:], n.text) {
					found[n.of] = true
				}
			}
		}
	}
	var out []secret
	for i, s := range all {
		if found[i] {
			out = append(out, s)
		}
	}
	return out
}

// window is the shortest text that is looked for.
const window = 8

func disguises(secret string) []string {
	return []string{
		secret,
		// Without the end, which depends on what follows.
		strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(secret)), "="),
		hex.EncodeToString([]byte(secret)),
		url.QueryEscape(secret),
	}
}

// fromLog is where log records come from.
const fromLog = "log"

// logHandler keeps the log of the host and of the plugin.
type logHandler struct {
	to     *collected
	prefix string
}

// Enabled takes everything: the host then asks plugins for their debug records too.
func (logHandler) Enabled(context.Context, slog.Level) bool { return true }

// Handle keeps one record as text.
func (h logHandler) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString(h.prefix)
	b.WriteString(r.Level.String() + " " + r.Message)
	r.Attrs(func(a slog.Attr) bool {
		b.WriteString(" " + a.Key + "=")
		fmt.Fprintf(&b, "%+v", a.Value.Resolve().Any())
		return true
	})
	h.to.add(fromLog, b.String())
	return nil
}

// WithAttrs implements slog.Handler.
func (h logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	for _, a := range attrs {
		h.prefix += fmt.Sprintf("%s=%v ", a.Key, a.Value.Resolve().Any())
	}
	return h
}

// WithGroup implements slog.Handler.
func (h logHandler) WithGroup(string) slog.Handler { return h }
