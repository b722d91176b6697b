package provider_test

import (
	"fmt"
	"testing"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

func ExampleCodes() {
	codes := provider.Codes{
		"0000": provider.Paid(),
		"1142": provider.Refused("insufficient_funds"),
	}
	for _, code := range []string{"0000", "1142", "4711"} {
		answer := codes.Answer(provider.Result{Code: code}, provider.Native{})
		fmt.Printf("%s paid %t declined %t %q\n", code,
			answer.Outcome() == provider.OutcomeApproved, answer.Outcome() == provider.OutcomeDeclined, answer.Result().DeclineCode)
	}
	// Output:
	// 0000 paid true declined false ""
	// 1142 paid false declined true "insufficient_funds"
	// 4711 paid false declined false ""
}

func TestCodesOutsideTheTableAreUndecided(t *testing.T) {
	t.Parallel()
	codes := provider.Codes{"0000": provider.Paid(), "0110": {Outcome: provider.OutcomeRequiresAction}, "1199": {}, "9": {Outcome: 77}}
	for code, want := range map[string]provider.Outcome{
		"0000": provider.OutcomeApproved, "0110": provider.OutcomeRequiresAction, "1199": provider.OutcomeUnknown,
		"9": provider.OutcomeUnknown, "": provider.OutcomeUnknown, "000": provider.OutcomeUnknown, "0000 ": provider.OutcomeUnknown,
	} {
		answer := codes.Answer(provider.Result{Code: code, DeclineCode: "left"}, provider.Native{})
		if answer.Outcome() != want || answer.Result() == nil || answer.Result().Code != code || answer.Result().DeclineCode != "" {
			t.Errorf("%q: got outcome %d, %+v", code, answer.Outcome(), answer.Result())
		}
	}
}
