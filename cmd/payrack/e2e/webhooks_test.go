package e2e_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// heard is one transmission that reached a shop's server.
type heard struct {
	id, typ, payment, state string
	signatures              int // of the right kind, made with a secret that the shop holds
	answer                  int
}

// merchant is a company's server: it checks signatures after the Standard Webhooks specification, with code of its own, and
// answers what it is told to.
type merchant struct {
	server *httptest.Server

	mu      sync.Mutex
	secrets [][]byte
	answer  int
	heard   []heard
	bad     []string
}

func newMerchant(t *testing.T) *merchant {
	t.Helper()
	s := &merchant{answer: http.StatusNoContent}
	s.server = httptest.NewServer(http.HandlerFunc(s.receive))
	t.Cleanup(s.server.Close)
	return s
}

func (s *merchant) receive(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var message struct {
		Type string `json:"type"`
		ID   string `json:"id"`
		Data struct {
			ID    string `json:"id"`
			State string `json:"state"`
		} `json:"data"`
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id, at := r.Header.Get("Webhook-Id"), r.Header.Get("Webhook-Timestamp")
	if err == nil {
		err = json.Unmarshal(body, &message)
	}
	seconds, notANumber := strconv.ParseInt(at, 10, 64)
	if err != nil || notANumber != nil || message.ID != id || time.Since(time.Unix(seconds, 0)).Abs() > 5*time.Minute {
		s.bad = append(s.bad, fmt.Sprintf("%s at %s: %s, %v", id, at, body, err))
	}
	one := heard{id: id, typ: message.Type, payment: message.Data.ID, state: message.Data.State, answer: s.answer}
	for _, secret := range s.secrets {
		mac := hmac.New(sha256.New, secret)
		_, _ = fmt.Fprintf(mac, "%s.%s.%s", id, at, body)
		if slices.Contains(strings.Fields(r.Header.Get("Webhook-Signature")), "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil))) {
			one.signatures++
		}
	}
	s.heard = append(s.heard, one)
	w.WriteHeader(s.answer)
}

func (s *merchant) tell(answer int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

// hold gives the shop a secret as an operator puts it into its configuration.
func (s *merchant) hold(t *testing.T, secret string) {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil || !strings.HasPrefix(secret, "whsec_") || len(raw) < 24 {
		t.Fatalf("%q is no secret: %v", secret, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secrets = append(s.secrets, raw)
}

func (s *merchant) about(payment string) []heard {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.heard), func(h heard) bool { return h.payment != payment })
}

// accepted are the types of a payment's events in the order in which the shop took them, each id once.
func (s *merchant) accepted(payment string) []string {
	var types, ids []string
	for _, h := range s.about(payment) {
		if h.answer == http.StatusNoContent && !slices.Contains(ids, h.id) {
			types, ids = append(types, h.typ), append(ids, h.id)
		}
	}
	return types
}

func (p *platform) pay(order string, amount int) string {
	p.t.Helper()
	a := p.post("/v2/payments", p.neutralOrder(order, amount), "Idempotency-Key", order)
	if a.status != http.StatusCreated && a.status != http.StatusAccepted {
		p.t.Fatalf("%s: %s", order, a)
	}
	return a.member("id")
}

func (p *platform) refund(payment string, amount int) {
	p.t.Helper()
	body := jsonObject{"amount": jsonObject{"amount": amount, "currency": "TWD"}}
	if a := p.post("/v2/payments/"+payment+"/refunds", body, "Idempotency-Key", fmt.Sprintf("%s-%d", payment, amount)); a.status != http.StatusOK {
		p.t.Fatalf("refund: %s", a)
	}
}

// TestWebhooks shows a shop's server what happens to its payments: signed, in order for each payment, again after a refusal,
// and again after the platform was killed while the shop refused them.
func TestWebhooks(t *testing.T) {
	t.Parallel()
	// On PostgreSQL a message waits for the oldest transaction of the whole server, which other tests share.
	const slow = 4 * patience
	dir := t.TempDir()
	p, s := restartable(t, dir), newMerchant(t)
	made := p.admin(http.MethodPost, "webhooks", jsonObject{"company_id": p.CompanyID, "url": s.server.URL + "/hooks", "events": []string{}})
	if made.status != http.StatusCreated {
		t.Fatalf("%s", made)
	}
	hook := made.member("id")
	s.hold(t, made.member("secret"))

	// A shop that has trouble: nothing of a payment overtakes what it did not take.
	s.tell(http.StatusInternalServerError)
	first := p.pay("HOOK-1", 300)
	p.waitUpTo(slow, "the first try", func() bool { return len(s.about(first)) > 0 })
	p.refund(first, 100)
	p.refund(first, 200)
	s.tell(http.StatusNoContent)
	want := []string{"payment.succeeded", "payment.partially_refunded", "payment.refunded"}
	p.waitUpTo(slow, "the events of the first payment", func() bool { return len(s.accepted(first)) >= len(want) })
	if got := s.accepted(first); !slices.Equal(got, want) {
		t.Errorf("took %q, want %q", got, want)
	}
	if all := s.about(first); all[0].answer != http.StatusInternalServerError || all[0].typ != want[0] ||
		!slices.ContainsFunc(all[1:], func(h heard) bool { return h.id == all[0].id }) {
		t.Errorf("what was refused did not come again under its id: %+v", all)
	}

	// An outcome that nobody knows is told as such, and then what became of it. Beside it the platform is killed while the
	// shop refuses everything.
	rotated := p.admin(http.MethodPost, "webhooks/"+hook+"/rotate", nil)
	s.hold(t, rotated.member("secret"))
	p.lineFault("hang_after_commit", "pay", "HOOK-2", time.Minute, 1)
	s.tell(http.StatusServiceUnavailable)
	third := p.pay("HOOK-3", 50)
	second := p.pay("HOOK-2", 40)
	p.waitUpTo(slow, "a try before the kill", func() bool { return len(s.about(second)) > 0 && len(s.about(third)) > 0 })
	p.kill()
	s.tell(http.StatusNoContent)
	p = restartable(t, dir)
	for payment, want := range map[string][]string{second: {"payment.unknown", "payment.succeeded"}, third: {"payment.succeeded"}} {
		// The third try comes half a minute after the second.
		p.waitUpTo(slow, "the events after the kill", func() bool { return len(s.accepted(payment)) >= len(want) })
		if got := s.accepted(payment); !slices.Equal(got, want) {
			t.Errorf("took %q, want %q", got, want)
		}
		for _, h := range s.about(payment) {
			if h.signatures != 2 { // until the change returns, both secrets are good
				t.Errorf("%+v: signed with %d of the two secrets", h, h.signatures)
			}
		}
	}
	if a := p.admin(http.MethodPost, "webhooks/"+hook+"/replay", jsonObject{"payment_id": third}); a.status != http.StatusAccepted || a.member("queued") != "1" {
		t.Errorf("replay: %s", a)
	}
	p.waitUpTo(slow, "the replay", func() bool { return len(s.about(third)) >= 3 })
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.bad) > 0 {
		t.Errorf("messages that are not as the specification says: %q", s.bad)
	}
	for _, h := range s.heard {
		if h.signatures == 0 {
			t.Errorf("%+v: not signed with the shop's secret", h)
		}
	}
}
