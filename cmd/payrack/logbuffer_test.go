package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"
)

// slow is a writer that others read at the same time.
type slow struct {
	mu  sync.Mutex
	buf bytes.Buffer
	n   int
}

func (s *slow) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	return s.buf.Write(b)
}

func (s *slow) text() (string, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String(), s.n
}

func TestWarningsAreNotHeldBack(t *testing.T) {
	t.Parallel()
	to := &slow{}
	log, err := newLog(newLogBuffer(to), "info", "text")
	if err != nil {
		t.Fatal(err)
	}
	log = log.With(slog.String("part", "x"))
	log.InfoContext(t.Context(), "first")
	log.WarnContext(t.Context(), "second")
	text, _ := to.text()
	if first, second := strings.Index(text, "first"), strings.Index(text, "second"); first < 0 || second < first {
		t.Errorf("right behind a warning the log is %q", text)
	}
}

func TestLinesAreWrittenWithoutBeingAskedFor(t *testing.T) {
	t.Parallel()
	to := &slow{}
	b := newLogBuffer(to)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for range 2 { // the second time as well
		_, before := to.text()
		if _, err := b.Write([]byte("line\n")); err != nil {
			t.Fatal(err)
		}
		for n := before; n == before; _, n = to.text() {
			if ctx.Err() != nil {
				t.Fatal("the line was never written")
			}
			time.Sleep(time.Millisecond)
		}
	}
}

// Many writers: every line arrives once and whole, those of one writer in order, in far fewer writes.
func TestLinesKeepTheirOrder(t *testing.T) {
	t.Parallel()
	const writers, lines = 8, 2000
	to := &slow{}
	b := newLogBuffer(to)
	var work sync.WaitGroup
	for w := range writers {
		work.Go(func() {
			for i := range lines {
				_, _ = fmt.Fprintf(b, "%d %d %s\n", w, i, strings.Repeat("x", i%50))
			}
		})
	}
	work.Wait()
	b.Flush()
	text, writes := to.text()
	next := [writers]int{}
	for line := range strings.Lines(text) {
		var w, i int
		var fill string
		if n, err := fmt.Sscanf(line, "%d %d %s", &w, &i, &fill); n < 2 || (err != nil && i%50 != 0) || i != next[w] || len(fill) != i%50 {
			t.Fatalf("line %q: want number %d (%v)", line, next[w], err)
		}
		next[w]++
	}
	for w, n := range next {
		if n != lines {
			t.Errorf("writer %d: %d lines of %d", w, n, lines)
		}
	}
	if writes > writers*lines/4 {
		t.Errorf("%d writes for %d lines", writes, writers*lines)
	}
}
