package tokens

import (
	"crypto/ecdsa"
	"os"
	"path/filepath"
)

// PrivateKey reads the first signing key of a folder, for forging tokens in tests.
func PrivateKey(dir string) (*ecdsa.PrivateKey, string, error) {
	doc, err := os.ReadFile(filepath.Join(dir, keyFile))
	if err != nil {
		return nil, "", err
	}
	s, err := decodeKeys(doc)
	if err != nil {
		return nil, "", err
	}
	return s.Keys[0].Key.Key.(*ecdsa.PrivateKey), s.Keys[0].Key.KeyID, nil //nolint:forcetypeassert // decodeKeys checked it
}

// Remembered is the number of verified tokens in the cache.
func (t *Tokens) Remembered() int {
	t.verified.CleanUp()
	return t.verified.EstimatedSize()
}
