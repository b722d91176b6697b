package tokens

import (
	"encoding/base64"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"

	"github.com/payrack/payrack/core/access"
)

// header is all that the header of a token of ours holds. Anything else (jwk, jku, x5u, x5c, crit, b64)
// is a token of somebody else.
type header struct {
	Algorithm string `json:"alg"`
	KeyID     string `json:"kid"`
	Type      string `json:"typ"`
}

// read checks a token from scratch.
func (t *Tokens) read(token string, now time.Time) (access.Principal, error) {
	head, ok := split(token)
	if !ok {
		return access.Principal{}, invalid()
	}
	var h header
	if err := json.Unmarshal(head, &h, json.RejectUnknownMembers(true)); err != nil {
		return access.Principal{}, invalid()
	}
	if h.Algorithm != string(algorithm) || h.Type != mediaType || !keyID.MatchString(h.KeyID) {
		return access.Principal{}, invalid()
	}
	key, ok := t.ring.Load().byID[h.KeyID]
	if !ok {
		return access.Principal{}, invalid()
	}
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{algorithm})
	if err != nil {
		return access.Principal{}, invalid()
	}
	body, err := signed.Verify(key)
	if err != nil {
		return access.Principal{}, invalid()
	}
	var c claims
	if err := json.Unmarshal(body, &c); err != nil {
		return access.Principal{}, invalid()
	}
	return t.judge(c, now)
}

// split checks the shape of a token and returns its header. The strict alphabet refuses a second spelling of
// the same bytes, so that one token has one text.
func split(token string) (head []byte, ok bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, false
	}
	strict := base64.RawURLEncoding.Strict()
	for i, part := range parts {
		raw, err := strict.DecodeString(part)
		if err != nil || len(raw) == 0 || strings.ContainsAny(part, "\r\n") {
			return nil, false
		}
		if i == 0 {
			head = raw
		}
	}
	return head, true
}

// judge checks the claims of a token whose signature is ours.
func (t *Tokens) judge(c claims, now time.Time) (access.Principal, error) {
	if c.Issuer != t.o.Issuer || !c.Audience.has(Audience) || c.Client == "" || c.ID == "" {
		return access.Principal{}, invalid()
	}
	// Times before 1970 and after 9999 are nobody's; the bounds also keep the sums below in range.
	const last = 253402300799
	for _, seconds := range []int64{c.Expires, c.IssuedAt} {
		if seconds <= 0 || seconds > last {
			return access.Principal{}, invalid()
		}
	}
	expires, issued := time.Unix(c.Expires, 0), time.Unix(c.IssuedAt, 0)
	notBefore := time.Unix(min(max(c.NotBefore, 0), last), 0)
	if c.NotBefore < 0 || issued.After(now.Add(t.o.Leeway)) || notBefore.After(now.Add(t.o.Leeway)) || expires.Sub(issued) > t.o.MaxLife {
		return access.Principal{}, invalid()
	}
	if !now.Before(expires) {
		return access.Principal{}, expired()
	}
	p := access.Principal{Client: c.Client, Company: c.Company, Environments: c.Environments, TokenID: c.ID, Expires: expires.UTC()}
	for word := range strings.FieldsSeq(c.Scope) {
		p.Scopes = append(p.Scopes, access.Scope(word))
	}
	for _, e := range p.Environments {
		if !e.Valid() {
			return access.Principal{}, invalid()
		}
	}
	return p, nil
}
