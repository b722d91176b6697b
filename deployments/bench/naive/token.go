package naive

import (
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// maxTokens bounds how many verified tokens are remembered.
const maxTokens = 4096

// leeway of the clocks of issuer and service.
const leeway = 30 * time.Second

var (
	errToken = errors.New("invalid token")
	errScope = errors.New("insufficient scope")
)

// principal is who a token names.
type principal struct {
	company string
	scopes  []string
	expires time.Time
}

// verifier checks access tokens against a key set, and remembers the ones that were good until they expire.
type verifier struct {
	keys jose.JSONWebKeySet

	mu   sync.RWMutex
	good map[[sha256.Size]byte]principal
}

func newVerifier(keys jose.JSONWebKeySet) *verifier {
	return &verifier{keys: keys, good: map[[sha256.Size]byte]principal{}}
}

// check returns who may use scope with the token of an Authorization header.
func (v *verifier) check(header, scope string) (principal, error) {
	raw, ok := strings.CutPrefix(header, "Bearer ")
	if !ok {
		return principal{}, errToken
	}
	key := sha256.Sum256([]byte(raw))
	v.mu.RLock()
	p, known := v.good[key]
	v.mu.RUnlock()
	if !known || !time.Now().Before(p.expires) {
		var err error
		if p, err = v.verify(raw); err != nil {
			return principal{}, errToken
		}
		v.mu.Lock()
		if len(v.good) >= maxTokens {
			clear(v.good)
		}
		v.good[key] = p
		v.mu.Unlock()
	}
	if !slices.Contains(p.scopes, scope) {
		return principal{}, errScope
	}
	return p, nil
}

func (v *verifier) verify(raw string) (principal, error) {
	token, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil || len(token.Headers) != 1 {
		return principal{}, errToken
	}
	keys := v.keys.Key(token.Headers[0].KeyID)
	if len(keys) != 1 {
		return principal{}, errToken
	}
	var std jwt.Claims
	var own struct {
		Company string `json:"company"`
		Scope   string `json:"scope"`
	}
	if err := token.Claims(keys[0].Key, &std, &own); err != nil {
		return principal{}, err
	}
	if err := std.ValidateWithLeeway(jwt.Expected{AnyAudience: jwt.Audience{"payrack"}, Time: time.Now()}, leeway); err != nil {
		return principal{}, err
	}
	if std.Expiry == nil || own.Company == "" {
		return principal{}, errToken
	}
	return principal{company: own.Company, scopes: strings.Fields(own.Scope), expires: std.Expiry.Time()}, nil
}
