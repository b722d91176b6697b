package linepay_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/payrack/payrack/plugins/providers/linepay"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

// move is one step of a random sequence: an operation on a payment, with a fault on its way.
type move struct {
	op    string
	units int64
	fault string
}

// story is the life of one payment.
type story struct {
	paymentType, version string
	capture              bool
	moves                []move
}

func (s story) String() string {
	return fmt.Sprintf("%s %s capture=%v %+v", s.paymentType, s.version, s.capture, s.moves)
}

// wire is the plugin as a story sees it; a test may put a broken one in its place.
type wire func(op string, do func() provider.Answer) provider.Answer

func randomStory(r *rand.Rand) story {
	types := map[string][]string{
		linepay.TypeQRCode: {"v2", "v2.4", "v4"}, linepay.TypeOnline: onlineVersions(), linepay.TypePreapproved: onlineVersions(),
	}
	names := []string{linepay.TypeQRCode, linepay.TypeOnline, linepay.TypePreapproved}
	s := story{paymentType: names[r.IntN(len(names))], capture: r.IntN(2) == 0}
	s.version = types[s.paymentType][r.IntN(3)]
	faults := []string{
		"", "", "", "", "drop_before_commit", "drop_after_commit", "http_500_before_commit", "http_500_after_commit", "garbled", "truncated",
		"error_shape", "code:9000", "code:1198", "code:1142", "code:1900", "ids_as_strings",
	}
	ops := []string{"capture", "void", "refund", "refund", "search", "pay"}
	if s.paymentType == linepay.TypeOnline {
		ops = append(ops, "confirm", "approve")
	}
	s.moves = append(s.moves, move{op: "pay", fault: faults[r.IntN(len(faults))]})
	if s.paymentType == linepay.TypeOnline && r.IntN(4) > 0 {
		s.moves = append(s.moves, move{op: "approve"}, move{op: "confirm", fault: faults[r.IntN(len(faults))]})
	}
	for range 6 + r.IntN(6) {
		s.moves = append(s.moves, move{op: ops[r.IntN(len(ops))], units: 1 + r.Int64N(130), fault: faults[r.IntN(len(faults))]})
	}
	return s
}

// teller plays stories against one sandbox.
type teller struct {
	sandboxed

	key  provider.Secret // a stored approval
	wire wire
	told map[string]int
	n    int
}

func newTeller(t *testing.T, w wire) *teller {
	t.Helper()
	s := openSandbox(t)
	id := s.begin("v3", "KEY", `{"payType":"PREAPPROVED"}`, nil)
	s.approve(id, `{}`)
	made := do(t, s.openProvider, provider.KindConfirm, s.online(linepay.TypeOnline, "v3", `{}`), provider.Reference{OrderID: "KEY", TransactionID: id}, whole)
	return &teller{sandboxed: s, key: made.Result().Mandate.Token, wire: w, told: map[string]int{}}
}

// entry is a line of the sandbox's ledger.
type entry struct {
	Kind   string `json:"kind"`
	Amount int64  `json:"amount"`
}

