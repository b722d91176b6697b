package e2e_test

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// asked is one expression of the alert rules or of the dashboard, with the labels that the words around it name.
type asked struct {
	where, text string
	named       []string
}

var labelsInText = regexp.MustCompile(`\{\{\s*(?:\$labels\.)?([a-z_]+)\s*\}\}`)

func namedIn(text string) (names []string) {
	for _, m := range labelsInText.FindAllStringSubmatch(text, -1) {
		names = append(names, m[1])
	}
	return names
}

// alertQueries reads alerts.yaml by its own layout; promtool reads it as YAML, see TestAlertsAreGoodForPromtool.
func alertQueries(t *testing.T) (all []asked) {
	t.Helper()
	inside := false
	for line := range strings.Lines(readText(t, observability("alerts.yaml"))) {
		word := strings.TrimSpace(line)
		key, value, _ := strings.Cut(word, ":")
		switch last := len(all) - 1; {
		case key == "- alert":
			all = append(all, asked{where: strings.TrimSpace(value)})
		case key == "expr":
			all[last].text, inside = strings.TrimPrefix(strings.TrimSpace(value), "|"), true
		case inside && strings.HasPrefix(line, "          "):
			all[last].text += " " + word
		case key == "summary" || key == "description":
			all[last].named = append(all[last].named, namedIn(value)...)
		default:
			inside = false
		}
	}
	return all
}

func dashboardQueries(t *testing.T) (all []asked) {
	t.Helper()
	var board struct {
		Annotations struct {
			List []struct {
				Expr  string `json:"expr"`
				Title string `json:"titleFormat"` //nolint:tagliatelle // Grafana's name
			} `json:"list"`
		} `json:"annotations"`
		Panels []struct {
			Title   string `json:"title"`
			Targets []struct {
				Expr   string `json:"expr"`
				Legend string `json:"legendFormat"` //nolint:tagliatelle // Grafana's name
			} `json:"targets"`
		} `json:"panels"`
	}
	if err := json.Unmarshal([]byte(readText(t, observability("dashboard.json"))), &board); err != nil {
		t.Fatal(err)
	}
	for _, a := range board.Annotations.List {
		all = append(all, asked{"the annotations", a.Expr, namedIn(a.Title)})
	}
	for _, p := range board.Panels {
		for _, q := range p.Targets {
			all = append(all, asked{p.Title, q.Expr, namedIn(q.Legend)})
		}
	}
	return all
}

func observability(name string) string {
	return filepath.Join("../../../deployments/observability", name)
}

