package app_test

import (
	"context"
	"github.com/payrack/payrack/core/app"
	"testing"
	"time"

	"github.com/payrack/payrack/core/release"
)

func TestZZ(t *testing.T) {
	t.Parallel()
	y := newYard(t, "r1")
	r := y.replicas[0]
	lame := y.join("r2", func(o *app.Options) { o.Runtime = slowRT{o.Runtime.(*bench)} })
	y.run(lame)
	y.install(r, "1.0.0", "1.1.0")
	y.activate(r, "1.0.0")
	y.activate(r, "1.1.0")
	lame.will("1.0.0", crashes(), nil)
	lame.Fleet().Observe(release.Fact{Kind: release.FactCrashed, Name: "till", Version: "1.0.0", At: y.clock.Now()})
	time.Sleep(50 * time.Millisecond)
	r.Fleet().Observe(release.Fact{Kind: release.FactQuarantined, Name: "till", Version: "1.1.0", At: y.clock.Now()})
	y.until("cold", func() bool { return y.channel().Goal == release.ToRollBack })
	time.Sleep(3 * time.Second)
	t.Logf("%d %v", len(y.story()), y.story())
	t.Logf("%+v", y.channel())
}

type slowRT struct{ *bench }

func (s slowRT) Prepare(ctx context.Context, r release.Release) error {
	s.bench.mu.Lock()
	bad := s.bench.refuse[r.Version] != nil
	s.bench.mu.Unlock()
	if bad {
		time.Sleep(150 * time.Millisecond)
	}
	return s.bench.Prepare(ctx, r)
}
