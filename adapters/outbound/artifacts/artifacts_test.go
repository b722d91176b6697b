package artifacts_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/payrack/payrack/adapters/outbound/artifacts"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/ports/outbound"
)

// binary is a file whose content stands for a plugin's; nothing here runs it.
func binary(t *testing.T, content string) (path, digest string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "payrack-provider-acme")
	if err := os.WriteFile(path, []byte(content), 0o700); err != nil {
		t.Fatal(err)
	}
	return path, strings.TrimPrefix(digestOf([]byte(content)), "sha256:")
}

// pair makes a key pair without a password.
func pair(t *testing.T, name string) (key artifacts.SigningKey, public string) {
	t.Helper()
	key, public, err := artifacts.NewSigningKey(filepath.Join(t.TempDir(), name+".key"), "")
	if err != nil {
		t.Fatal(err)
	}
	return key, public
}

func open(t *testing.T, o artifacts.Options) *artifacts.Artifacts {
	t.Helper()
	if o.Dir == "" {
		o.Dir = filepath.Join(t.TempDir(), "fetched")
	}
	a, err := artifacts.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// packageOf is what plugin pack makes of a binary.
func packageOf(t *testing.T, content string, key *artifacts.SigningKey) artifacts.Package {
	t.Helper()
	path, digest := binary(t, content)
	p := artifacts.Package{
		Binary: path, SHA256: digest, Name: "acme", Version: "1.2.0+build.7", OS: runtime.GOOS, Arch: runtime.GOARCH,
		Description: []byte(`{"name":"acme","version":"1.2.0+build.7"}`), Report: []byte(`{"report":{}}`),
	}
	if key != nil {
		signature, _, err := key.Sign(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		p.Signature = signature
	}
	return p
}

func pack(t *testing.T, a *artifacts.Artifacts, p artifacts.Package, to string) artifacts.Packed {
	t.Helper()
	made, err := a.Pack(t.Context(), p, to)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// refused expects a refusal that the operator can act on.
func refused(t *testing.T, err error, code string, words ...string) {
	t.Helper()
	if fault.CodeOf(err) != code || fault.KindOf(err) != fault.Invalid {
		t.Errorf("got %v, want %s", err, code)
		return
	}
	for _, want := range words {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in: %v", want, err)
		}
	}
}

func TestFetchFromAPath(t *testing.T) {
	t.Parallel()
	key, _ := pair(t, "release")
	path, digest := binary(t, "the binary")
	a := open(t, artifacts.Options{})
	got, err := a.Fetch(t.Context(), outbound.Source{Path: path})
	if err != nil || got.SHA256 != digest || got.Path != path || got.Source != path || got.Signature != nil {
		t.Fatalf("got %+v, %v", got, err)
	}
	signature, _, err := key.Sign(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := artifacts.WriteSignature(path, signature); err != nil {
		t.Fatal(err)
	}
	if got, err = a.Fetch(t.Context(), outbound.Source{Path: path}); err != nil || !bytes.Equal(got.Signature, signature) {
		t.Fatalf("the signature beside it: got %q, %v", got.Signature, err)
	}
	if got, err = a.Fetch(t.Context(), outbound.Source{Path: path, Signature: []byte("given")}); err != nil || string(got.Signature) != "given" {
		t.Fatalf("a signature that is given wins: got %q, %v", got.Signature, err)
	}
	got.Discard()
	got.Discard()
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the operator's own file is gone: %v", err)
	}
}

func TestFetchRefuses(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	huge := filepath.Join(folder, "huge")
	if err := os.WriteFile(huge, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(huge, artifacts.MaxBinary+1); err != nil {
		t.Fatal(err)
	}
	odd, _ := binary(t, "x")
	if err := os.WriteFile(odd+artifacts.SignatureSuffix, bytes.Repeat([]byte("x"), 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	a := open(t, artifacts.Options{})
	for name, c := range map[string]struct {
		source outbound.Source
		code   string
		words  string
	}{
		"nothing":             {outbound.Source{}, "artifact_invalid", "neither a path nor a reference"},
		"both":                {outbound.Source{Path: odd, Reference: "r.example/a:1"}, "artifact_invalid", "give one"},
		"missing file":        {outbound.Source{Path: filepath.Join(folder, "none")}, "artifact_unreachable", "there is no file"},
		"folder":              {outbound.Source{Path: folder}, "artifact_invalid", "is no file"},
		"huge":                {outbound.Source{Path: huge}, "artifact_invalid", "-ldflags"},
		"odd signature":       {outbound.Source{Path: odd}, "signature_invalid", "payrack plugin sign"},
		"no reference":        {outbound.Source{Reference: "canary secret"}, "artifact_invalid", "write it as"},
		"password in it":      {outbound.Source{Reference: "user:canary@r.example/a:1"}, "artifact_invalid", "write it as"},
		"without a tag":       {outbound.Source{Reference: "r.example/payrack/acme"}, "artifact_invalid", "neither a tag nor a digest"},
		"wrong digest":        {outbound.Source{Reference: "r.example/payrack/acme@sha256:12"}, "artifact_invalid", "write it as"},
		"wrong layout digest": {outbound.Source{Reference: "oci-layout:/x@sha256:12"}, "artifact_invalid", "is no digest"},
		"no layout":           {outbound.Source{Reference: "oci-layout:" + folder + "/none:1"}, "artifact_unreachable", "cannot be read"},
		"layout that is none": {outbound.Source{Reference: "oci-layout:" + folder + ":1"}, "artifact_unreachable", "payrack plugin pack --out"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := a.Fetch(t.Context(), c.source)
			refused(t, err, c.code, c.words)
			if strings.Contains(err.Error(), "canary") {
				t.Errorf("the message repeats what was given: %v", err)
			}
		})
	}
}

func TestWrongOptions(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	secret := filepath.Join(folder, "release.key")
	if _, _, err := artifacts.NewSigningKey(secret, ""); err != nil {
		t.Fatal(err)
	}
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for want, o := range map[string]artifacts.Options{
		"there is no file":         {SigningKeys: []string{filepath.Join(folder, "none.pub")}},
		"is a secret key":          {SigningKeys: []string{secret}},
		"is no minisign public":    {SigningKeys: []string{write("text.pub", "hello", 0o600)}},
		"can be used by others":    {Registry: artifacts.Registry{PasswordFile: write("open", "canary", 0o644)}},
		"the first line of":        {Registry: artifacts.Registry{PasswordFile: write("empty", "\ncanary", 0o600)}},
		"plugins.registry.passwor": {Registry: artifacts.Registry{PasswordFile: filepath.Join(folder, "none")}},
	} {
		if _, err := artifacts.New(o); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestSignerIsTold(t *testing.T) {
	t.Parallel()
	key, public := pair(t, "release")
	stranger, strange := pair(t, "stranger")
	path, digest := binary(t, "the binary")
	other, _ := binary(t, "another binary")
	sign := func(k artifacts.SigningKey, path string) []byte {
		signature, _, err := k.Sign(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		return signature
	}
	good := sign(key, path)
	both := []string{strange, public}
	for name, c := range map[string]struct {
		options   artifacts.Options
		signature []byte
		digest    string
		want      string
		code      string
		words     string
		warned    bool
	}{
		"good":                          {options: artifacts.Options{SigningKeys: both, RequireSignature: true}, signature: good, want: "release (" + key.ID() + ")"},
		"good, CRLF":                    {options: artifacts.Options{SigningKeys: both}, signature: bytes.ReplaceAll(good, []byte("\n"), []byte("\r\n")), want: "release (" + key.ID() + ")"},
		"not demanded, none":            {options: artifacts.Options{SigningKeys: both}, warned: true},
		"not demanded, none, no keys":   {warned: true},
		"not demanded, signed, no keys": {signature: good, warned: true},
		"demanded, none":                {options: artifacts.Options{SigningKeys: both, RequireSignature: true}, code: "signature_invalid", words: "payrack plugin sign PATH --key FILE"},
		"demanded, no keys":             {options: artifacts.Options{RequireSignature: true}, signature: good, code: "signature_invalid", words: "plugins.signing_keys is empty"},
		"a stranger's":                  {options: artifacts.Options{SigningKeys: []string{public}}, signature: sign(stranger, path), code: "signature_invalid", words: "with the key " + stranger.ID() + ", and nobody here trusts"},
		"of another binary":             {options: artifacts.Options{SigningKeys: both}, signature: sign(key, other), code: "signature_invalid", words: "is not of this binary"},
		"comment changed":               {options: artifacts.Options{SigningKeys: both}, signature: bytes.Replace(good, []byte("timestamp:"), []byte("timestump:"), 1), code: "signature_invalid", words: "is not of this binary"},
		"no signature at all":           {options: artifacts.Options{SigningKeys: both}, signature: []byte("canary"), code: "signature_invalid", words: "is no minisign signature"},
		"empty":                         {options: artifacts.Options{SigningKeys: both}, signature: []byte{}, code: "signature_invalid", words: "is no minisign signature"},
		"the file was changed":          {options: artifacts.Options{SigningKeys: both}, signature: good, digest: strings.Repeat("00", 32), code: "digest_mismatch", words: "install it again"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			c.options.Log = slog.New(slog.NewTextHandler(&log, nil))
			if c.digest == "" {
				c.digest = digest
			}
			got, err := open(t, c.options).Signer(t.Context(), outbound.Artifact{Path: path, Signature: c.signature, Source: path}, c.digest)
			if c.code != "" {
				refused(t, err, c.code, c.words)
				return
			}
			if err != nil || got != c.want {
				t.Errorf("got %q, %v, want %q", got, err, c.want)
			}
			if warned := strings.Contains(log.String(), "level=WARN"); warned != c.warned {
				t.Errorf("the log says:\n%s", log.String())
			}
		})
	}
}

// Ids of keys can be chosen: one that looks like the release team's must not get in the way of it, nor pass for it.
func TestKeysWithOneID(t *testing.T) {
	t.Parallel()
	key, public := pair(t, "release")
	text, err := os.ReadFile(public)
	if err != nil {
		t.Fatal(err)
	}
	_, forged := pair(t, "forged")
	disguise(t, forged, string(text))
	path, digest := binary(t, "the binary")
	signature, _, err := key.Sign(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	made := outbound.Artifact{Path: path, Signature: signature}
	got, err := open(t, artifacts.Options{SigningKeys: []string{forged, public}}).Signer(t.Context(), made, digest)
	if err != nil || got != "release ("+key.ID()+")" {
		t.Errorf("got %q, %v", got, err)
	}
	_, err = open(t, artifacts.Options{SigningKeys: []string{forged}}).Signer(t.Context(), made, digest)
	refused(t, err, "signature_invalid", "is not of this binary")
}

func TestNewKeysAreNeverWrittenOver(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := filepath.Join(folder, "release.key")
	key, public, err := artifacts.NewSigningKey(path, "")
	if err != nil || public != filepath.Join(folder, "release.pub") {
		t.Fatalf("got %s, %v", public, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the secret key: %v, %v", info, err)
	}
	if _, _, err := artifacts.NewSigningKey(path, ""); err == nil || !strings.Contains(err.Error(), "is there already") {
		t.Errorf("over the secret key: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, _, err := artifacts.NewSigningKey(path, ""); err == nil || !strings.Contains(err.Error(), "is there already") {
		t.Errorf("over the public key: %v", err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("half a pair stays: %v", err)
	}
	names, err := filepath.Glob(filepath.Join(folder, "*"))
	if diff := cmp.Diff([]string{public}, names); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	if len(key.ID()) != 16 {
		t.Errorf("the id is %q", key.ID())
	}
}

func TestFilesThatAreNoSigningKeys(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "release.key")
	if _, err := artifacts.ReadSigningKey(path, never(t)); err == nil || !strings.Contains(err.Error(), "--new-key") {
		t.Errorf("without a key: %v", err)
	}
	_, public, err := artifacts.NewSigningKey(path, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := artifacts.ReadSigningKey(public, never(t)); err == nil || !strings.Contains(err.Error(), "is a public key") {
		t.Errorf("a public key: %v", err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := artifacts.ReadSigningKey(path, never(t)); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a key that others can read: %v", err)
	}
}
