package seal_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"testing"

	"github.com/payrack/payrack/plugins/sdk/seal"
)

// The vectors come from NIST SP 800-38A (F.2.1 and F.2.5, the first block; it has no padding of its own) and from a
// gateway's published documents.
func TestCBCVectors(t *testing.T) {
	t.Parallel()
	fromHex := func(s string) []byte {
		raw, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	fromBase64 := func(s string) []byte {
		raw, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	iv := fromHex("000102030405060708090a0b0c0d0e0f")
	block := fromHex("6bc1bee22e409f96e93d7e117393172a")
	for name, v := range map[string]struct{ key, iv, clear, begins, whole []byte }{
		"AES-128, SP 800-38A": {fromHex("2b7e151628aed2a6abf7158809cf4f3c"), iv, block, fromHex("7649abac8119b246cee98e9b12e9197d"), nil},
		"AES-256, SP 800-38A": {fromHex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"), iv, block, fromHex("f58c4c04d6e5f1ba779eabfb5f7bfbd6"), nil},
		"a gateway's vector": {
			[]byte("7b53896b742849d3"), []byte("37a0ad3c6ffa428b"), []byte("%7B%22Name%22%3A%22Test%22%2C%22ID%22%3A%22A123456789%22%7D"), nil,
			fromBase64("oxmUqzelA4koGRQ+myZggW5qNqlVdytGJadngOuWA7jd1Fakpay72J/w5IXLIINqCYcmx7gLsaednuH54LjffA=="),
		},
	} {
		c, err := seal.NewCBC(v.key)
		if err != nil {
			t.Fatal(name, err)
		}
		sealed, err := c.Seal(v.iv, v.clear)
		if err != nil || !bytes.HasPrefix(sealed, v.begins) || (v.whole != nil && !bytes.Equal(sealed, v.whole)) {
			t.Errorf("%s: sealed %x, %v", name, sealed, err)
		}
		if clear, err := c.Open(v.iv, sealed); err != nil || !bytes.Equal(clear, v.clear) {
			t.Errorf("%s: opened %q, %v", name, clear, err)
		}
	}
}

func TestCBCRefuses(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 15, 17, 31, 33} {
		if _, err := seal.NewCBC(make([]byte, n)); !errors.Is(err, seal.ErrKey) {
			t.Errorf("a key of %d bytes: %v", n, err)
		}
	}
	c, err := seal.NewCBC([]byte("0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	iv := make([]byte, seal.IVSize)
	if _, err := c.Seal(iv[:15], nil); !errors.Is(err, seal.ErrKey) {
		t.Error("a short iv was taken", err)
	}
	if _, err := c.Open(iv[:15], make([]byte, 16)); !errors.Is(err, seal.ErrKey) {
		t.Error("a short iv was taken", err)
	}
	if _, err := (seal.CBC{}).Seal(iv, nil); !errors.Is(err, seal.ErrKey) {
		t.Error("the zero CBC seals", err)
	}
	sealed, err := c.Seal(iv, []byte("exactly 16 bytes"))
	if err != nil || len(sealed) != 32 {
		t.Fatalf("%x, %v", sealed, err)
	}
	for _, cut := range [][]byte{nil, sealed[:16], sealed[:31], append(bytes.Clone(sealed), 0), make([]byte, 16)} {
		if clear, err := c.Open(iv, cut); !errors.Is(err, seal.ErrOpen) {
			t.Errorf("%d bytes were opened: %q, %v", len(cut), clear, err)
		}
	}
	before := bytes.Clone(sealed)
	if _, err := c.Open(iv, sealed); err != nil || !bytes.Equal(before, sealed) {
		t.Error("opening changed what was opened", err)
	}
}

// Every padding that is not PKCS7 is refused: each of the last two bytes is tried with every value.
func TestPadding(t *testing.T) {
	t.Parallel()
	c, err := seal.NewCBC([]byte("0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	iv := make([]byte, seal.IVSize)
	opened := 0
	for n := range 256 {
		for before := range 256 {
			// Thirty-two bytes of our choice: sealed with their own padding, of which we drop the last block.
			clear := bytes.Repeat([]byte{0xAA}, 32)
			clear[30], clear[31] = byte(before), byte(n)
			sealed, err := c.Seal(iv, clear)
			if err != nil {
				t.Fatal(err)
			}
			got, err := c.Open(iv, sealed[:32])
			good := n == 1 || n == 2 && before == 2
			if (err == nil) != good || good && len(got) != 32-n {
				t.Fatalf("padding …%02x%02x: %d bytes, %v", before, n, len(got), err)
			}
			if good {
				opened++
			}
		}
	}
	if opened != 257 {
		t.Errorf("%d were opened", opened)
	}
}

func FuzzOpen(f *testing.F) {
	c, err := seal.NewCBC([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		f.Fatal(err)
	}
	iv := []byte("fedcba9876543210")
	f.Add([]byte("text"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if clear, err := c.Open(iv, text); err == nil && len(clear) >= len(text) {
			t.Error("more came out than went in")
		}
		sealed, err := c.Seal(iv, text)
		if err != nil {
			t.Fatal(err)
		}
		if clear, err := c.Open(iv, sealed); err != nil || !bytes.Equal(clear, text) {
			t.Errorf("%q became %q, %v", text, clear, err)
		}
	})
}

func newKey(t *testing.T, bits int) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestRSA(t *testing.T) {
	t.Parallel()
	key := newKey(t, 2048)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	pkix, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	armoured := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	bare := base64.StdEncoding.EncodeToString
	var signature string
	for name, text := range map[string]string{
		"PKCS #8": armoured("PRIVATE KEY", pkcs8), "PKCS #1": armoured("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)),
		"bare": bare(pkcs8), "bare, in lines": bare(pkcs8)[:60] + "\r\n " + bare(pkcs8)[60:] + "\n",
	} {
		read, err := seal.ParsePrivateKey(text)
		if err != nil || !read.Equal(key) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if signature, err = seal.SignRSA(read, []byte("message")); err != nil {
			t.Error(name, err)
		}
	}
	for name, text := range map[string]string{
		"PKIX": armoured("PUBLIC KEY", pkix), "PKCS #1": armoured("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&key.PublicKey)), "bare": bare(pkix),
	} {
		read, err := seal.ParsePublicKey(text)
		if err != nil || !read.Equal(&key.PublicKey) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := seal.VerifyRSA(read, []byte("message"), signature); err != nil {
			t.Error(name, err)
		}
	}
	other := newKey(t, 2048)
	for name, bad := range map[string]error{
		"another message":   seal.VerifyRSA(&key.PublicKey, []byte("massage"), signature),
		"another key":       seal.VerifyRSA(&other.PublicKey, []byte("message"), signature),
		"no base64":         seal.VerifyRSA(&key.PublicKey, []byte("message"), "***"),
		"nothing":           seal.VerifyRSA(&key.PublicKey, []byte("message"), ""),
		"a cut signature":   seal.VerifyRSA(&key.PublicKey, []byte("message"), signature[:100]),
		"a longer one":      seal.VerifyRSA(&key.PublicKey, []byte("message"), bare(make([]byte, 300))),
		"signature of zero": seal.VerifyRSA(&key.PublicKey, []byte("message"), bare(make([]byte, 256))),
	} {
		if !errors.Is(bad, seal.ErrSignature) {
			t.Errorf("%s: %v", name, bad)
		}
	}
}

func TestRSAKeysThatAreNone(t *testing.T) {
	t.Parallel()
	key := newKey(t, 2048)
	pkix, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"nothing": "", "words": "not a key", "base64 of words": "bm90IGEga2V5",
		"a public key": base64.StdEncoding.EncodeToString(pkix), "half a key": base64.StdEncoding.EncodeToString(pkcs8[:200]),
	} {
		if _, err := seal.ParsePrivateKey(text); !errors.Is(err, seal.ErrRSAKey) {
			t.Errorf("private, %s: %v", name, err)
		}
	}
	for name, text := range map[string]string{
		"nothing": "", "words": "not a key", "a private key": base64.StdEncoding.EncodeToString(pkcs8), "half a key": base64.StdEncoding.EncodeToString(pkix[:50]),
	} {
		if _, err := seal.ParsePublicKey(text); !errors.Is(err, seal.ErrRSAKey) {
			t.Errorf("public, %s: %v", name, err)
		}
	}
}

// RFC 4231, test case 2.
func TestMAC(t *testing.T) {
	t.Parallel()
	mac := seal.MAC("Jefe", "what do ya want ", "for nothing?")
	if got := hex.EncodeToString(mac); got != "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" {
		t.Error(got)
	}
	if err := seal.VerifyMAC(mac, "Jefe", "what do ya want for nothing?"); err != nil {
		t.Error(err)
	}
	if err := seal.VerifyMAC(mac, "jefe", "what do ya want for nothing?"); !errors.Is(err, seal.ErrSignature) {
		t.Error("another key fits")
	}
	if err := seal.VerifyMAC(mac[:31], "Jefe", "what do ya want for nothing?"); !errors.Is(err, seal.ErrSignature) {
		t.Error("a shorter code fits")
	}
}
