package e2e_test

import (
	"bytes"
	"database/sql"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestHundredEqualRequests sends one request a hundred times at once to three processes.
func TestHundredEqualRequests(t *testing.T) {
	t.Parallel()
	recovery, limits := shortWindows()
	f := newFleet(t, 3, recovery, limits)
	for name, c := range map[string]struct {
		path   string
		body   jsonObject
		status int
	}{
		"HUNDRED-NATIVE":  {linePayPath, f[0].linePay("HUNDRED-NATIVE"), http.StatusOK},
		"HUNDRED-NEUTRAL": {"/v2/payments", f[0].neutralOrder("HUNDRED-NEUTRAL", 229), http.StatusCreated},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f[0].lineFault("delay", "pay", name, time.Second, 1) // all of them arrive while it runs
			body, together := encode(t, c.body), make(chan struct{})
			var wait sync.WaitGroup
			told := make([]answer, 100)
			for i := range told {
				wait.Go(func() {
					<-together
					p := f[i%len(f)]
					a, err := p.send(http.MethodPost, p.HTTPURL+c.path, body, "Idempotency-Key", name)
					if err != nil {
						t.Error(err)
					}
					told[i] = a
				})
			}
			close(together)
			wait.Wait()
			var first answer
			joined, later := 0, 0
			for _, a := range told {
				switch {
				case a.status == c.status && first.body == nil:
					first = a
				case a.status == c.status:
					joined++
				case comeBack(a):
					later++
				default:
					t.Errorf("%s", a)
				}
				if a.status == c.status && !bytes.Equal(a.body, first.body) {
					t.Errorf("%s\nand %s", a, first)
				}
			}
			if joined < len(f) || first.body == nil {
				t.Errorf("%d joined and %d were asked to come back", joined, later)
			}
			for _, p := range f {
				a := p.do(http.MethodPost, p.HTTPURL+c.path, body, "Idempotency-Key", name)
				if a.status != c.status || !bytes.Equal(a.body, first.body) || a.header.Get("Idempotent-Replayed") != "true" {
					t.Errorf("afterwards: %s", a)
				}
			}
			if sent, booked := f[0].requests("linepay", name), f[0].ledger(name); len(sent) == 0 || len(booked) != 1 ||
				len(slices.DeleteFunc(sent, func(s seen) bool { return s.Operation != "pay" })) != 1 {
				t.Errorf("transmissions %+v, booked %+v", sent, booked)
			}
		})
	}
}

// TestTwoHundredRefunds gives one payment back in two hundred parts at once, over three processes; most of it is too
// much. Some requests and answers are lost on the way. Each amount is another one, so that the ledger names the request.
func TestTwoHundredRefunds(t *testing.T) {
	t.Parallel()
	recovery, limits := shortWindows()
	f := newFleet(t, 3, recovery, limits)
	const parts, captured = 200, 3_000
	paid := f[0].post("/v2/payments", f[0].neutralOrder("REFUNDS-1", captured), "Idempotency-Key", "pay")
	if paid.status != http.StatusCreated {
		t.Fatalf("pay: %s", paid)
	}
	id := paid.member("id")
	f[0].lineFault("drop_before_commit", "refund", "REFUNDS-1", 0, 1) // the one that takes long: nothing shows that it is lost
	f[0].lineFault("drop_after_commit", "refund", "REFUNDS-1", 0, 4)
	var (
		wait   sync.WaitGroup
		mu     sync.Mutex
		given  = map[string]bool{}
		others = map[string]int{}
	)
	for n := 1; n <= parts; n++ {
		wait.Go(func() {
			amount := strconv.Itoa(n)
			a, err := f.insist("/v2/payments/"+id+"/refunds", "refund-"+amount, []byte(`{"amount":{"amount":`+amount+`,"currency":"TWD"}}`))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				t.Error(err)
			case a.status == http.StatusOK:
				given[amount] = true
			case a.member("code") == "amount_exceeds_remaining", a.member("code") == "not_done", a.member("code") == "not_allowed_in_state":
				others[a.member("code")]++
			default:
				t.Errorf("refund of %s: %s", amount, a)
			}
		})
	}
	wait.Wait()
	var booked int64
	entries := f[0].ledger("REFUNDS-1")
	for _, e := range entries {
		if e.Kind != "refund" {
			continue
		}
		n, err := e.Amount.Int64()
		if err != nil {
			t.Fatal(err)
		}
		booked += n
		if !given[e.Amount.String()] {
			t.Errorf("%s was given back and nobody was told, or twice", e.Amount)
		}
		delete(given, e.Amount.String())
	}
	if len(given) > 0 {
		t.Errorf("told as given back, and not in the ledger: %v", given)
	}
	shown := f[1].show(id)
	if booked > captured || booked == 0 || shown.Refunded.Amount != booked || others["amount_exceeds_remaining"] == 0 {
		t.Errorf("%d of %d given back, the payment shows %+v, refused: %v", booked, captured, shown, others)
	}
	var fired struct {
		Faults []struct {
			Fault string `json:"fault"`
			Fired int    `json:"fired"`
		} `json:"faults"`
	}
	decode(t, f[0].control(http.MethodGet, "faults", nil).body, &fired)
	for _, x := range fired.Faults {
		if x.Fired == 0 {
			t.Errorf("%s never struck", x.Fault)
		}
	}
}

