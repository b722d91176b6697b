package jobs_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/payrack/payrack/adapters/inbound/jobs"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/inbound"
)

// busy counts what it is asked to do; resolving hangs when told so.
type busy struct {
	fenced, resolved, sealed atomic.Int64
	hang                     chan struct{}
	fail                     atomic.Bool
}

func (b *busy) FenceDead(context.Context) (int, error) {
	b.fenced.Add(1)
	if b.fail.Load() {
		return 0, errors.New("no database")
	}
	return 0, nil
}

func (b *busy) ResolveDue(context.Context) (int, error) {
	if b.resolved.Add(1) == 2 && b.hang != nil {
		<-b.hang
	}
	return 1, nil
}

func (b *busy) Seal(context.Context) (int, error) { b.sealed.Add(1); return 0, nil }

func (b *busy) Recheck(context.Context, payment.ID) (payment.Record, error) {
	return payment.Record{}, errors.New("nobody asks again here")
}

func (b *busy) Review(context.Context, inbound.ReviewPayment) (payment.Record, error) {
	return payment.Record{}, errors.New("nobody reviews here")
}

func TestASlowJobHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &busy{hang: make(chan struct{})}
		r, err := jobs.NewRecovery(jobs.Options{Recovery: b, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { r.Run(ctx); close(ended) }()
		time.Sleep(10500 * time.Millisecond)
		if b.fenced.Load() != 11 || b.sealed.Load() != 11 || b.resolved.Load() != 2 {
			t.Errorf("fenced %d, sealed %d, resolved %d", b.fenced.Load(), b.sealed.Load(), b.resolved.Load())
		}
		close(b.hang)
		cancel()
		<-ended
	})
}

func TestTroubleIsToldOnceAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &busy{}
		b.fail.Store(true)
		var log bytes.Buffer
		r, err := jobs.NewRecovery(jobs.Options{Recovery: b, Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { r.Run(ctx); close(ended) }()
		time.Sleep(150 * time.Second)
		b.fail.Store(false)
		time.Sleep(2 * time.Second)
		cancel()
		<-ended
		if got := strings.Count(log.String(), "does not get on"); got != 3 {
			t.Errorf("told %d times:\n%s", got, log.String())
		}
		if !strings.Contains(log.String(), "gets on again") {
			t.Errorf("the end of it was not told:\n%s", log.String())
		}
	})
}
