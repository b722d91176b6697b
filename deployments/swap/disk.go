package main

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const (
	// probeEvery is how often the disk is asked, seldom enough to cost the run nothing.
	probeEvery = 50 * time.Millisecond
	// stalled is from when on a sync of one page says that the disk stood still.
	stalled = 30 * time.Millisecond
)

// inMemory reports whether a folder lies in memory, where a commit costs nothing and no disk stalls.
func inMemory(folder string) bool {
	const tmpfs = 0x01021994
	var fs syscall.Statfs_t
	return syscall.Statfs(folder, &fs) == nil && int64(fs.Type) == tmpfs //nolint:unconvert // the type differs between machines
}

// flush is one write of a page and its fsync.
type flush struct {
	window
}

func (s flush) took() time.Duration { return time.Duration(s.to - s.from) }

// probeDisk writes a page of a file of its own and syncs it, again and again beside the load, with nothing of payrack in between:
// what this file waits for, payrack's databases wait for too. The returned function ends it and tells what it saw.
func (l *load) probeDisk(ctx context.Context) (end func() []flush) {
	if inMemory(l.data) {
		return func() []flush { return nil }
	}
	ctx, stop := context.WithCancel(ctx)
	var seen []flush
	done := make(chan struct{})
	go func() {
		defer close(done)
		f, err := os.Create(filepath.Join(l.data, "probe")) //nolint:gosec // below the folder that the caller named
		if err != nil {
			l.note(err)
			return
		}
		defer func() { _ = f.Close() }()
		page := make([]byte, 4096)
		for ; ctx.Err() == nil; pause(ctx, probeEvery) {
			from := l.now()
			if _, err := f.WriteAt(page, 0); err != nil {
				l.note(err)
				return
			}
			if err := f.Sync(); err != nil {
				l.note(err)
				return
			}
			seen = append(seen, flush{window{from, l.now()}})
		}
	}()
	return func() []flush {
		stop()
		<-done
		return seen
	}
}

// disk says what the disk did by itself, and what is left of the ratio without the payments that met one of its stalls. The
// bar is held by the other figure, which leaves nothing out.
func (e *evidence) disk(r *report) {
	if len(e.flushes) == 0 {
		return
	}
	var took []time.Duration
	var stalls []window
	var longest time.Duration
	for _, s := range e.flushes {
		took = append(took, s.took())
		longest = max(longest, s.took())
		if s.took() >= stalled {
			stalls = append(stalls, s.window)
		}
	}
	steady, within := e.stretches(stalls...)
	r.line("- the disk beside it (a file of its own, a page written and synced every %s): p50 %s, p99 %s, longest %s, %d of %d longer than %s. Without the payments that met one of these: steady p99 %s, in swap windows %s, %.2f times",
		probeEvery, p50(took), p99(took), longest.Round(time.Millisecond), len(stalls), len(took), stalled, p99(steady), p99(within), over(p99(within), p99(steady)))
}
