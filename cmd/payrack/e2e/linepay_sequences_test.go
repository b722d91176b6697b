package e2e_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"
)

// lifeWorkers is how many orders live at once: most of a life is waiting for the truth.
const lifeWorkers = 96

// lives is how many orders live; PAYRACK_SEQUENCES sets it.
func lives(t *testing.T) int {
	t.Helper()
	text := os.Getenv("PAYRACK_SEQUENCES")
	if text == "" {
		return 96
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("PAYRACK_SEQUENCES=%q: %v", text, err)
	}
	return n
}

// prepareRapid sets how many lives each worker checks, once: rapid has no other way in.
var prepareRapid = sync.OnceValue(func() (err error) {
	n := 96
	if text := os.Getenv("PAYRACK_SEQUENCES"); text != "" {
		n, _ = strconv.Atoi(text) // lives says what is wrong with it
	}
	for name, value := range map[string]string{
		"rapid.checks": strconv.Itoa((n + lifeWorkers - 1) / lifeWorkers), "rapid.nofailfile": "true", "rapid.shrinktime": "60s",
	} {
		if err = flag.Set(name, value); err != nil {
			return err
		}
	}
	return nil
})

// worker is what rapid tells its failures; the orders of one worker live one after the other.
type worker struct {
	name   string
	failed bool
	text   strings.Builder
}

func (w *worker) Helper()                           {}
func (w *worker) Name() string                      { return w.name }
func (w *worker) Logf(format string, args ...any)   { fmt.Fprintf(&w.text, format+"\n", args...) }
func (w *worker) Log(args ...any)                   { fmt.Fprintln(&w.text, args...) }
func (w *worker) Skipf(format string, args ...any)  { w.Logf(format, args...); w.SkipNow() }
func (w *worker) Skip(args ...any)                  { w.Log(args...); w.SkipNow() }
func (w *worker) SkipNow()                          { runtime.Goexit() }
func (w *worker) Errorf(format string, args ...any) { w.Logf(format, args...); w.Fail() }
func (w *worker) Error(args ...any)                 { w.Log(args...); w.Fail() }
func (w *worker) Fatalf(format string, args ...any) { w.Errorf(format, args...); w.FailNow() }
func (w *worker) Fatal(args ...any)                 { w.Error(args...); w.FailNow() }
func (w *worker) FailNow()                          { w.Fail(); runtime.Goexit() }
func (w *worker) Fail()                             { w.failed = true }
func (w *worker) Failed() bool                      { return w.failed }

// orders lets random orders live side by side on one platform, until one goes wrong. It returns how often each operation
// was tried, and the shortest story found that goes wrong.
func orders(t *testing.T, p shop) (tried map[string]int, wrong string) {
	t.Helper()
	if err := prepareRapid(); err != nil {
		t.Fatal(err)
	}
	mandate := p.approved("LIFE-MANDATE")
	var mu sync.Mutex
	tried = map[string]int{}
	known := map[string]bool{}
	var over atomic.Pointer[worker] // the worker that found a mistake, while it shrinks it
	var all sync.WaitGroup
	for i := range lifeWorkers {
		w := &worker{name: fmt.Sprintf("%s/%d", t.Name(), i)}
		all.Go(func() {
			done := make(chan struct{})
			go func() {
				defer close(done)
				rapid.Check(w, func(r *rapid.T) {
					if first := over.Load(); first != nil && first != w {
						return
					}
					ended := false
					defer func() {
						if !ended {
							over.CompareAndSwap(nil, w)
						}
					}()
					live(r, p, mandate, func(op string) {
						mu.Lock()
						defer mu.Unlock()
						tried[op]++
					}, func(orderID string) {
						mu.Lock()
						defer mu.Unlock()
						known[orderID] = true
					})
					ended = true
				})
			}()
			<-done
		})
	}
	all.Wait()
	if w := over.Load(); w != nil {
		return tried, w.text.String()
	}
	for _, line := range p.lines() {
		if strings.HasPrefix(line.Order, "LIFE-") && line.Order != "LIFE-MANDATE" && !known[line.Order] {
			return tried, fmt.Sprintf("no payment that the platform knows is behind %+v", line)
		}
	}
	return tried, ""
}

