package host

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sort"
	"sync"
	"time"

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

// SlotStatus says what runs for one provider.
type SlotStatus struct {
	Name string `json:"name"`
	// Phase is idle, serving, restarting, quarantined, disabled or closed.
	Phase     string           `json:"phase"`
	Detail    string           `json:"detail,omitempty"`
	Instances []InstanceStatus `json:"instances"`
}

// InstanceStatus says what one process does.
type InstanceStatus struct {
	ID        string    `json:"id"`
	Version   string    `json:"version"`
	SHA256    string    `json:"sha256"`
	PID       int       `json:"pid"`
	State     State     `json:"state"`
	Inflight  int       `json:"inflight"`
	StartedAt time.Time `json:"started_at"`
}

// Status lists all providers by name and their processes, the oldest first.
func (h *Host) Status() []SlotStatus {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make([]SlotStatus, 0, len(h.slots))
	for _, s := range h.slots {
		out = append(out, s.Status())
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// Status says what runs for this provider.
func (s *Slot) Status() SlotStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := SlotStatus{Name: s.name, Phase: string(s.phase), Detail: s.detail, Instances: []InstanceStatus{}}
	for _, in := range s.living {
		out.Instances = append(out.Instances, InstanceStatus{
			ID: in.id, Version: in.release.Version, SHA256: in.release.SHA256, PID: in.process.pid,
			State: *in.state.Load(), Inflight: int(in.leases.Load()), StartedAt: in.started,
		})
	}
	sort.Slice(out.Instances, func(i, j int) bool {
		return out.Instances[i].StartedAt.Before(out.Instances[j].StartedAt)
	})
	return out
}
