package secrets

import (
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/payrack/payrack/core/company"
)

// Key is the derived key of a company.
func (s *Secrets) Key(id company.ID) (tink.AEAD, error) { return s.key(id) }

// ReadsHash reports whether a stored hash would be computed.
func ReadsHash(text string) bool {
	_, ok := parseHash(text)
	return ok
}

// HoldHashes takes all places of the password hash and returns how to give them back.
func (s *Secrets) HoldHashes() (release func()) {
	for range cap(s.hashing) {
		s.hashing <- struct{}{}
	}
	return func() {
		for range cap(s.hashing) {
			<-s.hashing
		}
	}
}
