package outbound

import (
	"context"
	"time"

	"github.com/payrack/payrack/core/access"
	"github.com/payrack/payrack/core/credential"
)

// Secrets seals what must not be read from the database. Implementations pass outboundtest.Secrets.
type Secrets interface {
	// Seal encrypts for a field; the ciphertext opens only for the same field.
	Seal(ctx context.Context, f credential.Field, plain []byte) ([]byte, error)

	// Open decrypts. A ciphertext of another field or key is fault.Internal code secret_unreadable.
	Open(ctx context.Context, f credential.Field, sealed []byte) ([]byte, error)

	// Fingerprint is a keyed hash (HMAC-SHA-256) that cannot be computed outside the platform.
	Fingerprint(data []byte) [32]byte

	// Hash makes a password hash of a client secret.
	Hash(secret string) (string, error)

	// Matches compares a client secret with a password hash in constant time.
	Matches(hash, secret string) bool
}

// Signer makes and reads access tokens. Implementations pass outboundtest.Signer.
type Signer interface {
	// Sign makes a token for the principal; the token id is the signer's.
	Sign(ctx context.Context, p access.Principal, issued time.Time) (string, error)

	// Verify reads a token: fault.Unauthenticated code invalid_token for anything that is not one of our
	// valid tokens, code token_expired for one that has expired.
	Verify(ctx context.Context, token string) (access.Principal, error)

	// Keys is the JSON Web Key Set of the public keys.
	Keys(ctx context.Context) ([]byte, error)
}

// Clock tells the time. Now carries the wall clock, UTC; Since is monotonic.
type Clock interface {
	Now() time.Time
}

// IDs makes ids: UUIDv7 text, ascending.
type IDs interface {
	New() string
}
