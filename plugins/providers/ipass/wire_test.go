package ipass_test

import (
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/payrack/payrack/plugins/providers/ipass"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

const vectorIV = "000102030405060708090a0b0c0d0e0f"

// The ciphertexts were made with other programs (OpenSSL for CBC, Python's cryptography for GCM).
var vectors = []struct{ cipher, clear, data string }{
	{"aes-cbc-pkcs7", `{"a":1}`, "i+x/UvO1Qn10Bn73YfQb/Q=="},
	{
		"aes-cbc-pkcs7", `{"returnCode":"0006","returnMsg":"該OrderNumber重複","reqId":"9CC197A0-E12C-4AC5-8CC0-0052E09D3752"}`,
		"mi8t3KTz3ca67uGU6ll+zI3IDSpGT4Do2Y8mxluW+xyXoYlRTPMeiT3IlcQNIjhoMbgzyV6gHA37oooaTweQBLfdnbyl2mLrMyZIpy4uCr7CGFAGnHH/kMcfZJSN6XXUm4McOeZAOf6xZn072aml6A==",
	},
	{
		"aes-cbc-pkcs7", clearVector,
		"PQJoLY1dzj14jY7Z3V93jj9Tu+jlHtroN3RMNa4tBL1EGXB7KF9nbG4puxxcOpEepNZxwFmQ1KPVdj/OrHriqiuB6ednpyYUjJX3H5REpfG+hPfNOG3ft9OaxJrhmAuJUl1zPzD2P66BQj1Pu+5ay10bqTxihPIWsoWO1BRsOPtCjb5xhY+zAT8OKQKQ41RcYHTgb6xvNj4qrt4iNEP9E534m+gZFPqAb5em7399rLg2W6k2Sql5cm11jG5M29u7b4QbyakcJHVsg0FU/pYkqYAo3lhLU5OQHhMVw6/QUVjlblH8tjWScAJJ8GA1dVyhaw967vmvQP4vvz05M77DvBnZ8B+7Rx7ebTu4XzaffDSoDHAUxHZ87LXn1nFHmhvJ85ckfIZTFUDBCtejVBBO+2/MTH5e0Sc5IUc5i+OZas8Aur/uZkqPBpu8m1cYOS3qdr8ZrjZBP+pdsPp4A77uxQ==",
	},
	{"aes-gcm", `{"a":1}`, "B9jaXymmaxRbWYKIdAXyvLPTFM9qU8s="},
}

const clearVector = `{"reqId":"9CC197A0-E12C-4AC5-8CC0-0052E09D3752","tradeCode":"96A1OABQAAFmIVAVRxhAgY","amount":229,"orderNumber":"IXN20231011000001","storeId":"00681","terminalId":"AB123456","capture":true,"posDateTime":"2023-10-11 01:44:54","tradeDateTime":"2023-10-11 01:45:55","productDesc":"測試商品*1","remark":"","redeem":{"nonRedeemAmout":80}}`

func ivOf(t *testing.T, text string) (iv [16]byte) {
	t.Helper()
	raw, err := hex.DecodeString(text)
	if err != nil || copy(iv[:], raw) != 16 {
		t.Fatalf("IV %q", text)
	}
	return iv
}

func TestCipherVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors {
		w := ipass.Wire{Cipher: v.cipher}
		header, body, err := ipass.Seal(w, key, ivOf(t, vectorIV), []byte(v.clear))
		if want := `{"data":"` + v.data + `"}`; err != nil || string(body) != want {
			t.Errorf("%s of %.40s: got %s, %v", v.cipher, v.clear, body, err)
		}
		if got := map[string][]string(header)["iPass-Iv"]; len(got) != 1 || got[0] != vectorIV {
			t.Errorf("IV header %v", header)
		}
		answer := http.Header{}
		answer.Set("iPass-Iv", strings.ToUpper(vectorIV))
		if clear, err := ipass.OpenSealed(w, key, answer, body); err != nil || string(clear) != v.clear {
			t.Errorf("%s back: got %s, %v", v.cipher, clear, err)
		}
	}
}