func (tl *teller) ledger(order string) []entry {
	tl.t.Helper()
	req, err := http.NewRequestWithContext(tl.t.Context(), http.MethodGet, tl.url+"/_sandbox/ledger?provider=linepay&order_id="+order, http.NoBody)
	if err != nil {
		tl.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		tl.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var out struct {
		Entries []entry `json:"entries"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		tl.t.Fatal(err)
	}
	return out.Entries
}

// tell plays a story and returns what is wrong, or "".
func (tl *teller) tell(s story) string {
	tl.t.Helper()
	tl.n++
	order := fmt.Sprint("S", tl.n)
	ref := provider.Reference{OrderID: order}
	for i, m := range s.moves {
		tl.told[m.op]++
		before := tl.ledger(order)
		answer, moves := tl.step(s, m, &ref)
		if moves {
			if wrong := judge(answer, before, tl.ledger(order)); wrong != "" {
				return fmt.Sprintf("step %d, %+v: %s", i, m, wrong)
			}
		}
	}
	return tl.compare(s, ref, tl.ledger(order))
}

// step makes one move; moves is true if a success has to stand in the ledger.
func (tl *teller) step(s story, m move, ref *provider.Reference) (a provider.Answer, moves bool) {
	tl.t.Helper()
	operations := map[string]string{"pay": "pay", "confirm": "confirm", "capture": "capture", "void": "void", "refund": "refund"}
	switch s.paymentType {
	case linepay.TypeOnline:
		operations["pay"] = "request"
	case linepay.TypePreapproved:
		operations["pay"] = "mandate_pay"
	}
	if on := operations[m.op]; on != "" && m.fault != "" {
		tl.control("faults", fmt.Sprintf(`{"operation":%q,"order_id":%q,"fault":%q,"times":1}`, on, ref.OrderID, m.fault), nil)
		defer tl.disarm()
	}
	c := tl.online(s.paymentType, s.version, `{}`)
	amount := provider.Money{Units: m.units, Currency: "TWD"}
	switch m.op {
	case "pay":
		a = tl.wire(m.op, func() provider.Answer { return tl.Pay(tl.t.Context(), tl.payment(s, c, *ref)) })
		moves = s.paymentType != linepay.TypeOnline
	case "confirm":
		a = tl.wire(m.op, func() provider.Answer { return do(tl.t, tl.openProvider, provider.KindConfirm, c, *ref, whole) })
		moves = true
	case "approve":
		if ref.TransactionID != "" {
			tl.customer(ref.TransactionID)
		}
	case "search":
		tl.Search(tl.t.Context(), provider.SearchRequest{Call: c, Purpose: provider.PurposeClient, Reference: *ref})
	default:
		a = tl.wire(m.op, func() provider.Answer { return do(tl.t, tl.openProvider, provider.Kind(m.op), c, *ref, amount) })
		moves = true
	}
	if r := a.Result(); r != nil && r.Reference.TransactionID != "" && (m.op == "pay" || m.op == "confirm") {
		ref.TransactionID = r.Reference.TransactionID
	}
	return a, moves
}

func (tl *teller) payment(s story, c provider.Call, ref provider.Reference) provider.PayRequest {
	tl.t.Helper()
	ref.TransactionID = ""
	r := provider.PayRequest{Call: c, Reference: ref, Amount: whole, Capture: s.capture, Description: "a"}
	switch s.paymentType {
	case linepay.TypeOnline:
		r.Redirect = &provider.Redirect{ConfirmURL: ours, CancelURL: shop}
	case linepay.TypePreapproved:
		r.MandateToken = tl.key
	default:
		var code struct{ Code string }
		tl.control("codes", `{"provider":"linepay"}`, &code)
		r.Code = provider.NewSecret(code.Code)
	}
	return r
}

// customer approves; a request that is over already refuses that.
func (tl *teller) customer(id string) { tl.request(http.MethodPost, "linepay/"+id+"/approve") }

func (tl *teller) disarm() { tl.request(http.MethodDelete, "faults") }

func (tl *teller) request(method, path string) {
	tl.t.Helper()
	req, err := http.NewRequestWithContext(tl.t.Context(), method, tl.url+"/_sandbox/"+path, http.NoBody)
	if err != nil {
		tl.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		tl.t.Fatal(err)
	}
	_ = resp.Body.Close()
}

// judge compares what an answer claims with what the ledger shows.
func judge(a provider.Answer, before, after []entry) string {
	grew := len(after) - len(before)
	switch {
	case a.Outcome() == provider.OutcomeApproved && grew != 1:
		return fmt.Sprintf("approved, and %d movements", grew)
	case a.Outcome() == provider.OutcomeDeclined && grew != 0:
		return fmt.Sprintf("declined (%+v), and %d movements", a.Result(), grew)
	case a.Failure() != nil && a.Failure().Effect == provider.EffectNone && grew != 0:
		return fmt.Sprintf("not sent (%s), and %d movements", a.Failure().Detail, grew)
	case grew > 1:
		return fmt.Sprintf("%d movements of one call", grew)
	}
	return ""
}

// compare lets the resolver's search say what the ledger says.
func (tl *teller) compare(s story, ref provider.Reference, ledger []entry) string {
	tl.t.Helper()
	sums := map[string]int64{}
	count := map[string]int{}
	for _, e := range ledger {
		sums[e.Kind] += e.Amount
		count[e.Kind]++
	}
	if count["charge"]+count["authorize"] > 1 {
		return "charged twice"
	}
	f := tl.state(s.paymentType, s.version, provider.KindRefund, ref)
	switch {
	case len(ledger) == 0:
		if f.Finding == provider.FindingFound {
			return fmt.Sprintf("found %+v, and no movement", f)
		}
	case count["void"] > 0:
		if f.Finding != provider.FindingEnded {
			return fmt.Sprintf("voided, and found %+v", f)
		}
	case f.Finding != provider.FindingFound:
		return fmt.Sprintf("%v, and found %+v", ledger, f)
	case count["authorize"] > 0 && count["capture"] == 0:
		if f.Authorized == nil || f.Authorized.Units != sums["authorize"] || f.Captured == nil || f.Captured.Units != 0 {
			return fmt.Sprintf("held, and found %+v", f)
		}
	case f.Captured == nil || f.Captured.Units != sums["charge"]+sums["capture"] || f.Refunded == nil || f.Refunded.Units != sums["refund"]:
		return fmt.Sprintf("%v, and found %+v", ledger, f)
	}
	return ""
}

// shrink leaves moves out as long as the story stays wrong.
func (tl *teller) shrink(s story) story {
	for i := 0; i < len(s.moves); {
		shorter := s
		shorter.moves = slices.Delete(slices.Clone(s.moves), i, i+1)
		if len(shorter.moves) > 0 && tl.tell(shorter) != "" {
			s = shorter
			continue
		}
		i++
	}
	return s
}

// stories plays random stories and returns the first that goes wrong, shrunk.
func stories(t *testing.T, w wire, seed uint64, n int) (told map[string]int, wrong string) {
	t.Helper()
	told = map[string]int{}
	r := rand.New(rand.NewPCG(seed, 1))
	var tl *teller
	for i := range n {
		if i%50 == 0 {
			tl = newTeller(t, w) // the ledger is read often
		}
		s := randomStory(r)
		if wrong := tl.tell(s); wrong != "" {
			s = tl.shrink(s)
			return told, fmt.Sprintf("seed %d, story %d: %s\n%s", seed, i, wrong, s)
		}
		for _, m := range s.moves {
			told[m.op]++
		}
	}
	return told, ""
}

// Random lives of payments with faults on their way: no answer claims more than the sandbox's ledger shows, and in the
// end the resolver's search says what it says. PAYRACK_SEQUENCES sets how many.
func TestRandomSequences(t *testing.T) {
	t.Parallel()
	n := 40
	if text := os.Getenv("PAYRACK_SEQUENCES"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	told, wrong := stories(t, func(_ string, do func() provider.Answer) provider.Answer { return do() }, 7, n)
	if wrong != "" {
		t.Fatal(wrong)
	}
	t.Logf("%d stories: %v", n, told)
	if n >= 10_000 {
		for op, times := range told {
			if times < 500 {
				t.Errorf("%s was tried %d times only", op, times)
			}
		}
	}
}

// A plugin that takes an unknown outcome of a refund for a refusal is found out.
func TestRandomSequencesFindAPlantedMistake(t *testing.T) {
	t.Parallel()
	broken := func(op string, do func() provider.Answer) provider.Answer {
		a := do()
		if op == "refund" && a.Outcome() == provider.OutcomeUnknown {
			return provider.Declined(provider.Result{Code: "planted"}, a.Native())
		}
		return a
	}
	if _, wrong := stories(t, broken, 7, 200); wrong == "" {
		t.Error("200 stories did not find it")
	} else {
		t.Log(wrong)
	}
}
