package conformance

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

func processChecks() []Check {
	const leaks = "A plugin runs for months. What is not given back after a payment stops all of them one night."
	return group(
		"Process",
		Check{
			ID: "concurrent-answers", Title: "Thirty calls at once get their own answers",
			Proves: "Ninety charges of different amounts, thirty at a time, each compared with the books; searches in between.",
			Why:    "Answers that are crossed hand over goods that somebody else paid.", run: checkConcurrent,
		},
		Check{
			ID: "hang-is-no-flood", Title: "Calls that hang do not stop the others",
			Proves: "Twenty charges hang at the gateway; meanwhile a search is answered, and afterwards a charge is approved.",
			Why:    "A gateway that hangs for one minute would be an outage of an hour.", run: checkHangers,
		},
		Check{
			ID: "replaced-drains", Title: "A call that is under way is finished when the plugin is replaced",
			Proves: "The plugin is taken out of service while the gateway works on a charge: the charge is approved, then the process ends.",
			Why:    "Each upgrade would make payments unknown.", whole: true, run: checkDrain,
		},
		Check{
			ID: "signals-survived", Title: "Signals to the process group do not end a payment",
			Proves: "SIGTERM, SIGINT and SIGHUP during a charge: it is approved, and so is the next.",
			Why:    "A stop of the service signals all its processes; the platform drains first.", whole: true, run: checkSignals,
		},
		Check{
			ID: "end-at-once", Title: "The plugin ends when the platform lets it go",
			Proves: "An idle plugin is gone within seconds after its lifeline was closed.",
			Why:    "Plugins that stay hold the memory and the sockets of every release that ever ran.", whole: true, run: checkEnd,
		},
		Check{
			ID: "leak-connections", Title: "Connections are kept and used again",
			Proves: "Sixty charges one after the other open no more connections than a few.",
			Why:    leaks, whole: true, run: checkConnectionLeak,
		},
		Check{
			ID: "leak-files", Title: "Files and sockets are given back",
			Proves: "The table of open files does not grow over 150 charges, a third of them disturbed.", Why: leaks, whole: true, run: checkFileLeak,
		},
		Check{
			ID: "leak-threads", Title: "Threads do not grow",
			Proves: "The number of threads over 150 charges.", Why: leaks, whole: true, run: checkThreadLeak,
		},
		Check{
			ID: "leak-goroutines", Title: "Goroutines end with their call",
			Proves: "Two instances, after 6 and after 66 calls, are asked by SIGQUIT what they are doing; the second does not do more.", Why: leaks, whole: true, run: checkGoroutineLeak,
		},
		Check{
			ID: "leak-memory", Title: "Memory does not grow with the calls",
			Proves: "The resident memory after 50 and after 300 charges and after an answer without end.", Why: leaks, whole: true, run: checkMemoryLeak,
		},
		Check{
			ID: "no-panic", Title: "Nothing panicked",
			Proves: "No log line of all the checks before tells of a panic, a fatal error or a data race.",
			Why:    "A panic in another goroutine than the call's ends the process with all payments in it.", whole: true, run: checkPanics,
		},
		Check{
			ID: "one-process", Title: "The process that was started is the one that ends",
			Proves: "After all the checks before, the same process still serves.",
			Why:    "Each restart makes the payments of that moment unknown.", whole: true, run: checkOneProcess,
		},
	)
}

func checkConcurrent(t *trial) {
	var workers sync.WaitGroup
	for i := range 30 {
		workers.Go(func() {
			for n := range 3 {
				o := t.order()
				o.amount.Units = t.spec.Amounts[(i+n)%len(t.spec.Amounts)]
				a := t.charge(o)
				if a.Outcome() != provider.OutcomeApproved {
					t.failf("a charge was answered %s", spell(a))
					return
				}
				t.booked(o, "charge")
				r := a.Result()
				t.expect(r.Captured == nil || *r.Captured == o.amount, "the answer of another call: %v in the place of %v", r.Captured, o.amount)
				if n == 1 && t.has(provider.KindSearch) {
					t.foundWith(o, t.ask(o))
				}
			}
		})
	}
	workers.Wait()
}

