package artifacts

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"aead.dev/minisign"

	"github.com/payrack/payrack/adapters/outbound/internal/keyfile"
)

// SigningKey is a minisign secret key.
type SigningKey struct{ key minisign.PrivateKey }

// ID is the key's id as minisign prints it.
func (k SigningKey) ID() string { return keyID(k.key.ID()) }

// ReadSigningKey reads a secret key file that only its owner may read. The password is asked for if the key has one.
func ReadSigningKey(path string, password func() (string, error)) (SigningKey, error) {
	if text, err := readBounded(path); err == nil {
		var public minisign.PublicKey
		if public.UnmarshalText(text) == nil {
			return SigningKey{}, fmt.Errorf("%s is a public key, which signs nothing: name the secret key that was made with it", path)
		}
	}
	text, err := keyfile.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return SigningKey{}, fmt.Errorf("there is no file %s: payrack plugin sign --new-key FILE makes a pair", path)
	}
	if err != nil {
		return SigningKey{}, err
	}
	var k minisign.PrivateKey
	if !minisign.IsEncrypted(text) {
		if err := k.UnmarshalText(text); err != nil {
			return SigningKey{}, fmt.Errorf("%s is no minisign secret key: payrack plugin sign --new-key FILE or minisign -G makes a pair", path)
		}
		return SigningKey{k}, nil
	}
	word, err := password()
	if err != nil {
		return SigningKey{}, err
	}
	if k, err = minisign.DecryptKey(word, text); err != nil {
		return SigningKey{}, fmt.Errorf("%s does not open: the password is wrong, or the file is damaged", path)
	}
	return SigningKey{k}, nil
}

// NewSigningKey makes a pair: the secret key in the file, for its owner only, and the public one beside it, in the file with
// .pub for .key. It never writes over a file. An empty password leaves the secret key unencrypted.
func NewSigningKey(path, password string) (k SigningKey, public string, err error) {
	public = strings.TrimSuffix(path, ".key") + ".pub"
	open, secret, err := minisign.GenerateKey(rand.Reader)
	if err != nil {
		return k, "", fmt.Errorf("make a key: %w", err)
	}
	var text []byte
	if password == "" {
		text, err = secret.MarshalText()
	} else {
		text, err = minisign.EncryptKey(password, secret)
	}
	if err != nil {
		return k, "", fmt.Errorf("make a key: %w", err)
	}
	said, err := open.MarshalText()
	if err != nil {
		return k, "", fmt.Errorf("make a key: %w", err)
	}
	if err := writeNew(path, append(text, '\n'), 0o600); err != nil {
		return k, "", err
	}
	if err := writeNew(public, append(said, '\n'), 0o644); err != nil {
		return k, "", errors.Join(err, os.Remove(path)) // half a pair is of no use
	}
	return SigningKey{secret}, public, nil
}

func writeNew(path string, text []byte, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode) //nolint:gosec // the person names the file
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already, and a key is never written over another: name another file", path)
	}
	if err != nil {
		return fmt.Errorf("write the key: %w", err)
	}
	_, err = f.Write(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(fmt.Errorf("write the key: %w", err), os.Remove(path))
	}
	return nil
}

// Sign signs the file and returns the signature and the SHA-256 of what was signed, lower-case hex. The trusted comment
// says when, which file and which digest; minisign -V shows it.
func (k SigningKey) Sign(ctx context.Context, path string) (signature []byte, digest string, err error) {
	f, err := os.Open(path) //nolint:gosec // the person names the file
	if err != nil {
		return nil, "", fmt.Errorf("read the binary: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, "", fmt.Errorf("%s is no file: name the binary itself", path)
	}
	sum, message := sha256.New(), minisign.NewReader(&until{ctx, f})
	if _, err := io.Copy(sum, message); err != nil {
		return nil, "", fmt.Errorf("read the binary: %w", err)
	}
	digest = hex.EncodeToString(sum.Sum(nil))
	comment := fmt.Sprintf("timestamp:%d\tfile:%s\tsha256:%s", time.Now().Unix(), printable(filepath.Base(path)), digest)
	return message.SignWithComments(k.key, comment, "signature of a payrack provider, key "+k.ID()), digest, nil
}

// WriteSignature puts a signature beside its binary, in one step, in place of an older one. It returns the file's path.
func WriteSignature(binary string, signature []byte) (path string, err error) {
	path = binary + SignatureSuffix
	f, err := os.CreateTemp(filepath.Dir(binary), ".minisig-*")
	if err != nil {
		return "", fmt.Errorf("write the signature: %w", err)
	}
	_, err = f.Write(signature)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return "", fmt.Errorf("write the signature: %w", err)
	}
	return path, nil
}

// ReadSignature reads the signature beside a binary, nil if there is none. It must have the form of one.
func ReadSignature(binary string) ([]byte, error) {
	text, err := readBounded(binary + SignatureSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var s minisign.Signature
	if err != nil || s.UnmarshalText(text) != nil {
		return nil, fmt.Errorf("%s is no minisign signature: payrack plugin sign makes it again", binary+SignatureSuffix)
	}
	return text, nil
}
