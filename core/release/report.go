package release

import (
	"slices"
	"time"
)

// Report is what one replica says about one provider.
type Report struct {
	// Replica is the boot id of the process.
	Replica string
	Name    string
	// Generation is the last generation of the channel that this replica applied in full: its routing is that one's.
	Generation int64
	// Ready are the versions whose process is ready or serves here.
	Ready []string
	// Refused says why a version cannot be prepared here: version → "code: message".
	Refused map[string]string
	// Since is the generation at which Tallies began to count.
	Since   int64
	Tallies []Tally
	// SeenAt is the database's clock at the last report, and Alive whether that is recent (see LiveFor).
	SeenAt time.Time
	Alive  bool
}

// LiveFor is how long a replica counts as alive after its last report.
const LiveFor = 15 * time.Second

// HasReady reports whether a version is ready on this replica.
func (r Report) HasReady(version string) bool {
	return slices.Contains(r.Ready, version)
}

// Buckets is the number of latency classes of a Tally: class i counts calls that took at most 1 ms × 2^(i/2), the last
// one all others (half powers of two reach from 1 ms to 46 s).
const Buckets = 32

// Tally counts what the calls of one version did on one replica. Tallies of replicas add up.
type Tally struct {
	Version string `json:"version"`
	// Calls that move money, were handed to the plugin and ended.
	Calls int64 `json:"calls"`
	// Declined calls ended in a definite decline.
	Declined int64 `json:"declined"`
	// Refused calls, a part of Declined, were refused by the plugin itself and never sent.
	Refused int64 `json:"refused"`
	// Technical failures: the plugin or the way to the provider failed, known as not sent or unknown.
	Technical int64 `json:"technical"`
	// Unknown outcomes, a part of Technical or a provider's answer that proves nothing.
	Unknown int64 `json:"unknown"`
	// Breaches of an invariant: another amount, order or currency came back, or the check by the stable release
	// contradicts what this one said.
	Breaches int64 `json:"breaches"`
	// Checked calls were compared with what the other release finds.
	Checked int64 `json:"checked"`
	// Unchecked calls were to be compared and were not: too many at once, the other release could not say, or the payment
	// had moved on.
	Unchecked int64 `json:"unchecked"`
	// Crashes of the process, wedged ones included, and times that it went on and said that it is not ready.
	Crashes int64 `json:"crashes"`
	// Latency counts calls by class, see Buckets.
	Latency [Buckets]int64 `json:"latency"`
	// Asks are searches that ended, AsksFailed those of them that found nothing out.
	Asks       int64 `json:"asks"`
	AsksFailed int64 `json:"asks_failed"`
	// Overran calls went on in the plugin when their time had been over for seconds.
	Overran int64 `json:"overran"`
	// RSS is the largest resident memory that the process showed, in bytes; zero if unknown.
	RSS int64 `json:"rss"`
	// Evidence is a line about the first breach or crash, for the event.
	Evidence string `json:"evidence,omitempty"`
}

// FactKind is what happened to a process.
type FactKind string

// What a runtime tells.
const (
	FactCrashed     FactKind = "crashed"
	FactWedged      FactKind = "wedged"
	FactQuarantined FactKind = "quarantined"
	FactRestarted   FactKind = "restarted"
	// FactOverdrawn: an instance was stopped with calls in flight, because its drain took too long.
	FactOverdrawn FactKind = "overdrawn"
	// FactOverran: a process went on with Value calls that had been given up seconds before.
	FactOverran FactKind = "overran"
	// FactUnready: a process that serves says that it is not ready, and takes no calls. FactReady: it does again.
	FactUnready FactKind = "unready"
	FactReady   FactKind = "ready"
	// FactMemory carries Value, the process's resident memory in bytes.
	FactMemory FactKind = "memory"
)

// Fact is something that happened to a process of a release on this replica.
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
