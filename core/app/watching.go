package app

import (
	"sync"
	"time"

	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
)

// watching is what this process life knows about the payments that it asks about.
type watching struct {
	mu       sync.Mutex
	running  int
	accounts map[string]int
	// waiting counts those that were claimed and have no place yet, waits the same by account.
	waiting int
	waits   map[string]int
	// last is when an operation was looked at, on the wall and the monotonic clock both.
	last map[payment.OperationID]time.Time
	// pulled is when a payment was pulled forward.
	pulled map[payment.ID]time.Time
}

// enter takes a place for a payment of an account; ok is false if all are taken.
func (w *watching) enter(p payment.Payment) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.accounts == nil {
		w.accounts = map[string]int{}
	}
	key := lane(p)
	if w.running >= maxResolving || w.accounts[key] >= maxPerAccount {
		return false
	}
	w.running++
	w.accounts[key]++
	return true
}

func (w *watching) leave(p payment.Payment) {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := lane(p)
	w.running--
	if w.accounts[key]--; w.accounts[key] == 0 {
		delete(w.accounts, key)
	}
}

// lane is the account whose provider is asked.
func lane(p payment.Payment) string { return p.Provider + "\x00" + p.Account }

// queue lets a claimed payment wait for a place; ok is false if enough of its account wait already: one slow provider must
// neither fill this process nor hold up the others. The returned function ends the wait.
func (w *watching) queue(p payment.Payment) (leave func(), ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waits == nil {
		w.waits = map[string]int{}
	}
	key := lane(p)
	if w.waits[key] >= maxWaiting {
		return nil, false
	}
	w.waiting++
	w.waits[key]++
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.waiting--
		if w.waits[key]--; w.waits[key] == 0 {
			delete(w.waits, key)
		}
	}, true
}

func (w *watching) free() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maxResolving - w.running - w.waiting
}

// watched is the time that was really watched since the last look at an operation, as far as it lies behind the send
// deadline: the smaller of what the wall clock and the monotonic clock say, so that a clock that is set forward makes
// nothing final. It begins anew with every change of the operation: what another replica has looked at since is counted by
// that one, and two that look in turns must not count the same time twice.
func (w *watching) watched(o payment.Operation, now time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.last == nil {
		w.last = map[payment.OperationID]time.Time{}
	}
	before, ok := w.last[o.ID]
	w.last[o.ID] = now
	if len(w.last) > 100_000 {
		clear(w.last) // what is forgotten is only watched again
	}
	if !ok {
		return 0
	}
	wall := now.Round(0)
	return max(0, min(
		now.Sub(before), wall.Sub(before.Round(0)), wall.Sub(o.SendDeadline.Round(0)), wall.Sub(o.UpdatedAt.Round(0)),
	))
}

func (w *watching) forget(id payment.OperationID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.last, id)
}

// may reports whether a payment may be pulled forward now.
func (w *watching) may(id payment.ID, now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.pulled == nil || len(w.pulled) > 10_000 {
		w.pulled = map[payment.ID]time.Time{}
	}
	if before, ok := w.pulled[id]; ok && now.Sub(before) < outbound.PullPause {
		return false
	}
	w.pulled[id] = now
	return true
}
