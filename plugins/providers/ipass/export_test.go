package ipass

import (
	"net/http"
	"time"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// Seal encrypts a clear text with a given IV.
func Seal(w Wire, key string, iv [16]byte, clear []byte) (http.Header, []byte, error) {
	header := http.Header{}
	body, err := w.withDefaults().seal(header, credential{MerchantID: "M1", Key: provider.NewSecret(key)}, iv, clear)
	return header, body, err
}

// OpenSealed decrypts an answer.
func OpenSealed(w Wire, key string, header http.Header, body []byte) ([]byte, error) {
	return w.withDefaults().open(header, credential{Key: provider.NewSecret(key)}, body)
}

// Rename turns the names of an answer into the platform's.
func Rename(w Wire, clear []byte) ([]byte, error) {
	members, err := w.withDefaults().rename(clear)
	if err != nil {
		return nil, err
	}
	return object(members)
}

// ClearPay is the clear text of a payment at a given time.
func ClearPay(w Wire, now time.Time, r provider.PayRequest) ([]byte, error) {
	p := &Provider{wire: w.withDefaults(), host: provider.Host{Now: func() time.Time { return now }}}
	clear, _, err := p.clearPay(r, requestID(r.Call, r.Reference.ClientReference))
	return clear, err
}

// ClassOf is the class of a return code.
func ClassOf(w Wire, code string) string { return w.withDefaults().class(code).Class }
