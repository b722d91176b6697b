package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/payrack/payrack/deployments/internal/rig"
)

const (
	// trialMost is how long a canary may run before it counts as not caught.
	trialMost = time.Minute
	// goodTrials is how often a build without a bug runs as canary: it must not be rolled back.
	goodTrials = 3
	// caughtLeast of the bad builds must be caught.
	caughtLeast = 17
	// warmUp is the load before the first canary, and between two of them.
	warmUp  = 15 * time.Second
	between = 4 * time.Second
)

// trial is one build as a canary.
type trial struct {
	build

	version string
	good    bool
	// caught is how long it had its share, and why it was taken away; refused says that it never got any.
	caught   bool
	refused  bool
	after    time.Duration
	why      string
	payments int
}

// mix is what the tills and shops do: mostly plain payments, some without money behind them, some at the other provider, and
// some where the customer is sent to the wallet.
func mix(n int) saleKind {
	switch n % 20 {
	case 0:
		return saleKind{provider: provider, online: true}
	case 7, 14:
		return saleKind{provider: other}
	case 10:
		return saleKind{provider: provider, decline: "1142"}
	}
	return saleKind{provider: provider}
}

// weather is how the provider behaves: some answers are slow, and now and then one is an error, a hang, or a claim that the
// order was there before.
func (s settings) weather() []rig.Fault {
	return []rig.Fault{
		{Provider: provider, Operation: "pay", Fault: "delay_after_commit", DelayMS: s.delay.Milliseconds()},
		{Provider: provider, Operation: "pay", Fault: "delay_after_commit", DelayMS: 400, Probability: 0.05},
		{Provider: provider, Operation: "pay", Fault: "http_500_after_commit", Probability: 0.01},
		{Provider: provider, Operation: "pay", Fault: "code:1172", Probability: 0.01},
		{Provider: provider, Operation: "pay", Fault: "hang_after_commit", Probability: 0.003},
	}
}

