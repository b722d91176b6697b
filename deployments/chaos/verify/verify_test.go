package verify_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/payrack/payrack/core/journal"
	"github.com/payrack/payrack/deployments/chaos/record"
	"github.com/payrack/payrack/deployments/chaos/verify"
)

// sound is the report of one payment that was asked for twice, paid once and refunded in part. Each test spoils it.
func sound(t *testing.T) record.Report {
	t.Helper()
	const order, id = "C1-000001", "p1"
	r := record.Report{
		About: record.About{Layout: "test", Hooked: true, Audit: "the journal is whole", Secrets: []record.Secret{{Name: "control", Control: true, Found: []string{"log"}}}},
		Calls: []record.Call{
			{Kind: record.Pay, Order: order, Provider: "acme", Key: "k", Begin: 1, End: 5, Status: 504, Told: record.Pending, Payment: id},
			{Kind: record.Pay, Order: order, Provider: "acme", Key: "k", Begin: 6, End: 9, Status: 200, Told: record.Paid, Payment: id},
			{Kind: record.Refund, Order: order, Provider: "acme", Key: "r", Amount: 30, Begin: 10, End: 12, Status: 200, Told: record.Done, Payment: id},
			{Kind: record.Read, Order: order, Provider: "acme", Begin: 13, End: 14, Status: 200, State: "PARTIALLY_REFUNDED", Told: record.Paid, Payment: id},
		},
		Ledger: []record.Entry{
			{Seq: 2, Provider: "acme", Account: "a", OrderID: order, BaseOrderID: order, TransactionID: "t", Kind: "charge", Amount: 100, Currency: "TWD"},
			{Seq: 4, Provider: "acme", Account: "a", OrderID: order, BaseOrderID: order, TransactionID: "t2", Kind: "refund", Amount: 30, Currency: "TWD"},
		},
		Requests: []record.Request{
			{Seq: 1, Provider: "acme", Operation: "pay", OrderID: order, BaseOrderID: order},
			{Seq: 3, Provider: "acme", Operation: "refund", OrderID: order, BaseOrderID: order},
		},
		Operations: []record.Operation{
			{ID: "o1", Payment: id, Kind: "pay", State: "SUCCEEDED", OrderID: order, Amount: 100},
			{ID: "o2", Payment: id, Kind: "refund", State: "SUCCEEDED", OrderID: order, Amount: 30},
		},
	}
	p := record.Payment{
		ID: id, Provider: "acme", Account: "a", OrderNumber: order, Currency: "TWD", Amount: 100, Authorized: 100, Captured: 100, Refunded: 30,
		State: "PARTIALLY_REFUNDED",
	}
	r.Journal, p.Chain = chain(t, "SENDING", "UNKNOWN", "SUCCEEDED", "REFUNDING", "PARTIALLY_REFUNDED")
	p.Version = int64(len(r.Journal))
	r.Payments = []record.Payment{p}
	r.Messages = []record.Message{
		{ID: "m1", Type: "payment.unknown", Payment: id, State: "UNKNOWN", AtUS: 1_000_000, Answer: 503, Signed: true},
		{ID: "m1", Type: "payment.unknown", Payment: id, State: "UNKNOWN", AtUS: 1_000_000, Answer: 204, Signed: true},
		{ID: "m2", Type: "payment.succeeded", Payment: id, State: "SUCCEEDED", AtUS: 2_000_000, Answer: 204, Signed: true},
		{ID: "m3", Type: "payment.partially_refunded", Payment: id, State: "PARTIALLY_REFUNDED", AtUS: 4_000_000, Signed: true},
	}
	return r
}

// chain makes a journal of states.
func chain(t *testing.T, states ...string) (facts []record.Fact, head []byte) {
	t.Helper()
	var prev journal.Hash
	for i, s := range states {
		body, err := json.Marshal(map[string]string{"state": s, "operation_state": map[string]string{"UNKNOWN": "UNKNOWN"}[s]})
		if err != nil {
			t.Fatal(err)
		}
		sum := journal.Sum(prev, "payment/p1", int64(i+1), body)
		facts = append(facts, record.Fact{
			Stream: "payment/p1", N: int64(i + 1), AtUS: int64(i) * 1_000_000, Body: body, Prev: append([]byte(nil), prev[:]...), Hash: append([]byte(nil), sum[:]...),
		})
		prev = sum
	}
	return facts, prev[:]
}

