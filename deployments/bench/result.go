package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/payrack/payrack/deployments/bench/measure"
)

// result of a run, written as JSON and as a table.
type result struct {
	At          time.Time    `json:"at"`
	Machine     machine      `json:"machine"`
	Rounds      int          `json:"rounds"`
	Seconds     float64      `json:"seconds_per_turn"`
	Bars        []bar        `json:"bars"`
	Comparisons []comparison `json:"comparisons"`
}

// machine says where the figures come from.
type machine struct {
	CPUs   int    `json:"cpus"`
	Model  string `json:"model"`
	Kernel string `json:"kernel"`
	Go     string `json:"go"`
	Load   string `json:"load_average"`
}

// bar is a promise about a ratio.
type bar struct {
	Name  string         `json:"name"`
	Ratio measure.Spread `json:"ratio"`
	Sign  string         `json:"sign"` // "≤" or "≥"
	Limit float64        `json:"limit"`
	Met   bool           `json:"met"`
}

// comparison is some targets under one load.
type comparison struct {
	Targets []*turn `json:"targets"`
	Clients int     `json:"clients"`
	DelayMS int64   `json:"gateway_ms"`

	clients int
	delay   time.Duration
	targets []string
}

// turn is one target's part of a comparison.
type turn struct {
	Name     string         `json:"name"`
	Payments int            `json:"payments"`
	Rate     measure.Spread `json:"payments_per_second"`
	P50      measure.Spread `json:"p50_us"`
	P99      measure.Spread `json:"p99_us"`
	// CPU is microseconds for each payment, by process, over all rounds.
	CPU map[string]float64 `json:"cpu_us_per_payment"`

	rates, p50s, p99s []float64
	cpu               map[string]time.Duration
}

func atMost(name string, ratio measure.Spread, limit float64) bar {
	return bar{Name: name, Ratio: ratio, Sign: "≤", Limit: limit, Met: ratio.Median <= limit}
}

func atLeast(name string, ratio measure.Spread, limit float64) bar {
	return bar{Name: name, Ratio: ratio, Sign: "≥", Limit: limit, Met: ratio.Median >= limit}
}

func newResult(s settings) result {
	return result{At: time.Now().UTC().Truncate(time.Second), Machine: thisMachine(), Rounds: s.rounds, Seconds: s.seconds}
}

func (r result) met() bool {
	return !slices.ContainsFunc(r.Bars, func(b bar) bool { return !b.Met })
}

func (c *comparison) of(target string) *turn {
	return c.Targets[slices.IndexFunc(c.Targets, func(t *turn) bool { return t.Name == target })]
}

// finish fills in what is written.
func (c *comparison) finish() {
	c.Clients, c.DelayMS = c.clients, c.delay.Milliseconds()
	for _, t := range c.Targets {
		t.Rate, t.P50, t.P99 = measure.SpreadOf(t.rates), measure.SpreadOf(t.p50s), measure.SpreadOf(t.p99s)
		t.CPU = map[string]float64{}
		for name, d := range t.cpu {
			if t.Payments > 0 && d > 0 {
				t.CPU[name] = measure.Micros(d) / float64(t.Payments)
			}
		}
	}
}

func (t *turn) add(s measure.Sample, before, after map[string]time.Duration) {
	t.Payments += s.Operations
	t.rates = append(t.rates, s.Rate())
	t.p50s = append(t.p50s, s.P50())
	t.p99s = append(t.p99s, s.P99())
	for name, d := range after {
		t.cpu[name] += d - before[name]
	}
}

// own is the CPU time of the target itself: not the load, not the gateway, not the other targets' idle processes.
func (t *turn) own() float64 {
	var sum float64
	for name, us := range t.CPU {
		switch t.Name {
		case targetPayrack:
			if name == targetPayrack || strings.HasPrefix(name, "payrack-provider-") {
				sum += us
			}
		case targetNaive:
			if name == processNaive {
				sum += us
			}
		default:
			if name == processBench {
				sum += us
			}
		}
	}
	return sum
}

// write puts latest.json and latest.md into a folder.
func (r result) write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // figures are for everybody to read
		return err
	}
	raw, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "latest.json"), append(raw, '\n'), 0o644); err != nil { //nolint:gosec // as above
		return err
	}
	return os.WriteFile(filepath.Join(dir, "latest.md"), []byte(r.markdown()), 0o644) //nolint:gosec // as above
}

func (r result) markdown() string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# What a payment costs\n\n%s. %s, %s, Linux %s, %s, load average %s.\n", r.At.Format("2006-01-02 15:04 MST"),
		plural(r.Machine.CPUs, "CPU"), r.Machine.Model, r.Machine.Kernel, r.Machine.Go, r.Machine.Load)
	fmt.Fprintf(&b, "%d interleaved rounds of %g s for each target; medians, smallest and largest round in brackets.\n\n", r.Rounds, r.Seconds)
	b.WriteString("| bar | ratio | wanted | |\n|---|---|---|---|\n")
	for _, x := range r.Bars {
		verdict := "met"
		if !x.Met {
			verdict = "**missed**"
		}
		fmt.Fprintf(&b, "| %s | %.2f [%.2f..%.2f] | %s %.1f | %s |\n", x.Name, x.Ratio.Median, x.Ratio.Min, x.Ratio.Max, x.Sign, x.Limit, verdict)
	}
	for _, c := range r.Comparisons {
		fmt.Fprintf(&b, "\n## %s, gateway %d ms\n\n", plural(c.Clients, "client"), c.DelayMS)
		b.WriteString("| target | payments/s | p50 µs | p99 µs | CPU µs a payment | by process |\n|---|---|---|---|---|---|\n")
		for _, t := range c.Targets {
			fmt.Fprintf(&b, "| %s | %.0f [%.0f..%.0f] | %.0f [%.0f..%.0f] | %.0f | %.0f | %s |\n", t.Name,
				t.Rate.Median, t.Rate.Min, t.Rate.Max, t.P50.Median, t.P50.Min, t.P50.Max, t.P99.Median, t.own(), byProcess(t.CPU))
		}
		if rival := c.of(targetNaive).own(); rival > 0 {
			fmt.Fprintf(&b, "\nCPU of payrack ÷ naive: %.2f\n", c.of(targetPayrack).own()/rival)
		}
	}
	return b.String()
}

// byProcess lists who used the CPU, the largest first. Less than a microsecond is left out.
func byProcess(cpu map[string]float64) string {
	names := slices.SortedFunc(maps.Keys(cpu), func(a, b string) int {
		if cpu[a] != cpu[b] {
			return int(cpu[b] - cpu[a])
		}
		return strings.Compare(a, b)
	})
	var parts []string
	for _, name := range names {
		if cpu[name] >= 1 {
			parts = append(parts, fmt.Sprintf("%s %.0f", name, cpu[name]))
		}
	}
	return strings.Join(parts, ", ")
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func thisMachine() machine {
	m := machine{CPUs: runtime.NumCPU(), Go: runtime.Version(), Model: "unknown CPU"}
	for line := range strings.Lines(file("/proc/cpuinfo")) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			m.Model = strings.TrimSpace(value)
			break
		}
	}
	m.Kernel = strings.TrimSpace(file("/proc/sys/kernel/osrelease"))
	if fields := strings.Fields(file("/proc/loadavg")); len(fields) > 3 {
		m.Load = strings.Join(fields[:3], " ")
	}
	return m
}

// file is the content of a small file, or nothing.
func file(path string) string {
	raw, err := os.ReadFile(path) //nolint:gosec // fixed paths below /proc
	if err != nil {
		return ""
	}
	return string(raw)
}
