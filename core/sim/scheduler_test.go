package sim_test

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing/synctest"
	"time"
)

// world schedules one seed. Everything that can differ between two runs is drawn from its source of chance, by the one
// goroutine that has the turn.
type world struct {
	rng     *rand.Rand
	mu      sync.Mutex
	parked  []*parked
	wake    chan struct{}
	over    bool
	turns   int
	trace   uint64
	history []string
	keep    bool
	faults  map[string]int
}

// parked is a goroutine that waits for its turn.
type parked struct {
	key  string
	turn chan struct{}
}

func newWorld(seed uint64, keep bool) *world {
	return &world{
		rng: rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15)), wake: make(chan struct{}, 1), keep: keep,
		faults: map[string]int{},
	}
}

// yield parks until the scheduler gives the turn. The key says who and what, so that the order in which the runtime
// brings goroutines here does not count.
func (w *world) yield(key string) {
	p := &parked{key: key, turn: make(chan struct{})}
	w.mu.Lock()
	if w.over {
		w.mu.Unlock()
		runtime.Goexit()
	}
	w.parked = append(w.parked, p)
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
	<-p.turn
	if w.over {
		runtime.Goexit()
	}
}

// sleep lets virtual time pass and waits for the turn.
func (w *world) sleep(key string, d time.Duration) {
	time.Sleep(d)
	w.yield(key + " wakes")
}

// run gives turns until done is closed; then everybody who comes for one ends.
func (w *world) run(done <-chan struct{}) {
	for {
		synctest.Wait() // all are parked, asleep, or gone
		w.mu.Lock()
		if len(w.parked) == 0 {
			w.mu.Unlock()
			select {
			case <-w.wake: // virtual time jumps here
			case <-done:
				w.end()
				return
			}
			continue
		}
		slices.SortFunc(w.parked, func(a, b *parked) int { return cmp.Compare(a.key, b.key) })
		i := w.rng.IntN(len(w.parked))
		next := w.parked[i]
		w.parked = slices.Delete(w.parked, i, i+1)
		w.turns++
		h := fnv.New64a()
		_, _ = fmt.Fprintf(h, "%d %s %d", w.trace, next.key, time.Now().UnixMicro())
		w.trace = h.Sum64()
		w.mu.Unlock()
		close(next.turn)
	}
}

// end lets everybody who is parked go and end.
func (w *world) end() {
	for range 3 {
		w.mu.Lock()
		w.over = true
		all := w.parked
		w.parked = nil
		w.mu.Unlock()
		for _, p := range all {
			close(p.turn)
		}
		time.Sleep(10 * time.Minute) // whoever sleeps wakes, asks for a turn, and ends
	}
}

// log keeps the history of a seed that is looked at.
func (w *world) log(format string, args ...any) {
	if w.keep {
		w.history = append(w.history, fmt.Sprintf("%s ", time.Now().UTC().Format("04:05.000"))+fmt.Sprintf(format, args...))
	}
}

func (w *world) dump(out io.Writer) {
	from := max(0, len(w.history)-2000)
	for _, line := range w.history[from:] {
		_, _ = fmt.Fprintln(out, line)
	}
}

// chance draws whether a fault happens, and counts it.
func (w *world) chance(name string, p int) bool {
	if p <= 0 || w.rng.IntN(1000) >= p {
		return false
	}
	w.faults[name]++
	return true
}
