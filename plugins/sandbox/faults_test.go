package sandbox_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/payrack/payrack/plugins/sandbox"
	"github.com/payrack/payrack/plugins/sandbox/sandboxtest"
)

// outcome is what a client of the toy sees.
type outcome struct {
	status int
	code   string // of a readable answer
	raw    string
	err    error
}

// send is a client with its own connection, so that one test's broken connection is not another's.
func send(t *testing.T, s *sandboxtest.Sandbox, path, order string) outcome {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/toy/"+path+"?order="+order, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	resp, err := client.Do(req)
	if err != nil {
		return outcome{err: err}
	}
	defer func() { _ = resp.Body.Close() }() // a test client
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 256<<10))
	out := outcome{status: resp.StatusCode, raw: string(raw), err: err}
	var body struct {
		Code string `json:"code"`
	}
	if json.Unmarshal(raw, &body) == nil {
		out.code = body.Code
	}
	return out
}

func TestEveryCommonFault(t *testing.T) {
	t.Parallel()
	unreadable := func(o outcome) bool { return o.err == nil && o.status == http.StatusOK && o.code == "" }
	noAnswer := func(o outcome) bool { return o.err != nil && o.status == 0 }
	cut := func(o outcome) bool { return errors.Is(o.err, io.ErrUnexpectedEOF) && o.status == http.StatusOK }
	status := func(want int) func(outcome) bool {
		return func(o outcome) bool { return o.err == nil && o.status == want }
	}
	code := func(want string) func(outcome) bool {
		return func(o outcome) bool { return o.err == nil && o.status == http.StatusOK && o.code == want }
	}
	tests := map[string]struct {
		seen    func(outcome) bool
		charges int
		delay   int
		search  bool // the fault strikes a search after an undisturbed payment
	}{
		sandbox.FaultDelay:             {seen: code("ok"), charges: 1, delay: 20},
		sandbox.FaultDelayAfterCommit:  {seen: code("ok"), charges: 1, delay: 20},
		sandbox.FaultHang:              {seen: noAnswer, charges: 0, delay: 20},
		sandbox.FaultHangAfterCommit:   {seen: noAnswer, charges: 1, delay: 20},
		sandbox.FaultDropBeforeCommit:  {seen: noAnswer, charges: 0},
		sandbox.FaultDropAfterCommit:   {seen: noAnswer, charges: 1},
		sandbox.FaultGarbled:           {seen: unreadable, charges: 1},
		sandbox.FaultTruncated:         {seen: cut, charges: 1},
		sandbox.FaultHugeBody:          {seen: func(o outcome) bool { return o.err == nil && len(o.raw) > 128<<10 }, charges: 1},
		sandbox.FaultEndlessBody:       {seen: func(o outcome) bool { return len(o.raw) > 64<<10 }, charges: 1},
		sandbox.FaultWrongAmount:       {seen: func(o outcome) bool { return strings.Contains(o.raw, `"amount":6`) }, charges: 1},
		sandbox.FaultWrongOrder:        {seen: func(o outcome) bool { return strings.Contains(o.raw, `"order":"other"`) }, charges: 1},
		sandbox.FaultDuplicateDelivery: {seen: code("duplicate"), charges: 1},
		sandbox.FaultSearchLag:         {seen: code("none"), charges: 1, delay: 60_000, search: true},
		"http_500_before_commit":       {seen: status(500), charges: 0},
		"http_502_before_commit":       {seen: status(502), charges: 0},
		"http_504_before_commit":       {seen: status(504), charges: 0},
		"http_500_after_commit":        {seen: status(500), charges: 1},
		"http_502_after_commit":        {seen: status(502), charges: 1},
		"http_504_after_commit":        {seen: status(504), charges: 1},
	}
	for fault := range sandbox.CommonFaults() {
		if _, tested := tests[fault]; !tested {
			t.Errorf("no row for the fault %s", fault)
		}
	}
	for fault, tt := range tests {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			s := sandboxtest.Start(t, toyOptions(t))
			operation, path := sandbox.OpPay, "pay"
			if tt.search {
				operation, path = sandbox.OpSearch, "search"
				send(t, s, "pay", "A")
			}
			s.Arm(sandboxtest.Object{"provider": "toy", "operation": operation, "order_id": "A", "fault": fault, "delay_ms": tt.delay})
			if other := send(t, s, "pay", "B"); other.code != "ok" {
				t.Errorf("a fault for one order struck another: %+v", other)
			}
			if got := send(t, s, path, "A"); !tt.seen(got) {
				t.Errorf("the client saw status %d, code %q, err %v", got.status, got.code, got.err)
			}
			if got := len(s.Ledger("toy", "A")); got != tt.charges {
				t.Errorf("the ledger has %d charges, want %d", got, tt.charges)
			}
			if got := s.Fired(fault); got != 1 {
				t.Errorf("fired %d times, want 1", got)
			}
		})
	}
}

func TestCodeFaultCommitsNothing(t *testing.T) {
	t.Parallel()
	s := sandboxtest.Start(t, toyOptions(t))
	s.Arm(sandboxtest.Object{"fault": "code:9000", "times": 1})
	if got := send(t, s, "pay", "A"); got.code != "9000" {
		t.Errorf("first answer %q, want 9000", got.raw)
	}
	if got := len(s.Ledger("", "")); got != 0 {
		t.Errorf("%d entries, want none", got)
	}
	if got := send(t, s, "pay", "A"); got.code != "ok" {
		t.Errorf("second answer %q, want ok: the fault was for one time", got.raw)
	}
	if got := s.Fired("code:9000"); got != 1 {
		t.Errorf("fired %d times, want 1", got)
	}
}

