package measure_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/payrack/payrack/deployments/bench/measure"
)

func TestSpreadIsTheMedianWithItsBounds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		values []float64
		want   measure.Spread
	}{
		{nil, measure.Spread{}},
		{[]float64{3}, measure.Spread{Median: 3, Min: 3, Max: 3}},
		{[]float64{9, 1, 5}, measure.Spread{Median: 5, Min: 1, Max: 9}},
		{[]float64{4, 1, 2, 10}, measure.Spread{Median: 3, Min: 1, Max: 10}},
	} {
		if diff := cmp.Diff(c.want, measure.SpreadOf(c.values)); diff != "" {
			t.Errorf("SpreadOf(%v) (-want +got):\n%s", c.values, diff)
		}
	}
}

func TestRatiosAreTakenRoundByRound(t *testing.T) {
	t.Parallel()
	// The machine was ten times slower in the second round; both targets felt it.
	got := measure.SpreadOf(measure.Ratios([]float64{30, 300, 30}, []float64{20, 200, 20}))
	if diff := cmp.Diff(measure.Spread{Median: 1.5, Min: 1.5, Max: 1.5}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	hundred := make([]int, 100)
	for i := range hundred {
		hundred[i] = i + 1
	}
	for _, c := range []struct {
		sorted []int
		q      float64
		want   int
	}{{nil, 0.5, 0}, {[]int{7}, 0.99, 7}, {hundred, 0.5, 50}, {hundred, 0.99, 99}, {hundred, 1, 100}, {hundred, 0, 1}} {
		if got := measure.Quantile(c.sorted, c.q); got != c.want {
			t.Errorf("Quantile(%d values, %v) = %d, want %d", len(c.sorted), c.q, got, c.want)
		}
	}
}

func TestClosedCountsEveryOperationOnce(t *testing.T) {
	t.Parallel()
	var done, inside, most atomic.Int64
	s, err := measure.Closed(t.Context(), 4, 50*time.Millisecond, func(context.Context) error {
		if n := inside.Add(1); n > most.Load() {
			most.Store(n)
		}
		time.Sleep(time.Millisecond)
		inside.Add(-1)
		done.Add(1)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if int64(s.Operations) != done.Load() || len(s.Latencies) != s.Operations || s.Operations == 0 {
		t.Errorf("%d operations and %d latencies, %d were done", s.Operations, len(s.Latencies), done.Load())
	}
	if !slices.IsSorted(s.Latencies) || s.Latencies[0] < time.Millisecond {
		t.Errorf("latencies are not sorted or too short: first %s", s.Latencies[0])
	}
	if most.Load() > 4 {
		t.Errorf("%d operations at once, want at most 4", most.Load())
	}
}

func TestClosedStopsAtTheFirstError(t *testing.T) {
	t.Parallel()
	broken := errors.New("declined")
	var done atomic.Int64
	_, err := measure.Closed(t.Context(), 3, time.Hour, func(context.Context) error {
		if done.Add(1) >= 10 {
			return broken
		}
		return nil
	})
	if !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
}

func TestRoundsTurnTheOrderAround(t *testing.T) {
	t.Parallel()
	var got []string
	err := measure.Rounds(3, []string{"a", "b", "c"}, func(target string, _ int) error {
		got = append(got, target)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a", "b", "c", "c", "b", "a", "a", "b", "c"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCPUSeesWorkThatWasDone(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("/proc is read on Linux only")
	}
	before, err := measure.CPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	after := before
	for x := 1; after-before < 50*time.Millisecond; x++ {
		if x%1_000_000 == 0 {
			if after, err = measure.CPU(os.Getpid()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestChildrenFindsAChildByItsCommand(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("/proc is read on Linux only")
	}
	child := exec.CommandContext(t.Context(), "sleep", "60")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = child.Wait() }()
	defer func() { _ = child.Process.Kill() }()
	found, err := measure.Children(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if found[child.Process.Pid] != "sleep" {
		t.Errorf("children %v do not hold %d sleep", found, child.Process.Pid)
	}
}

func TestOnDiskRefusesMemory(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/dev/shm"); err != nil {
		t.Skip("no /dev/shm here")
	}
	if measure.OnDisk("/dev/shm") == nil {
		t.Error("/dev/shm passes as a disk")
	}
}
