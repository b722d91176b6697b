package provider_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/payrack/payrack/plugins/internal/wire/providerv1"
	"github.com/payrack/payrack/plugins/sdk/provider"
	"github.com/payrack/payrack/plugins/sdk/seal"
)

// rehearse makes a recorded call again with a vault of those settings.
func rehearse(t *testing.T, settings string, e *providerv1.Exchange) *providerv1.RehearseResponse {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	exchanges, s, err := provider.NewTestRehearsal(ctx, "vault", openVault, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if problems := configure(t, s, settings); len(problems) > 0 {
		t.Fatal(problems)
	}
	out, err := exchanges.Rehearse(ctx, &providerv1.RehearseRequest{Exchange: e})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// The same version sends the same and reads the same, with keys that open nothing, at another time and without its
// gateway; a recording that went through the host's JSON and back, too.
func TestRehearsalRepeatsARecording(t *testing.T) {
	t.Parallel()
	gateway := vaultGateway(t, vaultKey)
	one, _ := recordOne(t, gateway.URL, vaultPay())
	gateway.Close()
	again := rehearse(t, `{"endpoint":"`+gateway.URL+`"}`, one)
	// What came back is not part of a rehearsal's answer but its sealed word, which is the recording's.
	if d := cmp.Diff(one, again.GetExchange(), protocmp.Transform(), protocmp.IgnoreFields(&providerv1.Exchange{}, "code"),
		protocmp.IgnoreFields(&providerv1.TrafficResponse{}, "opened")); d != "" {
		t.Errorf("the rehearsal differs (-recorded +rehearsed):\n%s", d)
	}
	if again.GetDials() != 0 {
		t.Errorf("%d dials", again.GetDials())
	}
}

// Another version is seen: in the path, in the clear body that is sealed on the wire, and in a further request.
func TestRehearsalShowsAnotherVersion(t *testing.T) {
	t.Parallel()
	gateway := vaultGateway(t, vaultKey)
	one, _ := recordOne(t, gateway.URL, vaultPay())
	again := rehearse(t, `{"endpoint":"`+gateway.URL+`","path":"/v2/charge","member":"total"}`, one)
	sent := again.GetExchange().GetTraffic()
	if len(sent) != 1 || !strings.HasPrefix(sent[0].GetPath(), "/v2/charge/") {
		t.Fatalf("sent %v", sent)
	}
	var body map[string]any
	if err := json.Unmarshal(sent[0].GetBody(), &body); err != nil || body["total"] != 229.0 || body["amount"] != nil {
		t.Errorf("body %s", sent[0].GetBody())
	}
	if again.GetExchange().GetReply().GetAnswer().GetResult().GetOutcome() != providerv1.Outcome_OUTCOME_APPROVED {
		t.Errorf("reply %v", again.GetExchange().GetReply())
	}
}

// A failure on the way is rehearsed as it was: sent or not sent.
func TestRehearsalRepeatsFailures(t *testing.T) {
	t.Parallel()
	for name, gateway := range map[string]string{
		"nobody there": "http://127.0.0.1:1", "nobody answers": silent(t), "bad gateway": failing(t), "signed by another": vaultGateway(t, strings.Repeat("k", 16)).URL,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one, answer := recordOne(t, gateway, vaultPay())
			if answer.GetAnswer().GetError() == nil {
				t.Fatalf("the call went well: %v", answer)
			}
			again := rehearse(t, `{"endpoint":"`+gateway+`"}`, one)
			got := again.GetExchange().GetReply().GetAnswer().GetError()
			want := answer.GetAnswer().GetError()
			if got.GetEffect() != want.GetEffect() || got.GetReason() != want.GetReason() || got.GetProviderCode() != want.GetProviderCode() {
				t.Errorf("recorded %v, rehearsed %v", want, got)
			}
		})
	}
}

func silent(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = conn.Close()
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func failing(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, "busy")
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// Nothing reaches a gateway, whichever way a version tries: a further request, and one outside of a rehearsal.
func TestRehearsalSendsNothing(t *testing.T) {
	t.Parallel()
	var seen atomic.Int32
	trap := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { seen.Add(1) }))
	t.Cleanup(trap.Close)
	one, _ := recordOne(t, vaultGateway(t, vaultKey).URL, vaultPay())
	bare, _ := proto.Clone(one).(*providerv1.Exchange)
	bare.Traffic = nil
	again := rehearse(t, `{"endpoint":"`+trap.URL+`"}`, bare)
	failed := again.GetExchange().GetReply().GetAnswer().GetError()
	if failed.GetEffect() != providerv1.Effect_EFFECT_POSSIBLE || !strings.Contains(failed.GetDetail(), "no answer to a further request") {
		t.Errorf("a request without a recording: %v", failed)
	}
	exchanges, s, err := provider.NewTestRehearsal(t.Context(), "vault", openVault, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if problems := configure(t, s, `{"endpoint":"`+trap.URL+`"}`); len(problems) > 0 {
		t.Fatal(problems)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if got := pay(t, s, vaultPay()).GetError(); got.GetEffect() != providerv1.Effect_EFFECT_NONE {
		t.Errorf("outside of a rehearsal: %v", got)
	}
	if _, err := exchanges.Rehearse(ctx, &providerv1.RehearseRequest{Exchange: &providerv1.Exchange{}}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("an empty recording: %v", err)
	}
	if n := seen.Load(); n != 0 {
		t.Errorf("the gateway saw %d requests", n)
	}
	serving := provider.NewTestExchanges(s)
	if _, err := serving.Rehearse(ctx, &providerv1.RehearseRequest{Exchange: one}); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("a process that serves payments: %v", err)
	}
}

