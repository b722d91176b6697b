package tokens_test

import (
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/payrack/payrack/adapters/outbound/tokens"
)

// forge writes tokens by hand, independently of the library, with the real key of the folder.
type forge struct {
	t    *testing.T
	key  *ecdsa.PrivateKey
	id   string
	sign func(input string) []byte
}

type object = map[string]any

func newForge(t *testing.T, dir string) forge {
	t.Helper()
	key, id, err := tokens.PrivateKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	f := forge{t: t, key: key, id: id}
	f.sign = func(input string) []byte {
		sum := sha256.Sum256([]byte(input))
		r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	}
	return f
}

func (f forge) header() object { return object{"alg": "ES256", "kid": f.id, "typ": "at+jwt"} }

func claims(now time.Time) object {
	return object{
		"iss": "https://pay.example.com", "sub": "client-1", "aud": "payrack", "exp": now.Add(time.Hour).Unix(), "iat": now.Unix(),
		"jti": "id-1", "client_id": "client-1", "company": "c1", "scope": "pay", "env": []string{"test"},
	}
}

func (f forge) token(header, body any) string {
	f.t.Helper()
	input := encode(f.t, header) + "." + encode(f.t, body)
	return input + "." + base64.RawURLEncoding.EncodeToString(f.sign(input))
}

func encode(t *testing.T, part any) string {
	t.Helper()
	raw, ok := part.(string)
	if !ok {
		doc, err := json.Marshal(part)
		if err != nil {
			t.Fatal(err)
		}
		raw = string(doc)
	}
	return base64.RawURLEncoding.EncodeToString([]byte(raw))
}

func keyOf(t *testing.T, token string) string {
	t.Helper()
	head, _, _ := strings.Cut(token, ".")
	raw, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil {
		t.Fatal(err)
	}
	var h struct {
		Key string `json:"kid"`
	}
	if err := json.Unmarshal(raw, &h); err != nil {
		t.Fatal(err)
	}
	return h.Key
}

func set(base object, pairs ...any) object {
	o := maps.Clone(base)
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == nil {
			delete(o, pairs[i].(string)) //nolint:forcetypeassert // a name
			continue
		}
		o[pairs[i].(string)] = pairs[i+1] //nolint:forcetypeassert // a name
	}
	return o
}

