package sim_test

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

var mutate = flag.Bool("mutants", false, "plant each bug of the list in the production code and expect it to be caught")

// mutant is a bug that is planted in production code. Each edit names a text that stands exactly once in its file.
type mutant struct {
	name  string
	edits []edit
}

type edit struct{ file, old, planted string }

// caughtWithin is how many seeds may pass before a bug is caught.
const caughtWithin = 1000

func mutants() []mutant {
	const (
		pay      = "core/app/pay.go"
		orderIDs = "core/app/orderid.go"
		execute  = "core/app/execute.go"
		resolve  = "core/app/resolve.go"
		reply    = "core/app/reply.go"
		answered = "core/payment/answered.go"
		begin    = "core/payment/begin.go"
		judge    = "core/payment/judge.go"
		observe  = "core/app/observe.go"
		ledger   = "adapters/outbound/memory/ledger.go"
	)
	one := func(name, file, old, planted string) mutant { return mutant{name, []edit{{file, old, planted}}} }
	return []mutant{
		one("no durable intent before the send", pay,
			"committed, err := a.Ledger.Commit(context.WithoutCancel(ctx), change)\n\tif err == nil && committed",
			"var committed outbound.Committed\n\ta.later(ctx, func(ctx context.Context) bool { _, err := a.Ledger.Commit(ctx, change); return err == nil })\n\tif err == nil && committed"),
		one("send again on unknown", resolve,
			"	sight, found := a.look(ctx, session, r, set)\n",
			"	if p.State == payment.Unknown {\n\t\tagain, cancel := context.WithTimeout(ctx, time.Minute)\n\t\tdefer cancel()\n\t\tsession.Send(again, outbound.Instruction{Kind: o.Kind, Payment: p, Operation: o, NotAfter: now.Add(time.Minute)})\n\t}\n\tsight, found := a.look(ctx, session, r, set)\n"),
		one("unknown is failed", answered,
			"	case KnownNothing:\n\t\treturn inDoubt(r, e.At), nil\n", "	case KnownNothing:\n\t\treturn undone(r, Declined, e.Evidence, e.At), nil\n"),
		one("not found is final at once", judge,
			"needed := w.Landing + w.Lag + w.Margin", "needed := 0 * w.Margin"),
		one("a duplicate order is a decline", answered,
			"	note(&r, e.Evidence)\n\tswitch e.Known {", "	note(&r, e.Evidence)\n\tif e.Evidence.Code == \"DUP\" {\n\t\treturn undone(r, Declined, e.Evidence, e.At), nil\n\t}\n\tswitch e.Known {"),
		one("write without version check", ledger,
			"h.payment.Version != c.Version || h.payment.Chain != c.Entry.Prev", "false"),
		// Three walls stand against it: the reducer, its table of what may begin, and the store.
		{"two refunds at once", []edit{
			{begin, "	if r.Operation.Open() {\n", "	if r.Operation.Open() && e.Operation.Kind != KindRefund {\n"},
			{begin, "		return p.State == Succeeded || p.State == PartiallyRefunded\n", "		return p.State == Succeeded || p.State == PartiallyRefunded || p.State == Refunding\n"},
			{ledger, "return o.Open() || o.ID == c.Record.Operation.ID", "return o.ID == c.Record.Operation.ID"},
		}},
		one("a refund reserves nothing", begin, "		p.RefundReserved += o.Amount.Units\n", ""),
		one("a commit that fails was rolled back", execute,
			"		a.insist(ctx, change)\n\t\treturn pending(r, answer, d), nil //nolint:nilerr",
			"		return inbound.Reply{Payment: r.Payment.ID, State: payment.Failed, Body: []byte(`{\"code\":\"51\"}`)}, nil //nolint:nilerr"),
		one("a late owner tells what it knows", execute,
			"		return a.fromRow(ctx, r, d)\n", "		return a.reply(next, answer, body, d)\n"),
		one("a joined request is answered early", reply,
			"	case o.Open():\n", "	case o.State == payment.OperationSending:\n\t\treturn inbound.Reply{}, &fault.Error{Kind: fault.Conflict, Code: \"not_charged\", Payment: string(p.ID)}\n\tcase o.Open():\n"),
		one("a stale 5xx is replayed", reply,
			"	case o.Open():\n", "	case o.Checks > 0:\n\t\treturn pending(r, outbound.Answer{}, d), nil\n\tcase o.Open():\n"),
		one("a second attempt has the first one's order id", orderIDs,
			"	if p.Attempt > 1 {\n", "	if p.Attempt > 100 {\n"),
		one("a mismatch is kept", resolve,
			"	case p.State == payment.Mismatch:\n", "	case p.State == payment.Mismatch && p.Version > 1000:\n"),
		one("reversing is believed, not proven", observe,
			"	case s.Back(r.Payment), a.neverTaken", "	case s.Finding != payment.FindingNothing, a.neverTaken"),
	}
}

// TestMutants plants every bug in a copy that only the compiler sees, and runs the simulation on it. A bug that is not
// caught is a hole in the simulation.
func TestMutants(t *testing.T) { //nolint:paralleltest // each uses a core to the full
	if !*mutate {
		t.Skip("run with -mutants (make sim-mutants)")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mutants() { //nolint:paralleltest // see above
		t.Run(m.name, func(t *testing.T) {
			dir := t.TempDir()
			overlay := map[string]map[string]string{"Replace": {}}
			for i, e := range m.edits {
				path := filepath.Join(root, e.file)
				before := path
				if planted, again := overlay["Replace"][path]; again {
					before = planted // a second change of the same file stands on the first
				}
				source, err := os.ReadFile(before)
				if err != nil {
					t.Fatal(err)
				}
				if n := strings.Count(string(source), e.old); n != 1 {
					t.Fatalf("the text to replace stands %d times in %s: the list of mutants is out of date", n, e.file)
				}
				planted := filepath.Join(dir, strconv.Itoa(i)+".go")
				if err := os.WriteFile(planted, []byte(strings.Replace(string(source), e.old, e.planted, 1)), 0o600); err != nil {
					t.Fatal(err)
				}
				overlay["Replace"][path] = planted
			}
			doc, err := json.Marshal(overlay)
			if err != nil {
				t.Fatal(err)
			}
			list, binary := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "sim.test")
			if err := os.WriteFile(list, doc, 0o600); err != nil {
				t.Fatal(err)
			}
			build := exec.CommandContext(t.Context(), "go", "test", "-overlay="+list, "-c", "-o", binary, "./core/sim")
			build.Dir = root
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("the mutant does not compile:\n%s", out)
			}
			run := exec.CommandContext(t.Context(), binary, "-test.run=^TestSimulation$", "-seeds="+strconv.Itoa(caughtWithin))
			out, err := run.CombinedOutput()
			if err == nil {
				t.Fatalf("it survived %d seeds", caughtWithin)
			}
			lines := strings.Split(strings.TrimSpace(string(out)), "\n")
			for _, line := range lines {
				if strings.Contains(line, "sim_test.go") {
					t.Log(strings.TrimSpace(line))
					return
				}
			}
			t.Logf("ended with: %s", lines[max(0, len(lines)-3):])
		})
	}
}
