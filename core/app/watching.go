package app

import (
	"maps"
	"sync"
	"time"

	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
)

// watching is what this process life knows about the payments that it asks about.
type watching struct {
	mu       sync.Mutex
	running  int
	accounts map[outbound.Account]int
	// waiting counts those that were claimed and have no place yet, waits the same by account.
	waiting int
	waits   map[outbound.Account]int
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
		w.accounts = map[outbound.Account]int{}
	}
	account := outbound.AccountOf(p)
	if w.running >= maxResolving || w.accounts[account] >= maxPerAccount {
		return false
	}
	w.running++
	w.accounts[account]++
	return true
}

func (w *watching) leave(p payment.Payment) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running--
	less(w.accounts, outbound.AccountOf(p))
}

// queue lets a claimed payment wait for a place. The returned function ends the wait.
func (w *watching) queue(p payment.Payment) (leave func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waits == nil {
		w.waits = map[outbound.Account]int{}
	}
	account := outbound.AccountOf(p)
	w.waiting++
	w.waits[account]++
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.waiting--
		less(w.waits, account)
	}
}

func less(counts map[outbound.Account]int, account outbound.Account) {
	if counts[account]--; counts[account] == 0 {
		delete(counts, account)
	}
}

// free is how many payments may be claimed, and how many each account holds.
func (w *watching) free() (n int, held map[outbound.Account]int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	held = maps.Clone(w.waits)
	if held == nil {
		held = map[outbound.Account]int{}
	}
	for account, n := range w.accounts {
		held[account] += n
	}
	return maxResolving - w.running - w.waiting, held
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
