package main

import (
	"context"
	"net/http"
	"sync"

	"github.com/payrack/payrack/deployments/chaos/record"
	"github.com/payrack/payrack/deployments/internal/rig"
)

// tally adds up how often each fault of the gateway fired, over all the times that they were cleared.
type tally struct {
	mu  sync.Mutex
	all map[[2]string]int
}

// collect reads the counts before the faults are cleared.
func (t *tally) collect(ctx context.Context, box *rig.Sandbox) error {
	var page struct {
		Faults []record.Fired `json:"faults"`
	}
	if err := box.Ask(ctx, http.MethodGet, "faults", nil, &page); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all == nil {
		t.all = map[[2]string]int{}
	}
	for _, f := range page.Faults {
		t.all[[2]string{f.Fault, f.Operation}] += f.Fired
	}
	return nil
}

func (t *tally) list() []record.Fired {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []record.Fired
	for k, n := range t.all {
		all = append(all, record.Fired{Fault: k[0], Operation: k[1], Fired: n})
	}
	return all
}

// clear disarms all faults and keeps their counts.
func (l *load) clear(ctx context.Context) error {
	if err := l.fired.collect(ctx, l.box); err != nil {
		return err
	}
	return l.box.Ask(ctx, http.MethodDelete, "faults", nil, nil)
}
