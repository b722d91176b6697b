package main

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/payrack/payrack/deployments/bench/measure"
	"github.com/payrack/payrack/deployments/chaos/record"
)

const (
	// after is how long behind an answer what the swap did is still felt: the old process ends.
	after = 300 * time.Millisecond
	// The bars.
	slowerMost   = 1.5
	besideMost   = 1.2
	inFlightAt   = 0.9
	servedLeast  = 0.2
	offeredLeast = 0.97
	kindsLeast   = 6
)

// report is a table and what is wrong with the run.
type report struct {
	strings.Builder

	red []string
}

func (r *report) line(format string, args ...any) { _, _ = fmt.Fprintf(r, format+"\n", args...) }

// bar notes a bar that was missed.
func (r *report) bar(ok bool, format string, args ...any) {
	if !ok {
		r.red = append(r.red, fmt.Sprintf(format, args...))
	}
}

// finish prints the table, writes it where it belongs and says whether the run is red.
func (r *report) finish(out, repeat string) error {
	if len(r.red) == 0 {
		r.line("\nThe run is green.")
	} else {
		r.line("\n**The run is red:** %s", strings.Join(r.red, "; "))
	}
	r.line("\nTo repeat it: `%s`.", repeat)
	_, _ = os.Stdout.WriteString(r.String())
	if out != "" {
		if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil { //nolint:gosec // a folder of the project
			return err
		}
		if err := os.WriteFile(out, []byte(r.String()), 0o644); err != nil { //nolint:gosec // a file of the project
			return err
		}
	}
	if len(r.red) > 0 {
		return fmt.Errorf("%w: %s", errRed, strings.Join(r.red, "; "))
	}
	return nil
}

// window is a stretch of the harness's clock.
type window struct{ from, to int64 }

func (w window) meets(t try) bool { return t.Begin < w.to && t.End > w.from }

func anyMeets(all []window, t try) bool {
	return slices.ContainsFunc(all, func(w window) bool { return w.meets(t) })
}

// conclude judges a run of swaps.
func (e *evidence) conclude() error {
	var r report
	e.head(&r)
	e.money(&r)
	e.speed(&r)
	e.orders(&r)
	e.refusals(&r)
	if e.replicas > 1 {
		e.fleet(&r)
	} else {
		e.beside(&r)
	}
	for _, t := range e.trouble {
		r.line("- trouble of the harness: %s", t)
	}
	r.bar(len(e.trouble) == 0, "the harness had trouble")
	repeat := "make swap-test"
	if e.replicas > 1 {
		repeat += fmt.Sprintf(" SWAP_REPLICAS=%d", e.replicas)
	}
	return r.finish(e.out, repeat)
}

func (e *evidence) layout() string {
	if e.replicas > 1 {
		return fmt.Sprintf("%d replicas (payrack serve) on PostgreSQL", e.replicas)
	}
	return "payrack dev --sandbox-process on SQLite"
}

// The run that counts.
const (
	fullRate   = 200
	fullSwaps  = 100
	fullBroken = 20
)

// smaller says that this is not the run that counts.
func (e *evidence) smaller() string {
	if e.rate >= fullRate && e.swaps >= fullSwaps && e.broken >= fullBroken {
		return ""
	}
	return fmt.Sprintf("; a SMALLER run than the one that counts (%d, %d, %d a second)", fullSwaps, fullBroken, fullRate)
}

func (e *evidence) head(r *report) {
	late := 0
	for _, t := range e.tries {
		if t.Begin-t.Due > int64(lateAfter) {
			late++
		}
	}
	done := float64(len(e.tries)) / e.elapsed.Seconds()
	memory := ""
	if inMemory(e.data) {
		memory = " The databases lie in memory (tmpfs): this machine's disk is not in the figures."
	}
	r.line("# Swap run\n\n%s, %s, %s. The provider answers after %s.%s\n", time.Now().UTC().Format("2006-01-02"), e.program, e.layout(), e.delay, memory)
	r.line("- bars: failed, unknown, doubled, lost 0; p99 in swap windows at most %.1f times the steady p99; calls in flight at %.0f %% of the flips; each version at least %.0f %% of the payments",
		slowerMost, 100*inFlightAt, 100*servedLeast)
	r.line("- ordered: %d activations, one each %s, %d broken releases, %.0f payments a second%s", e.swaps, e.every, e.broken, e.rate, e.smaller())
	r.line("- load: %.0f payments a second offered for %s, %.1f done, %d of %d sent more than %s late by the harness itself",
		e.rate, e.elapsed.Round(time.Second), done, late, len(e.tries), lateAfter)
	r.bar(done >= offeredLeast*e.rate, "the machine did %.1f of %.0f payments a second: speeds say nothing", done, e.rate)
}

