package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// times are how long a call may wait before it begins, and how long it may take. Both have passed before a search can prove
// that nothing happened: short ones make a test quick, long ones let it run on a machine that is busy with other things.
type times struct{ wait, call string }

var (
	hasty   = times{wait: "1s", call: "5s"}
	patient = times{wait: "10s", call: "15s"}
)

// startQuick runs `payrack dev` so that an outcome that nobody knows is final within seconds: the same rules as in production,
// with shorter windows. No policy decides meanwhile: only what was proven counts.
func startQuick(t *testing.T, is times, args ...string) shop {
	t.Helper()
	file := filepath.Join(t.TempDir(), "payrack.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, `
recovery: {interval: 50ms, send_margin: %s, final_margin: 500ms, decision_after: 1h, searches_per_second: 1000}
limits: {requests_per_second: 100000, burst: 100000}
plugins:
  limits:
    linepay: {max_duration: %s, landing_max: 500ms, search_lag_max: 500ms}
`, is.wait, is.call), 0o600); err != nil {
		t.Fatal(err)
	}
	return shop{start(t, t.TempDir(), nil, append([]string{"--config", file, "--log-level", "warn"}, args...)...)}
}

// sandboxProcess runs `payrack sandbox` on a folder and returns where it listens.
func sandboxProcess(t *testing.T, dir string) string {
	t.Helper()
	b, err := built()
	if err != nil {
		t.Fatal(err)
	}
	output := &lockedBuffer{}
	cmd := exec.Command(b.payrack, "sandbox", "--data", dir, "--addr", "127.0.0.1:0")
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { _ = cmd.Wait(); close(exited) }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		select {
		case <-exited:
		case <-time.After(patience):
			_ = cmd.Process.Kill()
			t.Errorf("the sandbox did not end:\n%s", tail(output.String()))
		}
	})
	var state struct {
		URL string `json:"url"`
		PID int    `json:"pid"`
	}
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		raw, err := os.ReadFile(filepath.Join(dir, "sandbox.json"))
		if err == nil && json.Unmarshal(raw, &state) == nil && state.PID == cmd.Process.Pid {
			if u, err := url.Parse(state.URL); err == nil && u.Host != "" {
				return state.URL
			}
		}
	}
	t.Fatalf("the sandbox does not play:\n%s", output)
	return ""
}
