package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/payrack/payrack/deployments/chaos/record"
	"github.com/payrack/payrack/deployments/chaos/verify"
)

// Build is a planted bug, as the tests see it.
type Build struct{ Name, Bug, Code string }

// ReadBuilds reads a folder of planted bugs and says for each what keeps it from being planted into the tree.
func ReadBuilds(folder, root string) ([]Build, []error) {
	all, err := readBuilds(folder)
	if err != nil {
		return nil, []error{err}
	}
	var builds []Build
	var bad []error
	for _, b := range all {
		builds = append(builds, Build{b.name, b.bug, b.code})
		if err := b.compiles(root); err != nil {
			bad = append(bad, err)
		}
	}
	return builds, bad
}

// compiles plants the bug into the provider's package, without linking a program.
func (b build) compiles(root string) error {
	root, err := filepath.Abs(root)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "payrack-build-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	overlay, err := b.overlay(root, dir)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(context.Background(), "go", "build", "-trimpath", "-overlay", overlay, "./plugins/providers/"+provider)
	cmd.Dir = root
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s does not compile: %w\n%s", b.name, err, text)
	}
	return nil
}

// Run is a run that went well, with room for what a test spoils.
type Run struct{ e evidence }

// Payment is one try of a run: when it was sent, how long it took, what it told.
type Payment struct {
	At, Took time.Duration
	Other    bool
	Told     record.Told
	Status   int
}

// GoodRun is a run of ten swaps and six broken releases in which nobody noticed anything.
func GoodRun() *Run {
	e := evidence{
		settings: settings{
			rate: 100, swaps: 10, broken: 6, replicas: 1, versionA: "1.0.1", versionB: "1.0.2", delay: 50 * time.Millisecond,
		},
		elapsed: time.Minute, served: map[string]int{"1.0.1": 1500, "1.0.2": 1500}, verdict: verify.Verdict{}, program: "payrack test",
	}
	at := func(d time.Duration) int64 { return d.Nanoseconds() }
	for i := range 10 {
		from := time.Duration(i+10) * time.Second
		e.flips = append(e.flips, flip{from: at(from), to: at(from + 200*time.Millisecond), version: "1.0.2", no: refusal{ok: true}})
	}
	for i, kind := range []string{"a", "b", "c", "d", "e", "f"} {
		from := time.Duration(i+25) * time.Second
		e.flips = append(e.flips, flip{from: at(from), to: at(from + time.Second), kind: kind, want: "start_crashed", no: refusal{code: "start_crashed"}})
	}
	for i, kind := range []string{"SIGKILL", "SIGSTOP"} {
		from := time.Duration(40+6*i) * time.Second
		e.blows = append(e.blows, blow{at(from), at(from + 3*time.Second), kind})
	}
	r := &Run{e}
	for n := range 6000 {
		r.Add(Payment{At: time.Duration(n) * 10 * time.Millisecond, Took: 60 * time.Millisecond, Other: n%2 == 1, Told: record.Paid, Status: 200})
	}
	return r
}

// Add adds a payment.
func (r *Run) Add(p Payment) {
	t := try{Call: record.Call{Provider: provider, Begin: p.At.Nanoseconds(), End: (p.At + p.Took).Nanoseconds(), Told: p.Told, Status: p.Status}}
	if p.Other {
		t.Provider = other
	}
	t.Due = t.Begin
	r.e.tries = append(r.e.tries, t)
}

// Slow makes every payment of a stretch take longer.
func (r *Run) Slow(from, to, took time.Duration) {
	for i := range r.e.tries {
		if t := &r.e.tries[i]; t.Begin >= from.Nanoseconds() && t.Begin < to.Nanoseconds() {
			t.End = t.Begin + took.Nanoseconds()
		}
	}
}

// Keep removes the payments for which it returns false.
func (r *Run) Keep(keep func(at, end time.Duration) bool) {
	var all []try
	for _, t := range r.e.tries {
		if keep(time.Duration(t.Begin), time.Duration(t.End)) {
			all = append(all, t)
		}
	}
	r.e.tries = all
}

// Refuse changes the code with which a broken release was refused; empty is: it was not.
func (r *Run) Refuse(kind, code string) {
	for i := range r.e.flips {
		if r.e.flips[i].kind == kind {
			r.e.flips[i].no = refusal{ok: code == "", code: code}
		}
	}
}

// Serve says how many payments a version had.
func (r *Run) Serve(version string, n int) { r.e.served[version] = n }

// Alarm notes that a gate took a release back.
func (r *Run) Alarm(why string) { r.e.alarms = append(r.e.alarms, why) }

// Doubled notes a payment that was charged twice.
func (r *Run) Doubled() { r.e.verdict.Double++ }

// Fleet makes it a run of three replicas that ended at these generations, with payments that were too early on a version.
func (r *Run) Fleet(early int, generations ...int64) {
	r.e.replicas, r.e.kills, r.e.generations, r.e.blows = 3, []int64{0}, generations, nil
	for range early {
		r.e.early = append(r.e.early, "a payment")
	}
}

// Judge is the verdict.
func (r *Run) Judge() error { return r.e.conclude() }
