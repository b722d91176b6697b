package ecpay_test

import (
	"strings"
	"testing"

	"github.com/payrack/payrack/plugins/providers/ecpay"
)

// The vectors that ECPay publishes for its AES-JSON services.
func TestPublishedVectors(t *testing.T) {
	t.Parallel()
	for _, v := range []struct{ key, iv, text, data string }{
		{
			"7b53896b742849d3", "37a0ad3c6ffa428b", `{"Name":"Test","ID":"A123456789"}`,
			"oxmUqzelA4koGRQ+myZggW5qNqlVdytGJadngOuWA7jd1Fakpay72J/w5IXLIINqCYcmx7gLsaednuH54LjffA==",
		},
		{
			"ejCk326UnaZWKisg", "q9jcZX8Ib9LM8wYk", `{"MerchantID":"2000132","BarCode":"/1234567"}`,
			"XeEOdHpTRvxKEqs/JD9RSd16s7VtpyWVCN6AV44pKTW3DVa6yI7vKmjBRp2eulDhXoru/qBqFDBH3fEqlkMn3bbJfJBfGAq+v+SvttutYnc=",
		},
		{
			"ejCk326UnaZWKisg", "q9jcZX8Ib9LM8wYk", `{"Name":"test!*'()~value"}`,
			"uvI4yrErM37XNQkXGAgRgBuDOiJoVs72Xn/rum9Ejl1DSna4HyLSoY7764PmhTR7JXb9jJWLSjCGcZEDeFiABg==",
		},
		{
			"ejCk326UnaZWKisg", "q9jcZX8Ib9LM8wYk", `{"N":"1234567890"}`,
			"gVwWJnIpl1m3ZDypcRAjiCctilYnQhHn4h8OzJP5IxQPov7HuysXX+jPONvrHS7Z",
		},
	} {
		got, err := ecpay.Seal(v.key, v.iv, v.text)
		if err != nil || got != v.data {
			t.Errorf("%s: %s, %v", v.text, got, err)
		}
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	const key, iv = "7b53896b742849d3", "37a0ad3c6ffa428b"
	for text, want := range map[string]string{
		`{"RtnCode":1,"RtnMsg":"交易 成功+1 100%"}`: "1",
		`{"RtnCode":"1"}`: "1",
		`{"RtnCode":-402,"OrderInfo":{"TradeNo":7}}`: "-402",
		`{"RtnCode":1,"RtnCode":2}`:                  "",
		`{"RtnCode":1,"rtncode":2}`:                  "",
		`{"RtnCode":1.5}`:                            "",
		`{"RtnMsg":"ok"}`:                            "",
		`{"RtnCode":1,"MerchantID":"9"}`:             "",
		`[{"RtnCode":1}]`:                            "",
		``:                                           "",
	} {
		data, err := ecpay.Seal(key, iv, text)
		if err != nil {
			t.Fatal(err)
		}
		code, clear, err := ecpay.OpenAnswer(key, iv, data)
		if code != want && err == nil || (err == nil) != (want != "") {
			t.Errorf("%s: code %q, %v", text, code, err)
		}
		if want != "" && clear != text {
			t.Errorf("%s became %s", text, clear)
		}
	}
	data, err := ecpay.Seal(key, iv, `{"RtnCode":1}`)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"", "***", data[:8], strings.ToLower(data), `{"RtnCode":1}`} {
		if code, _, err := ecpay.OpenAnswer(key, iv, bad); err == nil {
			t.Errorf("%q was read as %s", bad, code)
		}
	}
	if _, err := ecpay.Seal("short", iv, ""); err == nil {
		t.Error("a short HashKey was taken")
	}
}
