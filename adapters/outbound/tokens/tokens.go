package tokens

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/maypok86/otter/v2"

	"github.com/payrack/payrack/adapters/outbound/internal/keyfile"
	"github.com/payrack/payrack/core/access"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/ports/outbound"
)

// Audience of our tokens.
const Audience = "payrack"

// Options of New.
type Options struct {
	// Dir is the keys folder.
	Dir string
	// Create makes a missing key file, at the first start of an installation.
	Create bool
	// Issuer is the `iss` of tokens, such as the public address; compared exactly. Default: payrack.
	Issuer string
	// Life of a token whose principal names no end. Default: one hour.
	Life time.Duration
	// MaxLife is the longest time between issue and end that is taken. Default: 31 days, which covers the
	// admin token of a development installation.
	MaxLife time.Duration
	// Leeway for tokens that were issued by a replica whose clock is ahead. Default and most: 60 seconds.
	Leeway time.Duration
	// CacheSize is how many verified tokens are remembered. Default: 10,000.
	CacheSize int
	// ReloadEvery bounds how often the key file is read again. Default: 30 seconds.
	ReloadEvery time.Duration
	// Now is the clock. Default: time.Now.
	Now func() time.Time
	// Log for a key file that cannot be read again. Default: no log.
	Log *slog.Logger
}

// Tokens implements outbound.Signer. It is safe for concurrent use.
type Tokens struct {
	o        Options
	ring     atomic.Pointer[keyRing]
	verified *otter.Cache[[sha256.Size]byte, access.Principal]

	mu       sync.Mutex
	reloaded time.Time
}

var _ outbound.Signer = (*Tokens)(nil)

// maxToken is the longest token that is looked at.
const maxToken = 4096

// maxLeeway is the most that clocks of replicas may differ.
const maxLeeway = time.Minute

// New reads the signing keys. A key file that others than the owner may read is refused.
func New(o Options) (*Tokens, error) {
	if o.Dir == "" {
		return nil, errors.New("the keys folder is not set")
	}
	o = o.withDefaults()
	if o.Create {
		if err := create(o.Dir); err != nil {
			return nil, err
		}
	}
	ring, err := loadRing(o.Dir)
	if err != nil {
		return nil, err
	}
	t := &Tokens{o: o, reloaded: o.Now()}
	t.ring.Store(ring)
	t.verified, err = otter.New(&otter.Options[[sha256.Size]byte, access.Principal]{
		MaximumSize: o.CacheSize,
		ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[[sha256.Size]byte, access.Principal]) time.Duration {
			return max(e.Value.Expires.Sub(o.Now()), time.Nanosecond)
		}),
	})
	if err != nil {
		return nil, fmt.Errorf("make the token cache: %w", err)
	}
	return t, nil
}

func (o Options) withDefaults() Options {
	if o.Issuer == "" {
		o.Issuer = "payrack"
	}
	if o.Life <= 0 {
		o.Life = time.Hour
	}
	if o.MaxLife <= 0 {
		o.MaxLife = defaultKeep
	}
	if o.Leeway <= 0 || o.Leeway > maxLeeway {
		o.Leeway = maxLeeway
	}
	if o.CacheSize <= 0 {
		o.CacheSize = 10_000
	}
	if o.ReloadEvery <= 0 {
		o.ReloadEvery = 30 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

func create(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the keys folder: %w", err)
	}
	path := filepath.Join(dir, keyFile)
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return nil // whatever it is, reading it tells
	}
	first, err := newKey(time.Unix(0, 0))
	if err != nil {
		return err
	}
	doc, err := encodeKeys(storedKeys{Keys: []storedKey{first}})
	if err != nil {
		return err
	}
	return keyfile.Create(path, doc)
}

