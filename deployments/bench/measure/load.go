package measure

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Sample is one target in one round.
type Sample struct {
	// Operations that ended with success; an error ends the whole measurement.
	Operations int
	// Elapsed from the first start to the last end.
	Elapsed time.Duration
	// Latencies of all operations, sorted.
	Latencies []time.Duration
}

// Rate is operations per second.
func (s Sample) Rate() float64 { return float64(s.Operations) / s.Elapsed.Seconds() }

// P50 is the median latency in microseconds.
func (s Sample) P50() float64 { return Micros(Quantile(s.Latencies, 0.50)) }

// P99 is the latency in microseconds that one of a hundred operations exceeds.
func (s Sample) P99() float64 { return Micros(Quantile(s.Latencies, 0.99)) }

// Closed runs do in a closed loop: each of the clients begins its next operation when its last one ended, and none
// begins after the duration. It returns the first error and stops the other clients.
func Closed(ctx context.Context, clients int, duration time.Duration, do func(context.Context) error) (Sample, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)

	var mu sync.Mutex
	var all []time.Duration
	var wg sync.WaitGroup
	begun := time.Now()
	for range clients {
		wg.Go(func() {
			var own []time.Duration
			for ctx.Err() == nil {
				at := time.Now()
				if at.Sub(begun) >= duration {
					break
				}
				if err := do(ctx); err != nil {
					cancel(err)
					return
				}
				own = append(own, time.Since(at))
			}
			mu.Lock()
			all = append(all, own...)
			mu.Unlock()
		})
	}
	wg.Wait()
	elapsed := time.Since(begun)
	if err := context.Cause(ctx); err != nil {
		return Sample{}, err
	}
	slices.Sort(all)
	return Sample{Operations: len(all), Elapsed: elapsed, Latencies: all}, nil
}

// Rounds calls measure for every target in every round: in the given order in even rounds, in the opposite order in
// odd ones, so that neither the warmth that a neighbour leaves nor a drift of the machine favours one of them.
func Rounds(rounds int, targets []string, measure func(target string, round int) error) error {
	order := slices.Clone(targets)
	for round := range rounds {
		for _, target := range order {
			if err := measure(target, round); err != nil {
				return err
			}
		}
		slices.Reverse(order)
	}
	return nil
}
