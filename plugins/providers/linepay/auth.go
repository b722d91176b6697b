package linepay

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// Versions of the APIs. v2.4 is of the Offline API only, v3 of the Online API only.
const (
	v2  = "v2"
	v24 = "v2.4"
	v3  = "v3"
	v4  = "v4"
)

// dialects are the versions in which a payment type can be spoken; the first is the default.
var dialects = map[string][]string{
	TypeQRCode:      {v4, v24, v2},
	TypeOnline:      {v3, v4, v2},
	TypePreapproved: {v3, v4, v2},
}

// merchant is the credential set of one call, with the API version in which the payment is spoken of.
type merchant struct {
	ChannelID     string          `json:"channel_id"`
	ChannelSecret provider.Secret `json:"channel_secret"`
	Version       string          `json:"version"`
}

// merchantOf reads the credential of a call. The version pinned on the payment wins over the stored one,
// so that a payment is continued in the dialect in which it began.
func merchantOf(call provider.Call) (merchant, error) {
	versions, known := dialects[call.PaymentType]
	if !known {
		return merchant{}, errType
	}
	var m merchant
	if err := call.Credential.Decode(&m); err != nil {
		return merchant{}, errors.New("the credential set cannot be read")
	}
	if call.Wire != "" {
		m.Version = call.Wire
	}
	if m.Version == "" {
		m.Version = versions[0]
	}
	switch {
	case m.ChannelID == "" || m.ChannelSecret.Empty():
		return merchant{}, errors.New("the credential set has no channel_id or no channel_secret")
	case call.Account != "" && call.Account != m.ChannelID:
		return merchant{}, errors.New("the credential set belongs to another channel than the payment")
	case !slices.Contains(versions, m.Version):
		return merchant{}, errors.New("the API version of " + call.PaymentType + " must be one of " + strings.Join(versions, ", "))
	}
	return m, nil
}

// signs reports whether the version signs; the older ones show the secret instead.
func (m merchant) signs() bool { return m.Version == v3 || m.Version == v4 }

// sign is LINE Pay's signature. The payload is the body of a POST or the query of a GET, both exactly as
// sent. The secret is the key and also the beginning of the message.
func sign(secret provider.Secret, apiPath, payload, nonce string) string {
	mac := hmac.New(sha256.New, []byte(secret.Reveal()))
	mac.Write([]byte(secret.Reveal() + apiPath + payload + nonce))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// authenticate sets the headers that say who we are. It is called last, on the finished URL.
func (m merchant) authenticate(req *http.Request, payload string) {
	setHeader(req, "X-LINE-ChannelId", m.ChannelID)
	if !m.signs() {
		setHeader(req, "X-LINE-ChannelSecret", m.ChannelSecret.Reveal())
		return
	}
	nonce := uuid.NewString()
	setHeader(req, "X-LINE-Authorization-Nonce", nonce)
	setHeader(req, "X-LINE-Authorization", sign(m.ChannelSecret, req.URL.EscapedPath(), payload, nonce))
}

// setHeader keeps LINE Pay's spelling on the wire; Header.Set would write X-Line-Channelid.
func setHeader(req *http.Request, name, value string) { req.Header[name] = []string{value} }
