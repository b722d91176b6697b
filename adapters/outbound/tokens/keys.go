package tokens

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/payrack/payrack/adapters/outbound/internal/keyfile"
)

// keyFile holds the private signing keys.
const keyFile = "jwt.json"

// algorithm of all tokens. A verifier that took the algorithm from the token would let the sender choose.
const algorithm = jose.ES256

// mediaType in the header keeps ID tokens and other JWTs out (RFC 9068).
const mediaType = "at+jwt"

// keyID is how a key id may look: nothing in it can be a path, an address or a query.
var keyID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// storedKeys is the key file.
type storedKeys struct {
	Keys []storedKey `json:"keys"`
}

type storedKey struct {
	// SignsFrom is when the key becomes the one that signs; it verifies and is published before that.
	SignsFrom time.Time       `json:"signs_from"`
	Key       jose.JSONWebKey `json:"key"`
}

// keyRing is the key file, ready for use; never changed.
type keyRing struct {
	keys   []ringKey
	byID   map[string]any // public keys
	public []byte
}

type ringKey struct {
	id        string
	signsFrom time.Time
	signer    jose.Signer
}

func newKey(signsFrom time.Time) (storedKey, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return storedKey{}, fmt.Errorf("make a signing key: %w", err)
	}
	k := jose.JSONWebKey{Key: private, Algorithm: string(algorithm), Use: "sig"}
	thumbprint, err := k.Thumbprint(crypto.SHA256)
	if err != nil {
		return storedKey{}, fmt.Errorf("name the signing key: %w", err)
	}
	k.KeyID = base64.RawURLEncoding.EncodeToString(thumbprint)
	return storedKey{SignsFrom: signsFrom.UTC(), Key: k}, nil
}

func encodeKeys(s storedKeys) ([]byte, error) {
	doc, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the signing keys: %w", err)
	}
	return append(doc, '\n'), nil
}

func decodeKeys(doc []byte) (storedKeys, error) {
	var s storedKeys
	if err := json.Unmarshal(doc, &s); err != nil || len(s.Keys) == 0 {
		return storedKeys{}, errors.New("it holds no signing keys: restore it from the backup") // the cause may quote a key
	}
	for _, k := range s.Keys {
		private, ok := k.Key.Key.(*ecdsa.PrivateKey)
		if !ok || private.Curve != elliptic.P256() || !keyID.MatchString(k.Key.KeyID) {
			return storedKeys{}, errors.New("it holds a key that is no named P-256 private key")
		}
	}
	return s, nil
}

// loadRing reads the key file of a keys folder.
func loadRing(dir string) (*keyRing, error) {
	path := filepath.Join(dir, keyFile)
	doc, err := keyfile.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no %s: restore the keys folder from the backup, or name the right one in keys.dir; only a new installation gets keys, from `payrack init`", path)
	}
	if err != nil {
		return nil, err
	}
	s, err := decodeKeys(doc)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return newRing(s)
}

func newRing(s storedKeys) (*keyRing, error) {
	slices.SortStableFunc(s.Keys, func(a, b storedKey) int { return a.SignsFrom.Compare(b.SignsFrom) })
	r := &keyRing{byID: map[string]any{}}
	var set jose.JSONWebKeySet
	for _, k := range s.Keys {
		signer, err := jose.NewSigner(
			jose.SigningKey{Algorithm: algorithm, Key: jose.JSONWebKey{Key: k.Key.Key, KeyID: k.Key.KeyID}},
			(&jose.SignerOptions{}).WithType(mediaType),
		)
		if err != nil {
			return nil, fmt.Errorf("use a signing key: %w", err)
		}
		public := k.Key.Public()
		r.keys = append(r.keys, ringKey{id: k.Key.KeyID, signsFrom: k.SignsFrom, signer: signer})
		r.byID[k.Key.KeyID] = public.Key
		set.Keys = append(set.Keys, public)
	}
	doc, err := json.Marshal(set)
	if err != nil {
		return nil, fmt.Errorf("publish the keys: %w", err)
	}
	r.public = doc
	return r, nil
}

// without lists the ids of the keys that the other ring does not have.
func (r *keyRing) without(other *keyRing) []string {
	ids := []string{}
	for _, k := range r.keys {
		if _, ok := other.byID[k.id]; !ok {
			ids = append(ids, k.id)
		}
	}
	return ids
}

// signer is the key that signs now.
func (r *keyRing) signer(now time.Time) jose.Signer { return r.keys[r.signing(now)].signer }

// signing is the newest key whose time has come, else the oldest of all.
func (r *keyRing) signing(now time.Time) int {
	chosen := 0
	for i, k := range r.keys {
		if !k.signsFrom.After(now) {
			chosen = i
		}
	}
	return chosen
}

// Key is a signing key of a folder, without its private part.
type Key struct {
	ID string
	// SignsFrom is when it becomes the one that signs.
	SignsFrom time.Time
	// Signs says that it signs now. All keys verify.
	Signs bool
}

// List returns the signing keys of a folder, oldest first. now is the present.
func List(dir string, now time.Time) ([]Key, error) {
	ring, err := loadRing(dir)
	if err != nil {
		return nil, err
	}
	all, signing := make([]Key, len(ring.keys)), ring.signing(now)
	for i, k := range ring.keys {
		all[i] = Key{ID: k.id, SignsFrom: k.signsFrom.UTC(), Signs: i == signing}
	}
	return all, nil
}

// Rotation of the signing key.
type Rotation struct {
	// Now is the time of the rotation.
	Now time.Time
	// Lead is how long the new key is published before it signs, so that every process and every reader of
	// the key set has it by then. Default: two minutes.
	Lead time.Duration
	// Keep is how long a key verifies after another took its place; at least the life of a token.
	// Default: 31 days.
	Keep time.Duration
	// Leaked drops all keys that are there and signs with the new one at once: every token that was issued ends, as soon as
	// each process has read the file again. Lead and Keep do not count then.
	Leaked bool
}

const (
	defaultLead = 2 * time.Minute
	defaultKeep = 31 * 24 * time.Hour
)

// Rotate adds a signing key to the folder and drops those that no valid token can name any more.
func Rotate(dir string, r Rotation) error {
	if r.Lead <= 0 {
		r.Lead = defaultLead
	}
	if r.Keep <= 0 {
		r.Keep = defaultKeep
	}
	return keyfile.Replace(filepath.Join(dir, keyFile), func(old []byte) ([]byte, error) {
		s, err := decodeKeys(old)
		if err != nil {
			return nil, err
		}
		if r.Leaked {
			only, err := newKey(r.Now)
			if err != nil {
				return nil, err
			}
			return encodeKeys(storedKeys{Keys: []storedKey{only}})
		}
		fresh, err := newKey(r.Now.Add(r.Lead))
		if err != nil {
			return nil, err
		}
		s.Keys = append(s.Keys, fresh)
		slices.SortStableFunc(s.Keys, func(a, b storedKey) int { return a.SignsFrom.Compare(b.SignsFrom) })
		kept := storedKeys{}
		for i, k := range s.Keys {
			replaced := i+1 < len(s.Keys) && s.Keys[i+1].SignsFrom.Add(r.Keep).Before(r.Now)
			if !replaced {
				kept.Keys = append(kept.Keys, k)
			}
		}
		return encodeKeys(kept)
	})
}