func TestDummyHasTheShape(t *testing.T) {
	t.Parallel()
	key := []byte("a key of the process")
	for secret, shape := range map[string]string{
		"289134500017263544":               `^[0-9]{18}$`,
		"0123":                             `^0[1-9]{3}$`,
		"a9993e364706816aba3e25717850c26c": `^[0-9a-f]{32}$`,
		"A9993E364706816ABA3E25717850C26C": `^[0-9A-F]{32}$`,
		"0Kq8vTz4bWm2Xc7L":                 `^0[A-Z][a-z][0-9][a-z][A-Z][a-z][0-9][a-z][A-Z][a-z][0-9][A-Z][a-z][0-9][A-Z]$`,
		"aGVsbG8gd29ybGQgaGVsbG8=":         `^[A-Za-z0-9]+=$`,
		"王小明 a-b":                          `^某某某 [a-z]-[a-z]$`,
	} {
		dummy := provider.DummyOf(key, secret)
		if !regexp.MustCompile(shape).MatchString(dummy) || dummy == secret {
			t.Errorf("%s became %s", secret, dummy)
		}
		if dummy != provider.DummyOf(key, secret) || dummy == provider.DummyOf([]byte("another key"), secret) && len(secret) > 8 {
			t.Errorf("%s: the dummy does not depend on the process alone", secret)
		}
	}
}

// A private key has a stand-in, for which a rehearsal makes a new key that every parser takes.
func TestPrivateKeysHaveStandIns(t *testing.T) {
	t.Parallel()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8 := func(key any) []byte {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	asPEM := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	for name, key := range map[string]string{
		"pkcs8 pem": asPEM("PRIVATE KEY", pkcs8(rsaKey)), "pkcs8 bare": base64.StdEncoding.EncodeToString(pkcs8(rsaKey)),
		"pkcs1 pem": asPEM("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey)),
		"ec":        asPEM("PRIVATE KEY", pkcs8(ecKey)), "ed25519": asPEM("PRIVATE KEY", pkcs8(edKey)),
	} {
		stand := provider.DummyOf([]byte("k"), key)
		document, err := json.Marshal(map[string]string{"private_key": stand})
		if err != nil || strings.Contains(stand, "BEGIN") || len(stand) > 60 {
			t.Errorf("%s: stand-in %q, %v", name, stand, err)
		}
		var filled map[string]string
		if err := json.Unmarshal(provider.FillStandIns(document), &filled); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		made := filled["private_key"]
		if made == key || (strings.Contains(key, "BEGIN") != strings.Contains(made, "BEGIN")) {
			t.Errorf("%s: the key is %q", name, made)
		}
		if _, err := seal.ParsePrivateKey(made); err != nil && !strings.HasPrefix(name, "e") {
			t.Errorf("%s: %v", name, err)
		}
		if again := provider.DummyOf([]byte("k"), made); again != stand {
			t.Errorf("%s: the new key is of the kind %q, the old one of %q", name, again, stand)
		}
	}
}

// An id that a version makes up for every request is repeated by the recorded answer as the gateway would.
func TestRehearsalRepeatsMadeUpIDs(t *testing.T) {
	t.Parallel()
	one, _ := recordOne(t, vaultGateway(t, vaultKey).URL, vaultPay())
	traffic := one.GetTraffic()[0]
	traffic.Body = []byte(`{"columns":{"till":"made-up-id-of-that-day"}}`)
	opened := traffic.GetResponse().GetOpened()[0]
	opened.Clear = []byte(`{"ID":"made-up-id-of-that-day","Tok":"x"}`)
	one.GetCall().GetPay().GetCall().ColumnsJson = []byte(`{"till":"made-up-id-of-today"}`)
	again := rehearse(t, `{"endpoint":"http://127.0.0.1:1"}`, one)
	if got := again.GetExchange().GetReply().GetAnswer().GetResult().GetReference().GetProviderTransactionId(); got != "made-up-id-of-today" {
		t.Errorf("the answer has the id %q", got)
	}
}
