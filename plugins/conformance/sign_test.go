package conformance_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/payrack/payrack/plugins/conformance"
)

const digest = "00ff00ff"

func passedReport() conformance.Report {
	return conformance.Report{
		KitVersion: conformance.KitVersion, Name: "acme", Version: "1.0.0", SHA256: digest, Types: []string{"ACME_PAY"}, Complete: true,
		Results: []conformance.Result{{Check: "pay-approved", Type: "ACME_PAY", Title: "<paid> & \u2028 done", Status: conformance.StatusPassed}},
	}
}

func newKey(t *testing.T) (ed25519.PublicKey, ed25519.PrivateKey) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return public, private
}

func signed(t *testing.T, r conformance.Report, key ed25519.PrivateKey) []byte {
	t.Helper()
	raw, err := conformance.SignReport(r, key)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestVerifyReport(t *testing.T) {
	t.Parallel()
	public, private := newKey(t)
	stranger, strangersKey := newKey(t)
	good := signed(t, passedReport(), private)
	got, err := conformance.VerifyReport(good, digest, stranger, public)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(passedReport(), got); diff != "" {
		t.Errorf("the report came back changed:\n%s", diff)
	}
	failed, partial, old := passedReport(), passedReport(), passedReport()
	failed.Results[0].Status = conformance.StatusFailed
	partial.Complete = false
	old.KitVersion = conformance.KitVersion - 1
	for name, c := range map[string]struct {
		raw    []byte
		digest string
		want   error
	}{
		"unsigned":       {signed(t, passedReport(), nil), digest, conformance.ErrReportUnsigned},
		"a stranger's":   {signed(t, passedReport(), strangersKey), digest, conformance.ErrReportSignature},
		"changed":        {bytes.Replace(good, []byte("pay-approved"), []byte("pay-Approved"), 1), digest, conformance.ErrReportSignature},
		"other binary":   {good, "00ff00fe", conformance.ErrReportOther},
		"failed":         {signed(t, failed, private), digest, conformance.ErrReportFailed},
		"some checks":    {signed(t, partial, private), digest, conformance.ErrReportFailed},
		"old kit":        {signed(t, old, private), digest, conformance.ErrReportOld},
		"no checks":      {signed(t, conformance.Report{KitVersion: conformance.KitVersion, SHA256: digest, Complete: true}, private), digest, conformance.ErrReportFailed},
		"no signature's": {bytes.Replace(good, []byte(`"signature": "`), []byte(`"signature": "?`), 1), digest, conformance.ErrReportSignature},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := conformance.VerifyReport(c.raw, c.digest, public); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
	t.Run("nobody trusted", func(t *testing.T) {
		t.Parallel()
		if _, err := conformance.VerifyReport(good, digest); !errors.Is(err, conformance.ErrReportSignature) {
			t.Errorf("got %v, want ErrReportSignature", err)
		}
	})
	t.Run("reading does not ask for trust", func(t *testing.T) {
		t.Parallel()
		if _, err := conformance.ReadReport(signed(t, failed, nil)); err != nil {
			t.Error(err)
		}
	})
}

func TestLoadSigningKey(t *testing.T) {
	t.Parallel()
	_, private := newKey(t)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	write := func(name string, content []byte, mode os.FileMode) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, content, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	got, err := conformance.LoadSigningKey(write("good", text, 0o600))
	if err != nil || !got.Equal(private) {
		t.Fatalf("got another key, or %v", err)
	}
	for name, path := range map[string]string{
		"others can read it": write("open", text, 0o644),
		"no PEM":             write("text", []byte("key"), 0o600),
		"no key":             write("block", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")}), 0o600),
		"missing":            "testdata/nowhere",
	} {
		if _, err := conformance.LoadSigningKey(path); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
