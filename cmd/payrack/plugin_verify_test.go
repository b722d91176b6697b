package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/payrack/payrack/plugins/conformance"
)

// A signed report can be checked by whoever has the public key. The rest of the command is in
// testdata/plugin-verify.txtar; a private key has no place there.
func TestPluginVerifySigns(t *testing.T) {
	t.Parallel()
	dir, err := plugins()
	if err != nil {
		t.Fatal(err)
	}
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	work := t.TempDir()
	key, config, file := filepath.Join(work, "key.pem"), filepath.Join(work, "conformance.json"), filepath.Join(work, "report.json")
	for path, content := range map[string][]byte{
		key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}),
		config: []byte(`{
			"settings": {"endpoints": {"live": "{{live_url}}/ipass", "test": "{{test_url}}/ipass"}},
			"gateway": {"sandbox": {"dialect": "ipass"}},
			"types": [{"type": "IPASS_OFFLINE_PAY", "credential": {"merchantid": "{{digits 8}}", "key": "{{hex 32}}"}}]
		}`),
	} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	cmd := (&cli{out: &out, errOut: &out, output: "table"}).pluginVerifyCommand()
	cmd.SetArgs([]string{
		filepath.Join(dir, pluginPrefix+"ipass"), "--config", config, "--only", "describe-stable", "--report", file, "--sign-key", key,
	})
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	report, err := conformance.ReadReport(raw)
	if err != nil {
		t.Fatal(err)
	}
	// The signature is right, and one check is no proof.
	if _, err := conformance.VerifyReport(raw, report.SHA256, public); !errors.Is(err, conformance.ErrReportFailed) {
		t.Errorf("got %v, want ErrReportFailed", err)
	}
	changed := bytes.Replace(raw, []byte(`"complete": false`), []byte(`"complete": true`), 1)
	if _, err := conformance.VerifyReport(changed, report.SHA256, public); !errors.Is(err, conformance.ErrReportSignature) {
		t.Errorf("got %v, want ErrReportSignature", err)
	}
}
