package sandbox_test

import (
	"bufio"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/payrack/payrack/plugins/sandbox"
	"github.com/payrack/payrack/plugins/sandbox/sandboxtest"
)

// killDir makes the test binary play a sandbox on that folder until it is killed.
const killDir = "PAYRACK_TEST_SANDBOX_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(killDir); dir != "" {
		server, err := sandbox.New(sandbox.Options{Dir: dir, Dialects: []sandbox.Dialect{toy()}})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(httptest.NewServer(server.Handler()).URL)
		select {}
	}
	os.Exit(m.Run())
}

// TestKilledSandboxLosesNoAnsweredPayment kills a sandbox process under load, again and again: what a client
// was told must be in the ledger, and what was not told must be there at most once.
func TestKilledSandboxLosesNoAnsweredPayment(t *testing.T) {
	t.Parallel()
	opts := toyOptions(t)
	told := map[string]bool{}
	for round := range 5 {
		maps.Copy(told, payUntilKilled(t, opts.Dir, round))
	}
	charges := map[string]int{}
	for _, e := range sandboxtest.Start(t, opts).Ledger("toy", "") {
		charges[e.OrderID]++
	}
	answered := 0
	for order, paid := range told {
		if paid {
			answered++
		}
		if got := charges[order]; got > 1 || (paid && got != 1) {
			t.Errorf("order %s: told paid %t, %d charges", order, paid, got)
		}
	}
	if answered < 50 || answered == len(told) {
		t.Errorf("%d of %d payments were answered: the kills did not hit the work", answered, len(told))
	}
}

// payUntilKilled returns the orders that were sent, and whether their answer was "paid".
func payUntilKilled(t *testing.T, dir string, round int) map[string]bool {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), killDir+"="+dir)
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	if !lines.Scan() {
		t.Fatalf("the sandbox process did not start: %v", lines.Err())
	}
	url := lines.Text()

	var mu sync.Mutex
	sent := map[string]bool{}
	enough := make(chan struct{})
	var wg sync.WaitGroup
	for client := range 8 {
		wg.Go(func() {
			// Each client goes on until the process is gone.
			for i := 0; ; i++ {
				order := fmt.Sprintf("R%dC%dN%d", round, client, i)
				paid := payOnce(t, url, order)
				mu.Lock()
				sent[order] = paid
				if len(sent) == 40 {
					close(enough)
				}
				mu.Unlock()
				if !paid {
					return
				}
			}
		})
	}
	select {
	case <-enough:
	case <-time.After(20 * time.Second):
		t.Error("the sandbox process does not answer")
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	_ = child.Wait() // it was killed: always an error
	return sent
}

func payOnce(t *testing.T, url, order string) bool {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/toy/pay?order="+order, http.NoBody)
	if err != nil {
		t.Error(err)
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	return resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
}
