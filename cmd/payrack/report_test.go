package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/payrack/payrack/configs"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/plugins/conformance"
)

// keyFile writes a public key as openssl does.
func keyFile(t *testing.T, name string, public any) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name+".pub")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// reportOf is a report that says that a release passed.
func reportOf(digest string) conformance.Report {
	return conformance.Report{
		KitVersion: conformance.KitVersion, Name: "acme", Version: "1.0.0", SHA256: digest, Complete: true,
		Results: []conformance.Result{{Check: "pay-approved", Status: conformance.StatusPassed}},
	}
}

func signed(t *testing.T, r conformance.Report, key ed25519.PrivateKey) []byte {
	t.Helper()
	text, err := conformance.SignReport(r, key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestReportsAreJudged(t *testing.T) {
	t.Parallel()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	other, stranger, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	made := release.Release{Name: "acme", Version: "1.0.0", SHA256: strings.Repeat("ab", 32)}
	failed, old := reportOf(made.SHA256), reportOf(made.SHA256)
	failed.Results[0].Status, old.KitVersion = conformance.StatusFailed, conformance.KitVersion-1
	good := signed(t, reportOf(made.SHA256), private)
	both := []string{keyFile(t, "partner", other), keyFile(t, "team", public)}
	for _, c := range []struct {
		name   string
		conf   configs.Plugins
		report []byte
		key    string
		code   string
		words  string
	}{
		{name: "nothing demanded, nothing there"},
		{name: "nothing demanded, a good one", conf: configs.Plugins{ReportKeys: both}, report: good, key: "team"},
		{name: "demanded and good", conf: configs.Plugins{RequireReport: true, ReportKeys: both}, report: good, key: "team"},
		{name: "demanded and missing", conf: configs.Plugins{RequireReport: true, ReportKeys: both}, code: "report_missing", words: "payrack plugin verify PATH --report FILE --sign-key KEY"},
		{name: "nobody to believe", report: good, code: "report_invalid", words: "plugins.report_keys names no key"},
		{name: "a stranger", conf: configs.Plugins{ReportKeys: both}, report: signed(t, reportOf(made.SHA256), stranger), key: "partner"},
		{name: "not trusted", conf: configs.Plugins{ReportKeys: both[1:]}, report: signed(t, reportOf(made.SHA256), stranger), code: "report_invalid", words: "not signed by a trusted key"},
		{name: "unsigned", conf: configs.Plugins{ReportKeys: both}, report: signed(t, reportOf(made.SHA256), nil), code: "report_invalid", words: "is not signed"},
		{name: "another binary", conf: configs.Plugins{ReportKeys: both}, report: signed(t, reportOf("00"), private), code: "report_invalid", words: "this one has the digest abab"},
		{name: "failed", conf: configs.Plugins{ReportKeys: both}, report: signed(t, failed, private), code: "report_invalid", words: "does not say that the plugin passed"},
		{name: "old", conf: configs.Plugins{ReportKeys: both}, report: signed(t, old, private), code: "report_invalid", words: "older kit"},
		{name: "changed", conf: configs.Plugins{ReportKeys: both}, report: bytes.Replace(good, []byte("acme"), []byte("evil"), 1), code: "report_invalid", words: "not signed by a trusted key"},
		{name: "no report at all", conf: configs.Plugins{ReportKeys: both}, report: []byte("canary"), code: "report_invalid", words: "cannot be read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			judge, err := openReports(c.conf)
			if err != nil {
				t.Fatal(err)
			}
			key, err := judge.Judge(t.Context(), made, c.report)
			if c.code == "" {
				if err != nil || key != c.key {
					t.Errorf("got %q, %v", key, err)
				}
				return
			}
			if fault.CodeOf(err) != c.code || fault.KindOf(err) != fault.Invalid || !strings.Contains(explain(err), c.words) || strings.Contains(explain(err), "canary") {
				t.Errorf("got %v, want %s with %q", explain(err), c.code, c.words)
			}
		})
	}
}

func TestReportKeysAreRead(t *testing.T) {
	t.Parallel()
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	private := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("canary")}))
	for path, want := range map[string]string{
		filepath.Join(dir, "missing"): "cannot be read", write("text", "canary"): "is no PEM file", write("private", private): "is a private key",
		write("broken", strings.ReplaceAll(private, "PRIVATE", "PUBLIC")): "is no public key", keyFile(t, "curve", curve.Public()): "is no Ed25519 key",
	} {
		_, err := openReports(configs.Plugins{ReportKeys: []string{path}})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "canary") || exitCode(err) != exitRefused {
			t.Errorf("%s: got %v, want %q", filepath.Base(path), err, want)
		}
	}
}

// A report lies beside its binary, and is none itself.
func TestReportBesideABinary(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{pluginPrefix + "acme", pluginPrefix + "acme" + reportSuffix, pluginPrefix + "bare"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files, err := pluginFiles(dir)
	if err != nil || len(files) != 2 {
		t.Fatalf("the folder has the plugins %q, %v", files, err)
	}
	for i, want := range []string{pluginPrefix + "acme" + reportSuffix, ""} {
		if got, err := reportBeside(files[i]); err != nil || string(got) != want {
			t.Errorf("%s: got %q, %v", files[i], got, err)
		}
	}
	if err := os.WriteFile(files[1]+reportSuffix, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := reportBeside(files[1]); err == nil {
		t.Error("an empty report is taken")
	}
}
