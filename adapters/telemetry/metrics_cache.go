package telemetry

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// cache keeps what make made for a key. Reading takes no lock. The keys are sets of labels, so there are
// few of them, and none is ever dropped.
type cache[K comparable, V any] struct {
	make func(K) V

	mu   sync.Mutex
	seen atomic.Pointer[map[K]V]
}

func (c *cache[K, V]) of(key K) V {
	if seen := c.seen.Load(); seen != nil {
		if v, ok := (*seen)[key]; ok {
			return v
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	next := map[K]V{}
	if seen := c.seen.Load(); seen != nil {
		if v, ok := (*seen)[key]; ok {
			return v
		}
		next = maps.Clone(*seen)
	}
	v := c.make(key)
	next[key] = v
	c.seen.Store(&next)
	return v
}

// timedLabels are the labels that a histogram of a pair has; its counter has more behind them.
const timedLabels = 3

// timed is a counter and a histogram of the same thing.
type timed struct {
	count   *prometheus.CounterVec
	seconds *prometheus.HistogramVec
	seen    cache[labels, measured]
}

// labels are the values of a counter's labels, with how many there are.
type labels struct {
	n      int
	values [5]string
}

type measured struct {
	count   prometheus.Counter
	seconds prometheus.Observer
}

func (t *timed) find(l labels) measured {
	return measured{t.count.WithLabelValues(l.values[:l.n]...), t.seconds.WithLabelValues(l.values[:timedLabels]...)}
}

// add counts one that began at the time.
func (t *timed) add(started time.Time, values ...string) {
	l := labels{n: len(values)}
	copy(l.values[:], values)
	m := t.seen.of(l)
	m.count.Inc()
	m.seconds.Observe(time.Since(started).Seconds())
}
