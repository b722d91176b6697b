package verify

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// The bars. A run of another size has the same number of kills for a payment, and says that it is smaller.
const (
	defaultPayments = 3000
	defaultRepeats  = 20
	paymentsPerKill = 50
	longestTruth    = 30 * time.Second
)

// Points are the crash points of research 1.7.
func Points() map[string]string {
	return map[string]string{
		"a": "core, before the request is read", "b": "core, before the intent", "c": "core, inside COMMIT of the intent",
		"d": "core, after the intent, before the plugin", "e": "core, the plugin has the call, nothing is on the wire",
		"f": "core, the request is half on the wire", "g": "core, the provider charged, the answer is late",
		"h": "plugin, the answer has reached it", "i": "core, the answer in memory", "j": "core, inside COMMIT of the result",
		"k": "core, after the commit, before the reply", "l": "core, the reply half written",
		"m": "resolver, between claim and commit", "n": "resolver, before a void or refund", "o": "core or nothing, in a plugin swap",
	}
}

// Result is the table and what is wrong with it.
type Result struct {
	Text string
	Red  []string
}

// Table renders verdicts. With bars, a run that is too small or too mild is red too.
func Table(all []Verdict, bars bool) Result {
	var b strings.Builder
	t := table{b: &b}
	t.head(all)
	t.money(all)
	t.sections(all)
	r := Result{Red: red(all, bars)}
	b.WriteString(smaller(all))
	if len(r.Red) == 0 {
		b.WriteString("\nThe run is green.\n")
	} else {
		b.WriteString("\n**The run is red:** " + strings.Join(r.Red, "; ") + "\n")
	}
	b.WriteString("\nTo repeat it: `make chaos`. To judge the reports again: `bin/chaos/chaos verify FOLDER...`. How to read it: " +
		"deployments/runbooks/CHAOS.md.\n")
	r.Text = b.String()
	return r
}

type table struct{ b *strings.Builder }

func (t table) head(all []Verdict) {
	t.b.WriteString("# Chaos run\n\n")
	a := all[0].About
	fmt.Fprintf(t.b, "%s, %s. Plugins: a call takes %g s at most, lands at most %g s late, is missing in a search for at most %g s; "+
		"margins %g s and %g s, the policy decides after %g s.\n\n",
		a.Date.Format("2006-01-02"), a.Program, a.MaxDuration, a.LandingMax, a.SearchLagMax, a.SendMargin, a.FinalMargin, a.DecisionAfter)
}

func (t table) money(all []Verdict) {
	t.b.WriteString("| layout | replicas | payments | calls | kills (in flight) | charged at the end | double charges | lost charges | " +
		"false \"paid\" | false \"not paid\" | in doubt | doubt to promise p50 / p99 / max | after healing, to the end p50 / p99 / max | open at the end |\n")
	t.b.WriteString("|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, v := range all {
		fmt.Fprintf(t.b, "| %s | %d | %d | %d | %d (%d) | %d (%.0f %%) | %d | %d | %d | %d | %d | %s | %s | %d |\n",
			v.About.Layout, v.About.Replicas, v.Orders, v.Calls, sum(v.Kills), sum(v.KillsInFlight), v.Charged, 100*share(v.Charged, v.Orders),
			v.Double, v.Lost, v.FalsePaid, v.FalseNotPaid, v.Unknown, quantiles(v.Truth), quantiles(v.Healed), v.Open+v.Review)
	}
}

func (t table) sections(all []Verdict) {
	for _, v := range all {
		fmt.Fprintf(t.b, "\n## %s\n\n", v.About.Layout)
		fmt.Fprintf(t.b, "- histories checked with the ledger as the last operation: %d; journal entries: %d; refunds: %d; captures: %d; confirmed after the customer came back: %d; "+
			"orders that charge a stored approval: %d; doubt to settled: %s\n",
			v.Histories, v.Changes, v.Refunds, v.Captures, v.Confirmed, v.Stored, quantiles(v.Settled))
		fmt.Fprintf(t.b, "- states: %s\n", counts(v.States))
		fmt.Fprintf(t.b, "- kills: %s; of these in flight: %s\n", counts(v.Kills), counts(v.KillsInFlight))
		if len(v.Blows) > 0 {
			fmt.Fprintf(t.b, "- other blows: %s\n", counts(v.Blows))
		}
		if len(v.Faults) > 0 {
			fmt.Fprintf(t.b, "- faults of the gateway that took effect: %s\n", counts(v.Faults))
		}
		if len(v.Points) > 0 {
			t.b.WriteString("\n| point | dies there | hits |\n|---|---|---|\n")
			names := Points()
			for _, p := range slices.Sorted(maps.Keys(names)) {
				fmt.Fprintf(t.b, "| %s | %s | %d |\n", p, names[p], v.Points[p])
			}
		}
		if v.About.Hooked {
			fmt.Fprintf(t.b, "- webhooks: %d messages reached the company's server, %d of them again\n", v.Messages, v.Repeated)
		}
		if v.About.Audit != "" {
			fmt.Fprintf(t.b, "- payrack audit verify: %s\n", v.About.Audit)
		}
		for _, u := range v.About.Unfit {
			fmt.Fprintf(t.b, "- trouble of the harness: %s\n", oneLine(u))
		}
		if len(v.Broken) > 0 {
			fmt.Fprintf(t.b, "\nBroken (evidence: %s):\n\n", v.Evidence)
			for _, line := range v.Broken {
				fmt.Fprintf(t.b, "- %s\n", line)
			}
		}
	}
}

