package release

import (
	"math"
	"time"
)

// Class is the latency class of a call, see Buckets.
func Class(took time.Duration) int {
	ms := ratio(took) / ratio(time.Millisecond)
	if ms <= 1 {
		return 0
	}
	// What is exactly a bound belongs to its class, whatever the logarithm's last digit says.
	return min(int(math.Ceil(2*math.Log2(ms)-1e-9)), Buckets-1)
}

// bound is the longest call of a class.
func bound(class int) time.Duration {
	return time.Duration(ratio(time.Millisecond) * math.Pow(2, ratio(class)/2))
}

// Plus adds what another replica counted.
func (t Tally) Plus(o Tally) Tally {
	t.Calls += o.Calls
	t.Declined += o.Declined
	t.Refused += o.Refused
	t.Technical += o.Technical
	t.Unknown += o.Unknown
	t.Breaches += o.Breaches
	t.Checked += o.Checked
	t.Unchecked += o.Unchecked
	t.Crashes += o.Crashes
	t.Asks += o.Asks
	t.AsksFailed += o.AsksFailed
	t.Overran += o.Overran
	for i := range t.Latency {
		t.Latency[i] += o.Latency[i]
	}
	t.RSS = max(t.RSS, o.RSS)
	if t.Evidence == "" {
		t.Evidence = o.Evidence
	}
	return t
}

// Halve lets what was counted long ago weigh less.
func (t Tally) Halve() Tally {
	for _, n := range []*int64{&t.Calls, &t.Declined, &t.Refused, &t.Technical, &t.Unknown, &t.Checked, &t.Unchecked, &t.Asks, &t.AsksFailed, &t.Overran} {
		*n /= 2
	}
	for i := range t.Latency {
		t.Latency[i] /= 2
	}
	return t
}

// timed is how many calls have a latency.
func (t Tally) timed() int64 {
	var n int64
	for _, x := range t.Latency {
		n += x
	}
	return n
}

// quantile is the duration that the given part of the calls did not exceed, interpolated inside its class.
func (t Tally) quantile(part ratio) time.Duration {
	want, seen := part*ratio(t.timed()), 0.0
	for i, n := range t.Latency {
		if n == 0 || seen+ratio(n) < want {
			seen += ratio(n)
			continue
		}
		low := bound(i - 1)
		if i == 0 {
			low = 0
		}
		inside := (want - seen) / ratio(n)
		return low + time.Duration(inside*ratio(bound(i)-low))
	}
	return 0
}

// slowerThan counts the calls in the classes that end above the limit.
func (t Tally) slowerThan(limit time.Duration) happened {
	h := happened{}
	for i, n := range t.Latency {
		h.of += n
		if n > 0 && (bound(i) > limit || i == Buckets-1) {
			h.times += n
		}
	}
	return h
}
