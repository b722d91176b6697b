package e2e_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/payrack/payrack/plugins/conformance"
)

// An operator who demands reports: nothing is installed without one, at the start and at run time, and a release with one
// is shown as verified.
func TestReportsAreDemanded(t *testing.T) {
	t.Parallel()
	b, err := built()
	if err != nil {
		t.Fatal(err)
	}
	work := t.TempDir()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	put := func(path string, text []byte, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(path, text, mode); err != nil {
			t.Fatal(err)
		}
	}
	put(filepath.Join(work, "team.pub"), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o600)
	put(filepath.Join(work, "payrack.yaml"), []byte("plugins: {require_report: true, report_keys: [team.pub]}\n"), 0o600)
	prove := func(binary, report string) {
		t.Helper()
		text, err := os.ReadFile(binary)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(text)
		signed, err := conformance.SignReport(conformance.Report{
			KitVersion: conformance.KitVersion, SHA256: hex.EncodeToString(sum[:]), Complete: true,
			Results: []conformance.Result{{Check: "pay-approved", Status: conformance.StatusPassed}},
		}, private)
		if err != nil {
			t.Fatal(err)
		}
		put(report, signed, 0o600)
	}
	plugins := filepath.Join(work, "plugins")
	if err := os.Mkdir(plugins, 0o700); err != nil {
		t.Fatal(err)
	}
	ipass := filepath.Join(plugins, "payrack-provider-ipass")
	if err := os.Symlink(filepath.Join(b.plugins, "payrack-provider-ipass"), ipass); err != nil {
		t.Fatal(err)
	}
	prove(ipass, ipass+".report.json")
	if err := os.Symlink(filepath.Join(b.plugins, "payrack-provider-ecpay"), filepath.Join(plugins, "payrack-provider-ecpay")); err != nil {
		t.Fatal(err)
	}

	dir := filepath.Join(work, "data")
	p := start(t, dir, nil, "--config", filepath.Join(work, "payrack.yaml"), "--plugins", plugins)
	list := p.cli(0, "", "plugin", "list", "--data", dir)
	if !strings.Contains(list, "ipass") || !strings.Contains(list, " verified ") || strings.Contains(list, "ecpay") {
		t.Errorf("installed are\n%s", list)
	}
	if log := p.output.String(); !strings.Contains(log, "report_missing") {
		t.Errorf("the log does not say why ecpay is left out:\n%s", tail(log))
	}

	example, report := buildExample(t, "linelike", "2.0.0"), filepath.Join(work, "report.json")
	p.cli(3, `report_missing, status 422`, "plugin", "install", "--data", dir, example)
	p.cli(3, `payrack plugin verify PATH --report FILE --sign-key KEY`, "plugin", "install", "--data", dir, example)
	prove(ipass, report)
	p.cli(3, `about another binary.*report_invalid, status 422`, "plugin", "install", "--data", dir, example, "--report", report)
	prove(example, report)
	if out := p.cli(0, "", "plugin", "install", "--data", dir, example, "--report", report, "-o", "json"); !strings.Contains(out, `"status": "verified"`) {
		t.Errorf("a good report: %s", out)
	}
	p.cli(1, "no such file", "plugin", "install", "--data", dir, example, "--report", filepath.Join(work, "missing"))

	// A demand without a key that can be read ends the start with the reason.
	put(filepath.Join(work, "wrong.yaml"), fmt.Appendf(nil, "plugins: {require_report: true, report_keys: [%s]}\n", report), 0o600)
	p.cli(3, "plugins.report_keys: .* is no PEM file", "config", "check", "--config", filepath.Join(work, "wrong.yaml"))
}