func readText(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// exported are the metrics that a program shows, with the labels and the values of each.
type exported map[string]map[string][]string

var (
	sample  = regexp.MustCompile(`(?m)^([a-z_]+)(?:\{(.*)\})? \S+$`)
	matcher = regexp.MustCompile(`([a-z_]+)(=~|!~|!=|=)"([^"]*)"`)
)

func exportedBy(metrics string) exported {
	all := exported{"up": {}} // Prometheus's own
	for _, m := range sample.FindAllStringSubmatch(metrics, -1) {
		if all[m[1]] == nil {
			all[m[1]] = map[string][]string{}
		}
		for _, l := range matcher.FindAllStringSubmatch(m[2], -1) {
			all[m[1]][l[1]] = append(all[m[1]][l[1]], l[3])
		}
	}
	return all
}

// fixed are labels of which the program exports every value at all times, so that a wrong word in a query is found.
var fixed = map[string]bool{"payrack_payments_unsettled.state": true, "payrack_payments_unsettled_oldest_age_seconds.state": true}

var (
	selector = regexp.MustCompile(`\b((?:payrack|process|go)_[a-z_]+|up)\b(\{[^}]*\})?`)
	grouping = regexp.MustCompile(`\b(?:by|on|without|ignoring)\s*\(([^)]*)\)`)
	leftover = regexp.MustCompile(`[a-z_]{2,}`)
	ofPromQL = regexp.MustCompile(`^(sum|min|max|rate|increase|delta|changes|histogram_quantile|and|or|unless|offset)$`)
	duration = regexp.MustCompile(`\[[0-9a-z]+\]|\boffset \d+[mh]`)
)

// misses are what a query asks for and the program does not export.
func (e exported) misses(q asked) (wrong []string) {
	known := map[string]bool{"instance": true, "job": true} // Prometheus adds these
	names := slices.Clone(q.named)
	for _, m := range selector.FindAllStringSubmatch(q.text, -1) {
		labels, ok := e[m[1]]
		if !ok {
			wrong = append(wrong, "metric "+m[1])
		}
		for name := range labels {
			known[name] = true
		}
		for _, l := range matcher.FindAllStringSubmatch(m[2], -1) {
			values, ok := labels[l[1]]
			if !ok && l[1] != "instance" && l[1] != "job" {
				wrong = append(wrong, "label "+l[1]+" of "+m[1])
			}
			if fixed[m[1]+"."+l[1]] && !slices.Contains(values, l[3]) {
				wrong = append(wrong, l[1]+" "+l[3]+" of "+m[1])
			}
		}
	}
	rest := duration.ReplaceAllString(selector.ReplaceAllString(q.text, ""), "")
	for _, m := range grouping.FindAllStringSubmatch(rest, -1) {
		for name := range strings.SplitSeq(m[1], ",") {
			names = append(names, strings.TrimSpace(name))
		}
	}
	for _, name := range names {
		if !known[name] {
			wrong = append(wrong, "label "+name)
		}
	}
	for _, word := range leftover.FindAllString(grouping.ReplaceAllString(rest, ""), -1) {
		if !ofPromQL.MatchString(word) {
			wrong = append(wrong, "the word "+word)
		}
	}
	return wrong
}

// TestAlertsAndDashboardAskForWhatIsExported reads the metrics of a platform to which everything has happened once that a
// metric tells of: a payment, an outcome that nobody knows, a crash.
func TestAlertsAndDashboardAskForWhatIsExported(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), nil)
	pay := func(order string) answer { return p.post("/v1/payment/integrate/pay", p.linePay(order)) }
	if a := pay("OBS-1"); a.status != http.StatusOK {
		t.Fatalf("a payment: %s", a)
	}
	p.control(http.MethodPost, "faults", map[string]any{"fault": "http_500_after_commit", "operation": "pay", "order_id": "OBS-2", "times": 1})
	pay("OBS-2")
	if err := syscall.Kill(p.pids()["linepay"], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	var shown exported
	p.waitFor("the crash in the metrics", func() bool {
		metrics := p.do(http.MethodGet, p.AdminURL+"/metrics", nil, "Authorization", "Bearer "+p.AdminToken)
		shown = exportedBy(string(metrics.body))
		return shown["payrack_plugin_facts_total"] != nil
	})
	queries := slices.Concat(alertQueries(t), dashboardQueries(t))
	if len(queries) < 30 {
		t.Fatalf("only %d queries were read", len(queries))
	}
	for _, q := range queries {
		if wrong := shown.misses(q); len(wrong) > 0 || q.text == "" {
			t.Errorf("%s asks for what is not exported: %s\n%s", q.where, strings.Join(wrong, ", "), q.text)
		}
	}
}

// Each alert has its section in both runbooks, which its address names, and each section is an alert's.
func TestEveryAlertHasItsRunbook(t *testing.T) {
	t.Parallel()
	var alerts []string
	for _, q := range alertQueries(t) {
		alerts = append(alerts, q.where)
		if address := "runbooks/ALERTS.md#" + strings.ToLower(q.where) + "\n"; !strings.Contains(readText(t, observability("alerts.yaml")), address) {
			t.Errorf("%s does not lead to its section", q.where)
		}
	}
	for _, name := range []string{"ALERTS.md", "ALERTS.zh-TW.md"} {
		var sections []string
		for line := range strings.Lines(readText(t, filepath.Join("../../../deployments/runbooks", name))) {
			if title, ok := strings.CutPrefix(line, "## Payrack"); ok {
				sections = append(sections, "Payrack"+strings.TrimSpace(title))
			}
		}
		if !slices.Equal(sections, alerts) {
			t.Errorf("%s has the sections\n%v\nand the alerts are\n%v", name, sections, alerts)
		}
	}
}

// Prometheus's own opinion, where it is installed, also about what fires and what does not.
func TestAlertsAreGoodForPromtool(t *testing.T) {
	t.Parallel()
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed")
	}
	for _, args := range [][]string{{"check", "rules", "alerts.yaml"}, {"test", "rules", "alerts.test.yaml"}} {
		cmd := exec.CommandContext(t.Context(), promtool, args...)
		cmd.Dir = observability("")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
}