func TestDuplicateDeliveryIsMarked(t *testing.T) {
	t.Parallel()
	s := sandboxtest.Start(t, toyOptions(t))
	s.Arm(sandboxtest.Object{"fault": "duplicate_delivery"})
	send(t, s, "pay", "A")
	got := s.Requests("toy", "A")
	if len(got) != 2 || got[0].Redelivered || !got[1].Redelivered {
		t.Errorf("requests %+v, want one of the client and one of the network", got)
	}
}

func TestFaultThatCannotTakeEffectIsNotCounted(t *testing.T) {
	t.Parallel()
	s := sandboxtest.Start(t, toyOptions(t))
	s.Arm(sandboxtest.Object{"fault": "wrong_amount", "times": 1})
	send(t, s, "search", "A") // a search of the toy has no amount
	if got := s.Fired("wrong_amount"); got != 0 {
		t.Fatalf("fired %d times, want 0", got)
	}
	if got := send(t, s, "pay", "A"); !strings.Contains(got.raw, `"amount":6`) {
		t.Errorf("answer %s: the one time was spent on a request that it could not strike", got.raw)
	}
}

func TestTimesHoldsUnderConcurrency(t *testing.T) {
	t.Parallel()
	s := sandboxtest.Start(t, toyOptions(t))
	s.Arm(sandboxtest.Object{"operation": "pay", "fault": "code:1", "times": 7})
	struck := make(chan bool, 40)
	var wg sync.WaitGroup
	for i := range cap(struck) {
		wg.Go(func() { struck <- send(t, s, "pay", fmt.Sprint("O", i)).code == "1" })
	}
	wg.Wait()
	close(struck)
	n := 0
	for hit := range struck {
		if hit {
			n++
		}
	}
	if fired := s.Fired("code:1"); n != 7 || fired != 7 {
		t.Errorf("%d clients saw the fault and it counts %d, want 7 and 7", n, fired)
	}
}

func TestProbability(t *testing.T) {
	t.Parallel()
	s := sandboxtest.Start(t, toyOptions(t))
	s.Arm(sandboxtest.Object{"fault": "code:1", "probability": 0.5})
	const tries = 200
	for i := range tries {
		send(t, s, "pay", fmt.Sprint("O", i))
	}
	// Seven standard deviations: a fair coin fails this less than once in 10^11 runs.
	if got := s.Fired("code:1"); got < 50 || got > 150 {
		t.Errorf("fired %d of %d times at probability 0.5", got, tries)
	}
}

func TestDelayLandsAlthoughTheClientLeft(t *testing.T) {
	t.Parallel()
	s := sandboxtest.Start(t, toyOptions(t))
	s.Arm(sandboxtest.Object{"fault": "delay", "delay_ms": 3000})
	client := &http.Client{Timeout: time.Second}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/toy/pay?order=A", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := client.Do(req); err == nil {
		_ = resp.Body.Close()
		t.Fatal("the client did not time out")
	}
	for deadline := time.Now().Add(time.Minute); len(s.Ledger("toy", "A")) == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the late payment never landed")
		}
	}
}

func TestLandingMaxSplitsADelay(t *testing.T) {
	t.Parallel()
	opts := toyOptions(t)
	opts.LandingMax = 10 * time.Millisecond
	s := sandboxtest.Start(t, opts)
	s.Arm(sandboxtest.Object{"fault": "delay", "delay_ms": 60_000})
	done := make(chan struct{})
	go func() {
		defer close(done)
		send(t, s, "pay", "A")
	}()
	for deadline := time.Now().Add(30 * time.Second); len(s.Ledger("toy", "A")) == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the payment did not land by landing_max")
		}
	}
	select {
	case <-done:
		t.Error("the answer did not wait for the rest of the delay")
	default:
	}
	s.Stop() // lets go of the held request
	<-done
}

func TestArmRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	s := sandboxtest.Start(t, toyOptions(t))
	for name, fault := range map[string]sandboxtest.Object{
		"no fault":                  {},
		"unknown fault":             {"fault": "fire"},
		"unknown provider":          {"fault": "hang", "provider": "nobody"},
		"unknown operation":         {"fault": "hang", "operation": "purchase"},
		"unknown member":            {"fault": "hang", "delay": 5},
		"no code":                   {"fault": "code:"},
		"probability of zero":       {"fault": "hang", "probability": 0},
		"probability over one":      {"fault": "hang", "probability": 1.5},
		"negative delay":            {"fault": "delay", "delay_ms": -1},
		"delay of nothing":          {"fault": "delay"},
		"negative times":            {"fault": "hang", "times": -1},
		"probability of wrong type": {"fault": "hang", "probability": "1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out struct{ Error string }
			if status := s.Control(http.MethodPost, "faults", fault, &out); status != http.StatusBadRequest || out.Error == "" {
				t.Errorf("status %d, error %q, want 400 and a reason", status, out.Error)
			}
		})
	}
}

func TestDialectFaultAndDisarm(t *testing.T) {
	t.Parallel()
	s := sandboxtest.Start(t, toyOptions(t))
	s.Arm(sandboxtest.Object{"fault": "shout"})
	if got := send(t, s, "pay", "A"); got.raw != `{"CODE":"OK"}` {
		t.Errorf("answer %s, want capitals", got.raw)
	}
	s.Disarm()
	if got := send(t, s, "pay", "B"); got.code != "ok" {
		t.Errorf("answer %s after the faults were cleared", got.raw)
	}
}