func TestKeyEncodingsAndWaysOfTheIV(t *testing.T) {
	t.Parallel()
	const clear = `{"a":1}`
	for name, c := range map[string]struct {
		wire ipass.Wire
		key  string
		body string
	}{
		"hex key":      {ipass.Wire{KeyEncoding: "hex"}, hex.EncodeToString([]byte(key)), `{"data":"i+x/UvO1Qn10Bn73YfQb/Q=="}`},
		"base64 key":   {ipass.Wire{KeyEncoding: "base64"}, "MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY=", `{"data":"i+x/UvO1Qn10Bn73YfQb/Q=="}`},
		"IV in body":   {ipass.Wire{IVTransport: "body"}, key, `{"iv":"` + vectorIV + `","data":"i+x/UvO1Qn10Bn73YfQb/Q=="}`},
		"IV as prefix": {ipass.Wire{IVTransport: "prefix"}, key, `{"data":"AAECAwQFBgcICQoLDA0OD4vsf1LztUJ9dAZ+92H0G/0="}`},
		"other header": {ipass.Wire{IVHeader: "X-IV"}, key, `{"data":"i+x/UvO1Qn10Bn73YfQb/Q=="}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			header, body, err := ipass.Seal(c.wire, c.key, ivOf(t, vectorIV), []byte(clear))
			if err != nil || string(body) != c.body {
				t.Errorf("got %s, %v", body, err)
			}
			answer := http.Header{}
			for name, values := range header {
				answer.Set(name, values[0])
			}
			if got, err := ipass.OpenSealed(c.wire, c.key, answer, body); err != nil || string(got) != clear {
				t.Errorf("back: got %s, %v", got, err)
			}
			if len(c.wire.IVTransport) > 0 && map[string][]string(header)["iPass-Iv"] != nil {
				t.Error("the IV is in the header as well")
			}
		})
	}
}

func TestKeysOfAnotherLengthAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ encoding, key string }{
		{"raw", "short"}, {"raw", key + "x"}, {"hex", "zz"}, {"hex", "00"}, {"base64", "!"}, {"base64", "AAAA"}, {"raw", ""},
	} {
		if _, _, err := ipass.Seal(ipass.Wire{KeyEncoding: c.encoding}, c.key, ivOf(t, vectorIV), []byte(`{}`)); err == nil {
			t.Errorf("%s key %q was taken", c.encoding, c.key)
		}
	}
}

// Every way in which an answer can be undecipherable gives the same words.
func TestUndecipherableAnswersAreAlike(t *testing.T) {
	t.Parallel()
	good := vectors[0].data
	for name, c := range map[string]struct{ iv, body, cipher string }{
		"not JSON":         {vectorIV, `<html>`, ""},
		"no data":          {vectorIV, `{}`, ""},
		"not base64":       {vectorIV, `{"data":"*"}`, ""},
		"half a block":     {vectorIV, `{"data":"i+x/UvO1"}`, ""},
		"no IV":            {"", `{"data":"` + good + `"}`, ""},
		"IV of 15 bytes":   {vectorIV[:30], `{"data":"` + good + `"}`, ""},
		"flipped padding":  {"000102030405060708090a0b0c0d0e0e", `{"data":"` + good + `"}`, ""},
		"padding of zero":  {"000102030405060708090a0b0c0d0e06", `{"data":"` + good + `"}`, ""},
		"GCM tag":          {vectorIV, `{"data":"` + good + `"}`, "aes-gcm"},
		"GCM without data": {vectorIV, `{"data":""}`, "aes-gcm"},
		"data twice":       {vectorIV, `{"data":"` + good + `","data":"` + good + `"}`, ""},
	} {
		header := http.Header{}
		header.Set("iPass-Iv", c.iv)
		clear, err := ipass.OpenSealed(ipass.Wire{Cipher: c.cipher}, key, header, []byte(c.body))
		if err == nil || err.Error() != "undecipherable answer" {
			t.Errorf("%s: got %q, %v", name, clear, err)
		}
	}
	short := http.Header{}
	if _, err := ipass.OpenSealed(ipass.Wire{IVTransport: "prefix"}, key, short, []byte(`{"data":"AAEC"}`)); err == nil || err.Error() != "undecipherable answer" {
		t.Errorf("prefix too short: %v", err)
	}
}

func TestClearTextOfAPayment(t *testing.T) {
	t.Parallel()
	got, err := ipass.ClearPay(ipass.Wire{}, time.Time{}, payRequest(t, nil, seedColumns))
	if err != nil || string(got) != clearVector {
		t.Errorf("got %s, %v", got, err)
	}
	now := time.Date(2026, 11, 22, 18, 30, 0, 0, time.UTC)
	r := payRequest(t, nil, `{"store_id":"店1","terminal_id":"1"}`)
	r.Description = ""
	got, err = ipass.ClearPay(ipass.Wire{Names: map[string]string{"amount": "TxnAmt"}}, now, r)
	want := `{"reqId":"` + reqID + `","tradeCode":"` + tradeCode + `","TxnAmt":229,"orderNumber":"` + orderID + `","storeId":"店1","terminalId":"1","capture":true,"posDateTime":"2026-11-23 02:30:00","tradeDateTime":"2026-11-23 02:30:00"}`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v\nwant %s", got, err, want)
	}
}

// The client's IV and req_id serve the client's own request and nothing else.
func TestClientIVServesOnce(t *testing.T) {
	t.Parallel()
	own := map[string]string{"iv": vectorIV}
	g := newGateway(t, always(reply{clear: `{"returnCode":"9999"}`}))
	p := open(t, g.URL, nil)
	p.Pay(t.Context(), payRequest(t, own, seedColumns))
	p.Search(t.Context(), searchRequest(t, provider.PurposeResolve, own))
	p.Search(t.Context(), searchRequest(t, provider.PurposeResolve, own))
	sent := g.requests()
	if len(sent) != 3 || sent[0].iv != vectorIV || !strings.Contains(sent[0].clear, reqID) {
		t.Fatalf("sent %+v", sent)
	}
	for _, s := range sent[1:] {
		if s.iv == vectorIV || strings.Contains(s.clear, reqID) {
			t.Errorf("a search of the platform used what the client sent: %+v", s)
		}
	}
	// The platform's follow-ups carry the payment's credential set, with the iv in it.
	void, refund := voidRequest(t), refundRequest(t, 1)
	void.Call, refund.Call = call(t, own, `{}`), call(t, own, `{}`)
	p.Void(t.Context(), void)
	p.Refund(t.Context(), refund)
	for _, s := range g.requests()[3:] {
		if s.iv == vectorIV {
			t.Errorf("a follow-up used the iv of the payment: %+v", s)
		}
	}
	client := newGateway(t, always(reply{clear: `{"returnCode":"9999"}`}))
	open(t, client.URL, nil).Search(t.Context(), searchRequest(t, provider.PurposeClient, own))
	if sent := client.requests(); len(sent) != 1 || sent[0].iv != vectorIV || sent[0].clear != `{"reqId":"`+reqID+`","orderNumber":"`+orderID+`"}` {
		t.Errorf("sent %+v", sent)
	}
}

func TestRename(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		// The published samples, in the gateway's names and another order.
		`{"returnCode":"0000","returnMsg":"成功","reqId":"9CC154A0-E12C-4AC5-8CC0-1154409D3753","transactionId":"e2458974869618","transactionDateTime":"2024-09-03 14:54:15","electronicInvoiceCarrier":"","paymentType":"1","amount":2,"orderNumber":"IXN20240827000003"}`: `{"transaction_id":"e2458974869618","transaction_date_time":"2024-09-03 14:54:15","electronic_invoice_carrier":"","payment_type":"1","amount":2,"order_number":"IXN20240827000003","return_code":"0000","return_msg":"成功","req_id":"9CC154A0-E12C-4AC5-8CC0-1154409D3753"}`,
		`{"reqId":"9CC154A0-E12C-4AC5-8CC0-1444749D3578","returnMsg":"該OrderNumber重複","returnCode":"0006"}`:                                                                                                                                                               `{"return_code":"0006","return_msg":"該OrderNumber重複","req_id":"9CC154A0-E12C-4AC5-8CC0-1444749D3578"}`,
		// Refund and void have the order of their pages.
		`{"orderNumber":"A","amount":2,"paymentType":"1","cancelDateTime":"d","cancelTransactionId":"c","reqId":"r","returnMsg":"m","returnCode":"0000"}`: `{"return_code":"0000","return_msg":"m","req_id":"r","cancel_transaction_id":"c","cancel_date_time":"d","payment_type":"1","amount":2,"order_number":"A"}`,
		`{"orderNumber":"A","voidDateTime":"d","reqId":"r","returnMsg":"m","returnCode":"0000"}`:                                                          `{"return_code":"0000","return_msg":"m","req_id":"r","void_date_time":"d","order_number":"A"}`,
		`{"returnCode":"9999","returnMsg":"發生未預期錯誤"}`:                                                                                                     `{"return_code":"9999","return_msg":"發生未預期錯誤"}`,
		// Values and unknown members stay as they came, at every depth.
		` { "RETURNCODE" : "0000", "x":1.50e3, "ids":[2019049910005496810,"\u00e9", {"CancelTransactionId":"c", "y":null}], "Z":{} } `: `{"return_code":"0000","x":1.50e3,"ids":[2019049910005496810,"\u00e9",{"cancel_transaction_id":"c","y":null}],"Z":{}}`,
		// A search has its own order.
		`{"amount":2,"payStatus":"1","originalTransactionId":"e1","returnCode":"0000","reqId":"r"}`: `{"return_code":"0000","req_id":"r","original_transactionId":"e1","pay_status":"1","amount":2}`,
	} {
		got, err := ipass.Rename(ipass.Wire{}, []byte(in))
		if err != nil || string(got) != want {
			t.Errorf("%s:\ngot  %s, %v\nwant %s", in, got, err, want)
		}
		if !json.Valid(got) {
			t.Errorf("not JSON: %s", got)
		}
	}
}