// TestRandomOrders lets orders live through random operations of client, customer and browser, with faults on the way to the
// gateway. No answer claims what the sandbox's ledger does not show, and in the end the platform, the plugin's search
// and the ledger agree about every payment.
func TestRandomOrders(t *testing.T) {
	t.Parallel()
	n := lives(t)
	p := startQuick(t, hasty)
	tried, wrong := orders(t, p)
	if wrong != "" {
		t.Fatal(wrong)
	}
	t.Logf("%d orders: %v", n, tried)
	// Chance deals operations and faults. The bounds of a short run lie where chance does not get to: with 96 orders an
	// operation is tried 45 to 80 times at least, and a fault fires seven times on average.
	for _, op := range lifeOps {
		if want := min(500, n/8); tried[op] < want {
			t.Errorf("%s was tried %d times, want %d", op, tried[op], want)
		}
	}
	var armed struct {
		Faults []struct {
			Fault string `json:"fault"`
			Fired int    `json:"fired"`
		} `json:"faults"`
	}
	decode(t, p.control(http.MethodGet, "faults", nil).body, &armed)
	fired := map[string]int{}
	for _, f := range armed.Faults {
		fired[f.Fault] += f.Fired
	}
	var kinds, missing []string
	for _, name := range lifeFaults {
		if name == "" {
			continue
		}
		kinds = append(kinds, name)
		if fired[name] == 0 {
			missing = append(missing, name)
		}
	}
	if n >= 1000 && len(missing) > 0 || len(missing) > len(kinds)/2 {
		t.Errorf("of %d faults these never fired: %v", len(kinds), missing)
	}
	t.Logf("faults: %v", fired)
}

// TestRandomOrdersFindAMistake plants a mistake in the plugin, an HTTP status taken for "nothing was sent", and expects that
// random orders find it.
func TestRandomOrdersFindAMistake(t *testing.T) {
	t.Parallel()
	const right, mistake = "statusErr.Failure()", "provider.NothingSent(provider.ReasonUnavailable, errStatus)"
	plugins := faultyPlugin(t, "exchange.go", right, mistake)
	tried, wrong := orders(t, startQuick(t, hasty, "--plugins", plugins))
	if wrong == "" {
		t.Fatalf("it was not found: %v", tried)
	}
	if !strings.Contains(wrong, "_after_commit") {
		t.Errorf("something else was found:\n%s", wrong)
	}
	t.Logf("found after %v:\n%s", tried, wrong)
}

// faultyPlugin builds the plugin with one text of its source replaced, and returns the folder it lies in.
func faultyPlugin(t *testing.T, name, right, mistake string) string {
	t.Helper()
	source, err := filepath.Abs(filepath.Join("../../../plugins/providers/linepay", name))
	if err != nil {
		t.Fatal(err)
	}
	code, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(code), right) != 1 {
		t.Fatalf("%s does not hold %q once: plant the mistake elsewhere", name, right)
	}
	work, plugins := t.TempDir(), t.TempDir()
	planted := filepath.Join(work, name)
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {source: planted}})
	if err != nil {
		t.Fatal(err)
	}
	for path, content := range map[string][]byte{
		planted: []byte(strings.Replace(string(code), right, mistake, 1)), filepath.Join(work, "overlay.json"): overlay,
	} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.Command("go", "build", "-overlay", filepath.Join(work, "overlay.json"), "-ldflags",
		"-X github.com/payrack/payrack/plugins/sdk/provider.Version=0.0.1-mistake", "-o", filepath.Join(plugins, "payrack-provider-linepay"),
		"./plugins/providers/linepay/cmd/payrack-provider-linepay")
	build.Dir, build.Env = "../../..", append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	return plugins
}
