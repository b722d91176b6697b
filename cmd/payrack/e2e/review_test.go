package e2e_test

import (
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestReviewCommand ends a payment that nobody could settle as two people, each with a token of their own.
func TestReviewCommand(t *testing.T) {
	t.Parallel()
	p := startIPass(t, strings.Replace(quickIPass, "recovery: {", "recovery: {decision_after: 1s, ", 1))
	if a := p.admin(http.MethodPatch, "companies/dev", jsonObject{"on_unknown": "review"}); a.status != http.StatusOK {
		t.Fatalf("the policy: %s", a)
	}
	const order = "IXN-REVIEW"
	p.arm("9999_after_commit", onPay, order)
	p.arm("http_500_before_commit", onSearch, order)
	id := p.iPass(iPassPay, p.iPassColumns(order)).header.Get("Payrack-Payment-Id")
	p.reach(id, "REVIEW")
	second := strings.TrimSpace(p.cli(0, "", "token", "--admin", "--data", p.dir, "--name", "second"))
	review := func(approval string) (string, int) {
		b, err := built()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(b.payrack, "payment", "review", id, "--data", p.dir, "--state", "SUCCEEDED", "--captured", "229", "--evidence", "the console")
		cmd.Env = append(os.Environ(), "PAYRACK_APPROVAL_TOKEN="+approval)
		out, err := cmd.CombinedOutput()
		if err != nil && cmd.ProcessState == nil {
			t.Fatal(err)
		}
		return string(out), cmd.ProcessState.ExitCode()
	}
	for approval, want := range map[string]struct {
		exit int
		says string
	}{
		"":           {2, "put it into PAYRACK_APPROVAL_TOKEN"},
		p.AdminToken: {3, "two_people"},
		"forged":     {3, "approval_invalid"},
	} {
		if out, exit := review(approval); exit != want.exit || !strings.Contains(out, want.says) {
			t.Errorf("approved by %.10q: %d %s", approval, exit, out)
		}
	}
	if out, exit := review(second); exit != 0 || !strings.Contains(out, "SUCCEEDED") {
		t.Errorf("approved by the second: %d %s", exit, out)
	}
	if got := p.state(id); got != "SUCCEEDED" {
		t.Errorf("the payment is %s", got)
	}
}
