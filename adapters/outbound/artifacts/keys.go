package artifacts

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"aead.dev/minisign"
)

// trustedKey is a public key whose signatures are believed.
type trustedKey struct {
	// name is how the operator calls it: the file's name without .pub.
	name string
	key  minisign.PublicKey
}

// String is the key's name and id.
func (k trustedKey) String() string { return k.name + " (" + keyID(k.key.ID()) + ")" }

// keyID is the id as minisign prints it.
func keyID(id uint64) string { return fmt.Sprintf("%016X", id) }

// readTrustedKey reads a file that minisign -G or payrack plugin sign --new-key wrote.
func readTrustedKey(path string) (trustedKey, error) {
	k := trustedKey{name: strings.TrimSuffix(filepath.Base(path), ".pub")}
	text, err := readBounded(path)
	if errors.Is(err, fs.ErrNotExist) {
		return k, fmt.Errorf("there is no file %s", path)
	}
	if err != nil {
		return k, fmt.Errorf("%s cannot be read: %w", path, err)
	}
	var secret minisign.PrivateKey
	if minisign.IsEncrypted(text) || secret.UnmarshalText(text) == nil {
		return k, fmt.Errorf("%s is a secret key, which has no place on this machine: name the public key that was made with it (.pub)", path)
	}
	if err := k.key.UnmarshalText(text); err != nil {
		return k, fmt.Errorf("%s is no minisign public key: payrack plugin sign --new-key FILE or minisign -G makes a pair", path)
	}
	return k, nil
}
