package main

import (
	"math/rand/v2"
	"slices"

	"github.com/payrack/payrack/deployments/internal/rig"
)

// deck deals every card once before it deals one again.
type deck struct{ all, left []rig.Fault }

func (d *deck) deal(rng *rand.Rand, cards int) []rig.Fault {
	var dealt []rig.Fault
	for range cards {
		if len(d.left) == 0 {
			d.left = slices.Clone(d.all)
			rng.Shuffle(len(d.left), func(i, j int) { d.left[i], d.left[j] = d.left[j], d.left[i] })
		}
		dealt, d.left = append(dealt, d.left[0]), d.left[1:]
	}
	return dealt
}

// The operations of the sandbox that charge.
const money, stored = "pay", "mandate_pay"

// slowness is always there.
func slowness() []rig.Fault {
	return []rig.Fault{
		// A gateway takes its time, so that a blow can hit it in the middle.
		{Fault: "delay", Operation: money, DelayMS: 120, Probability: 0.6},
		{Fault: "delay_after_commit", Operation: money, DelayMS: 250, Probability: 0.5},
		{Fault: "delay", Operation: "refund", DelayMS: 150, Probability: 0.6},
		{Fault: "delay", Operation: "confirm", DelayMS: 120, Probability: 0.6},
		{Fault: "delay", Operation: "capture", DelayMS: 150, Probability: 0.6},
		{Fault: "delay_after_commit", Operation: stored, DelayMS: 250, Probability: 0.5},
	}
}

// faultsOfCharges are those of a payment at once and of the searches for it.
func faultsOfCharges() []rig.Fault {
	return []rig.Fault{
		{Fault: "drop_before_commit", Operation: money, Probability: 0.06},
		{Fault: "drop_after_commit", Operation: money, Probability: 0.2},
		{Fault: "http_500_after_commit", Operation: money, Probability: 0.2},
		{Fault: "http_502_before_commit", Operation: money, Probability: 0.06},
		{Fault: "http_504_after_commit", Operation: money, Probability: 0.15},
		{Fault: "hang_after_commit", Operation: money, Probability: 0.1},
		{Fault: "garbled", Operation: money, Probability: 0.2},
		{Fault: "truncated", Operation: money, Probability: 0.2},
		{Fault: "huge_body", Operation: money, Probability: 0.1},
		{Fault: "wrong_amount", Operation: money, Probability: 0.04},
		{Fault: "duplicate_delivery", Operation: money, Probability: 0.1},
		// Beyond what the plugin waits for: the charge lands when nobody listens any more.
		{Fault: "delay", Operation: money, DelayMS: 7000, Probability: 0.15},
		{Fault: "search_lag", Operation: money, DelayMS: 1000, Probability: 0.3},
		{Fault: "http_500_before_commit", Operation: "check", Probability: 0.3},
		{Fault: "http_500_before_commit", Operation: "details", Probability: 0.3},
		{Fault: "drop_before_commit", Operation: "search", Probability: 0.3},
		{Fault: "garbled", Operation: "search", Probability: 0.2},
	}
}

// faultsOfTheRest are those of all that is done beside a payment at once.
func faultsOfTheRest() []rig.Fault {
	return []rig.Fault{
		{Fault: "drop_after_commit", Operation: "refund", Probability: 0.4},
		{Fault: "http_500_before_commit", Operation: "refund", Probability: 0.4},
		{Fault: "truncated", Operation: "refund", Probability: 0.3},
		{Fault: "search_lag", Operation: "refund", DelayMS: 1000, Probability: 0.3},
		{Fault: "drop_before_commit", Operation: stored, Probability: 0.3},
		{Fault: "drop_after_commit", Operation: stored, Probability: 0.4},
		{Fault: "http_500_after_commit", Operation: stored, Probability: 0.3},
		{Fault: "garbled", Operation: stored, Probability: 0.3},
		{Fault: "duplicate_delivery", Operation: stored, Probability: 0.3},
		{Fault: "search_lag", Operation: stored, DelayMS: 1000, Probability: 0.3},
		{Fault: "drop_before_commit", Operation: "request", Probability: 0.3},
		{Fault: "drop_after_commit", Operation: "request", Probability: 0.3},
		{Fault: "drop_before_commit", Operation: "confirm", Probability: 0.3},
		{Fault: "drop_after_commit", Operation: "confirm", Probability: 0.4},
		{Fault: "http_500_before_commit", Operation: "confirm", Probability: 0.3},
		{Fault: "http_500_after_commit", Operation: "confirm", Probability: 0.3},
		{Fault: "duplicate_delivery", Operation: "confirm", Probability: 0.3},
		{Fault: "search_lag", Operation: "confirm", DelayMS: 1000, Probability: 0.3},
		{Fault: "drop_before_commit", Operation: "capture", Probability: 0.4},
		{Fault: "drop_after_commit", Operation: "capture", Probability: 0.4},
		{Fault: "truncated", Operation: "capture", Probability: 0.3},
		{Fault: "duplicate_delivery", Operation: "capture", Probability: 0.3},
		{Fault: "search_lag", Operation: "capture", DelayMS: 1000, Probability: 0.3},
		{Fault: "drop_before_commit", Operation: "void", Probability: 0.4},
		{Fault: "drop_after_commit", Operation: "void", Probability: 0.4},
		// Not a refund: LINE Pay keeps no reference of ours, and a part that is asked for twice is given back twice.
		{Fault: "duplicate_delivery", Operation: "void", Probability: 0.4},
	}
}
