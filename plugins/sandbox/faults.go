package sandbox

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// codeFault begins the name of a fault that answers with the return code that follows.
const codeFault = "code:"

// The faults that every dialect has. "Before commit" means that nothing happened at the provider,
// "after commit" that all of it did and only the answer suffers.
const (
	FaultDelay             = "delay"
	FaultDelayAfterCommit  = "delay_after_commit"
	FaultHang              = "hang"
	FaultHangAfterCommit   = "hang_after_commit"
	FaultDropBeforeCommit  = "drop_before_commit"
	FaultDropAfterCommit   = "drop_after_commit"
	FaultGarbled           = "garbled"
	FaultTruncated         = "truncated"
	FaultHugeBody          = "huge_body"
	FaultEndlessBody       = "endless_body"
	FaultWrongAmount       = "wrong_amount"
	FaultWrongOrder        = "wrong_order"
	FaultDuplicateDelivery = "duplicate_delivery"
	FaultSearchLag         = "search_lag"
)

// httpFaults are the statuses that can be answered before or after the commit.
var httpFaults = []int{500, 502, 504}

func httpFault(status int, when string) string {
	return fmt.Sprintf("http_%d_%s_commit", status, when)
}

func commonFaults() map[string]string {
	known := map[string]string{
		FaultDelay:             "lands delay_ms late; it lands even if the client has left",
		FaultDelayAfterCommit:  "answers delay_ms late",
		FaultHang:              "never lands; the connection is held until the client leaves, or for delay_ms",
		FaultHangAfterCommit:   "lands; the connection is held until the client leaves, or for delay_ms",
		FaultDropBeforeCommit:  "never lands; the connection is closed without an answer",
		FaultDropAfterCommit:   "lands; the connection is closed without an answer",
		FaultGarbled:           "lands; status 200 with bytes that are not JSON",
		FaultTruncated:         "lands; the connection is closed in the middle of the body",
		FaultHugeBody:          "lands; the answer is followed by 128 KiB of white space",
		FaultEndlessBody:       "lands; the answer never ends",
		FaultWrongAmount:       "lands; the answer names one charge unit too much",
		FaultWrongOrder:        "lands; the answer names another order",
		FaultDuplicateDelivery: "is delivered twice; the answer is the second one's",
		FaultSearchLag:         "queries do not see what happened in the last delay_ms",
	}
	for _, status := range httpFaults {
		known[httpFault(status, "before")] = fmt.Sprintf("never lands; HTTP %d", status)
		known[httpFault(status, "after")] = fmt.Sprintf("lands; HTTP %d", status)
	}
	return known
}

// needDelay are the faults that mean nothing without delay_ms.
var needDelay = []string{FaultDelay, FaultDelayAfterCommit, FaultSearchLag}

// Fault is a fault that is armed.
type Fault struct {
	// ID numbers the faults of this run of the sandbox.
	ID int `json:"id"`
	// Provider, Operation and OrderID choose the requests; empty means any. OrderID also matches the
	// order before a suffix for a second attempt.
	Provider  string `json:"provider"`
	Operation string `json:"operation"`
	OrderID   string `json:"order_id"`
	// Probability that a chosen request is struck, over 0 and up to 1.
	Probability float64 `json:"probability"`
	// Fault is its name, or "code:" and a return code.
	Fault string `json:"fault"`
	// DelayMS is how long, for the faults that last.
	DelayMS int64 `json:"delay_ms"`
	// Times is how often it may fire; 0 is without limit.
	Times int `json:"times"`
	// Fired is how often it changed what a client saw or what happened.
	Fired int `json:"fired"`

	claimed int // requests that may still fire it, or have
}

func (f *Fault) delay() time.Duration { return time.Duration(f.DelayMS) * time.Millisecond }

// faultBoard holds the armed faults.
type faultBoard struct {
	server *Server

	mu     sync.Mutex
	armed  []*Fault
	nextID int
}

func newFaultBoard(s *Server) *faultBoard { return &faultBoard{server: s, nextID: 1} }

// arm checks a fault and adds it.
func (b *faultBoard) arm(f Fault) (Fault, error) {
	if err := b.check(f); err != nil {
		return Fault{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	f.ID = b.nextID
	b.nextID++
	b.armed = append(b.armed, &f)
	return f, nil
}

func (b *faultBoard) check(f Fault) error {
	if f.Provider != "" && b.server.env(f.Provider) == nil {
		return errors.New("provider: the sandbox does not play it")
	}
	if f.Operation != "" && !slices.Contains(Operations(), f.Operation) {
		return fmt.Errorf("operation: one of %s", strings.Join(Operations(), ", "))
	}
	code, isCode := strings.CutPrefix(f.Fault, codeFault)
	if isCode && code == "" {
		return errors.New("fault: code: needs a return code")
	}
	if known := b.known(f.Provider); !isCode && known[f.Fault] == "" {
		return fmt.Errorf("fault: code: and a return code, or one of %s",
			strings.Join(slices.Sorted(maps.Keys(known)), ", "))
	}
	if !(f.Probability > 0 && f.Probability <= 1) {
		return errors.New("probability: over 0 and at most 1")
	}
	if f.DelayMS < 0 || f.Times < 0 {
		return errors.New("delay_ms and times: not negative")
	}
	if f.DelayMS == 0 && slices.Contains(needDelay, f.Fault) {
		return errors.New("delay_ms: this fault needs it")
	}
	return nil
}

// known returns the faults of a provider; of all providers if it is empty.
func (b *faultBoard) known(provider string) map[string]string {
	known := commonFaults()
	for _, e := range b.server.envs {
		if provider == "" || provider == e.dialect.Name {
			maps.Copy(known, e.dialect.Faults)
		}
	}
	return known
}

// list returns the armed faults with their counts, oldest first.
func (b *faultBoard) list() []Fault {
	b.mu.Lock()
	defer b.mu.Unlock()
	faults := make([]Fault, 0, len(b.armed))
	for _, f := range b.armed {
		faults = append(faults, *f)
	}
	return faults
}

// clear disarms all faults and returns how many there were. Requests that were struck already finish as
// they began.
func (b *faultBoard) clear() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := len(b.armed)
	b.armed = nil
	return n
}

// claim returns the faults that strike this request. Each must be fired or given back.
func (b *faultBoard) claim(req Request) []*Fault {
	b.mu.Lock()
	defer b.mu.Unlock()
	var struck []*Fault
	for _, f := range b.armed {
		if f.matches(req) && (f.Times == 0 || f.claimed < f.Times) && chance(b.server.opts.Rand, f.Probability) {
			f.claimed++
			struck = append(struck, f)
		}
	}
	return struck
}

func (f *Fault) matches(req Request) bool {
	return (f.Provider == "" || f.Provider == req.Provider) &&
		(f.Operation == "" || f.Operation == req.Operation) &&
		(f.OrderID == "" || f.OrderID == req.OrderID || f.OrderID == req.BaseOrderID)
}

func (b *faultBoard) fire(f *Fault) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f.Fired++
}

func (b *faultBoard) giveBack(faults []*Fault) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range faults {
		f.claimed--
	}
}
