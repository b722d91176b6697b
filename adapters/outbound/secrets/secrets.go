package secrets

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyderivation"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/payrack/payrack/adapters/outbound/internal/keyfile"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/credential"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/ports/outbound"
)

// pepperFile holds the key of fingerprints, in hexadecimal. It is not rotated: fingerprints of thirty days are
// compared with each other.
const pepperFile = "pepper.key"

const pepperSize = 32

// Options of New.
type Options struct {
	// Dir is the keys folder. It must not be the data folder.
	Dir string
	// Create makes missing key files, at the first start of an installation. Without it a missing file is
	// an error.
	Create bool
	// MaxHashes bounds how many password hashes are computed at once, each with 19 MiB. Default: the
	// number of processors, at least 2.
	MaxHashes int
	// ReloadEvery bounds how often an unknown key makes the file be read again. Default: one second.
	ReloadEvery time.Duration
}

// Secrets implements outbound.Secrets. It is safe for concurrent use.
type Secrets struct {
	dir     string
	hashes  sync.Pool
	hashing chan struct{}
	every   time.Duration

	mu       sync.RWMutex
	deriver  keyderivation.KeysetDeriver
	derived  map[company.ID]tink.AEAD
	reloaded time.Time
}

var _ outbound.Secrets = (*Secrets)(nil)

// maxDerived bounds the companies whose keys are kept; one more empties the map.
const maxDerived = 10_000

// New reads the keys folder. Files that others than the owner may read are refused.
func New(o Options) (*Secrets, error) {
	if o.Dir == "" {
		return nil, errors.New("the keys folder is not set")
	}
	if o.Create {
		if err := create(o.Dir); err != nil {
			return nil, err
		}
	}
	deriver, err := loadMaster(o.Dir)
	if err != nil {
		return nil, err
	}
	pepper, err := loadPepper(o.Dir)
	if err != nil {
		return nil, err
	}
	if o.MaxHashes <= 0 {
		o.MaxHashes = max(2, runtime.GOMAXPROCS(0))
	}
	if o.ReloadEvery <= 0 {
		o.ReloadEvery = time.Second
	}
	return &Secrets{
		dir: o.Dir, hashing: make(chan struct{}, o.MaxHashes), every: o.ReloadEvery,
		deriver: deriver, derived: map[company.ID]tink.AEAD{},
		hashes: sync.Pool{New: func() any { return hmac.New(sha256.New, pepper) }},
	}, nil
}

func create(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the keys folder: %w", err)
	}
	if missing(dir, masterFile) {
		doc, err := newMaster()
		if err != nil {
			return err
		}
		if err := keyfile.Create(filepath.Join(dir, masterFile), doc); err != nil {
			return err
		}
	}
	if missing(dir, pepperFile) {
		key := make([]byte, pepperSize)
		if _, err := rand.Read(key); err != nil {
			return fmt.Errorf("make the pepper: %w", err)
		}
		return keyfile.Create(filepath.Join(dir, pepperFile), []byte(hex.EncodeToString(key)+"\n"))
	}
	return nil
}

func missing(dir, name string) bool {
	_, err := os.Lstat(filepath.Join(dir, name))
	return errors.Is(err, fs.ErrNotExist)
}

func loadPepper(dir string) ([]byte, error) {
	path := filepath.Join(dir, pepperFile)
	doc, err := keyfile.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no %s: restore the keys folder from the backup, or name the right one in keys.dir; only a new installation gets keys, from `payrack init`", path)
	}
	if err != nil {
		return nil, err
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(doc)))
	if err != nil || len(key) != pepperSize {
		return nil, fmt.Errorf("%s must hold %d hexadecimal characters: restore it from the backup", path, 2*pepperSize)
	}
	return key, nil
}

// Seal encrypts for a field; the ciphertext opens only for the same field.
func (s *Secrets) Seal(_ context.Context, f credential.Field, plain []byte) ([]byte, error) {
	key, err := s.key(f.Company)
	if err != nil {
		return nil, err
	}
	sealed, err := key.Encrypt(plain, associated(f))
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "secret_not_sealed", "the value could not be sealed", err)
	}
	return sealed, nil
}

// Open decrypts. What does not open fails with fault.Internal code secret_unreadable.
func (s *Secrets) Open(_ context.Context, f credential.Field, sealed []byte) ([]byte, error) {
	key, err := s.key(f.Company)
	if err != nil {
		return nil, err
	}
	plain, err := key.Decrypt(sealed, associated(f))
	if err == nil {
		return plain, nil
	}
	// Another process may seal with a key that was added after this one started.
	if s.reload() {
		if key, err := s.key(f.Company); err == nil {
			if plain, err := key.Decrypt(sealed, associated(f)); err == nil {
				return plain, nil
			}
		}
	}
	return nil, fault.New(fault.Internal, "secret_unreadable",
		"a sealed value does not open: it belongs to another field, or its key is not in the keys folder")
}

// Fingerprint is HMAC-SHA-256 under the pepper.
func (s *Secrets) Fingerprint(data []byte) [32]byte {
	h := s.hashes.Get().(hash.Hash) //nolint:forcetypeassert // the pool holds nothing else
	defer s.hashes.Put(h)
	h.Reset() // to the state behind the key, which is not computed again
	h.Write(data)
	return [32]byte(h.Sum(make([]byte, 0, 32)))
}

// key returns the AEAD of a company, deriving it at first use.
func (s *Secrets) key(id company.ID) (tink.AEAD, error) {
	s.mu.RLock()
	a, ok := s.derived[id]
	s.mu.RUnlock()
	if ok {
		return a, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	handle, err := s.deriver.DeriveKeyset([]byte("payrack company " + string(id)))
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "secret_not_sealed", "the company's key could not be derived", err)
	}
	a, err = aead.New(handle)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "secret_not_sealed", "the company's key could not be used", err)
	}
	if len(s.derived) >= maxDerived {
		clear(s.derived)
	}
	s.derived[id] = a
	return a, nil
}

// reload reads the master keyset again, unless that was done a moment ago. The keys in use stay if the file
// cannot be read.
func (s *Secrets) reload() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.reloaded) < s.every {
		return false
	}
	s.reloaded = time.Now()
	deriver, err := loadMaster(s.dir)
	if err != nil {
		return false
	}
	s.deriver = deriver
	clear(s.derived)
	return true
}

// Reload reads the master keyset again, so that a promoted key is used from now on.
func (s *Secrets) Reload() error {
	deriver, err := loadMaster(s.dir)
	if err != nil {
		return fault.Wrap(fault.Internal, "keys_unreadable", "the keys folder could not be read; the keys in use stay", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deriver = deriver
	clear(s.derived)
	return nil
}

// associated is the associated data of a field, each part with its length, so that no two fields share it.
func associated(f credential.Field) []byte {
	const prefix = "payrack/sealed/1"
	b := make([]byte, 0, len(prefix)+3*4+len(f.Company)+len(f.Provider)+len(f.Name))
	b = append(b, prefix...)
	for _, part := range []string{string(f.Company), f.Provider, f.Name} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(part))) //nolint:gosec // names are short
		b = append(b, part...)
	}
	return b
}
