package host

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"

	"go.opentelemetry.io/otel/trace"
)

// Host runs the plugins of one payrack process.
type Host struct {
	options Options
	tracer  trace.Tracer
	dir     string
	lock    *os.File

	life context.Context //nolint:containedctx // the host's own life: plugins and restarts end with it
	end  context.CancelFunc
	// starts ends when Close begins: a plugin that is being started then is given up.
	starts    context.Context //nolint:containedctx // see above
	endStarts context.CancelFunc
	hurry     chan struct{} // closed when Close has run out of time
	launches  launches
	facts     facts

	mu     sync.Mutex
	slots  map[string]*Slot
	closed bool
	work   sync.WaitGroup
}

// New makes a host. It creates its run directory and removes those of hosts that are gone.
func New(o Options) (*Host, error) {
	o = o.withDefaults()
	dir, lock, err := openRunDir(o.RunDir)
	if err != nil {
		return nil, err
	}
	h := &Host{
		options: o, tracer: o.TracerProvider.Tracer("github.com/payrack/payrack/plugins/host"),
		dir: dir, lock: lock, hurry: make(chan struct{}), slots: map[string]*Slot{},
	}
	if o.Facts != nil {
		h.OnFact(o.Facts)
	}
	h.life, h.end = context.WithCancel(context.Background()) //nolint:forbidigo // no caller lives as long as the host
	h.starts, h.endStarts = context.WithCancel(h.life)
	return h, nil
}

// Slot returns the place of the provider; it is made at the first use.
func (h *Host) Slot(name string) *Slot {
	h.mu.Lock()
	defer h.mu.Unlock()
	s, ok := h.slots[name]
	if !ok {
		s = newSlot(h, name)
		if h.closed {
			s.phase = phaseClosed
		}
		h.slots[name] = s
	}
	return s
}

// background runs f and lets Close wait for it. After Close has begun to wait nothing new is needed.
func (h *Host) background(f func()) {
	h.work.Go(f)
}

// pluginLevel is the level at which plugins log: what the host would drop need not be written.
func (h *Host) pluginLevel(ctx context.Context) string {
	for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn} {
		if h.options.Log.Enabled(ctx, level) {
			return level.String()
		}
	}
	return slog.LevelError.String()
}

// Close takes no more calls, waits for the open ones, and stops all plugins. When the context ends first,
// the open calls are cut off, which makes them unknown, and the processes are stopped all the same. After
// Close no process of this host is left.
func (h *Host) Close(ctx context.Context) error {
	h.mu.Lock()
	first := !h.closed
	h.closed = true
	slots := make([]*Slot, 0, len(h.slots))
	for _, s := range h.slots {
		slots = append(slots, s)
	}
	h.mu.Unlock()
	if !first {
		return nil
	}
	h.endStarts()
	var ends sync.WaitGroup
	for _, s := range slots {
		ends.Go(func() { _ = s.end(ctx, phaseClosed) })
	}
	ends.Wait()
	var cut error
	if ctx.Err() != nil {
		cut = fmt.Errorf("plugins were stopped with calls open: %w", ctx.Err())
	}
	close(h.hurry)
	h.end()
	h.work.Wait()
	h.killLeftovers(slots)
	h.facts.end()
	_ = h.lock.Close()
	if err := os.RemoveAll(h.dir); err != nil && cut == nil {
		return fmt.Errorf("run directory: %w", err)
	}
	return cut
}

// killLeftovers is for instances that were still starting.
func (*Host) killLeftovers(slots []*Slot) {
	for _, s := range slots {
		s.mu.Lock()
		left := make([]*instance, 0, len(s.living))
		for _, in := range s.living {
			left = append(left, in)
		}
		s.mu.Unlock()
		for _, in := range left {
			in.stop(0)
		}
	}
}