func checkHangers(t *trial) {
	const hangers = 20
	orders := make([]*order, hangers)
	for i := range orders {
		orders[i] = t.order()
		t.ready(orders[i])
	}
	paid, ok := t.charged(true)
	if !ok {
		return
	}
	ctx, cancel := context.WithCancel(t.ctx)
	defer cancel()
	from := t.proxy.mark()
	t.proxy.arm(faultHangBefore)
	var calls sync.WaitGroup
	for _, o := range orders {
		calls.Go(func() {
			limited, end := context.WithTimeout(ctx, callMax)
			defer end()
			a := t.chargeIn(limited, o)
			t.expect(word(a) == "unknown", "a charge that hangs was answered %s", spell(a))
		})
	}
	for range 1000 {
		if len(t.proxy.since(from)) >= hangers {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.expect(len(t.proxy.since(from)) >= hangers, "of %d charges at once only %d reached the gateway", hangers, len(t.proxy.since(from)))
	t.proxy.disarm()
	if t.has(provider.KindSearch) {
		t.foundWith(paid, t.ask(paid))
	}
	cancel()
	calls.Wait()
	a := t.charge(t.order())
	t.expect(a.Outcome() == provider.OutcomeApproved, "a charge after calls that hung was answered %s", spell(a))
}

func checkDrain(t *trial) {
	e, ok := t.another()
	if !ok {
		return
	}
	defer e.close()
	answer := e.chargeSlowly(func() {
		go func() { _ = e.main.slot.Disable(t.ctx) }() // its end is looked at below
	})
	t.expect(answer.Outcome() == provider.OutcomeApproved, "a charge during the replacement was answered %s", spell(answer))
	t.settles("processes after the replacement", 0, func() int { return len(e.main.slot.Status().Instances) })
}

// chargeSlowly charges with a slow gateway and does something while the gateway works.
func (t *trial) chargeSlowly(meanwhile func()) provider.Answer {
	o := t.order()
	t.ready(o)
	from := t.proxy.mark()
	t.proxy.arm(faultSlow)
	defer t.proxy.disarm()
	done := make(chan provider.Answer, 1)
	go func() { done <- t.charge(o) }()
	for range 1000 {
		if len(t.proxy.since(from)) > 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	meanwhile()
	return <-done
}

func checkSignals(t *trial) {
	e, ok := t.another()
	if !ok {
		return
	}
	defer e.close()
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		pid := e.main.pid()
		if pid <= 0 {
			t.failf("no process serves")
			return
		}
		a := e.chargeSlowly(func() { _ = syscall.Kill(pid, s) })
		t.expect(a.Outcome() == provider.OutcomeApproved, "%s during a charge: answered %s", s, spell(a))
		after := e.charge(e.order())
		t.expect(after.Outcome() == provider.OutcomeApproved, "a charge after %s was answered %s", s, spell(after))
		t.expect(e.main.pid() == pid, "%s ended the process", s)
	}
}

func checkEnd(t *trial) {
	e, ok := t.another()
	if !ok {
		return
	}
	defer e.close()
	e.charge(e.order())
	began := time.Now()
	ctx, cancel := t.brief()
	defer cancel()
	if err := e.main.slot.Disable(ctx); err != nil {
		t.failf("the plugin does not end: %v", err)
		return
	}
	t.expect(time.Since(began) < stopTimeout, "the plugin had to be killed after %s", stopTimeout)
}

// settles waits until a number has come down.
func (t *trial) settles(what string, most int, read func() int) {
	n := read()
	for range 600 {
		if n <= most || t.ctx.Err() != nil {
			break
		}
		time.Sleep(25 * time.Millisecond)
		n = read()
	}
	t.expect(n <= most, "%d %s, and at most %d are right", n, what, most)
}

func checkConnectionLeak(t *trial) {
	t.charge(t.order())
	before := t.proxy.opened.Load()
	for range 60 {
		if _, ok := t.charged(true); !ok {
			return
		}
	}
	opened := t.proxy.opened.Load() - before
	t.expect(opened <= 6, "60 charges one after the other opened %d connections", opened)
}

// wear makes n charges, a third of them disturbed.
func (t *trial) wear(n int) {
	for i := range n {
		o := t.order()
		t.ready(o)
		switch i % 6 {
		case 1:
			t.proxy.arm(faultTruncated)
		case 3:
			t.proxy.arm(faultDropAfter)
		}
		a := t.charge(o)
		t.proxy.disarm()
		t.expect(word(a) == "approved" || word(a) == "unknown", "charge %d was answered %s", i, spell(a))
	}
}

func checkFileLeak(t *trial) {
	t.grows("open files", 24, func(pid int) (int64, bool) {
		if n, ok := openFiles(pid); ok {
			return int64(n), true
		}
		return statusNumber(pid, "FDSize") // the table doubles when it is full
	})
}

func checkThreadLeak(t *trial) {
	t.grows("threads", 24, func(pid int) (int64, bool) { return statusNumber(pid, "Threads") })
}

// grows compares a number of the process before and after 150 calls.
func (t *trial) grows(what string, most int64, read func(pid int) (int64, bool)) {
	t.wear(30)
	before, ok := read(t.main.pid())
	if !ok {
		t.skip("this system does not tell the number of " + what)
		return
	}
	t.wear(150)
	after, _ := read(t.main.pid())
	t.expect(after-before <= most, "%d %s before, and %d after 150 calls", before, what, after)
}

// stacks counts the lines in which an instance tells after n calls what it is doing. It ends the instance.
// Lines and not goroutines, because the host drops lines that come too fast and says how many.
func (t *trial) stacks(n int) (int, bool) {
	e, ok := t.another()
	if !ok {
		return 0, false
	}
	defer e.close()
	e.wear(n)
	time.Sleep(300 * time.Millisecond) // what ends with a call has ended
	out := &collected{}
	e.out.tee(out)
	defer e.out.tee(nil)
	_ = syscall.Kill(e.main.pid(), syscall.SIGQUIT)
	count, still := 0, 0
	for range 400 {
		time.Sleep(25 * time.Millisecond)
		lines, goes := stackLines(out.from(fromLog))
		if !goes {
			continue
		}
		if still++; lines != count {
			count, still = lines, 0
		}
		if still > 12 {
			break
		}
	}
	return count, true
}

// stackLines counts the lines of a Go program's last words. goes is false if there are none.
func stackLines(log []string) (lines int, goes bool) {
	for _, text := range log {
		switch {
		case strings.Contains(text, "plugin wrote"):
			lines++
			goes = goes || strings.Contains(text, "goroutine ")
		case strings.Contains(text, "plugin log lines dropped"):
			_, number, _ := strings.Cut(text, "lines=")
			dropped, err := strconv.Atoi(strings.TrimSpace(number))
			if err == nil {
				lines += dropped
			}
		}
	}
	return lines, goes
}

func checkGoroutineLeak(t *trial) {
	const few, many, deepest = 6, 66, 3
	before, ok := t.stacks(few)
	if !ok {
		return
	}
	if before == 0 {
		t.skip("the plugin does not say on SIGQUIT what it is doing: it is not written in Go")
		return
	}
	after, _ := t.stacks(many)
	// A goroutine takes at least six lines; a few more workers of the HTTP and gRPC libraries are no leak.
	t.expect(after-before < (many-few)*deepest, "the stacks have %d lines after %d calls, and %d after %d", before, few, after, many)
}

// memoryMost is what a plugin's memory may grow by in a few hundred calls, in kilobytes.
const memoryMost = 96 << 10

func checkMemoryLeak(t *trial) {
	t.wear(50)
	before, ok := statusNumber(t.main.pid(), "VmRSS")
	if !ok {
		t.skip("this system does not tell the memory of a process")
		return
	}
	t.wear(250)
	for range 3 {
		o := t.order()
		t.ready(o)
		ctx, cancel := context.WithTimeout(t.ctx, heldCall)
		t.proxy.arm(faultEndless)
		t.chargeIn(ctx, o)
		t.proxy.disarm()
		cancel()
	}
	after, _ := statusNumber(t.main.pid(), "VmRSS")
	t.expect(after-before < memoryMost, "%d KiB of memory before, and %d KiB after 250 calls and three answers without end", before, after)
}

func checkPanics(t *trial) {
	for _, text := range t.out.from(fromLog) {
		for _, sign := range []string{"panicked", "panic:", "fatal error:", "DATA RACE"} {
			if strings.Contains(text, sign) && !strings.Contains(text, "SIGQUIT") {
				t.failf("the log says: %.300s", text)
			}
		}
	}
}

func checkOneProcess(t *trial) {
	t.expect(t.main.pid() == t.startPID, "process %d was started and process %d serves", t.startPID, t.main.pid())
}
