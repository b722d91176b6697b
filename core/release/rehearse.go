package release

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Bounds of a Rehearsal, which people read.
const (
	maxDifferences = 200
	maxExample     = 200
)

// Absent stands for a member that one version does not have.
const Absent = "(absent)"

const dialled = "tried to reach the network past the recording"

// aspects in the order in which they matter.
var aspects = map[Aspect]int{ //nolint:gochecknoglobals // a constant table
	AspectRun: 0, AspectNetwork: 1, AspectRequests: 2, AspectMethod: 3, AspectHost: 4, AspectPath: 5, AspectQuery: 6,
	AspectBody: 7, AspectEnvelope: 8, AspectHeader: 9, AspectAnswer: 10, AspectNative: 11,
}

// trait is one thing that a version did with an exchange.
type trait struct {
	aspect Aspect
	member string
}

// place is where traits of the same name are the same thing.
type place struct {
	operation, paymentType string
	trait
}

// Compare tells where two versions differ over the same exchanges. again is a second run of the old version: what
// differs between its own two runs, such as a nonce, is no difference between versions. An exchange that one of the
// runs does not have is left out.
func Compare(old, again, next []Rehearsed) Rehearsal {
	changed := byExchange(next)
	out := Rehearsal{Operations: map[string]int{}}
	noise := noiseOf(old, again)
	found := map[place]*Difference{}
	for _, o := range old {
		n, ok := changed[o.Exchange]
		if !ok {
			continue
		}
		out.Replayed++
		out.Operations[o.Operation]++
		if o.Recorded > 0 && len(o.Sent) == 0 && len(n.Sent) == 0 {
			out.Silent++
		}
		for t, pair := range apart(o, n) {
			if at := o.place(t); !noise[at] {
				count(found, at, o.Exchange, pair)
			}
		}
	}
	for at := range noise {
		out.Ignored = append(out.Ignored, strings.TrimSpace(at.operation+" "+string(at.aspect)+" "+at.member))
	}
	slices.Sort(out.Ignored)
	out.Ignored = slices.Compact(out.Ignored)
	out.list(found)
	return out
}

// noiseOf is where a version differs from itself.
func noiseOf(once, again []Rehearsed) map[place]bool {
	second, noise := byExchange(again), map[place]bool{}
	for _, o := range once {
		if a, ok := second[o.Exchange]; ok {
			for t := range differing(o.traits(), a.traits()) {
				noise[o.place(t)] = true
			}
		}
	}
	return noise
}

// apart is where two versions differ over one exchange.
func apart(o, n Rehearsed) map[trait][2]string {
	pairs := differing(o.traits(), n.traits())
	if o.Dialled > 0 && n.Dialled > 0 {
		pairs[trait{AspectNetwork, ""}] = [2]string{dialled, dialled} // no difference, and no rehearsal either
	}
	return pairs
}

func count(found map[place]*Difference, at place, exchange string, pair [2]string) {
	d, known := found[at]
	if !known {
		d = &Difference{
			Operation: at.operation, PaymentType: at.paymentType, Aspect: at.aspect, Member: at.member,
			Exchange: exchange, Old: short(pair[0]), New: short(pair[1]),
		}
		found[at] = d
	}
	d.Count++
}

func (r *Rehearsal) list(found map[place]*Difference) {
	for _, d := range found {
		r.Differences = append(r.Differences, *d)
	}
	slices.SortFunc(r.Differences, func(a, b Difference) int {
		return cmp.Or(cmp.Compare(a.Operation, b.Operation), cmp.Compare(a.PaymentType, b.PaymentType),
			cmp.Compare(aspects[a.Aspect], aspects[b.Aspect]), cmp.Compare(a.Member, b.Member))
	})
	if len(r.Differences) > maxDifferences {
		r.More = len(r.Differences) - maxDifferences
		r.Differences = r.Differences[:maxDifferences]
	}
}

func byExchange(all []Rehearsed) map[string]Rehearsed {
	out := make(map[string]Rehearsed, len(all))
	for _, r := range all {
		out[r.Exchange] = r
	}
	return out
}

func (r Rehearsed) place(t trait) place { return place{r.Operation, r.PaymentType, t} }

// traits is everything that is compared.
func (r Rehearsed) traits() map[trait]string {
	if r.Failed != "" {
		return map[trait]string{{AspectRun, ""}: "gave no answer: " + r.Failed}
	}
	out := map[trait]string{{AspectRun, ""}: "answered", {AspectRequests, ""}: strconv.Itoa(len(r.Sent))}
	if r.Dialled > 0 {
		out[trait{AspectNetwork, ""}] = dialled
	}
	for i, s := range r.Sent {
		s.traits(out, i)
	}
	add(out, AspectAnswer, "", r.Read)
	add(out, AspectNative, "", r.Native)
	return out
}

func (s Sent) traits(out map[trait]string, i int) {
	// The first request needs no number, which is most of them.
	which := ""
	if i > 0 {
		which = "request " + strconv.Itoa(i+1) + " "
	}
	member := strings.TrimSpace(which)
	out[trait{AspectMethod, member}] = s.Method
	out[trait{AspectHost, member}] = s.Host
	out[trait{AspectPath, member}] = s.Path
	add(out, AspectQuery, which, s.Query)
	add(out, AspectBody, which, s.Body)
	for _, name := range s.Headers {
		out[trait{AspectHeader, which + name}] = "(sent)"
	}
	for _, name := range s.Envelope {
		out[trait{AspectEnvelope, which + name}] = "(sent)"
	}
}

func add(out map[trait]string, a Aspect, which string, members map[string]string) {
	for name, value := range members {
		out[trait{a, which + name}] = value
	}
}

// differing are the traits that two runs do not share. Where one gave no answer, nothing else is compared.
func differing(a, b map[trait]string) map[trait][2]string {
	out := map[trait][2]string{}
	run := trait{AspectRun, ""}
	if a[run] != b[run] {
		out[run] = [2]string{a[run], b[run]}
		return out
	}
	for t, value := range a {
		if other, ok := b[t]; !ok {
			out[t] = [2]string{value, Absent}
		} else if other != value {
			out[t] = [2]string{value, other}
		}
	}
	for t := range maps.Keys(b) {
		if _, ok := a[t]; !ok {
			out[t] = [2]string{Absent, b[t]}
		}
	}
	return out
}

func short(value string) string {
	runes := []rune(value)
	if len(runes) <= maxExample {
		return value
	}
	return string(runes[:maxExample]) + "…"
}