func TestForgedTokens(t *testing.T) {
	t.Parallel()
	dir, c := t.TempDir(), start()
	s := open(t, dir, c)
	f, now := newForge(t, dir), c.Now()
	head, body := f.header(), claims(now)

	// The positive control: what the forge makes without a change is taken.
	if got := code(s, t, f.token(head, body)); got != "" {
		t.Fatalf("the forge's own token: %q", got)
	}

	der, err := x509.MarshalPKIXPublicKey(&f.key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	point, err := f.key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	jwk := object{
		"kty": "EC", "crv": "P-256", "kid": f.id,
		"x": base64.RawURLEncoding.EncodeToString(point[1:33]), "y": base64.RawURLEncoding.EncodeToString(point[33:]),
	}
	symmetric := func(secret []byte) forge {
		g := f
		g.sign = func(input string) []byte {
			m := hmac.New(sha256.New, secret)
			m.Write([]byte(input))
			return m.Sum(nil)
		}
		return g
	}
	constant := func(signature []byte) forge {
		g := f
		g.sign = func(string) []byte { return signature }
		return g
	}
	stranger, err := ecdsa.GenerateKey(f.key.Curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	strange := f
	strange.sign = func(input string) []byte {
		sum := sha256.Sum256([]byte(input))
		r, q, err := ecdsa.Sign(rand.Reader, stranger, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		return append(r.FillBytes(make([]byte, 32)), q.FillBytes(make([]byte, 32))...)
	}
	asn1 := f
	asn1.sign = func(input string) []byte {
		sum := sha256.Sum256([]byte(input))
		signature, err := ecdsa.SignASN1(rand.Reader, f.key, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		return signature
	}
	order := f.key.Params().N
	good := f.token(head, body)
	unsigned := encode(t, set(head, "alg", "none")) + "." + encode(t, body) + "."

	forged := map[string]string{
		// T1: the algorithm.
		"alg none, no signature":     unsigned,
		"alg none, a signature":      f.token(set(head, "alg", "none"), body),
		"alg None":                   f.token(set(head, "alg", "None"), body),
		"alg nOnE, empty signature":  encode(t, set(head, "alg", "nOnE")) + "." + encode(t, body) + ".",
		"alg absent":                 f.token(set(head, "alg", nil), body),
		"alg es256":                  f.token(set(head, "alg", "es256"), body),
		"alg list":                   f.token(set(head, "alg", []string{"ES256"}), body),
		"HS256 with the PEM":         symmetric(public).token(set(head, "alg", "HS256"), body),
		"HS256 with the DER":         symmetric(der).token(set(head, "alg", "HS256"), body),
		"HS256 with an empty secret": symmetric(nil).token(set(head, "alg", "HS256"), body),
		"RS256":                      f.token(set(head, "alg", "RS256"), body),
		"ES384":                      f.token(set(head, "alg", "ES384"), body),
		"EdDSA":                      f.token(set(head, "alg", "EdDSA"), body),
		"r and s are zero":           constant(make([]byte, 64)).token(head, body),
		"r and s are the order":      constant(append(order.Bytes(), order.Bytes()...)).token(head, body),
		"r is one, s is one":         constant(append(big.NewInt(1).FillBytes(make([]byte, 32)), big.NewInt(1).FillBytes(make([]byte, 32))...)).token(head, body),
		"an empty signature":         encode(t, head) + "." + encode(t, body) + ".",
		"a short signature":          good[:len(good)-4],
		"an ASN.1 signature":         asn1.token(head, body),
		"another key's signature":    strange.token(head, body),

		// T2: keys that come with the token.
		"jwk":                         strange.token(set(head, "jwk", jwk), body),
		"jwk of ours":                 f.token(set(head, "jwk", jwk), body),
		"jku":                         f.token(set(head, "jku", "https://attacker.example.com/keys"), body),
		"x5u":                         f.token(set(head, "x5u", "https://attacker.example.com/cert"), body),
		"x5c":                         f.token(set(head, "x5c", []string{base64.StdEncoding.EncodeToString(der)}), body),
		"crit":                        f.token(set(head, "crit", []string{"exp"}), body),
		"b64":                         f.token(set(head, "b64", false, "crit", []string{"b64"}), body),
		"kid absent":                  f.token(set(head, "kid", nil), body),
		"kid unknown":                 f.token(set(head, "kid", "unknown"), body),
		"kid is a path":               f.token(set(head, "kid", "../../etc/passwd"), body),
		"kid is SQL":                  f.token(set(head, "kid", "' OR 1=1"), body),
		"kid is a URL":                f.token(set(head, "kid", "https://attacker.example.com/"), body),
		"kid is long":                 f.token(set(head, "kid", strings.Repeat("a", 65)), body),
		"kid is a number":             f.token(set(head, "kid", 1), body),
		"the header twice over":       f.token(`{"alg":"none","alg":"ES256","kid":"`+f.id+`","typ":"at+jwt"}`, body),
		"the header in capitals":      f.token(`{"ALG":"ES256","KID":"`+f.id+`","TYP":"at+jwt"}`, body),
		"the header behind a comment": f.token(`/**/{"alg":"ES256","kid":"`+f.id+`","typ":"at+jwt"}`, body),

		// T3: tokens for somebody else.
		"typ JWT":               f.token(set(head, "typ", "JWT"), body),
		"typ absent":            f.token(set(head, "typ", nil), body),
		"typ id+jwt":            f.token(set(head, "typ", "id+jwt"), body),
		"iss with a slash":      f.token(head, set(body, "iss", "https://pay.example.com/")),
		"iss in capitals":       f.token(head, set(body, "iss", "https://PAY.example.com")),
		"iss absent":            f.token(head, set(body, "iss", nil)),
		"aud of another":        f.token(head, set(body, "aud", "billing")),
		"aud absent":            f.token(head, set(body, "aud", nil)),
		"aud empty list":        f.token(head, set(body, "aud", []string{})),
		"aud object":            f.token(head, set(body, "aud", object{"payrack": true})),
		"client absent":         f.token(head, set(body, "client_id", nil)),
		"id absent":             f.token(head, set(body, "jti", nil)),
		"an environment of air": f.token(head, set(body, "env", []string{"staging"})),
		"scope as a list":       f.token(head, set(body, "scope", []string{"pay"})),

		// T4: times.
		"exp absent":      f.token(head, set(body, "exp", nil)),
		"exp as text":     f.token(head, set(body, "exp", fmt.Sprint(now.Add(time.Hour).Unix()))),
		"exp 1e300":       f.token(head, set(body, "exp", json.RawMessage("1e300"))),
		"exp a fraction":  f.token(head, set(body, "exp", json.RawMessage("1795334400.5"))),
		"exp negative":    f.token(head, set(body, "exp", -1)),
		"exp zero":        f.token(head, set(body, "exp", 0)),
		"exp max int64":   f.token(head, set(body, "exp", int64(1<<63-1))),
		"exp beyond 64":   f.token(head, set(body, "exp", json.RawMessage("18446744073709551616"))),
		"exp in 40 days":  f.token(head, set(body, "exp", now.Add(40*24*time.Hour).Unix())),
		"exp twice":       f.token(head, `{"exp":1,`+strings.TrimPrefix(raw(t, body), "{")),
		"iat absent":      f.token(head, set(body, "iat", nil)),
		"iat min int64":   f.token(head, set(body, "iat", int64(-1<<63))),
		"iat in an hour":  f.token(head, set(body, "iat", now.Add(time.Hour).Unix())),
		"nbf in an hour":  f.token(head, set(body, "nbf", now.Add(time.Hour).Unix())),
		"nbf max int64":   f.token(head, set(body, "nbf", int64(1<<63-1))),
		"nbf negative":    f.token(head, set(body, "nbf", -1)),
		"the body twice":  f.token(head, raw(t, body)+raw(t, body)),
		"the body a list": f.token(head, []any{body}),
		"the body null":   f.token(head, "null"),

		// Spellings of a good token.
		"white space behind":       good + "\n",
		"a line break in it":       good[:40] + "\n" + good[40:],
		"padding":                  good + "==",
		"the standard alphabet":    strings.NewReplacer("-", "+", "_", "/").Replace(good) + "+",
		"five parts":               good + ".a.b",
		"JSON serialization":       `{"payload":"` + strings.Split(good, ".")[1] + `","signatures":[]}`,
		"the last bits changed":    lastBits(good),
		"a token inside the token": f.token(head, good),
	}
	if len(forged) < 60 {
		t.Errorf("%d forged tokens", len(forged))
	}
	for name, token := range forged {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for range 2 { // a refusal must not be remembered as something else
				if got := code(s, t, token); got != "invalid_token" {
					t.Errorf("got %q", got)
				}
			}
		})
	}

	if got := code(s, t, f.token(head, set(body, "exp", now.Add(-time.Second).Unix(), "iat", now.Add(-time.Hour).Unix()))); got != "token_expired" {
		t.Errorf("one second late: %q", got)
	}
	if got := code(s, t, f.token(head, set(body, "aud", []string{"billing", "payrack"}))); got != "" {
		t.Errorf("one audience of two: %q", got)
	}
	// Who forges learns nothing from the end of a token.
	if got := code(s, t, strange.token(head, set(body, "exp", now.Add(-time.Hour).Unix()))); got != "invalid_token" {
		t.Errorf("expired and forged: %q", got)
	}
}

func raw(t *testing.T, o object) string {
	t.Helper()
	doc, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return string(doc)
}

// lastBits changes bits of the last character that carry nothing: another text of the same bytes.
func lastBits(token string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, token[len(token)-1])
	return token[:len(token)-1] + string(alphabet[last^1])
}

func BenchmarkVerify(b *testing.B) {
	c := start()
	s, err := tokens.New(tokens.Options{Dir: b.TempDir(), Create: true, Now: c.Now})
	if err != nil {
		b.Fatal(err)
	}
	token, err := s.Sign(b.Context(), who(time.Time{}), c.Now())
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := s.Verify(b.Context(), token); err != nil {
			b.Fatal(err)
		}
	}
}
