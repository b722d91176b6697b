package ipass_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/payrack/payrack/plugins/providers/ipass"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

// otherGateway is an iPASS whose specification turned out to be another one than was assumed. It reads and
// writes in its own way; the plugin follows by settings alone.
type otherGateway struct {
	key []byte
	gcm bool
	hex bool
	// Where the IV travels: a header, a member of the body, or before the ciphertext.
	ivHeader, ivMember string
	data               string
	merchant           string
	paths              map[string]string // path to operation
	name               func(camel string) string
}

func (g otherGateway) text(raw []byte) string {
	if g.hex {
		return hex.EncodeToString(raw)
	}
	return base64.StdEncoding.EncodeToString(raw)
}

func (g otherGateway) raw(text string) []byte {
	decode := base64.StdEncoding.DecodeString
	if g.hex {
		decode = hex.DecodeString
	}
	raw, err := decode(text)
	if err != nil {
		return nil
	}
	return raw
}

func (g otherGateway) decrypt(r *http.Request) ([]byte, error) {
	var body map[string]string
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return nil, fmt.Errorf("body: %w", err)
	}
	crypt := g.raw(body[g.data])
	var iv []byte
	switch {
	case g.ivHeader != "":
		iv, _ = hex.DecodeString(r.Header.Get(g.ivHeader))
	case g.ivMember != "":
		iv, _ = hex.DecodeString(body[g.ivMember])
	case len(crypt) > 16:
		iv, crypt = crypt[:16], crypt[16:]
	}
	if len(iv) != 16 || len(crypt) < 16 {
		return nil, fmt.Errorf("an iv of %d bytes, %d bytes of ciphertext", len(iv), len(crypt))
	}
	block, err := aes.NewCipher(g.key)
	if err != nil {
		return nil, err
	}
	if g.gcm {
		aead, err := cipher.NewGCMWithNonceSize(block, 16)
		if err != nil {
			return nil, err
		}
		return aead.Open(nil, iv, crypt, nil)
	}
	if len(crypt)%16 != 0 {
		return nil, fmt.Errorf("%d bytes of ciphertext", len(crypt))
	}
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(crypt, crypt)
	return crypt[:len(crypt)-int(crypt[len(crypt)-1])], nil
}

func (g otherGateway) encrypt(w http.ResponseWriter, clear []byte) {
	iv := bytes.Repeat([]byte{7}, 16)
	block, err := aes.NewCipher(g.key)
	if err != nil {
		panic(err)
	}
	var crypt []byte
	if g.gcm {
		aead, err := cipher.NewGCMWithNonceSize(block, 16)
		if err != nil {
			panic(err)
		}
		crypt = aead.Seal(nil, iv, clear, nil)
	} else {
		n := 16 - len(clear)%16
		crypt = append(bytes.Clone(clear), bytes.Repeat([]byte{byte(n)}, n)...)
		cipher.NewCBCEncrypter(block, iv).CryptBlocks(crypt, crypt)
	}
	body := map[string]string{}
	switch {
	case g.ivHeader != "":
		w.Header().Set(g.ivHeader, hex.EncodeToString(iv))
	case g.ivMember != "":
		body[g.ivMember] = hex.EncodeToString(iv)
	default:
		crypt = append(iv, crypt...)
	}
	body[g.data] = g.text(crypt)
	out, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	_, _ = w.Write(out)
}