// hurt reports whether a try may have suffered from what the harness did to a process on purpose.
func (e *evidence) hurt(t try) bool {
	if t.Cut {
		return true
	}
	return t.Provider == other && slices.ContainsFunc(e.blows, func(b blow) bool { return window{b.from, b.to + int64(5*time.Second)}.meets(t) })
}

func (e *evidence) money(r *report) {
	told := map[record.Told]int{}
	var failed, unknown, hurt int
	var first string
	for _, t := range e.tries {
		switch {
		case t.Told == record.Paid:
			told[t.Told]++
		case e.hurt(t):
			hurt++
		case t.Told == record.Pending || t.Status == 0:
			unknown++
			first = cmp.Or(first, fmt.Sprintf("%s at %s: %d %s %s", t.Order, time.Duration(t.Begin).Round(time.Millisecond), t.Status, t.Code, t.Error))
		default:
			failed++
			first = cmp.Or(first, fmt.Sprintf("%s at %s: %d %s", t.Order, time.Duration(t.Begin).Round(time.Millisecond), t.Status, t.Code))
		}
	}
	v := e.verdict
	r.line("\n| payments | paid at the first try | failed | unknown | doubled | lost | false \"paid\" | false \"not paid\" | open at the end | hurt by a killed process, then settled |")
	r.line("|---|---|---|---|---|---|---|---|---|---|")
	r.line("| %d | %d | %d | %d | %d | %d | %d | %d | %d | %d |\n", len(e.tries), told[record.Paid], failed, unknown, v.Double, v.Lost,
		v.FalsePaid, v.FalseNotPaid, v.Open+v.Review, hurt)
	if first != "" {
		r.line("- the first that was noticed: %s", first)
	}
	for _, b := range v.Broken {
		r.line("- broken: %s", b)
	}
	r.bar(failed == 0, "%d payments failed", failed)
	r.bar(unknown == 0, "%d payments became unknown", unknown)
	r.bar(v.Double+v.Lost+v.FalsePaid+v.FalseNotPaid+v.Open+v.Review == 0, "the money columns are not 0")
	r.bar(len(v.Broken) == 0, "%d invariants are broken", len(v.Broken))
}

// stretches are the latencies of the swapped provider while nothing happened to anybody, and in the windows of the swaps;
// without those that met one of the windows to leave out.
func (e *evidence) stretches(without ...window) (steady, within []time.Duration) {
	var swaps, busy []window
	for _, f := range e.flips {
		w := window{f.from, f.to + int64(after)}
		busy = append(busy, w)
		if f.kind == "" && !f.killed {
			swaps = append(swaps, w)
		}
	}
	for _, b := range e.blows {
		busy = append(busy, window{b.from, b.to + int64(5*time.Second)})
	}
	for _, k := range e.kills {
		busy = append(busy, window{k, k + int64(20*time.Second)})
	}
	for _, t := range e.tries {
		if t.Provider != provider || t.Cut || anyMeets(without, t) {
			continue
		}
		d := time.Duration(t.End - t.Begin)
		switch {
		case anyMeets(swaps, t):
			within = append(within, d)
		case !anyMeets(busy, t):
			steady = append(steady, d)
		}
	}
	return steady, within
}

func (e *evidence) speed(r *report) {
	steady, within := e.stretches()
	ratio := over(p99(within), p99(steady))
	r.line("- latency of the provider that is swapped: steady p50 %s, p99 %s (%d payments); in swap windows p50 %s, p99 %s (%d payments): %.2f times the steady p99",
		p50(steady), p99(steady), len(steady), p50(within), p99(within), len(within), ratio)
	r.bar(ratio <= slowerMost, "p99 in swap windows is %.2f times the steady p99, more than %.1f", ratio, slowerMost)
	e.disk(r)
}

func (e *evidence) orders(r *report) {
	var took []time.Duration
	done, full := 0, 0
	for _, f := range e.flips {
		if f.kind != "" {
			continue
		}
		if !f.no.ok || f.err != nil {
			r.bar(false, "activation of %s: %d %s %s %v", f.version, f.no.status, f.no.code, f.no.text, f.err)
			continue
		}
		done++
		if !f.killed {
			took = append(took, time.Duration(f.to-f.from))
		}
		if slices.ContainsFunc(e.tries, func(t try) bool { return t.Provider == provider && t.Begin < f.to && t.End > f.to }) {
			full++
		}
	}
	r.line("- activations: %d; order to serving p50 %s, p99 %s; calls in flight at %d of %d flips", done, p50(took), p99(took), full, done)
	total := 0
	for _, n := range e.served {
		total += n
	}
	r.line("- payments by version: %s; releases that a gate took back although both are the same: %d", counts(e.served), len(e.alarms))
	for _, why := range e.alarms {
		r.bar(false, "a gate took back a good release: %s", why)
	}
	r.bar(done == e.swaps, "%d of %d activations", done, e.swaps)
	r.bar(float64(full) >= inFlightAt*float64(done), "calls in flight at %d of %d flips only", full, done)
	for _, v := range []string{e.versionA, e.versionB} {
		r.bar(float64(e.served[v]) >= servedLeast*float64(total), "%s served %d of %d payments only", v, e.served[v], total)
	}
	for v, n := range e.served {
		r.bar(v == e.versionA || v == e.versionB, "%s, which must not serve, served %d payments", v, n)
	}
}

