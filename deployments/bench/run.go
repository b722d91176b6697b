package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/payrack/payrack/deployments/bench/measure"
	"github.com/payrack/payrack/deployments/bench/naive"
	"github.com/payrack/payrack/deployments/bench/stub"
)

// Names of the targets.
const (
	targetPayrack = "payrack"
	targetNaive   = "naive"
	targetFloor   = "floor"
)

// Names of the processes that take part beside payrack's own.
const (
	processBench = "load"
	processStub  = "gateway"
	processNaive = "naive"
)

// The bars.
const (
	latencyBar = 1.5
	rateBar    = 3.0
)

// arena is everything that takes part.
type arena struct {
	settings settings
	caller   *caller
	stub     *child
	naive    *child
	payrack  *platform
	floor    *floor
}

// run measures and writes the result.
func run(ctx context.Context, s settings) (err error) {
	if err := measure.OnDisk(s.data); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(s.data, "bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	a, err := open(ctx, s, dir)
	defer func() { err = errors.Join(err, a.close()) }()
	if err != nil {
		return err
	}
	result, err := a.measure(ctx)
	if err != nil {
		return err
	}
	if err := result.write(s.out); err != nil {
		return err
	}
	_, _ = os.Stdout.WriteString(result.markdown())
	if s.enforce && !result.met() {
		return errMissed
	}
	return nil
}

// open starts the gateway, payrack and the rival. It returns what was started together with an error.
func open(ctx context.Context, s settings, dir string) (*arena, error) {
	a := &arena{settings: s, caller: newCaller()}
	// The children outlive an interrupt until they are stopped in order.
	lasting := context.WithoutCancel(ctx)
	var err error
	if a.stub, err = startChild(lasting, roleStub, nil); err != nil {
		return a, err
	}
	if a.floor, err = openFloor(ctx, a.caller, filepath.Join(dir, "floor.db"), a.stub.url); err != nil {
		return a, err
	}
	if a.payrack, err = startPayrack(ctx, s, dir, a.stub.url); err != nil {
		return a, err
	}
	options := naive.Options{
		Database: filepath.Join(dir, "naive.db"), GatewayURL: a.stub.url, StoreID: a.payrack.StoreID,
		ChannelID: a.payrack.LinePay.ChannelID, ChannelSecret: a.payrack.LinePay.ChannelSecret,
	}
	if err := json.Unmarshal(a.payrack.keys, &options.Keys); err != nil {
		return a, fmt.Errorf("read the keys: %w", err)
	}
	if !verifiable(options.Keys) {
		return a, errors.New("payrack publishes no key to verify tokens with")
	}
	a.naive, err = startChild(lasting, roleNaive, options)
	return a, err
}

func verifiable(keys jose.JSONWebKeySet) bool {
	for _, k := range keys.Keys {
		if k.Valid() && k.IsPublic() {
			return true
		}
	}
	return false
}

func (a *arena) close() error {
	var all []error
	if a.naive != nil {
		all = append(all, a.naive.stop())
	}
	if a.payrack != nil {
		all = append(all, a.payrack.stop())
	}
	if a.floor != nil {
		all = append(all, a.floor.close())
	}
	if a.stub != nil {
		all = append(all, a.stub.stop())
	}
	return errors.Join(all...)
}

func (a *arena) measure(ctx context.Context) (result, error) {
	r := newResult(a.settings)
	// First turns fill pools, caches and statement tables; they are not counted.
	for _, target := range []string{targetFloor, targetPayrack, targetNaive} {
		clients := a.settings.clients
		if target == targetFloor {
			clients = 1
		}
		if _, err := measure.Closed(ctx, clients, a.settings.round(), a.operation(target)); err != nil {
			return r, fmt.Errorf("warm up %s: %w", target, err)
		}
	}
	if a.settings.only != onlyLoad {
		if err := a.single(ctx, &r); err != nil {
			return r, err
		}
	}
	if a.settings.only != onlySingle {
		if err := a.load(ctx, &r); err != nil {
			return r, err
		}
	}
	return r, a.reconcile(ctx)
}

// single compares one client's latency with the floor.
func (a *arena) single(ctx context.Context, r *result) error {
	for _, delay := range []time.Duration{0, a.settings.delay} {
		c, err := a.compare(ctx, comparison{clients: 1, delay: delay, targets: []string{targetFloor, targetPayrack, targetNaive}})
		if err != nil {
			return err
		}
		r.Comparisons = append(r.Comparisons, c)
		r.Bars = append(r.Bars, atMost(
			fmt.Sprintf("one client, gateway %d ms: latency of payrack ÷ (bare call + two fsynced writes)", delay.Milliseconds()),
			measure.SpreadOf(measure.Ratios(c.of(targetPayrack).p50s, c.of(targetFloor).p50s)), latencyBar))
	}
	return nil
}

// load compares the payments per second of many clients with the rival's.
func (a *arena) load(ctx context.Context, r *result) error {
	c, err := a.compare(ctx, comparison{clients: a.settings.clients, targets: []string{targetPayrack, targetNaive}})
	if err != nil {
		return err
	}
	r.Comparisons = append(r.Comparisons, c)
	r.Bars = append(r.Bars, atLeast(
		fmt.Sprintf("%s: payments/s of payrack ÷ naive", plural(a.settings.clients, "client")),
		measure.SpreadOf(measure.Ratios(c.of(targetPayrack).rates, c.of(targetNaive).rates)), rateBar))
	return nil
}

// compare measures the targets of one comparison next to each other, round by round.
func (a *arena) compare(ctx context.Context, c comparison) (comparison, error) {
	fmt.Fprintf(os.Stderr, "%d rounds of %s: %s, gateway %s\n", a.settings.rounds, a.settings.round(), plural(c.clients, "client"), c.delay)
	if err := a.setDelay(ctx, c.delay); err != nil {
		return c, err
	}
	for _, name := range c.targets {
		c.Targets = append(c.Targets, &turn{Name: name, cpu: map[string]time.Duration{}})
	}
	err := measure.Rounds(a.settings.rounds, c.targets, func(target string, _ int) error {
		before, err := a.cpu()
		if err != nil {
			return err
		}
		sample, err := measure.Closed(ctx, c.clients, a.settings.round(), a.operation(target))
		if err != nil {
			return fmt.Errorf("%s: %w", target, err)
		}
		after, err := a.cpu()
		if err != nil {
			return err
		}
		c.of(target).add(sample, before, after)
		return nil
	})
	c.finish()
	return c, err
}

// operation is one payment at a target.
func (a *arena) operation(target string) func(context.Context) error {
	switch target {
	case targetFloor:
		return a.floor.pay
	case targetNaive:
		return func(ctx context.Context) error {
			return a.caller.pay(ctx, a.naive.url, a.payrack.token, a.payrack.StoreID)
		}
	default:
		return func(ctx context.Context) error {
			return a.caller.pay(ctx, a.payrack.HTTPURL, a.payrack.token, a.payrack.StoreID)
		}
	}
}

// cpu reads the clocks of every process that takes part.
func (a *arena) cpu() (map[string]time.Duration, error) {
	processes, err := a.payrack.processes()
	if err != nil {
		return nil, err
	}
	processes[processBench], processes[processStub], processes[processNaive] = os.Getpid(), a.stub.pid(), a.naive.pid()
	all := make(map[string]time.Duration, len(processes))
	for name, pid := range processes {
		if all[name], err = measure.CPU(pid); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (a *arena) setDelay(ctx context.Context, d time.Duration) error {
	target := fmt.Sprintf("%s%s?ms=%d", a.stub.url, stub.DelayPath, d.Milliseconds())
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, target, http.NoBody)
	if err != nil {
		return err
	}
	_, err = answer(req)
	return err
}

// reconcile compares what the gateway saw with what was begun: a payment sent twice, or answered without being sent,
// makes every figure worthless.
func (a *arena) reconcile(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.stub.url+stub.CountPath, http.NoBody)
	if err != nil {
		return err
	}
	raw, err := answer(req)
	if err != nil {
		return err
	}
	arrived, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil {
		return err
	}
	if begun := a.caller.payments(); arrived != begun {
		return fmt.Errorf("%d payments were begun and %d arrived at the gateway", begun, arrived)
	}
	return nil
}
