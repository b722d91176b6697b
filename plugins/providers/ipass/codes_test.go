package ipass_test

import (
	"bufio"
	"os"
	"strings"
	"testing"

	"github.com/payrack/payrack/plugins/providers/ipass"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

// expectation is a row of testdata/codes.txt.
type expectation struct{ code, class, pay, followUp, search string }

func expectations(t *testing.T) []expectation {
	t.Helper()
	f, err := os.Open("testdata/codes.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var out []expectation
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 || fields[0] == "#" {
			continue
		}
		if len(fields) != 5 {
			t.Fatalf("line %q", lines.Text())
		}
		out = append(out, expectation{fields[0], fields[1], fields[2], fields[3], fields[4]})
	}
	if len(out) < 20 {
		t.Fatalf("only %d codes", len(out))
	}
	return out
}

func outcomeWord(o provider.Outcome) string {
	return map[provider.Outcome]string{
		provider.OutcomeApproved: "approved", provider.OutcomeDeclined: "declined", provider.OutcomeUnknown: "unknown",
	}[o]
}

func findingWord(a provider.SearchAnswer) string {
	switch {
	case a.Failure != nil:
		return "failure"
	case a.Findings.Finding == provider.FindingNotFound:
		return "not_found"
	case a.Findings.Finding == provider.FindingFound:
		return "found"
	default:
		return "other"
	}
}

// Every code of the fact sheet means what the fact sheet says, in every operation.
func TestReturnCodes(t *testing.T) {
	t.Parallel()
	for _, want := range expectations(t) {
		t.Run(want.code, func(t *testing.T) {
			t.Parallel()
			if got := ipass.ClassOf(ipass.Wire{}, want.code); got != want.class {
				t.Errorf("class %s, want %s", got, want.class)
			}
			g := newGateway(t, everything(want.code))
			p := open(t, g.URL, nil)
			answers := map[string]provider.Answer{
				"pay":     p.Pay(t.Context(), payRequest(t, nil, seedColumns)),
				"void":    p.Void(t.Context(), voidRequest(t)),
				"refund":  p.Refund(t.Context(), refundRequest(t, 229)),
				"capture": p.Capture(t.Context(), captureRequest(t)),
			}
			for operation, answer := range answers {
				expected := want.followUp
				if operation == "pay" {
					expected = want.pay
				}
				r := answer.Result()
				if got := outcomeWord(answer.Outcome()); got != expected || r == nil || r.Code != want.code {
					t.Errorf("%s: %s, want %s; result %+v, failure %+v", operation, got, expected, r, answer.Failure())
					continue
				}
				if (expected == "declined") != (r.DeclineCode != "") {
					t.Errorf("%s: decline code %q", operation, r.DeclineCode)
				}
				if !strings.Contains(string(answer.Native().Body), `"return_code":"`+want.code+`"`) {
					t.Errorf("%s: native %s", operation, answer.Native().Body)
				}
			}
			if got := findingWord(p.Search(t.Context(), searchRequest(t, provider.PurposeResolve, nil))); got != want.search {
				t.Errorf("search: %s, want %s", got, want.search)
			}
		})
	}
}

// Whatever else a gateway answers is a decline only once a search has confirmed it.
func TestUnlistedCodesAreVerified(t *testing.T) {
	t.Parallel()
	listed := map[string]bool{}
	for _, e := range expectations(t) {
		listed[e.code] = e.class != "verify"
	}
	const letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-"
	state, tried := uint64(20231011), 0
	for range 10_000 {
		var code strings.Builder
		state = state*6364136223846793005 + 1442695040888963407
		for i := range 1 + state>>60 {
			code.WriteByte(letters[state>>(i*3)%uint64(len(letters))])
		}
		if listed[code.String()] {
			continue
		}
		tried++
		if class := ipass.ClassOf(ipass.Wire{}, code.String()); class != "verify" {
			t.Errorf("code %s is %s", code.String(), class)
		}
	}
	if tried < 9_900 {
		t.Errorf("only %d codes were tried", tried)
	}
}
