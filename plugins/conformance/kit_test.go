package conformance_test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/payrack/payrack/plugins/conformance"
)

// The kit passes a provider that is right, through both the file and the scripted gateway.
func TestRun(t *testing.T) {
	t.Parallel()
	conformance.Run(t, conformance.Plugin{Package: "./testdata/toypay", Config: "testdata/toypay/conformance.json"})
}

func toy(t *testing.T) (path string, s conformance.Subject) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "toypay")
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-o", path, "./testdata/toypay")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	s, err := conformance.LoadSubject("testdata/toypay/conformance.json")
	if err != nil {
		t.Fatal(err)
	}
	return path, s
}

// A gateway that contradicts its own description makes the plugin look wrong: the kit has to see it. The
// providers' own mistakes are seeded by deployments/ci/kit-mutants.sh.
func TestVerifyFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	path, s := toy(t)
	for name, broken := range map[string]struct {
		old, changed string
		check        string
	}{
		"decline that is not read":      {`"declined":{"body":{"code":"NO"}}`, `"declined":{"body":{"code":"HMM"}}`, "pay-declined"},
		"internal error as decline":     {`"internal_error":{"body":{"code":"OOPS"}}`, `"internal_error":{"body":{"code":"NO"}}`, "pay-internal-error"},
		"duplicate as decline":          {`{"code":"USED"}`, `{"code":"NO"}`, "pay-duplicate-order"},
		"undocumented code as approved": {`{"code":"X77"}`, `{"code":"OK","id":"1","amount":1}`, "pay-undocumented-code"},
		"another amount":                {`"amount":"={{amount}}"`, `"amount":77`, "pay-approved"},
		"an unknown state is paid":      {`LIMBO`, `PAID`, "search-undocumented-status"},
		"a search that does not find":   {`"not_found":{"body":{"code":"MISSING"}}`, `"not_found":{"body":{"code":"OOPS"}}`, "search-not-found"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw, err := json.Marshal(s)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(raw), broken.old) {
				t.Fatalf("the subject does not hold %s", broken.old)
			}
			changed, err := conformance.ParseSubject([]byte(strings.ReplaceAll(string(raw), broken.old, broken.changed)))
			if err != nil {
				t.Fatal(err)
			}
			report, err := conformance.Verify(t.Context(), path, changed, conformance.Options{Only: []string{broken.check}})
			if err != nil {
				t.Fatal(err)
			}
			if report.Count(conformance.StatusFailed) != 1 || report.Passed() {
				t.Errorf("%s did not fail: %+v", broken.check, report.Results)
			}
		})
	}
}

func TestVerifyReportsWhatItDidNotLookAt(t *testing.T) {
	t.Parallel()
	path, s := toy(t)
	s.Waive = map[string]string{"pay-declined": "the gateway never declines"}
	report, err := conformance.Verify(t.Context(), path, s, conformance.Options{
		Only: []string{"pay-declined", "capture-exact", "own-limit", "describe-stable"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]conformance.Status{
		"pay-declined": conformance.StatusWaived, "capture-exact": conformance.StatusNotApplicable,
		"own-limit": conformance.StatusNotApplicable, "describe-stable": conformance.StatusPassed,
	}
	for _, r := range report.Results {
		if r.Status != want[r.Check] {
			t.Errorf("%s is %s, not %s", r.Check, r.Status, want[r.Check])
		}
		if (r.Status == conformance.StatusWaived || r.Status == conformance.StatusNotApplicable) == (r.Reason == "") {
			t.Errorf("%s is %s with the reason %q", r.Check, r.Status, r.Reason)
		}
	}
	if report.Complete || report.Passed() {
		t.Error("a report of some checks counts as a proof")
	}
}

func TestVerifyRefusesWhatItCannotJudge(t *testing.T) {
	t.Parallel()
	path, s := toy(t)
	foreign := s
	foreign.Types = []conformance.SubjectType{{Type: "OTHER_PAY", Credential: json.RawMessage(`{}`)}}
	unknown := s
	unknown.Waive = map[string]string{"no-such-check": "because"}
	for name, subject := range map[string]conformance.Subject{"foreign type": foreign, "unknown waiver": unknown, "empty": {}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := conformance.Verify(t.Context(), path, subject, conformance.Options{}); !errors.Is(err, conformance.ErrSubject) {
				t.Errorf("got %v, want ErrSubject", err)
			}
		})
	}
	t.Run("no plugin", func(t *testing.T) {
		t.Parallel()
		if _, err := conformance.Verify(t.Context(), "testdata/toypay/conformance.json", s, conformance.Options{}); err == nil {
			t.Error("a JSON file is taken for a plugin")
		}
	})
	t.Run("unknown check", func(t *testing.T) {
		t.Parallel()
		if _, err := conformance.Verify(t.Context(), path, s, conformance.Options{Only: []string{"nothing"}}); err == nil {
			t.Error("an unknown check is not refused")
		}
	})
}

func TestParseSubjectIsStrict(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`{"setings":{}}`, `{} {}`, `[]`, ``} {
		if _, err := conformance.ParseSubject([]byte(text)); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}
