package conformance

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"slices"
)

// signedReport is a report file. The signature is over the very bytes of Report, with a line in front of
// them that no other kind of signature has.
type signedReport struct {
	Report    json.RawMessage `json:"report"`
	PublicKey string          `json:"public_key,omitempty"`
	Signature string          `json:"signature,omitempty"`
}

const signedFor = "payrack conformance report 1\n"

// Errors of VerifyReport.
var (
	// ErrReportUnsigned: the report has no signature, and one was asked for.
	ErrReportUnsigned = errors.New("the conformance report is not signed")
	// ErrReportSignature: the signature is not of a trusted key, or not of this report.
	ErrReportSignature = errors.New("the conformance report is not signed by a trusted key")
	// ErrReportOther: the report is about other bytes than the release.
	ErrReportOther = errors.New("the conformance report is about another binary")
	// ErrReportOld: the report was written by an older kit.
	ErrReportOld = errors.New("the conformance report was written by an older kit: verify the release again")
	// ErrReportFailed: the plugin did not pass, or only some checks ran.
	ErrReportFailed = errors.New("the conformance report does not say that the plugin passed")
)

// SignReport returns the report file. A nil key leaves it unsigned.
func SignReport(r Report, key ed25519.PrivateKey) ([]byte, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode the report: %w", err)
	}
	file := signedReport{Report: body}
	if key != nil {
		public, ok := key.Public().(ed25519.PublicKey)
		if !ok || len(key) != ed25519.PrivateKeySize {
			return nil, errors.New("the key is no Ed25519 private key")
		}
		file.PublicKey = base64.StdEncoding.EncodeToString(public)
		file.Signature = base64.StdEncoding.EncodeToString(ed25519.Sign(key, append([]byte(signedFor), body...)))
	}
	out, err := json.MarshalIndent(file, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode the report file: %w", err)
	}
	return append(out, '\n'), nil
}

// ReadReport reads a report file without believing it.
func ReadReport(raw []byte) (Report, error) {
	_, r, err := splitReport(raw)
	return r, err
}

// VerifyReport reads a report file that somebody else wrote and says whether a loader may rely on it: it is
// signed by one of the trusted keys, it is about the binary with this digest (lower case hex), it was written
// by a kit that is not older than this one, and everything passed. Its errors are the ones above.
func VerifyReport(raw []byte, sha256 string, trusted ...ed25519.PublicKey) (Report, error) {
	file, r, err := splitReport(raw)
	if err != nil {
		return Report{}, err
	}
	if file.Signature == "" {
		return Report{}, ErrReportUnsigned
	}
	signature, err := base64.StdEncoding.DecodeString(file.Signature)
	if err != nil {
		return Report{}, ErrReportSignature
	}
	message := append([]byte(signedFor), file.Report...)
	if !slices.ContainsFunc(trusted, func(k ed25519.PublicKey) bool {
		return len(k) == ed25519.PublicKeySize && ed25519.Verify(k, message, signature)
	}) {
		return Report{}, ErrReportSignature
	}
	switch {
	case r.SHA256 != sha256:
		return Report{}, ErrReportOther
	case r.KitVersion < KitVersion:
		return Report{}, ErrReportOld
	case !r.Passed():
		return Report{}, ErrReportFailed
	}
	return r, nil
}

// splitReport takes a report file apart. The report's bytes come back compact, as they were signed,
// whatever an editor did to the white space between its members.
func splitReport(raw []byte) (signedReport, Report, error) {
	var file signedReport
	if err := json.Unmarshal(raw, &file); err != nil {
		return signedReport{}, Report{}, fmt.Errorf("the conformance report cannot be read: %w", err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, file.Report); err != nil {
		return signedReport{}, Report{}, fmt.Errorf("the conformance report cannot be read: %w", err)
	}
	file.Report = compact.Bytes()
	var r Report
	if err := json.Unmarshal(file.Report, &r); err != nil {
		return signedReport{}, Report{}, fmt.Errorf("the conformance report cannot be read: %w", err)
	}
	return file, r, nil
}

// LoadSigningKey reads an Ed25519 private key, PKCS #8 in PEM, as `openssl genpkey -algorithm ed25519`
// writes it. A key that others can read is refused.
func LoadSigningKey(path string) (ed25519.PrivateKey, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("signing key: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("signing key %s: others can read it; chmod 600 it, and make a new one if that was so for long", path)
	}
	raw, err := os.ReadFile(path) //nolint:gosec // the caller's own file
	if err != nil {
		return nil, fmt.Errorf("signing key: %w", err)
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, fmt.Errorf("signing key %s: it is no PEM file", path)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("signing key %s: it is no PKCS #8 key", path)
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("signing key %s: it is no Ed25519 key", path)
	}
	return key, nil
}