// red says why a run is red.
func red(all []Verdict, bars bool) []string {
	var why []string
	add := func(format string, args ...any) { why = append(why, fmt.Sprintf(format, args...)) }
	var under, asked, kills, hit, charged, captured, confirmed, stored int
	var healed []time.Duration
	storms := false
	for _, v := range all {
		if len(v.Broken) > 0 {
			add("%s: %d invariants are broken", v.About.Layout, len(v.Broken))
		}
		if n := v.Double + v.Lost + v.FalsePaid + v.FalseNotPaid + v.Open; n > 0 {
			add("%s: the money columns are not 0", v.About.Layout)
		}
		if len(v.About.Unfit) > 0 {
			add("%s: the harness had trouble", v.About.Layout)
		}
		healed = append(healed, v.Healed...)
		if len(v.Points) > 0 {
			for _, p := range slices.Sorted(maps.Keys(Points())) {
				if bars && v.Points[p] < v.About.Repeats {
					add("crash point %s was hit %d times, not %d", p, v.Points[p], v.About.Repeats)
				}
			}
			continue
		}
		storms = true
		under, asked = under+v.Orders, asked+v.About.Asked
		kills, hit, charged = kills+sum(v.Kills), hit+sum(v.KillsInFlight), charged+v.Charged
		captured, confirmed = captured+v.Captures, confirmed+v.Confirmed
		stored += v.Stored
	}
	if p99 := quantile(healed, 0.99); p99 >= longestTruth {
		add("p99 to the truth after healing is %s, not under %s", p99.Round(time.Millisecond), longestTruth)
	}
	if !bars || !storms {
		return why
	}
	if under < asked {
		add("%d payments are fewer than %d", under, asked)
	}
	if kills*paymentsPerKill < under {
		add("%d kills are fewer than one for %d payments", kills, paymentsPerKill)
	}
	if 2*hit < kills {
		add("%d of %d kills hit a payment in flight, fewer than half", hit, kills)
	}
	if share(charged, under) < 0.7 {
		add("%.0f %% of the payments ended charged, fewer than 70 %%", 100*share(charged, under))
	}
	if captured == 0 || confirmed == 0 || stored == 0 {
		add("%d captures, %d payments that were confirmed and %d charges of an approval prove nothing about them", captured, confirmed, stored)
	}
	return why
}

// smaller says what a run lacks of the default one, which is the one to believe.
func smaller(all []Verdict) string {
	payments, repeats := 0, 0
	for _, v := range all {
		if len(v.Points) > 0 {
			repeats = v.About.Repeats
			continue
		}
		payments += v.Orders
	}
	if payments >= defaultPayments && repeats >= defaultRepeats {
		return ""
	}
	return fmt.Sprintf("\nA smaller run than the default: %d payments under load of %d, %d repetitions of each crash point of %d.\n",
		payments, defaultPayments, repeats, defaultRepeats)
}

func sum(all map[string]int) int {
	n := 0
	for _, v := range all {
		n += v
	}
	return n
}

func share(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

func counts(all map[string]int) string {
	if len(all) == 0 {
		return "none"
	}
	parts := make([]string, 0, len(all))
	for _, k := range slices.Sorted(maps.Keys(all)) {
		parts = append(parts, fmt.Sprintf("%s %d", k, all[k]))
	}
	return strings.Join(parts, ", ")
}

func quantile(all []time.Duration, q float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

func quantiles(all []time.Duration) string {
	if len(all) == 0 {
		return "–"
	}
	at := func(q float64) string { return fmt.Sprintf("%.1f", quantile(all, q).Seconds()) }
	return at(0.5) + " / " + at(0.99) + " / " + at(1) + " s"
}

func oneLine(s string) string {
	const longest = 300
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > longest {
		s = s[:longest] + "…"
	}
	return s
}