func (e *evidence) refusals(r *report) {
	type row struct {
		times, right int
		code         string
	}
	all := map[string]*row{}
	tried := 0
	for _, f := range e.flips {
		if f.kind == "" {
			continue
		}
		tried++
		if all[f.kind] == nil {
			all[f.kind] = &row{code: f.want}
		}
		all[f.kind].times++
		if f.err == nil && !f.no.ok && f.no.code == f.want {
			all[f.kind].right++
			continue
		}
		r.bar(false, "%s: %d %s, not %s (%v)", f.kind, f.no.status, f.no.code, f.want, f.err)
	}
	if tried == 0 {
		return
	}
	r.line("\n| broken release | tried | refused as it must be | code |\n|---|---|---|---|")
	for _, kind := range slices.Sorted(maps.Keys(all)) {
		r.line("| %s | %d | %d | %s |", kind, all[kind].times, all[kind].right, all[kind].code)
	}
	r.line("")
	r.bar(tried == e.broken, "%d of %d broken releases were tried", tried, e.broken)
	r.bar(len(all) >= kindsLeast, "only %d kinds of broken releases", len(all))
}

func (e *evidence) fleet(r *report) {
	slices.Sort(e.generations)
	r.line("- replicas killed: %d; generations at the end: %d", len(e.kills), e.generations)
	r.line("- payments on a version before it had traffic: %d; on one that no longer had: %d; the longest that a replica was behind: %s",
		len(e.early), len(e.late), e.lag.Round(time.Millisecond))
	for _, x := range append(slices.Clone(e.early), e.late...)[:min(10, len(e.early)+len(e.late))] {
		r.line("- %s", x)
	}
	r.bar(len(slices.Compact(slices.Clone(e.generations))) == 1, "the replicas did not converge: generations %d", e.generations)
	r.bar(len(e.early)+len(e.late) == 0, "%d payments on a version that had no traffic then", len(e.early)+len(e.late))
	r.bar(len(e.kills) > 0, "no replica was killed")
}

// beside says what the trouble of one provider did to the other.
func (e *evidence) beside(r *report) {
	if len(e.blows) == 0 {
		r.bar(false, "no process of the other provider was hurt")
		return
	}
	r.line("| the other provider's process | times | payments of this one meanwhile | not paid | p99 | steady p99 | ratio |\n|---|---|---|---|---|---|---|")
	steady, _ := e.stretches()
	for _, kind := range []string{"SIGKILL", "SIGSTOP"} {
		var hit []window
		for _, b := range e.blows {
			if b.kind == kind {
				hit = append(hit, window{b.from, b.to})
			}
		}
		var took []time.Duration
		wrong := 0
		for _, t := range e.tries {
			if t.Provider != provider || !anyMeets(hit, t) {
				continue
			}
			took = append(took, time.Duration(t.End-t.Begin))
			if t.Told != record.Paid {
				wrong++
			}
		}
		ratio := over(p99(took), p99(steady))
		r.line("| %s | %d | %d | %d | %s | %s | %.2f |", kind, len(hit), len(took), wrong, p99(took), p99(steady), ratio)
		r.bar(wrong == 0, "%s of the other provider's process: %d payments were not paid", kind, wrong)
		r.bar(ratio <= besideMost, "%s of the other provider's process: p99 is %.2f times the steady p99, more than %.1f", kind, ratio, besideMost)
	}
}

func over(a, b time.Duration) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

func quantile(all []time.Duration, q float64) time.Duration {
	return measure.Quantile(slices.Sorted(slices.Values(all)), q).Round(100 * time.Microsecond)
}

func p50(all []time.Duration) time.Duration { return quantile(all, 0.50) }
func p99(all []time.Duration) time.Duration { return quantile(all, 0.99) }

func counts(all map[string]int) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(all)) {
		parts = append(parts, fmt.Sprintf("%s %d", k, all[k]))
	}
	return strings.Join(parts, ", ")
}
