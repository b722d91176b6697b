package host_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/payrack/payrack/plugins/host"
)

// A receiver that hangs keeps nobody waiting. It misses facts, those about memory first, and gets the others in order.
func TestFactsNeverBlock(t *testing.T) {
	t.Parallel()
	var got []int64
	var mu sync.Mutex
	entered, free := make(chan struct{}, 1), make(chan struct{})
	f := host.NewFacts(func(fact host.Fact) {
		select {
		case entered <- struct{}{}:
			<-free
		default:
		}
		mu.Lock()
		defer mu.Unlock()
		got = append(got, fact.Value)
	})
	f.Report(host.Fact{Kind: host.FactRestarted, Value: 1})
	<-entered
	const crashes = 100
	for n := range 1000 {
		f.Report(host.Fact{Kind: host.FactMemory, Value: -1})
		if n%10 == 0 {
			f.Report(host.Fact{Kind: host.FactCrashed, Value: int64(100 + n)})
		}
	}
	close(free)
	f.End()
	mu.Lock()
	defer mu.Unlock()
	want := []int64{1}
	var kept []int64
	for n := 0; n < 1000; n += 10 {
		want = append(want, int64(100+n))
	}
	for _, v := range got {
		if v >= 0 {
			kept = append(kept, v)
		}
	}
	if diff := cmp.Diff(want, kept); diff != "" || len(kept) != crashes+1 {
		t.Error(diff)
	}
	if memory := len(got) - len(kept); memory == 0 || memory > 256 {
		t.Errorf("%d words about memory arrived", memory)
	}
}

// Ten processes start at once, and one each tenth of a second after that; a pause earns a new burst.
func TestStartsAreSpaced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		wait := host.NewLaunches()
		began := time.Now()
		var at []time.Duration
		start := func(n int) {
			for range n {
				if !wait(t.Context()) {
					t.Fatal("a start was given up")
				}
				at = append(at, time.Since(began))
			}
		}
		start(13)
		time.Sleep(time.Minute)
		began = time.Now()
		start(11)
		ms := time.Millisecond
		want := make([]time.Duration, 24)
		want[10], want[11], want[12], want[23] = 100*ms, 200*ms, 300*ms, 100*ms
		if diff := cmp.Diff(want, at); diff != "" {
			t.Error(diff)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*ms)
		defer cancel()
		if wait(ctx) {
			t.Error("a start whose order has ended went on")
		}
	})
}
