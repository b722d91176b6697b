package secrets

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"

	"github.com/payrack/payrack/core/fault"
)

// Cost of a hash, as OWASP recommends for argon2id: 19 MiB, two passes, one lane.
const (
	argonMemory = 19 * 1024 // KiB
	argonTime   = 2
	argonLanes  = 1
	saltSize    = 16
	hashSize    = 32
)

// Bounds of what is read from a stored hash, so that a damaged row cannot ask for all the memory.
const (
	maxMemory = 64 * 1024
	maxTime   = 8
	maxLanes  = 8
)

type passwordHash struct {
	memory, time uint32
	lanes        uint8
	salt, sum    []byte
}

// Hash makes an argon2id hash in the PHC string format.
func (s *Secrets) Hash(secret string) (string, error) {
	salt := make([]byte, saltSize)
	if _, err := rand.Read(salt); err != nil {
		return "", fault.Wrap(fault.Internal, "secret_not_hashed", "no random numbers", err)
	}
	h := passwordHash{memory: argonMemory, time: argonTime, lanes: argonLanes, salt: salt, sum: make([]byte, hashSize)}
	h.sum = s.compute(h, secret)
	return h.String(), nil
}

// Matches compares in constant time. A text that is no hash costs as much as one that is, so that the time
// does not tell whether a client exists.
func (s *Secrets) Matches(hash, secret string) bool {
	h, ok := parseHash(hash)
	if !ok {
		h = passwordHash{memory: argonMemory, time: argonTime, lanes: argonLanes, salt: make([]byte, saltSize), sum: make([]byte, hashSize)}
	}
	return subtle.ConstantTimeCompare(s.compute(h, secret), h.sum) == 1 && ok
}

// compute waits for one of the few places: each hash takes its memory for as long as it runs.
func (s *Secrets) compute(h passwordHash, secret string) []byte {
	s.hashing <- struct{}{}
	defer func() { <-s.hashing }()
	return argon2.IDKey([]byte(secret), h.salt, h.time, h.memory, h.lanes, uint32(len(h.sum))) //nolint:gosec // at most 64
}

// String is the PHC format: $argon2id$v=19$m=19456,t=2,p=1$salt$sum.
func (h passwordHash) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.memory, h.time, h.lanes,
		b64.EncodeToString(h.salt), b64.EncodeToString(h.sum))
}

func parseHash(text string) (passwordHash, bool) {
	parts := strings.Split(text, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return passwordHash{}, false
	}
	var h passwordHash
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &h.memory, &h.time, &h.lanes); err != nil || n != 3 {
		return passwordHash{}, false
	}
	var err error
	b64 := base64.RawStdEncoding.Strict()
	if h.salt, err = b64.DecodeString(parts[4]); err != nil {
		return passwordHash{}, false
	}
	if h.sum, err = b64.DecodeString(parts[5]); err != nil {
		return passwordHash{}, false
	}
	ok := h.memory >= 8 && h.memory <= maxMemory && h.time >= 1 && h.time <= maxTime && h.lanes >= 1 && h.lanes <= maxLanes &&
		len(h.salt) >= 8 && len(h.salt) <= 64 && len(h.sum) >= 16 && len(h.sum) <= 64
	return h, ok
}
