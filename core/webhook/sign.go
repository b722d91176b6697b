package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"
)

// secretPrefix is how a symmetric secret is written.
const secretPrefix = "whsec_"

// SecretBytes is how long a secret is.
const SecretBytes = 32

// SecretText is a secret as a receiver puts it into its configuration.
func SecretText(key []byte) string { return secretPrefix + base64.StdEncoding.EncodeToString(key) }

// ParseSecret reads what SecretText wrote.
func ParseSecret(text string) ([]byte, error) {
	rest, ok := strings.CutPrefix(text, secretPrefix)
	key, err := base64.StdEncoding.DecodeString(rest)
	if !ok || err != nil || len(key) < 24 || len(key) > 64 {
		return nil, errors.New("the text is no webhook secret") // the cause may hold a part of it
	}
	return key, nil
}

// Message is what is sent.
type Message struct {
	URL string
	// ID is sent as webhook-id, At as webhook-timestamp, Signature as webhook-signature.
	ID        ID
	At        time.Time
	Body      []byte
	Signature string
}

// Sign is the value of webhook-signature: one v1 signature for each key, separated by spaces.
func Sign(id ID, at time.Time, body []byte, keys ...[]byte) string {
	signatures := make([]string, 0, len(keys))
	for _, key := range keys {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(string(id) + "." + strconv.FormatInt(at.Unix(), 10) + "."))
		mac.Write(body)
		signatures = append(signatures, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	return strings.Join(signatures, " ")
}