func runCanaries(ctx context.Context, s settings) (err error) {
	trials, err := s.trials()
	if err != nil {
		return err
	}
	s.replicas = 1
	p, err := openPlatform(ctx, s, s.data, map[string]any{"limits": limits(provider, other)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	for i := range trials {
		path := filepath.Join(p.dir, fmt.Sprintf("canary-%d", i))
		if err := trials[i].make(ctx, s, trials[i].version, path); err != nil {
			return err
		}
		if _, no, err := p.install(ctx, p.replicas[0], path, ""); err != nil || !no.ok {
			return fmt.Errorf("install %s: %s %s, %w", trials[i].name, no.code, no.text, err)
		}
	}
	if err := p.box.Arm(ctx, s.weather()...); err != nil {
		return err
	}
	l := p.load(ctx, s.canaryRate, mix)
	pause(ctx, warmUp)
	for i := range trials {
		if err := p.try(ctx, &trials[i]); err != nil {
			l.stop()
			return fmt.Errorf("%s: %w", trials[i].name, err)
		}
		pause(ctx, between)
	}
	took := time.Since(l.began)
	l.end()
	if err := ctx.Err(); err != nil {
		return err
	}
	db, err := p.database()
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	for i := range trials {
		if err := trials[i].count(ctx, db); err != nil {
			return err
		}
	}
	return concludeTrials(s, rig.Version(ctx, s.payrack), trials, l, took)
}

// trials are the bad builds of the list, and good ones at the beginning, in the middle and at the end.
func (s settings) trials() ([]trial, error) {
	builds, err := readBuilds(filepath.Join(s.root, "deployments/swap/canaries"))
	if err != nil {
		return nil, err
	}
	var all []trial
	for i, b := range builds {
		all = append(all, trial{build: b, version: fmt.Sprintf("2.0.%d", i+1)})
	}
	for i := range goodTrials {
		at := i * len(all) / (goodTrials - 1)
		good := trial{build: build{name: fmt.Sprintf("good-%d", i+1), bug: "none: the same sources"}, version: fmt.Sprintf("2.1.%d", i+1), good: true}
		all = append(all[:at], append([]trial{good}, all[at:]...)...)
	}
	var chosen []trial
	for _, t := range all {
		if strings.Contains(t.name, s.only) {
			chosen = append(chosen, t)
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("%w: -only %q names none of the builds", errUsage, s.only)
	}
	return chosen, nil
}

// try gives a build its share and waits until it is taken away, or until its time is over.
func (p *platform) try(ctx context.Context, t *trial) error {
	r := p.replicas[0]
	before, err := p.events(ctx, r, provider, 0)
	if err != nil {
		return err
	}
	var last int64
	if len(before) > 0 {
		last = before[len(before)-1].N
	}
	no, err := p.insist(ctx, r, provider, "canary", map[string]any{"version": t.version, "weight": p.weight, "reason": "swap run: " + t.name}, nil)
	if err != nil {
		return err
	}
	if !no.ok && no.status != http.StatusUnprocessableEntity {
		return fmt.Errorf("canary: %d %s %s", no.status, no.code, no.text)
	}
	if !no.ok {
		t.caught, t.refused, t.why = true, true, no.code+": "+no.text
		return nil
	}
	for end := time.Now().Add(trialMost); time.Now().Before(end) && ctx.Err() == nil; pause(ctx, 200*time.Millisecond) {
		if over, err := p.watch(ctx, r, t, last); err != nil || over {
			return err
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	no, err = p.insist(ctx, r, provider, "rollback", map[string]any{"reason": "swap run: the trial is over"}, nil)
	if err == nil && !no.ok {
		// A gate may have been faster by a moment.
		if over, err := p.watch(ctx, r, t, last); err != nil || over {
			return err
		}
		err = fmt.Errorf("rollback: %d %s %s", no.status, no.code, no.text)
	}
	t.after = trialMost
	return err
}

// watch looks whether a gate has taken the share away.
func (p *platform) watch(ctx context.Context, r *replica, t *trial, after int64) (over bool, err error) {
	events, err := p.events(ctx, r, provider, after)
	if err != nil {
		return false, err
	}
	var began time.Time
	for _, e := range events {
		switch e.Event {
		case "plugin.canary":
			began = e.At
		case "plugin.rolled_back":
			var body struct {
				Reason   string `json:"reason"`
				Evidence string `json:"evidence"`
			}
			if err := json.Unmarshal(e.Body, &body); err != nil {
				return false, err
			}
			t.caught, t.after, t.why = true, e.At.Sub(began), body.Evidence
			if t.why == "" {
				t.why = body.Reason
			}
			return true, nil
		}
	}
	return false, nil
}

// count is how many payments the build had.
func (t *trial) count(ctx context.Context, db *sql.DB) error {
	return db.QueryRowContext(ctx, "SELECT count(*) FROM payment WHERE plugin_release = '"+provider+"@"+t.version+"'").Scan(&t.payments) //nolint:gosec // both are the harness's own
}

func concludeTrials(s settings, program string, trials []trial, l *load, took time.Duration) error {
	var r report
	done := float64(len(l.tries)) / took.Seconds()
	r.line("# Canary run\n\n%s, %s, payrack dev --sandbox-process on SQLite. Each build has %d %% of the payments for at most %s; the gates have their defaults.\n",
		time.Now().UTC().Format("2006-01-02"), program, s.weight, trialMost)
	r.line("- load: %.0f payments a second offered, %.1f done; of 20: 16 paid by a code at the provider on trial, 1 declined, 1 by a redirect, 2 at another provider", s.canaryRate, done)
	r.line("- the provider: an answer after %s; 5 %% take 400 ms more, 1 %% are HTTP 500, 1 %% say that the order was there before, 0.3 %% hang", s.delay)
	r.line("\n| build | what is wrong | caught | after | payments touched | evidence |\n|---|---|---|---|---|---|")
	bad, caught := 0, 0
	for _, t := range trials {
		verdict, after := "no", "–"
		switch {
		case t.refused:
			verdict = "refused before any payment"
		case t.caught:
			verdict, after = "yes", t.after.Round(100*time.Millisecond).String()
		}
		if !t.good {
			bad++
			if t.caught {
				caught++
			}
		} else if t.caught {
			r.bar(false, "%s was rolled back: %s", t.name, t.why)
		}
		r.line("| %s | %s | %s | %s | %d | %s |", t.name, t.bug, verdict, after, t.payments, strings.ReplaceAll(t.why, "|", "/"))
	}
	r.line("\n%d of %d bad builds caught.", caught, bad)
	for _, x := range l.trouble {
		r.line("- trouble of the harness: %s", x)
	}
	r.bar(len(l.trouble) == 0, "the harness had trouble")
	r.bar(s.only != "" || caught >= caughtLeast, "%d of %d bad builds were caught, fewer than %d", caught, bad, caughtLeast)
	r.bar(done >= offeredLeast*s.canaryRate, "the machine did %.1f of %.0f payments a second", done, s.canaryRate)
	return r.finish(s.out, "make canary-test")
}