// claims of our tokens.
type claims struct {
	Issuer       string                `json:"iss"`
	Subject      string                `json:"sub"`
	Audience     audience              `json:"aud"`
	Expires      int64                 `json:"exp"`
	NotBefore    int64                 `json:"nbf,omitempty"`
	IssuedAt     int64                 `json:"iat"`
	ID           string                `json:"jti"`
	Client       string                `json:"client_id"`
	Company      company.ID            `json:"company"`
	Scope        string                `json:"scope"`
	Environments []company.Environment `json:"env"`
}

// Sign makes a token for the principal. Its end is p.Expires, or issued plus the configured life.
func (t *Tokens) Sign(_ context.Context, p access.Principal, issued time.Time) (string, error) {
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		return "", fault.Wrap(fault.Internal, "token_not_signed", "no random numbers", err)
	}
	expires := p.Expires
	if expires.IsZero() {
		expires = issued.Add(t.o.Life)
	}
	scopes := make([]string, 0, len(p.Scopes))
	for _, s := range p.Scopes {
		scopes = append(scopes, string(s))
	}
	t.reload(t.o.ReloadEvery)
	text, err := jwt.Signed(t.ring.Load().signer(t.o.Now())).Claims(claims{
		Issuer: t.o.Issuer, Subject: p.Client, Audience: audience{Audience}, Expires: expires.Unix(), IssuedAt: issued.Unix(),
		ID: base64.RawURLEncoding.EncodeToString(id), Client: p.Client, Company: p.Company,
		Scope: strings.Join(scopes, " "), Environments: p.Environments,
	}).Serialize()
	if err != nil {
		return "", fault.Wrap(fault.Internal, "token_not_signed", "the token could not be signed", err)
	}
	return text, nil
}

// Verify reads a token. All that is wrong with one is told by the same words, but for its end.
func (t *Tokens) Verify(_ context.Context, token string) (access.Principal, error) {
	if len(token) > maxToken {
		return access.Principal{}, invalid()
	}
	key := sha256.Sum256([]byte(token))
	now := t.o.Now()
	t.reload(t.o.ReloadEvery)
	if p, ok := t.verified.GetIfPresent(key); ok {
		if !now.Before(p.Expires) {
			t.verified.Invalidate(key)
			return access.Principal{}, expired()
		}
		return clone(p), nil
	}
	p, err := t.read(token, now)
	if err != nil {
		return access.Principal{}, err
	}
	t.verified.Set(key, p)
	return clone(p), nil
}

// Keys is the JSON Web Key Set of the public keys.
func (t *Tokens) Keys(context.Context) ([]byte, error) {
	t.reload(t.o.ReloadEvery)
	return slices.Clone(t.ring.Load().public), nil
}

// reload reads the key file again if that was not done within the time. Remembered tokens are forgotten when
// a key is gone.
func (t *Tokens) reload(every time.Duration) {
	if !t.mu.TryLock() {
		return
	}
	defer t.mu.Unlock()
	now := t.o.Now()
	if age := now.Sub(t.reloaded); age >= 0 && age < every {
		return
	}
	t.reloaded = now
	ring, err := loadRing(t.o.Dir)
	if err != nil {
		t.o.Log.Warn("signing keys cannot be read again, the ones in use stay", slog.Any("error", err))
		return
	}
	old := t.ring.Swap(ring)
	added, removed := ring.without(old), old.without(ring)
	if len(removed) > 0 {
		t.verified.InvalidateAll()
	}
	if len(added)+len(removed) > 0 {
		t.o.Log.Info("signing keys have changed", slog.Any("added", added), slog.Any("removed", removed))
	}
}

// clone keeps callers from changing what the next one gets.
func clone(p access.Principal) access.Principal {
	p.Scopes, p.Environments = slices.Clone(p.Scopes), slices.Clone(p.Environments)
	return p
}

func invalid() error {
	return fault.New(fault.Unauthenticated, "invalid_token", "the access token is not valid")
}

func expired() error {
	return fault.New(fault.Unauthenticated, "token_expired", "the access token has expired: get a new one")
}
