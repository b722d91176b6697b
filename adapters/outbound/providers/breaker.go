package providers

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

// The breaker's numbers; core/decisions/0011-breaker.md says why.
const (
	// breakerWindow is what is looked at, in slices of breakerSlice.
	breakerWindow = 10 * time.Second
	breakerSlice  = time.Second
	// breakerCalls is how many calls must have ended in it, and one of breakerShare must have failed.
	breakerCalls = 20
	breakerShare = 2
	// breakerShut is how long it is shut, and as long again it waits for a sign that costs nobody anything.
	breakerShut = 5 * time.Second
	// breakerTrickle is the distance of the payments that it lets through without such a sign.
	breakerTrickle = time.Second
)

// breakerState is how a breaker stands.
type breakerState string

const (
	// breakerClosed: everything passes.
	breakerClosed breakerState = "closed"
	// breakerOpen: no new payment passes; what answers now may have been on its way before the trouble.
	breakerOpen breakerState = "open"
	// breakerHalfOpen: no new payment passes; any answer of the provider closes it.
	breakerHalfOpen breakerState = "half_open"
	// breakerTrickling: a payment passes now and then; any answer of the provider closes it.
	breakerTrickling breakerState = "trickling"
)

// breaker sheds the new payments of one payment type in one environment while its provider does not answer: each
// would only become another payment of which nobody knows whether money moved.
type breaker struct {
	tripped atomic.Bool // what every call asks first

	mu     sync.Mutex
	slices [breakerWindow / breakerSlice]slice
	opened time.Time
	passed time.Time // when the last payment was let through while it trickles
}

// slice counts the calls that ended in one part of the window.
type slice struct {
	began             time.Time
	calls, technicals int
}

// allow reports whether a new payment may go to the provider, and if not, how long to wait before the next try.
func (b *breaker) allow(now time.Time) (ok bool, wait time.Duration) {
	if !b.tripped.Load() {
		return true, 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch b.state(now) {
	case breakerClosed:
		return true, 0
	case breakerOpen, breakerHalfOpen:
		return false, b.opened.Add(2 * breakerShut).Sub(now)
	case breakerTrickling:
		if since := now.Sub(b.passed); since < breakerTrickle {
			return false, breakerTrickle - since
		}
		b.passed = now
		return true, 0
	}
	return true, 0
}

// state is how it stands. The caller holds mu.
func (b *breaker) state(now time.Time) breakerState {
	switch since := now.Sub(b.opened); {
	case !b.tripped.Load():
		return breakerClosed
	case since < breakerShut:
		return breakerOpen
	case since < 2*breakerShut:
		return breakerHalfOpen
	default:
		return breakerTrickling
	}
}

// status is how it stands, for operators.
func (b *breaker) status(now time.Time) breakerState {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state(now)
}

// ended counts a money-moving call and reports whether that opened or closed the breaker.
func (b *breaker) ended(now time.Time, technical bool) (opened, closed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.tripped.Load() {
		return false, !technical && b.recover(now)
	}
	calls, technicals := b.count(now, technical)
	if !technical || calls < breakerCalls || technicals*breakerShare < calls {
		return false, false
	}
	b.opened, b.passed = now, time.Time{}
	b.tripped.Store(true)
	return true, false
}

// answered takes a search that the provider answered, and reports whether that closed the breaker.
func (b *breaker) answered(now time.Time) (closed bool) {
	if !b.tripped.Load() {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.recover(now)
}

// recover closes the breaker unless it is too early. The caller holds mu.
func (b *breaker) recover(now time.Time) bool {
	switch b.state(now) {
	case breakerHalfOpen, breakerTrickling:
		b.slices = [len(b.slices)]slice{}
		b.tripped.Store(false)
		return true
	case breakerClosed, breakerOpen:
	}
	return false
}

// count adds a call to the window and sums the window up. The caller holds mu.
func (b *breaker) count(now time.Time, technical bool) (calls, technicals int) {
	current := &b.slices[0]
	for i := range b.slices {
		if s := &b.slices[i]; s.began.After(current.began) {
			current = s
		}
	}
	if now.Sub(current.began) >= breakerSlice {
		for i := range b.slices {
			if s := &b.slices[i]; s.began.Before(current.began) {
				current = s // the oldest one
			}
		}
		*current = slice{began: now}
	}
	current.calls++
	if technical {
		current.technicals++
	}
	for _, s := range b.slices {
		if now.Sub(s.began) < breakerWindow {
			calls += s.calls
			technicals += s.technicals
		}
	}
	return calls, technicals
}

// technical reports whether a call failed without a word of the provider: no answer in time, or none at all. A decline,
// a code, and everything else that the provider said is an answer, also what nobody can read: bad_answer is told of a
// code that is in no document too, and no way leads from here to tell the two apart.
func technical(reason provider.Reason, code string) bool {
	if code != "" && !strings.HasPrefix(code, httpCode) {
		return false
	}
	switch reason {
	case provider.ReasonTimeout, provider.ReasonUnavailable, provider.ReasonInternal:
		return true
	case provider.ReasonUnspecified, provider.ReasonBadAnswer, provider.ReasonInvalid, provider.ReasonAuth, provider.ReasonRateLimited, provider.ReasonUnsupported:
		return false
	}
	return false
}

// httpCode begins the code that the SDK gives where only the HTTP status is known: not the provider's own words.
const httpCode = "HTTP "

// watched is what one breaker watches.
type watched struct {
	typeName    string
	environment company.Environment
}