func TestASoundReportIsGreen(t *testing.T) {
	t.Parallel()
	v := verify.Judge(sound(t))
	if len(v.Broken) > 0 {
		t.Errorf("broken: %q", v.Broken)
	}
	if v.Charged != 1 || v.Unknown != 1 || len(v.Truth) != 1 || v.Truth[0].Seconds() != 1 || v.Double+v.Lost+v.FalsePaid+v.FalseNotPaid+v.Open != 0 {
		t.Errorf("%+v", v)
	}
	if red := verify.Table([]verify.Verdict{v}, false).Red; len(red) > 0 {
		t.Errorf("red: %q", red)
	}
	if red := verify.Table([]verify.Verdict{v}, true).Red; len(red) == 0 {
		t.Error("a run without a kill passes the bars")
	}
}

// TestEveryInvariantCanBreak spoils the report in each way that an invariant is there for.
func TestEveryInvariantCanBreak(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		invariant string
		spoil     func(*record.Report)
	}{
		"charged twice under one id": {"I1", func(r *record.Report) { r.Ledger = append(r.Ledger, r.Ledger[0]) }},
		"charged under two attempts": {"I1", func(r *record.Report) {
			e := r.Ledger[0]
			e.OrderID += "-2"
			r.Ledger = append(r.Ledger, e)
		}},
		"paid and never charged":     {"I2", func(r *record.Report) { r.Ledger = nil }},
		"another amount was charged": {"I2", func(r *record.Report) { r.Ledger[0].Amount, r.Ledger[0].Currency = 100, "JPY" }},
		"a charge of nobody":         {"I3", func(r *record.Report) { r.Operations = r.Operations[1:]; r.Operations[0].OrderID = "other" }},
		"the provider has more":      {"I3", func(r *record.Report) { r.Ledger = r.Ledger[:1] }},
		"open at the end":            {"I4", func(r *record.Report) { r.Payments[0].State = "UNKNOWN" }},
		"left to people":             {"I4", func(r *record.Report) { r.Payments[0].State = "REVIEW" }},
		"not paid, and charged":      {"I5", func(r *record.Report) { r.Calls[1].Told = record.NotPaid }},
		"paid and not paid":          {"I6", func(r *record.Report) { r.Calls[3].Told = record.NotPaid }},
		"refunds that differ":        {"I8", func(r *record.Report) { r.Payments[0].Refunded = 31 }},
		"money still reserved":       {"I8", func(r *record.Report) { r.Payments[0].Reserved = 1 }},
		"pending after paid": {"I9", func(r *record.Report) {
			late := r.Calls[0]
			late.Begin, late.End = 20, 21
			r.Calls = append(r.Calls, late)
		}},
		"a refund nobody made":  {"I9", func(r *record.Report) { r.Calls[2].Amount = 29 }},
		"sent twice":            {"I10", func(r *record.Report) { r.Requests = append(r.Requests, r.Requests[0]) }},
		"not sent, and arrived": {"I10", func(r *record.Report) { r.Operations[0].State, r.Operations[0].Failure = "FAILED", "not_sent" }},
		"a changed entry": {"I12", func(r *record.Report) {
			r.Journal[1].Body = json.RawMessage(`{"state":"SUCCEEDED"}`)
		}},
		"a missing entry":                          {"I12", func(r *record.Report) { r.Journal = r.Journal[:4] }},
		"a journal that the program finds damaged": {"I12", func(r *record.Report) { r.About.Audit = record.AuditFailed + "entry 3" }},
		"an end that nobody told":                  {"I11", func(r *record.Report) { r.Messages = r.Messages[:3] }},
		"an end that was refused":                  {"I11", func(r *record.Report) { r.Messages[3].Answer = 500 }},
		"messages in another order": {"I11", func(r *record.Report) {
			r.Messages[1], r.Messages[2] = r.Messages[2], r.Messages[1]
		}},
		"a message about nothing": {"I11", func(r *record.Report) { r.Messages[2].Type = "payment.reversed" }},
		"one event under two ids": {"I11", func(r *record.Report) {
			again := r.Messages[2]
			again.ID = "m9"
			r.Messages = append(r.Messages, again)
		}},
		"one id for two events":    {"I11", func(r *record.Report) { r.Messages[2].ID = "m1" }},
		"a message without a seal": {"I11", func(r *record.Report) { r.Messages[2].Signed = false }},
		"a secret in a log": {"I13", func(r *record.Report) {
			r.About.Secrets = append(r.About.Secrets, record.Secret{Name: "key", Found: []string{"log"}})
		}},
		"a search that is blind":  {"I13", func(r *record.Report) { r.About.Secrets[0].Found = nil }},
		"a payment without a row": {"I14", func(r *record.Report) { r.Calls[1].Payment = "p2" }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := sound(t)
			c.spoil(&r)
			v := verify.Judge(r)
			for _, line := range v.Broken {
				if strings.HasPrefix(line, c.invariant+":") {
					return
				}
			}
			t.Errorf("%s did not break: %q", c.invariant, v.Broken)
		})
	}
}

