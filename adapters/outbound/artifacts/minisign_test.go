package artifacts_test

import (
	"bytes"
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/payrack/payrack/adapters/outbound/artifacts"
	"github.com/payrack/payrack/ports/outbound"
)

// minisign runs the original program, where it is installed.
func minisign(t *testing.T, stdin string, args ...string) (string, error) {
	t.Helper()
	program, err := exec.LookPath("minisign")
	if err != nil {
		t.Skip("the program minisign is not installed: what it makes of our signatures, and we of its, is not tested")
	}
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestMinisignVerifiesOurs(t *testing.T) {
	t.Parallel()
	key, public := pair(t, "release")
	path, digest := binary(t, strings.Repeat("the binary", 10_000))
	signature, signed, err := key.Sign(t.Context(), path)
	if err != nil || signed != digest {
		t.Fatalf("signed %s, %v", signed, err)
	}
	if _, err := artifacts.WriteSignature(path, signature); err != nil {
		t.Fatal(err)
	}
	out, err := minisign(t, "", "-V", "-m", path, "-p", public)
	if err != nil || !strings.Contains(out, "Signature and comment signature verified") || !strings.Contains(out, "sha256:"+digest) {
		t.Errorf("%v\n%s", err, out)
	}
	if err := os.WriteFile(path, []byte("another binary"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := minisign(t, "", "-V", "-m", path, "-p", public); err == nil {
		t.Errorf("minisign verifies everything: the test proves nothing\n%s", out)
	}
}

// The original's keys sign here, and its signatures are verified here.
func TestOursVerifiesMinisign(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	secret, public := filepath.Join(folder, "release.key"), filepath.Join(folder, "release.pub")
	if out, err := minisign(t, "", "-G", "-W", "-s", secret, "-p", public); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	path, digest := binary(t, "the binary")
	if out, err := minisign(t, "", "-S", "-s", secret, "-m", path, "-t", "release 7"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	a := open(t, artifacts.Options{SigningKeys: []string{public}, RequireSignature: true})
	verify := func() (string, error) {
		made, err := a.Fetch(t.Context(), outbound.Source{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		return a.Signer(t.Context(), made, digest)
	}
	key, err := artifacts.ReadSigningKey(secret, never(t))
	if err != nil {
		t.Fatal(err)
	}
	want := "release (" + key.ID() + ")"
	if got, err := verify(); err != nil || got != want {
		t.Errorf("minisign's signature: got %q, %v, want %q", got, err, want)
	}
	// The old form hashes nothing before it signs.
	if out, err := minisign(t, "", "-S", "-l", "-s", secret, "-m", path); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	_, err = verify()
	refused(t, err, "signature_invalid", "sign it again without -l")
	signature, _, err := key.Sign(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := artifacts.WriteSignature(path, signature); err != nil {
		t.Fatal(err)
	}
	if got, err := verify(); err != nil || got != want {
		t.Errorf("our signature with minisign's key: got %q, %v", got, err)
	}
	if out, err := minisign(t, "", "-V", "-m", path, "-p", public); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// never is for a key without a password.
func never(t *testing.T) func() (string, error) {
	t.Helper()
	return func() (string, error) {
		t.Error("a password is asked for")
		return "", nil
	}
}

// Keys with a password go both ways. Opening one takes a gigabyte and seconds, which is what keeps guessers away: this is
// the only test that does.
func TestEncryptedKeys(t *testing.T) {
	t.Parallel()
	if testing.Short() || raced {
		t.Skip("opening a key with a password takes a gigabyte and seconds")
	}
	path := filepath.Join(t.TempDir(), "release.key")
	made, public, err := artifacts.NewSigningKey(path, "open sesame")
	if err != nil {
		t.Fatal(err)
	}
	say := func(word string) func() (string, error) { return func() (string, error) { return word, nil } }
	got, err := artifacts.ReadSigningKey(path, say("open sesame"))
	if err != nil || got.ID() != made.ID() {
		t.Fatalf("got %v, %v", got.ID(), err)
	}
	if _, err := artifacts.ReadSigningKey(path, say("canary")); err == nil || !strings.Contains(err.Error(), "the password is wrong") || strings.Contains(err.Error(), "canary") {
		t.Errorf("a wrong password: %v", err)
	}
	t.Run("minisign opens it", func(t *testing.T) {
		t.Parallel()
		binary, digest := binary(t, "the binary")
		if out, err := minisign(t, "open sesame\n", "-S", "-s", path, "-m", binary); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		a := open(t, artifacts.Options{SigningKeys: []string{public}})
		signed, err := a.Fetch(t.Context(), outbound.Source{Path: binary})
		if err != nil {
			t.Fatal(err)
		}
		if by, err := a.Signer(t.Context(), signed, digest); err != nil || by != "release ("+made.ID()+")" {
			t.Errorf("got %q, %v", by, err)
		}
	})
	t.Run("minisign makes one", func(t *testing.T) {
		t.Parallel()
		theirs := filepath.Join(t.TempDir(), "theirs.key")
		if out, err := minisign(t, strings.Repeat("sesame\n", 2), "-G", "-s", theirs, "-p", theirs+".pub"); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if _, err := artifacts.ReadSigningKey(theirs, say("sesame")); err != nil {
			t.Error(err)
		}
	})
}

func TestSignaturesBesideABinary(t *testing.T) {
	t.Parallel()
	key, _ := pair(t, "release")
	path, _ := binary(t, "the binary")
	if got, err := artifacts.ReadSignature(path); got != nil || err != nil {
		t.Errorf("without one: %q, %v", got, err)
	}
	signature, _, err := key.Sign(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second one in place of the first
		if _, err := artifacts.WriteSignature(path, signature); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := artifacts.ReadSignature(path); err != nil || !bytes.Equal(got, signature) {
		t.Errorf("got %q, %v", got, err)
	}
	if err := os.WriteFile(path+artifacts.SignatureSuffix, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := artifacts.ReadSignature(path); err == nil || !strings.Contains(err.Error(), "is no minisign signature") {
		t.Errorf("got %v", err)
	}
	if _, _, err := key.Sign(t.Context(), filepath.Dir(path)); err == nil || !strings.Contains(err.Error(), "is no file") {
		t.Errorf("a folder: %v", err)
	}
}

// disguise gives a public key file the id of another key, as anybody can.
func disguise(t *testing.T, path, as string) {
	t.Helper()
	raw := func(text string) []byte {
		lines := strings.Split(strings.TrimSpace(text), "\n")
		b, err := base64.StdEncoding.DecodeString(lines[len(lines)-1])
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	own, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	key := append(raw(as)[:10:10], raw(string(own))[10:]...) // algorithm and id, then the key itself
	if err := os.WriteFile(path, []byte("untrusted comment: minisign public key\n"+base64.StdEncoding.EncodeToString(key)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}
