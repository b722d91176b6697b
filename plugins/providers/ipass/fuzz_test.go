package ipass_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/payrack/payrack/plugins/providers/ipass"
)

// What a gateway answers is a stranger's text. Whatever it is, the client gets a JSON object or nothing, and
// reading it again changes nothing.
func FuzzAnswer(f *testing.F) {
	for _, text := range []string{
		success(), `{"returnCode":"9999","returnMsg":"發生未預期錯誤"}`, `{` + refunded + `,"returnCode":"0000"}`,
		`{"RETURNCODE":"0000","x":[1.50e3,{"CancelTransactionId":null}]}`, `{}`, `[]`, `{"a":`, "\xff", `{"a":1}{}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, clear []byte) {
		once, err := ipass.Rename(ipass.Wire{}, clear)
		if err != nil {
			return
		}
		if !json.Valid(once) || once[0] != '{' {
			t.Errorf("%q became %q", clear, once)
		}
		if twice, err := ipass.Rename(ipass.Wire{}, once); err != nil || !bytes.Equal(once, twice) {
			t.Errorf("%q became %q and then %q, %v", clear, once, twice, err)
		}
	})
}

// An envelope is either opened or undecipherable, under every configuration.
func FuzzEnvelope(f *testing.F) {
	for _, v := range vectors {
		f.Add([]byte(`{"data":"`+v.data+`"}`), vectorIV)
	}
	f.Add([]byte(`{"iv":"00","data":""}`), "")
	f.Fuzz(func(t *testing.T, body []byte, iv string) {
		for _, w := range []ipass.Wire{
			{}, {Cipher: "aes-gcm"}, {IVTransport: "body"}, {IVTransport: "prefix"}, {DataEncoding: "hex", IVTransport: "prefix", Cipher: "aes-gcm"},
		} {
			header := http.Header{}
			header.Set("iPass-Iv", iv)
			if _, err := ipass.OpenSealed(w, key, header, body); err != nil && err.Error() != "undecipherable answer" {
				t.Errorf("%+v: %v", w, err)
			}
		}
	})
}
