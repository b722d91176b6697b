package app

import (
	"context"
	"time"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/ports/inbound"
)

// patient runs a command for as long as its client wants to wait (the header Prefer: wait=n). When the wait is over
// the work goes on, and the client hears how the payment stands: never "paid" or "not paid" before it is known.
func (a payments) patient(
	ctx context.Context, c inbound.Native, do func(context.Context, inbound.Native) (inbound.Reply, error),
) (inbound.Reply, error) {
	if c.Wait == nil {
		return do(ctx, c)
	}
	type result struct {
		reply inbound.Reply
		err   error
	}
	done, started := make(chan result, 1), make(chan inbound.Reply, 1)
	a.background.Go(func() {
		broke := result{err: fault.New(fault.Internal, "internal", "the request broke inside the platform; look up what became of it before you send it again")}
		defer func() {
			if recover() != nil { // nobody above this goroutine could keep one request's bug from ending the process
				done <- broke
			}
		}()
		reply, err := do(withStarted(context.WithoutCancel(ctx), started), c)
		done <- result{reply, err}
	})
	patience := time.NewTimer(*c.Wait)
	defer patience.Stop()
	select {
	case r := <-done:
		return r.reply, r.err
	case <-patience.C:
	}
	// Before the intent is durable there is nothing to tell about: that takes no longer than a database.
	select {
	case r := <-done:
		return r.reply, r.err
	case reply := <-started:
		return reply, nil
	}
}

type startedKey struct{}

func withStarted(ctx context.Context, started chan<- inbound.Reply) context.Context {
	return context.WithValue(ctx, startedKey{}, started)
}

// unheard is a context for work that goes on by itself: the client does not wait for it.
func unheard(ctx context.Context) context.Context {
	return context.WithValue(ctx, startedKey{}, nil)
}

// began tells a waiting client which payment its request became.
func began(ctx context.Context, reply inbound.Reply) {
	if started, ok := ctx.Value(startedKey{}).(chan<- inbound.Reply); ok {
		select {
		case started <- reply:
		default:
		}
	}
}
