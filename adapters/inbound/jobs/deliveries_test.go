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
	"github.com/payrack/payrack/ports/inbound"
)

// outbox counts what it is asked to do. Sending hangs until the end; feeding fails when told so.
type outbox struct {
	inbound.Deliveries
	fed, sent atomic.Int64
	fail      atomic.Bool
}

func (o *outbox) Feed(context.Context) (int, error) {
	o.fed.Add(1)
	if o.fail.Load() {
		return 0, errors.New("no database")
	}
	return 1, nil
}

func (o *outbox) DeliverDue(ctx context.Context) (int, error) {
	o.sent.Add(1)
	<-ctx.Done()
	return 0, ctx.Err()
}

func TestDeliveriesAreDriven(t *testing.T) {
	t.Parallel()
	if _, err := jobs.NewDeliveries(jobs.DeliveryOptions{}); err == nil {
		t.Error("a driver of nothing was made")
	}
	synctest.Test(t, func(t *testing.T) {
		o := &outbox{}
		o.fail.Store(true)
		var log bytes.Buffer
		d, err := jobs.NewDeliveries(jobs.DeliveryOptions{Deliveries: o, Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { d.Run(ctx); close(ended) }()
		time.Sleep(90500 * time.Millisecond)
		o.fail.Store(false)
		time.Sleep(2 * time.Second)
		cancel()
		<-ended
		if o.fed.Load() != 93 || o.sent.Load() != 2 {
			t.Errorf("fed %d times, sent %d times", o.fed.Load(), o.sent.Load())
		}
		if n := strings.Count(log.String(), "are not sent"); n != 2 || strings.Count(log.String(), "sent again") != 1 {
			t.Errorf("%s", log.String())
		}
	})
}
