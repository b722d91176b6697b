package main

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/payrack/payrack/core/app"
	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/failpoint"
)

// The parts of the longest time that a reply may take beside the provider's own.
const (
	// leastPatience is for everything that is no provider's call, such as a profile.
	leastPatience = 2 * time.Minute
	// writeMargin is for recording the result and writing the reply.
	writeMargin = 10 * time.Second
	// settleMargin is for an order about a release beside the time in which all replicas prepare it: the proof on this
	// one, and the wait until all of them serve it.
	settleMargin = time.Minute
)

// patience is the longest time that a reply may take with these payment types and this time to prepare a release. It has nothing to do with the time
// that a stop may take: a reply that is cut off is an outcome that the client does not learn.
func patience(types []catalogue.Type, prepare time.Duration) time.Duration {
	var longest time.Duration
	for _, t := range types {
		for _, o := range t.Operations {
			longest = max(longest, o.MaxDuration)
		}
	}
	return max(leastPatience, prepare+settleMargin, longest+app.DefaultSendMargin+app.JoinWait+writeMargin)
}

// traffic counts the requests that are being answered and gives each the time that it may need.
type traffic struct {
	inflight atomic.Int64
	// patience is in nanoseconds; the servers' own limit holds while it is not above leastPatience.
	patience atomic.Int64
}

// watch wraps the handler of a plane. Inlined into its caller, the closure would keep the empty failpoint of a release.
//
//go:noinline
func (t *traffic) watch(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		failpoint.Hit("a")
		t.inflight.Add(1)
		defer t.inflight.Add(-1)
		if d := time.Duration(t.patience.Load()); d > leastPatience {
			// The limit of the server was chosen before the plugins were known. A writer that takes no deadline has none.
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(d))
		}
		h.ServeHTTP(w, r)
	})
}

// measure takes over the promises of the plugins that serve now.
func (p *Platform) measure() {
	if core := p.core.Load(); core != nil {
		p.traffic.patience.Store(int64(patience(core.Catalogue().All(), p.config.Plugins.PrepareFor.Std())))
	}
}