// TestReplicaIsKilled kills one of three processes with twelve calls at the gateway, half of which charged. The others
// take over when its lease ends, before the calls' own deadline: what was charged is found then. That nothing was charged
// is true only some time behind that deadline.
func TestReplicaIsKilled(t *testing.T) {
	t.Parallel()
	recovery, limits := shortWindows()
	limits["linepay"], recovery["send_margin"] = jsonObject{"max_duration": "20s", "landing_max": "2s", "search_lag_max": "500ms"}, "20s"
	f := newFleet(t, 3, recovery, limits)
	dies := f[1]
	var wait sync.WaitGroup
	pay := func(order string, body []byte, charged int) {
		wait.Go(func() {
			a, err := dies.send(http.MethodPost, dies.HTTPURL+linePayPath, body, "Idempotency-Key", order)
			if err == nil && a.status == http.StatusOK {
				t.Errorf("%s was told an outcome by a process that was killed: %s", order, a)
			}
			a, err = f.insist(linePayPath, order, body)
			switch {
			case err != nil:
				t.Error(err)
			case charged == 1 && a.status != http.StatusOK, charged == 0 && a.member("code") != "not_charged":
				t.Errorf("%s, charged %d times, was told %s", order, charged, a)
			}
			if got := len(f[0].ledger(order)); got != charged {
				t.Errorf("%s: charged %d times, want %d", order, got, charged)
			}
		})
	}
	orders := 0
	for i := range 6 {
		for name, charged := range map[string]int{"hang_after_commit": 1, "hang": 0} {
			order := fmt.Sprintf("KILLED-%s-%d", strings.ToUpper(name), i)
			body := encode(t, dies.linePay(order))
			dies.lineFault(name, "pay", order, 2*time.Minute, 1)
			pay(order, body, charged)
			orders++
		}
	}
	// Meanwhile the others go on with payments of their own.
	bodies := map[string][]byte{}
	for i := range 30 {
		order := fmt.Sprintf("LIVES-%d", i)
		bodies[order] = encode(t, f[0].linePay(order))
	}
	dies.waitFor("all calls at the gateway", func() bool {
		hanging := 0
		for _, s := range f[0].requests("linepay", "") {
			if strings.HasPrefix(s.OrderID, "KILLED-") && s.Operation == "pay" {
				hanging++
			}
		}
		return hanging == orders
	})
	for order, body := range bodies {
		wait.Go(func() {
			if a, err := f.insist(linePayPath, order, body); err != nil || a.status != http.StatusOK || len(f[0].ledger(order)) != 1 {
				t.Errorf("%s: %s, %v", order, a, err)
			}
		})
	}
	dies.kill()
	wait.Wait()
	db := f[0].database()
	if open := texts(t, db, "SELECT payment_id || ' ' || state FROM operation WHERE state IN ('SENDING', 'UNKNOWN')"); len(open) > 0 {
		t.Errorf("still open: %v", open)
	}
	const found = "SELECT payment_id FROM operation WHERE epoch > 1 AND state = 'SUCCEEDED' AND updated_at < send_deadline"
	if n := len(texts(t, db, found)); n != orders/2 {
		t.Errorf("%d of %d charges were found before the deadline of their calls", n, orders/2)
	}
}

// TestReadPullsAcrossReplicas makes the next check of a payment far away; a read at another process makes it now.
func TestReadPullsAcrossReplicas(t *testing.T) {
	t.Parallel()
	recovery, limits := shortWindows()
	f := newFleet(t, 2, recovery, limits)
	// Nothing can be found out for now.
	f[0].lineFault("http_500_before_commit", "check", "PULL-1", 0, 1000)
	f[0].lineFault("drop_after_commit", "pay", "PULL-1", 0, 1)
	a := f[0].post(linePayPath, f[0].linePay("PULL-1"), "Idempotency-Key", "pull")
	if a.status != http.StatusGatewayTimeout {
		t.Fatalf("pay: %s", a)
	}
	id, db := a.member("payment_id"), f[0].database()
	// A check that was claimed before writes its own plan when it ends: again, until none has done so for longer than a claim
	// keeps a read from pulling the next one forward.
	quiet := time.Now()
	f[0].waitFor("a next check that stays far away", func() bool {
		moved, err := db.ExecContext(t.Context(),
			"UPDATE operation SET next_check_at = $2 WHERE payment_id = $1 AND state = 'UNKNOWN' AND next_check_at < $3",
			id, time.Now().Add(2*time.Hour).UnixMicro(), time.Now().Add(time.Hour).UnixMicro())
		if err != nil {
			t.Fatal(err)
		}
		if n, err := moved.RowsAffected(); err != nil || n > 0 {
			quiet = time.Now()
		}
		return time.Since(quiet) > 3*time.Second
	})
	f[0].control(http.MethodDelete, "faults", nil)
	if got := stored(t, db, id); got != "UNKNOWN" {
		t.Fatalf("before anybody asks the payment is %s", got)
	}
	f[1].show(id)
	f[1].waitFor("the check that the read pulled forward", func() bool { return stored(t, db, id) == "SUCCEEDED" })
}

// stored is the state of a payment in the database: a look that pulls nothing.
func stored(t *testing.T, db *sql.DB, id string) string {
	t.Helper()
	var state string
	if err := db.QueryRowContext(t.Context(), "SELECT state FROM payment WHERE id = $1", id).Scan(&state); err != nil {
		t.Fatal(err)
	}
	return state
}