// TestOnlyTheTablesChangesAreAllowed: the journal itself may not promise both.
func TestOnlyTheTablesChangesAreAllowed(t *testing.T) {
	t.Parallel()
	for invariant, states := range map[string][]string{
		"I7": {"SENDING", "SUCCEEDED", "UNKNOWN"},
		"I6": {"SENDING", "SUCCEEDED", "FAILED"},
	} {
		r := sound(t)
		r.Journal, r.Payments[0].Chain = chain(t, states...)
		r.Payments[0].State, r.Payments[0].Version = states[2], 3
		if got := strings.Join(verify.Judge(r).Broken, "\n"); !strings.Contains(got, invariant+":") {
			t.Errorf("%v: %s", states, got)
		}
	}
}

// TestAStoredAnswerAfterACancellation: it may be repeated where an answer was lost before, and is news where none was.
func TestAStoredAnswerAfterACancellation(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]bool{0: true, 504: false} {
		r := sound(t)
		first := r.Calls[0]
		first.Status, first.Told = status, record.Nothing
		if status != 0 {
			first.Told = record.Pending
		}
		r.Calls = []record.Call{
			first,
			{Kind: record.Cancel, Order: first.Order, Provider: "acme", Key: "c", Begin: 6, End: 7, Status: 200, Told: record.NotPaid, Payment: "p1"},
			{Kind: record.Pay, Order: first.Order, Provider: "acme", Key: "k", Begin: 8, End: 9, Status: 200, Told: record.Paid, Payment: "p1"},
		}
		r.Ledger[1].Kind, r.Ledger[1].Amount, r.Requests[1].Operation, r.Operations[1].Kind = "void", 100, "void", "void"
		r.Journal, r.Payments[0].Chain = chain(t, "SENDING", "SUCCEEDED", "VOIDING", "VOIDED")
		r.About.Hooked = false // the messages are of another life
		r.Payments[0].State, r.Payments[0].Version, r.Payments[0].Refunded = "VOIDED", 4, 100
		if v := verify.Judge(r); (len(v.Broken) == 0) != want {
			t.Errorf("first answer %d: %q", status, v.Broken)
		}
	}
}

// TestARefundInDoubtMayHaveHappened: nobody heard how it ended, and either end is sound.
func TestARefundInDoubtMayHaveHappened(t *testing.T) {
	t.Parallel()
	r := sound(t)
	r.Calls[2].Told = record.Nothing
	if v := verify.Judge(r); len(v.Broken) > 0 {
		t.Errorf("it happened: %q", v.Broken)
	}
}

