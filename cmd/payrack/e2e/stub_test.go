package e2e_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// The stubs below are gateways that share no code with the plugins or the sandbox: they answer exactly what a
// test tells them to, and keep what they were sent.

// linePayStub answers every LINE Pay request with the same bytes.
type linePayStub struct {
	*httptest.Server
	mu   sync.Mutex
	sent []string
}

func newLinePayStub(t *testing.T, answer func(r *http.Request, body []byte) []byte) *linePayStub {
	t.Helper()
	s := &linePayStub{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.sent = append(s.sent, r.Method+" "+r.URL.RequestURI())
		s.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(answer(r, body))
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *linePayStub) log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.sent, "\n")
}

// iPassStub decrypts what it is sent and encrypts what it answers, by section 12.3 of the fact sheet.
type iPassStub struct {
	*httptest.Server
	mu    sync.Mutex
	clear []map[string]json.RawMessage
}

func newIPassStub(t *testing.T, key func() string, answer func(op string, request map[string]json.RawMessage) string) *iPassStub {
	t.Helper()
	s := &iPassStub{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var envelope struct {
			Data string `json:"data"`
		}
		_ = json.Unmarshal(body, &envelope)
		iv, _ := hex.DecodeString(r.Header.Get("iPass-Iv"))
		sealed, _ := base64.StdEncoding.DecodeString(envelope.Data)
		block, err := aes.NewCipher([]byte(key()))
		if err != nil || len(iv) != 16 || len(sealed) == 0 || len(sealed)%16 != 0 {
			http.Error(w, `{"returnCode":"S401"}`, http.StatusUnauthorized)
			return
		}
		plain := make([]byte, len(sealed))
		cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, sealed)
		plain = plain[:len(plain)-int(plain[len(plain)-1])]
		var request map[string]json.RawMessage
		if err := json.Unmarshal(plain, &request); err != nil {
			http.Error(w, `{"returnCode":"S400"}`, http.StatusBadRequest)
			return
		}
		s.mu.Lock()
		s.clear = append(s.clear, request)
		s.mu.Unlock()

		text := []byte(answer(r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:], request))
		pad := 16 - len(text)%16
		text = append(text, bytes.Repeat([]byte{byte(pad)}, pad)...)
		fresh := make([]byte, 16)
		_, _ = rand.Read(fresh)
		cipher.NewCBCEncrypter(block, fresh).CryptBlocks(text, text)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("iPass-Iv", hex.EncodeToString(fresh))
		_ = json.NewEncoder(w).Encode(map[string]string{"data": base64.StdEncoding.EncodeToString(text)})
	}))
	t.Cleanup(s.Close)
	return s
}

// text reads a string member.
func text(m map[string]json.RawMessage, name string) string {
	var s string
	_ = json.Unmarshal(m[name], &s)
	return s
}
