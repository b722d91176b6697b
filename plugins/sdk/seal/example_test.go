package seal_test

import (
	"encoding/base64"
	"fmt"
	"net/url"

	"github.com/payrack/payrack/plugins/sdk/seal"
)

// A gateway wants base64 of AES-128-CBC over URL-encoded JSON, under a key and an IV that it issued as texts.
func ExampleCBC() {
	cbc, err := seal.NewCBC([]byte("7b53896b742849d3"))
	if err != nil {
		fmt.Println(err)
		return
	}
	iv := []byte("37a0ad3c6ffa428b")
	sealed, err := cbc.Seal(iv, []byte(url.QueryEscape(`{"Name":"Test","ID":"A123456789"}`)))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(base64.StdEncoding.EncodeToString(sealed))
	_, err = cbc.Open(iv, sealed[:16])
	fmt.Println(err)
	// Output:
	// oxmUqzelA4koGRQ+myZggW5qNqlVdytGJadngOuWA7jd1Fakpay72J/w5IXLIINqCYcmx7gLsaednuH54LjffA==
	// the message cannot be deciphered
}

// A gateway wants base64 of HMAC-SHA256 over secret, path, body and nonce.
func ExampleMAC() {
	const secret = "a917ab6a2367b536f8e5a6e2977e06f4"
	mac := seal.MAC(secret, secret, "/v4/payments", `{"amount":250}`, "ea7d1a3c-3a0f-4cd6-8b50-b1a9e2f1a6c1")
	fmt.Println(len(base64.StdEncoding.EncodeToString(mac)), seal.VerifyMAC(mac, secret, secret, "/v4/payments", `{"amount":999}`))
	// Output: 44 the signature does not fit
}

func ExampleParsePublicKey() {
	_, err := seal.ParsePublicKey("-----BEGIN PUBLIC KEY-----\nbm90IGEga2V5\n-----END PUBLIC KEY-----")
	fmt.Println(err)
	// Output: not an RSA key of at least 2048 bits, as PEM or as base64 of DER
}
