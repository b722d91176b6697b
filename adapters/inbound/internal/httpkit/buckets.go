package httpkit

import (
	"math"
	"sync"
	"time"
)

// Rate is a token bucket: Burst at once, PerSecond in the long run.
type Rate struct {
	PerSecond float64
	Burst     int
}

// Buckets keeps one token bucket per key, for at most Limit keys: those that are full again go first.
type Buckets struct {
	rate  Rate
	limit int
	now   func() time.Time

	mu      sync.Mutex
	buckets map[string]*bucket
}

type bucket struct {
	tokens float64
	at     time.Time
}

// NewBuckets makes buckets for up to limit keys. A rate of zero or less means no limit. now may be nil.
func NewBuckets(r Rate, limit int, now func() time.Time) *Buckets {
	if now == nil {
		now = time.Now
	}
	return &Buckets{rate: r, limit: limit, now: now, buckets: make(map[string]*bucket)}
}

// Take takes one token. Without one it returns how long to wait for the next.
func (b *Buckets) Take(key string) (wait time.Duration, ok bool) { return b.take(key, 1) }

// Peek is Take without taking.
func (b *Buckets) Peek(key string) (wait time.Duration, ok bool) { return b.take(key, 0) }

func (b *Buckets) take(key string, n float64) (time.Duration, bool) {
	if b.rate.PerSecond <= 0 {
		return 0, true
	}
	now := b.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	one, known := b.buckets[key]
	if !known {
		if n == 0 {
			return 0, true
		}
		b.makeRoom(now)
		one = &bucket{tokens: float64(b.rate.Burst), at: now}
		b.buckets[key] = one
	}
	b.refill(one, now)
	if one.tokens < 1 {
		seconds := (1 - one.tokens) / b.rate.PerSecond
		return time.Duration(math.Ceil(seconds * float64(time.Second))), false
	}
	one.tokens -= n
	return 0, true
}

func (b *Buckets) refill(one *bucket, now time.Time) {
	if elapsed := now.Sub(one.at); elapsed > 0 {
		one.tokens = min(float64(b.rate.Burst), one.tokens+elapsed.Seconds()*b.rate.PerSecond)
	}
	one.at = now
}

// makeRoom drops full buckets, which say nothing, and any one if all of them say something.
func (b *Buckets) makeRoom(now time.Time) {
	if len(b.buckets) < b.limit {
		return
	}
	for key, one := range b.buckets {
		if b.refill(one, now); one.tokens >= float64(b.rate.Burst) {
			delete(b.buckets, key)
		}
	}
	for key := range b.buckets {
		if len(b.buckets) < b.limit {
			return
		}
		delete(b.buckets, key)
	}
}