func (g otherGateway) serve(t *testing.T) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		clear, err := g.decrypt(r)
		var request map[string]any
		if err == nil {
			err = json.Unmarshal(clear, &request)
		}
		operation := g.paths[r.URL.Path]
		if err != nil || operation == "" || r.Header.Get(g.merchant) != merchantID || request[g.name("reqId")] == nil {
			t.Errorf("%s: %v, %s, headers %v", r.URL.Path, err, clear, r.Header)
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{}`)
			return
		}
		answer := map[string]any{}
		for camel, value := range map[string]any{
			"returnCode": "0000", "returnMsg": "成功", "reqId": request[g.name("reqId")], "amount": 229, "orderNumber": orderID,
			"transactionId": transactionID, "payStatus": "1",
			"cancelTransactionId": "c1",
		} {
			answer[g.name(camel)] = value
		}
		switch operation {
		case "pay":
			if request[g.name("tradeCode")] != tradeCode || request[g.name("amount")] != 229.0 {
				t.Errorf("pay: %s", clear)
			}
			if redeem, _ := request[g.name("redeem")].(map[string]any); redeem[g.name("nonRedeemAmout")] != 80.0 {
				t.Errorf("redeem: %s", clear)
			}
		case "refund", "capture":
			if request[g.name("transactionId")] != transactionID {
				t.Errorf("%s: %s", operation, clear)
			}
		default:
			if request[g.name("orderNumber")] != orderID {
				t.Errorf("%s: %s", operation, clear)
			}
		}
		out, err := json.Marshal(answer)
		if err != nil {
			t.Error(err)
		}
		g.encrypt(w, out)
	}))
	t.Cleanup(server.Close)
	return server
}

func pascal(camel string) string { return strings.ToUpper(camel[:1]) + camel[1:] }

// A merchant who has the real specification changes the wire configuration and nothing else: cipher, key
// encoding, way and name of the IV, envelope, paths, case and names of the members.
func TestAnotherSpecificationIsASetting(t *testing.T) {
	t.Parallel()
	paths := map[string]string{
		"/offline/pay": "pay", "/offline/capture": "capture", "/offline/refund": "refund", "/offline/void": "void", "/offline/search": "search",
	}
	same := func(camel string) string { return camel }
	for name, c := range map[string]struct {
		wire    string
		gateway otherGateway
		key     string
	}{
		"as assumed": {`{}`, otherGateway{ivHeader: "iPass-Iv", name: same}, key},
		"GCM, IV in the body, PascalCase": {
			`{"cipher":"aes-gcm","iv_transport":"body","field_case":"pascal"}`, otherGateway{gcm: true, ivMember: "iv", name: pascal}, key,
		},
		"GCM, IV before the ciphertext, in hex": {
			`{"cipher":"aes-gcm","iv_transport":"prefix","data_encoding":"hex"}`, otherGateway{gcm: true, hex: true, name: same}, key,
		},
		"IV in front, snake_case": {
			`{"iv_transport":"prefix","field_case":"snake"}`,
			otherGateway{name: func(camel string) string {
				for _, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZ" {
					camel = strings.ReplaceAll(camel, string(c), "_"+strings.ToLower(string(c)))
				}
				return camel
			}},
			key,
		},
		"hex key, other names everywhere": {
			`{"key_encoding":"hex","iv_transport":"body","iv_member":"Vector","data_member":"EncryptInfo","iv_case":"upper","merchant_header":"X-Merchant",` +
				`"field_case":"pascal","names":{"order_number":"MerchantOrderNo","return_code":"RtnCode"},` +
				`"paths":{"pay":"/A1","capture":"/A2","refund":"/A3","void":"/A4","search":"/A5"}}`,
			otherGateway{
				ivMember: "Vector", data: "EncryptInfo", merchant: "X-Merchant",
				paths: map[string]string{"/A1": "pay", "/A2": "capture", "/A3": "refund", "/A4": "void", "/A5": "search"},
				name: func(camel string) string {
					switch camel {
					case "orderNumber":
						return "MerchantOrderNo"
					case "returnCode":
						return "RtnCode"
					}
					return pascal(camel)
				},
			},
			hex.EncodeToString([]byte(key)),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := c.gateway
			g.key = []byte(key)
			if g.data == "" {
				g.data, g.merchant, g.paths = "data", "iPass-MerchantId", paths
			}
			p := open(t, g.serve(t).URL, func(s *ipass.Settings) {
				if err := json.Unmarshal([]byte(c.wire), &s.Wire); err != nil {
					t.Fatal(err)
				}
			})
			set := map[string]any{"key": c.key, "separate_capture": true}
			pay, void, refund, capture := payRequest(t, nil, seedColumns), voidRequest(t), refundRequest(t, 229), captureRequest(t)
			search := searchRequest(t, provider.PurposeClient, nil)
			pay.Call, void.Call, refund.Call = callWith(t, set, seedColumns), callWith(t, set, `{}`), callWith(t, set, `{}`)
			capture.Call, search.Call = callWith(t, set, `{}`), callWith(t, set, `{}`)
			for operation, answer := range map[string]provider.Answer{
				"pay": p.Pay(t.Context(), pay), "void": p.Void(t.Context(), void), "refund": p.Refund(t.Context(), refund), "capture": p.Capture(t.Context(), capture),
			} {
				if answer.Outcome() != provider.OutcomeApproved || !strings.Contains(string(answer.Native().Body), `"order_number":"`+orderID+`"`) {
					t.Errorf("%s: %+v, native %s", operation, answer.Failure(), answer.Native().Body)
				}
			}
			if a := p.Search(t.Context(), search); a.Findings == nil || a.Findings.Finding != provider.FindingFound {
				t.Errorf("search: %+v, %+v", a.Findings, a.Failure)
			}
		})
	}
}
