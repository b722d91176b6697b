package httpkit_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/payrack/payrack/adapters/inbound/internal/httpkit"
)

func TestBuckets(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	b := httpkit.NewBuckets(httpkit.Rate{PerSecond: 2, Burst: 3}, 10, func() time.Time { return now })
	for i := range 3 {
		if _, ok := b.Take("a"); !ok {
			t.Fatalf("take %d refused", i)
		}
	}
	if wait, ok := b.Take("a"); ok || wait != 500*time.Millisecond {
		t.Errorf("got %v %v, want a wait of half a second", wait, ok)
	}
	if _, ok := b.Peek("a"); ok {
		t.Error("peek sees a token that is not there")
	}
	if _, ok := b.Take("b"); !ok {
		t.Error("one key takes the tokens of another")
	}
	now = now.Add(500 * time.Millisecond)
	if _, ok := b.Peek("a"); !ok {
		t.Error("no token after the wait")
	}
	if _, ok := b.Take("a"); !ok {
		t.Error("peek took the token")
	}
	now = now.Add(time.Hour)
	for i := range 3 {
		if _, ok := b.Take("a"); !ok {
			t.Errorf("take %d after an hour refused", i)
		}
	}
	if _, ok := b.Take("a"); ok {
		t.Error("the bucket holds more than its burst")
	}
}

func TestBucketsStayBounded(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	b := httpkit.NewBuckets(httpkit.Rate{PerSecond: 1, Burst: 2}, 10, func() time.Time { return now })
	for i := range 1000 {
		b.Take(strconv.Itoa(i))
		b.Take(strconv.Itoa(i))
	}
	if _, ok := b.Take("999"); ok {
		t.Error("the newest key was forgotten")
	}
	if n := httpkit.Size(b); n > 10 {
		t.Errorf("%d buckets are kept", n)
	}
}

func TestNoLimit(t *testing.T) {
	t.Parallel()
	b := httpkit.NewBuckets(httpkit.Rate{PerSecond: -1}, 1, nil)
	for range 100 {
		if _, ok := b.Take("a"); !ok {
			t.Fatal("refused without a limit")
		}
	}
}
