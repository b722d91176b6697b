package linepaysandbox

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"slices"
	"sync"

	"github.com/payrack/payrack/plugins/sandbox"
)

// merchant is an account that has proven itself.
type merchant struct {
	channelID string
	switches
}

// authenticate proves the caller, or returns the return code. v2 and v2.4 show the secret; v3 and v4 sign
// secret, path, body or query, and nonce, byte for byte as they were sent.
func (g *gateway) authenticate(x *sandbox.Exchange, c call) (merchant, string) {
	h := c.http.Header
	id := h.Get("X-LINE-ChannelId")
	if id == "" || !jsonDeclared(c.http) {
		return merchant{}, codeHeader
	}
	account, known := g.env.Account(id)
	if !known {
		return merchant{}, codeUnknownMerchant
	}
	cred, err := parseCredential(account.Credential)
	if err != nil {
		return merchant{}, codeUnknownMerchant
	}
	m := merchant{channelID: id}
	if m.switches, err = switchesOf(account); err != nil {
		g.env.Log().WarnContext(c.http.Context(), "the options of an account cannot be read",
			slog.String("channel_id", id), slog.Any("error", err))
		return merchant{}, codeUnknownMerchant
	}
	if c.signed() {
		return m, g.verify(x, c, cred, m)
	}
	if subtle.ConstantTimeCompare([]byte(h.Get("X-LINE-ChannelSecret")), []byte(cred.ChannelSecret)) != 1 || !m.allows(c.http.RemoteAddr) {
		return merchant{}, codeHeader
	}
	return m, ""
}

// allows: without a list everybody may call; with one, who shows the secret must be on it.
func (m merchant) allows(remote string) bool {
	host, _, err := net.SplitHostPort(remote)
	return m.AllowedIPs == nil || (err == nil && slices.Contains(m.AllowedIPs, host))
}

// jsonDeclared reports whether a body is declared as what it has to be.
func jsonDeclared(r *http.Request) bool {
	if r.Method != http.MethodPost {
		return true
	}
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && media == "application/json"
}

func (g *gateway) verify(x *sandbox.Exchange, c call, cred credential, m merchant) string {
	h := c.http.Header
	nonce := h.Get("X-LINE-Authorization-Nonce")
	given, err := base64.StdEncoding.DecodeString(h.Get("X-LINE-Authorization"))
	if err != nil || nonce == "" {
		return codeHeader
	}
	mac := hmac.New(sha256.New, []byte(cred.ChannelSecret))
	mac.Write([]byte(cred.ChannelSecret + c.path))
	if c.http.Method == http.MethodGet {
		mac.Write([]byte(c.query))
	} else {
		mac.Write(c.body)
	}
	mac.Write([]byte(nonce))
	if !hmac.Equal(given, mac.Sum(nil)) {
		return codeHeader
	}
	if h.Get("X-LINE-ChannelSecret") != "" {
		g.env.Violation("secret_sent_beside_a_signature", g.orderOf(c))
	}
	// A request that the network delivered twice passed this check once; what follows is behind it.
	if !x.Redelivered && !m.ReuseNonces && !g.nonces.fresh(cred.ChannelID+"/"+nonce) {
		return codeHeader
	}
	return ""
}

// nonceGeneration is how many nonces a generation holds. Two are kept; a restart forgets them.
const nonceGeneration = 1 << 18

// nonces remembers what was used.
type nonces struct {
	mu       sync.Mutex
	new, old map[string]struct{}
}

func newNonces() *nonces {
	return &nonces{new: map[string]struct{}{}, old: map[string]struct{}{}}
}

// fresh remembers a nonce and reports whether it was not used before.
func (n *nonces) fresh(nonce string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, used := n.new[nonce]; used {
		return false
	}
	if _, used := n.old[nonce]; used {
		return false
	}
	if len(n.new) >= nonceGeneration {
		n.old, n.new = n.new, map[string]struct{}{}
	}
	n.new[nonce] = struct{}{}
	return true
}
