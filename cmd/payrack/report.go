package main

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/payrack/payrack/configs"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/plugins/conformance"
)

const (
	// reportSuffix stands behind the name of a binary in plugins.dir: that file is its conformance report.
	reportSuffix = ".report.json"
	// maxReport bounds a report file, in bytes; the admin plane takes no longer request.
	maxReport = 900 << 10
)

// reports judges conformance reports by the keys that the operator trusts.
type reports struct {
	demanded bool
	keys     []reportKey
}

// reportKey is a key whose reports are believed.
type reportKey struct {
	// name is how the operator calls it: the file's name without .pub.
	name   string
	public ed25519.PublicKey
}

func openReports(c configs.Plugins) (*reports, error) {
	r := &reports{demanded: c.RequireReport}
	for _, path := range c.ReportKeys {
		key, err := readPublicKey(path)
		if err != nil {
			return nil, refusedf("plugins.report_keys: %w", err)
		}
		r.keys = append(r.keys, reportKey{strings.TrimSuffix(filepath.Base(path), ".pub"), key})
	}
	return r, nil
}

// readPublicKey reads what `openssl pkey -pubout` writes of an Ed25519 key.
func readPublicKey(path string) (ed25519.PublicKey, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("the file cannot be read: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s is no PEM file", path)
	}
	if strings.Contains(block.Type, "PRIVATE") {
		return nil, fmt.Errorf("%s is a private key, which has no place on this machine: openssl pkey -in FILE -pubout writes the public one", path)
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s is no public key: openssl pkey -in FILE -pubout writes one", path)
	}
	key, ok := parsed.(ed25519.PublicKey)
	if !ok {
		return nil, fmt.Errorf("%s is no Ed25519 key: openssl genpkey -algorithm ed25519 makes one", path)
	}
	return key, nil
}

// Judge is outbound.Reports.
func (r *reports) Judge(_ context.Context, made release.Release, report []byte) (string, error) {
	name := made.Name + " " + made.Version
	if report == nil {
		if !r.demanded {
			return "", nil
		}
		return "", fault.New(fault.Invalid, "report_missing", name+" came without a conformance report, and plugins.require_report demands one: "+
			howToReport+", then install it with --report FILE; in plugins.dir the report lies beside the binary as NAME"+reportSuffix)
	}
	if len(r.keys) == 0 {
		return "", fault.New(fault.Invalid, "report_invalid", "the conformance report of "+name+
			" cannot be judged, because plugins.report_keys names no key: name the public key of whoever signed it, or install without the report")
	}
	for i, key := range r.keys {
		_, err := conformance.VerifyReport(report, made.SHA256, key.public)
		if errors.Is(err, conformance.ErrReportSignature) && i < len(r.keys)-1 {
			continue // perhaps the next one's
		}
		if err != nil {
			return "", fault.Wrap(fault.Invalid, "report_invalid", name+" is not installed: "+wrongWith(err, made)+"; "+howToReport, err)
		}
		return key.name, nil
	}
	return "", nil
}

const howToReport = "make one with payrack plugin verify PATH --report FILE --sign-key KEY, with a key whose public half plugins.report_keys names"

// wrongWith says what is wrong with a report, without anything that stands in it.
func wrongWith(err error, made release.Release) string {
	for _, known := range []error{
		conformance.ErrReportUnsigned, conformance.ErrReportSignature, conformance.ErrReportOld, conformance.ErrReportFailed,
	} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	if errors.Is(err, conformance.ErrReportOther) {
		return conformance.ErrReportOther.Error() + ": this one has the digest " + made.SHA256
	}
	return "the conformance report cannot be read"
}

// reportBeside reads the report of a binary in plugins.dir, nil if there is none.
func reportBeside(path string) ([]byte, error) {
	text, err := readReport(path + reportSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return text, err
}

func readReport(path string) ([]byte, error) {
	f, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("read the conformance report: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	text, err := io.ReadAll(io.LimitReader(f, maxReport+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the conformance report: %w", err)
	case len(text) == 0:
		return nil, refusedf("%s is empty", path)
	case len(text) > maxReport:
		return nil, refusedf("%s is longer than %d KiB: it is no conformance report", path, maxReport>>10)
	}
	return text, nil
}
