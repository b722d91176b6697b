// Package seals signs blocks of the journal with Ed25519 keys that lie in the keys folder, outside the database: whoever
// can write to the database cannot make a seal.
package seals

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/payrack/payrack/adapters/outbound/internal/keyfile"
)

// keyFile holds the signing keys, the newest last.
const keyFile = "journal.json"

type storedKeys struct {
	Keys []storedKey `json:"keys"`
}

// storedKey is a key. A retired one has no seed: what it sealed can be verified, nothing new can be signed.
type storedKey struct {
	Seed   []byte `json:"seed,omitempty"`
	Public []byte `json:"public"`
}

// Keys implements outbound.SealKey.
type Keys struct {
	name   string
	signer ed25519.PrivateKey
	public map[string]ed25519.PublicKey
}

// Options choose the folder.
type Options struct {
	// Dir is the keys folder.
	Dir string
	// Create makes a key if there is none.
	Create bool
}

// New reads the keys.
func New(o Options) (*Keys, error) {
	path := filepath.Join(o.Dir, keyFile)
	doc, err := keyfile.Read(path)
	if errors.Is(err, fs.ErrNotExist) && o.Create {
		if err := create(path); err != nil {
			return nil, err
		}
		doc, err = keyfile.Read(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no %s: restore the keys folder from the backup, or name the right one in keys.dir; only a new installation gets keys, from `payrack init`", path)
	}
	if err != nil {
		return nil, err
	}
	k, err := read(doc)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return k, nil
}

func create(path string) error {
	seed := make([]byte, ed25519.SeedSize)
	if _, err := rand.Read(seed); err != nil {
		return fmt.Errorf("make a journal key: %w", err)
	}
	public, _ := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
	doc, err := json.MarshalIndent(storedKeys{Keys: []storedKey{{Seed: seed, Public: public}}}, "", "  ")
	if err != nil {
		return fmt.Errorf("write the journal key: %w", err)
	}
	return keyfile.Create(path, append(doc, '\n'))
}

func read(doc []byte) (*Keys, error) {
	var s storedKeys
	if err := json.Unmarshal(doc, &s); err != nil || len(s.Keys) == 0 {
		return nil, errors.New("it holds no journal keys: restore it from the backup") // the cause may quote a key
	}
	k := &Keys{public: map[string]ed25519.PublicKey{}}
	for _, one := range s.Keys {
		if len(one.Public) != ed25519.PublicKeySize || (len(one.Seed) != 0 && len(one.Seed) != ed25519.SeedSize) {
			return nil, errors.New("it holds a key that is no Ed25519 key")
		}
		public := ed25519.PublicKey(one.Public)
		k.public[nameOf(public)] = public
		if len(one.Seed) == 0 {
			continue
		}
		private := ed25519.NewKeyFromSeed(one.Seed)
		if !public.Equal(private.Public()) {
			return nil, errors.New("it holds a key whose two halves do not belong together")
		}
		k.name, k.signer = nameOf(public), private
	}
	if k.signer == nil {
		return nil, errors.New("it holds no key that can sign")
	}
	return k, nil
}

// nameOf is the beginning of the key's fingerprint.
func nameOf(public ed25519.PublicKey) string {
	sum := sha256.Sum256(public)
	return hex.EncodeToString(sum[:8])
}

// SignBlock signs with the newest key.
func (k *Keys) SignBlock(data []byte) (key string, signature []byte, err error) {
	return k.name, ed25519.Sign(k.signer, data), nil
}

// VerifyBlock reports whether the signature is that of a key of ours, retired ones included.
func (k *Keys) VerifyBlock(key string, data, signature []byte) bool {
	public, ok := k.public[key]
	return ok && ed25519.Verify(public, data, signature)
}