// held is the report of a sale whose customer came back, whose money was held, and of which a part was captured.
func held(t *testing.T) record.Report {
	t.Helper()
	r := sound(t)
	call := r.Calls[0]
	call.Online, call.Holds = true, true
	at := func(kind, key string, begin, amount int64, state string, told record.Told) record.Call {
		c := call
		c.Kind, c.Key, c.Begin, c.End, c.Amount, c.Status, c.State, c.Told = kind, key, begin, begin+1, amount, 200, state, told
		return c
	}
	r.Calls = []record.Call{
		at(record.Pay, "k", 1, 0, "REQUIRES_ACTION", record.Pending),
		at(record.Confirm, "c", 3, 0, "AUTHORIZED", record.Held),
		at(record.Capture, "t", 5, 60, "SUCCEEDED", record.Done),
		at(record.Read, "", 7, 0, "SUCCEEDED", record.Paid),
		at(record.Pay, "k", 9, 0, "REQUIRES_ACTION", record.Pending), // the answer of then, again
		at(record.Confirm, "c", 11, 0, "AUTHORIZED", record.Held),    // this one too
		at(record.Refund, "r", 13, 30, "PARTIALLY_REFUNDED", record.Done),
	}
	r.Ledger[0].Kind = "authorize"
	capture := r.Ledger[0]
	capture.Kind, capture.Amount = "capture", 60
	r.Ledger = []record.Entry{r.Ledger[0], capture, r.Ledger[1]}
	r.Requests = append([]record.Request{{Provider: "acme", Operation: "confirm", OrderID: "C1-000001"}, {Provider: "acme", Operation: "capture", OrderID: "C1-000001"}},
		r.Requests[1])
	r.Operations = append(r.Operations,
		record.Operation{ID: "o3", Payment: "p1", Kind: "confirm", State: "SUCCEEDED", OrderID: "C1-000001", Amount: 100},
		record.Operation{ID: "o4", Payment: "p1", Kind: "capture", State: "SUCCEEDED", OrderID: "C1-000001", Amount: 60})
	r.Payments[0].Captured = 60
	r.Journal, r.Payments[0].Chain = chain(t,
		"SENDING", "REQUIRES_ACTION", "SENDING", "AUTHORIZED", "CAPTURING", "SUCCEEDED", "REFUNDING", "PARTIALLY_REFUNDED")
	r.Payments[0].Version = int64(len(r.Journal))
	r.About.Hooked = false // its messages are those of the other report
	return r
}

func TestHeldMoney(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		invariant string
		spoil     func(*record.Report)
	}{
		"sound":                              {"", func(*record.Report) {}},
		"nobody heard whether it was taken":  {"", func(r *record.Report) { r.Calls[2].Told = record.Nothing }},
		"captured, and another sum was told": {"I9", func(r *record.Report) { r.Calls[2].Amount = 61 }},
		"taken, and nobody asked for it":     {"I9", func(r *record.Report) { r.Calls = append(r.Calls[:2:2], r.Calls[3:]...) }},
		"not done, and taken":                {"I9", func(r *record.Report) { r.Calls[2].Told = record.NotDone }},
		"held again after it was taken": {"I9", func(r *record.Report) {
			r.Calls[5].Kind = record.Read
		}},
		"held, then not paid": {"I6", func(r *record.Report) { r.Calls[3].Told, r.Calls[3].State = record.NotPaid, "FAILED" }},
		"held, and the provider knows nothing": {"I2", func(r *record.Report) {
			r.Calls, r.Ledger = r.Calls[:2], nil
		}},
		"held at the end, and taken": {"I2", func(r *record.Report) { r.Payments[0].State = "AUTHORIZED" }},
		"the whole sum is still held": {"I3", func(r *record.Report) {
			r.Ledger = append(r.Ledger[:1:1], r.Ledger[2])
		}},
		"captured twice":  {"I10", func(r *record.Report) { r.Requests = append(r.Requests, r.Requests[1]) }},
		"confirmed twice": {"I10", func(r *record.Report) { r.Requests = append(r.Requests, r.Requests[0]) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := held(t)
			c.spoil(&r)
			broken := strings.Join(verify.Judge(r).Broken, "\n")
			if c.invariant == "" && broken != "" || !strings.Contains(broken, c.invariant) {
				t.Errorf("want %q, got %q", c.invariant, broken)
			}
		})
	}
}
