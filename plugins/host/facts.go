package host

import (
	"slices"
	"sync"
	"time"
)

// FactKind is what happened to a process.
type FactKind string

// What a host tells.
const (
	// FactCrashed: a process that was ready ended by itself. Value is the number of calls that were open.
	FactCrashed FactKind = "crashed"
	// FactWedged: a process did not answer three pings and was killed. Value as above.
	FactWedged FactKind = "wedged"
	// FactQuarantined: a release crashed too often and is not started again before Options.BackoffCap has passed. Value is the number of crashes.
	FactQuarantined FactKind = "quarantined"
	// FactRestarted: a release that crashed, or whose process hangs, is ready again. Value is the number of the new process.
	FactRestarted FactKind = "restarted"
	// FactOverdrawn: a draining instance was stopped with calls in flight. Value is their number.
	FactOverdrawn FactKind = "overdrawn"
	// FactOverran: a process went on with calls that had been given up, for longer than Options.DrainExtra. Value is their number.
	FactOverran FactKind = "overran"
	// FactUnready: a process that serves has said three times in a row that it is not ready, and takes no calls. Detail is what
	// it says. FactReady: it is ready again.
	FactUnready FactKind = "unready"
	FactReady   FactKind = "ready"
	// FactMemory: the resident memory of a process was never as large; Value is in bytes.
	FactMemory FactKind = "memory"
)

// Fact is something that happened to a process of a release.
type Fact struct {
	Kind    FactKind
	Name    string
	Version string
	SHA256  string
	// Detail for people, such as how the process ended.
	Detail string
	Value  int64
	At     time.Time
}

// maxFacts are kept for a receiver that is slow.
const maxFacts = 256

// factsPatience is how long Close waits for a receiver that is behind.
const factsPatience = time.Second

// facts hands facts on in the order in which they happened, and never keeps the one who tells them waiting.
type facts struct {
	mu        sync.Mutex
	receivers []func(Fact)
	queue     []Fact
	running   bool
	done      sync.WaitGroup
}

// OnFact adds a receiver of facts, as Options.Facts is one.
func (h *Host) OnFact(receive func(Fact)) {
	h.facts.mu.Lock()
	defer h.facts.mu.Unlock()
	h.facts.receivers = append(slices.Clip(h.facts.receivers), receive)
}

// tell reports a fact about an instance.
func (h *Host) tell(in *instance, kind FactKind, detail string, value int64) {
	h.report(Fact{
		Kind: kind, Name: in.release.Name, Version: in.release.Version, SHA256: in.release.SHA256, Detail: detail, Value: value,
	})
}

// report queues a fact. It does not block, and may be called with any lock held.
func (h *Host) report(f Fact) {
	f.At = time.Now()
	h.facts.mu.Lock()
	defer h.facts.mu.Unlock()
	if len(h.facts.receivers) == 0 {
		return
	}
	h.facts.push(f)
	if !h.facts.running {
		h.facts.running = true
		h.facts.done.Go(h.facts.run)
	}
}

// push makes room by what is worth least: the oldest word about memory, or the oldest word at all. The caller holds mu.
func (f *facts) push(fact Fact) {
	if len(f.queue) >= maxFacts {
		oldest := slices.IndexFunc(f.queue, func(q Fact) bool { return q.Kind == FactMemory })
		f.queue = slices.Delete(f.queue, max(oldest, 0), max(oldest, 0)+1)
	}
	f.queue = append(f.queue, fact)
}

// run hands over what is queued and ends when nothing is.
func (f *facts) run() {
	for {
		f.mu.Lock()
		if len(f.queue) == 0 {
			f.running = false
			f.mu.Unlock()
			return
		}
		fact, receivers := f.queue[0], f.receivers
		f.queue = f.queue[1:]
		f.mu.Unlock()
		for _, receive := range receivers {
			receive(fact)
		}
	}
}

// end waits, for a short time, until everything was handed over.
func (f *facts) end() {
	done := make(chan struct{})
	go func() {
		f.done.Wait()
		close(done)
	}()
	await(done, factsPatience)
}
