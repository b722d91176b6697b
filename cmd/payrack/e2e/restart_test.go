package e2e_test

import (
	"bytes"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// restartable is a platform with short windows beside a sandbox that survives it; start it again on the same folder with
// the same arguments.
func restartable(t *testing.T, dir string) *platform {
	t.Helper()
	recovery, limits := shortWindows()
	file := configFile(t, dir, "dev", jsonObject{
		"recovery": recovery, "plugins": jsonObject{"limits": limits}, "shutdown": jsonObject{"grace": "4s"},
	})
	return start(t, dir, nil, "--config", file, "--sandbox-process")
}

// inFlight posts a payment and returns when its call is at the gateway; the channel has the answer, or is closed if the
// connection broke.
func (p *platform) inFlight(order string, body []byte) <-chan answer {
	p.t.Helper()
	told := make(chan answer, 1)
	go func() {
		defer close(told)
		if a, err := p.send(http.MethodPost, p.HTTPURL+linePayPath, body, "Idempotency-Key", order); err == nil {
			told <- a
		}
	}()
	p.waitFor("the call at the gateway", func() bool { return len(p.requests("linepay", order)) > 0 })
	return told
}

// end asks the program to stop as an orchestrator does, and waits until it has.
func (p *platform) end() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	select {
	case <-p.exited:
	case <-time.After(patience):
		p.t.Fatalf("it did not stop:\n%s", tail(p.output.String()))
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		p.t.Errorf("exit code %d:\n%s", code, tail(p.output.String()))
	}
}

// TestSIGTERM drains: a call that ends in time is answered, one that does not is recorded as unknown, and the next start
// finds out what became of it.
func TestSIGTERM(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := restartable(t, dir)
	slow, lost, never := encode(t, p.linePay("TERM-SLOW")), encode(t, p.linePay("TERM-LOST")), encode(t, p.linePay("TERM-NEVER"))
	p.lineFault("delay_after_commit", "pay", "TERM-SLOW", time.Second, 1)
	p.lineFault("hang_after_commit", "pay", "TERM-LOST", time.Minute, 1)
	p.lineFault("hang", "pay", "TERM-NEVER", time.Minute, 1)
	first := p.inFlight("TERM-LOST", lost)
	third := p.inFlight("TERM-NEVER", never)
	second := p.inFlight("TERM-SLOW", slow)
	p.end()
	answered, cut, gone := <-second, <-first, <-third
	if answered.status != http.StatusOK || answered.member("returnCode") != "0000" {
		t.Errorf("the call that ended while it drained was answered %s", answered)
	}
	for name, a := range map[string]answer{"lost": cut, "never": gone} {
		if a.status != http.StatusGatewayTimeout || a.member("status") != "PENDING" {
			t.Errorf("%s: the call that did not end was answered %s", name, a)
		}
	}
	if _, err := p.send(http.MethodGet, p.HTTPURL+"/readyz", nil); err == nil {
		t.Error("it still listens")
	}

	q := restartable(t, dir)
	again := q.do(http.MethodPost, q.HTTPURL+linePayPath, slow, "Idempotency-Key", "TERM-SLOW")
	if !bytes.Equal(again.body, answered.body) || again.status != answered.status || again.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("%s\nand %s", again, answered)
	}
	q.truth("TERM-LOST", lost, cut.member("payment_id"), 1)
	q.truth("TERM-NEVER", never, gone.member("payment_id"), 0)
}

// truth waits until a payment of unknown outcome is settled, and compares what the client then hears with the ledger.
func (p *platform) truth(order string, body []byte, id string, charged int) {
	p.t.Helper()
	a, err := fleet{p}.insist(linePayPath, order, body)
	booked := len(p.ledger(order))
	switch state := p.state(id); {
	case err != nil:
		p.t.Error(err)
	case booked != charged:
		p.t.Errorf("%s was charged %d times, want %d", order, booked, charged)
	case charged == 1 && (state != "SUCCEEDED" || a.status != http.StatusOK || a.header.Get("Payrack-Payment-Id") != id):
		p.t.Errorf("%s is %s and charged; the client heard %s", order, state, a)
	case charged == 0 && (state != "FAILED" || a.member("code") != "not_charged" || a.member("payment_id") != id):
		p.t.Errorf("%s is %s and not charged; the client heard %s", order, state, a)
	}
	if sent := p.requests("linepay", order); len(sent) == 0 || strings.Count(operations(sent), "pay ") != 1 {
		p.t.Errorf("%s was sent as %s: a charge is never sent again", order, operations(sent))
	}
}

func operations(sent []seen) string {
	var all strings.Builder
	for _, s := range sent {
		all.WriteString(s.Operation + " ")
	}
	return all.String()
}

// TestStartAfterKill kills the program with calls at the gateway, some of which charged, and with one of unknown outcome.
// The next start fences them and finds the truth.
func TestStartAfterKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := restartable(t, dir)
	sandbox := p.SandboxPID
	t.Cleanup(func() {
		if alive(sandbox) {
			_ = syscall.Kill(sandbox, syscall.SIGKILL)
		}
	})
	cases := []struct {
		order, fault string
		charged      int
		body         []byte
	}{
		{order: "KILL9-CHARGED", fault: "hang_after_commit", charged: 1},
		{order: "KILL9-NOTHING", fault: "hang", charged: 0},
		{order: "KILL9-UNKNOWN", fault: "drop_after_commit", charged: 1},
		{order: "KILL9-NEVER", fault: "drop_before_commit", charged: 0},
	}
	p.lineFault("http_500_before_commit", "check", "", 0, 1000) // nothing is found out before the kill
	for i := range cases {
		c := &cases[i]
		c.body = encode(t, p.linePay(c.order))
		p.lineFault(c.fault, "pay", c.order, time.Minute, 1)
		told := p.inFlight(c.order, c.body)
		if strings.HasPrefix(c.fault, "drop") {
			if a := <-told; a.status != http.StatusGatewayTimeout {
				t.Fatalf("%s: %s", c.order, a)
			}
		}
	}
	ids := map[string]string{}
	db := p.database()
	for _, c := range cases {
		ids[c.order] = texts(t, db, "SELECT id FROM payment WHERE order_number = '"+c.order+"'")[0]
	}
	p.kill()
	q := restartable(t, dir)
	q.control(http.MethodDelete, "faults", nil)
	for _, c := range cases {
		q.truth(c.order, c.body, ids[c.order], c.charged)
	}
	q.stop()
}
