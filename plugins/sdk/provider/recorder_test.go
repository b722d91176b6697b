package provider_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/payrack/payrack/plugins/internal/wire/providerv1"
	"github.com/payrack/payrack/plugins/sdk/provider"
	"github.com/payrack/payrack/plugins/sdk/seal"
)

// vault is a provider whose messages are sealed with AES and whose answers are signed.
type vault struct {
	endpoint string
	http     *provider.Client
	now      func() time.Time
	// path and member differ in another version.
	path, member string
}

type vaultSettings struct {
	Endpoint string `json:"endpoint"`
	Path     string `json:"path"`
	Member   string `json:"member"`
}

func openVault(_ context.Context, s vaultSettings, h provider.Host) (provider.Provider, error) {
	v := &vault{endpoint: s.Endpoint, http: h.HTTP, now: h.Now, path: s.Path, member: s.Member}
	if v.path == "" {
		v.path = "/charge"
	}
	if v.member == "" {
		v.member = "amount"
	}
	return v, nil
}

func (*vault) Describe() provider.Description {
	return provider.Description{MessageFrom: "VAULT", Types: []provider.Type{{
		Name: "VAULT_PAY", Currencies: []provider.Currency{{Code: "TWD"}},
		Credential: json.RawMessage(`{"type":"object","properties":{"shop":{"type":"string","x-payrack-role":"account"},"key":{"type":"string","x-payrack-secret":true}}}`),
		Operations: []provider.Operation{{
			Kind: provider.KindPay, MovesMoney: true, MaxDuration: time.Second,
			Columns: json.RawMessage(`{"type":"object","properties":{"pin":{"type":"string","x-payrack-secret":true},"note":{"type":"string","x-payrack-text":true},"till":{"type":"string"}}}`),
			Answer:  json.RawMessage(`{"type":"object","properties":{"token":{"type":"string","x-payrack-secret":true}}}`),
		}},
	}}}
}

func (v *vault) Pay(ctx context.Context, r provider.PayRequest) provider.Answer {
	var c struct {
		Shop string          `json:"shop"`
		Key  provider.Secret `json:"key"`
	}
	var columns map[string]any
	if err := errors.Join(r.Call.Credential.Decode(&c), r.Call.Columns.Decode(&columns)); err != nil {
		return provider.NothingSent(provider.ReasonAuth, err).Answer()
	}
	cipher, err := seal.NewCBC([]byte(c.Key.Reveal()))
	if err != nil {
		return provider.NothingSent(provider.ReasonAuth, err).Answer()
	}
	clear, err := json.Marshal(map[string]any{
		"order": r.Reference.OrderID, v.member: r.Amount.Units, "code": r.Code.Reveal(), "columns": columns, "at": v.now().Unix(),
	})
	if err != nil {
		return provider.NothingSent(provider.ReasonInternal, err).Answer()
	}
	sealed, err := cipher.Seal(make([]byte, seal.IVSize), clear)
	if err != nil {
		return provider.NothingSent(provider.ReasonInternal, err).Answer()
	}
	header := http.Header{"X-Key": {c.Key.Reveal()}}
	if columns["till"] == "leak" {
		header.Set("X-"+c.Key.Reveal(), "1")
	}
	res, failure := v.http.Exchange(ctx, r.Call, provider.Request{
		Method: http.MethodPost, URL: v.endpoint + v.path + "/" + r.Code.Reveal() + "?k=" + c.Key.Reveal(), Template: v.path,
		Header: header,
		Body:   fmt.Appendf(nil, `{"shop":%q,"data":%q}`, c.Shop, base64.StdEncoding.EncodeToString(sealed)), Clear: clear,
	})
	if failure != nil {
		return failure.Answer()
	}
	if err := res.Verify(func() error { return fits(res, c.Key.Reveal()) }); err != nil {
		return provider.BadAnswer(err).Answer()
	}
	var outside struct{ Data string }
	if failure := res.Read(&outside); failure != nil {
		return failure.Answer()
	}
	text, err := res.Open([]byte(outside.Data), func(sealed []byte) ([]byte, error) {
		raw, err := base64.StdEncoding.DecodeString(string(sealed))
		if err != nil {
			return nil, err
		}
		return cipher.Open(make([]byte, seal.IVSize), raw)
	})
	if err != nil {
		return provider.BadAnswer(err).Answer()
	}
	var inside struct{ ID, Token string }
	if err := provider.ReadJSON(text, &inside); err != nil {
		return provider.BadAnswer(err).Answer()
	}
	return provider.Approved(provider.Result{
		Code: "OK", Reference: provider.Reference{TransactionID: inside.ID}, Captured: &r.Amount,
		Mandate: &provider.Mandate{Token: provider.NewSecret(inside.Token), State: provider.MandateActive},
	}, provider.Native{Body: text, Sensitive: true})
}

func fits(res provider.Response, key string) error {
	if res.Header.Get("X-Signature") != base64.StdEncoding.EncodeToString(seal.MAC(key, string(res.Body))) {
		return errors.New("the signature does not fit")
	}
	return nil
}

// Secrets of the test; each must be gone from a recording.
const (
	vaultKey     = "0Kq8vTz4bWm2Xc7L"
	vaultCode    = "289134500017263544"
	vaultPIN     = "73915"
	vaultNote    = "for uncle Chen's birthday"
	vaultToken   = `tok/"quoted"+42`
	vaultCarrier = "/CARR1ER"
	vaultMail    = "chen@example.com"
)

// vaultGateway answers as the vault expects, and repeats the secrets as real gateways do.
func vaultGateway(tb testing.TB, key string) *httptest.Server {
	tb.Helper()
	cipher, err := seal.NewCBC([]byte(key))
	if err != nil {
		tb.Fatal(err)
	}
	clear, err := json.Marshal(map[string]any{
		"ID": "2019049910005496810", "Token": vaultToken, "token": vaultToken, "echo": "code " + vaultCode + " key " + key,
		"carrier": vaultCarrier, "mail": vaultMail, "status": "PAID", "paid_at": "2026-11-22 08:30:00", "amount": 229,
	})
	if err != nil {
		tb.Fatal(err)
	}
	clear = bytes.Replace(clear, []byte(`"Token":`), []byte(`"Tok":`), 1) // ReadJSON refuses two spellings of one member
	raw, err := cipher.Seal(make([]byte, seal.IVSize), clear)
	if err != nil {
		tb.Fatal(err)
	}
	body := fmt.Sprintf(`{"Data":%q,"RtnCode":1}`, base64.StdEncoding.EncodeToString(raw))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Signature", base64.StdEncoding.EncodeToString(seal.MAC(key, body)))
		_, _ = io.WriteString(w, body)
	}))
	tb.Cleanup(server.Close)
	return server
}

func vaultPay() *providerv1.PayRequest {
	return &providerv1.PayRequest{
		Call: &providerv1.Call{
			OperationId: "op-1", PaymentType: "VAULT_PAY", Environment: provider.EnvironmentTest, Account: "shop-1",
			NotAfter:       timestamppb.New(time.Now().Add(time.Minute)),
			CredentialJson: []byte(`{"shop":"shop-1","key":"` + vaultKey + `","left_over":"` + vaultKey + `x"}`),
			ColumnsJson:    []byte(`{"pin":"` + vaultPIN + `","note":"` + vaultNote + `","till":"7"}`),
		},
		Reference: &providerv1.Reference{OrderId: "ORDER-1"}, Amount: &providerv1.Money{Units: 229, Currency: "TWD"}, Capture: true,
		Means: &providerv1.PayRequest_OneTimeCode{OneTimeCode: vaultCode},
	}
}

// recordOne makes one call with a listener and returns what was recorded of it, if anything, and the answer.
func recordOne(t *testing.T, gateway string, r *providerv1.PayRequest) (*providerv1.Exchange, *providerv1.PayResponse) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	s, err := provider.NewTestService(ctx, "vault", openVault, provider.Host{
		Log: slog.New(slog.DiscardHandler), Now: time.Now, HTTP: provider.NewClient(provider.ClientOptions{}),
	})
	if err != nil {
		t.Fatal(err)
	}
	if problems := configure(t, s, `{"endpoint":"`+gateway+`"}`); len(problems) > 0 {
		t.Fatal(problems)
	}
	exchanges := provider.NewTestExchanges(s)
	got, ended := listen(ctx, exchanges)
	answer, err := exchanges.Around(ctx, r, func(ctx context.Context, r any) (any, error) {
		return s.Pay(ctx, r.(*providerv1.PayRequest)) //nolint:forcetypeassert // as gRPC does
	})
	if err != nil {
		t.Fatal(err)
	}
	exchanges.Finish()
	<-ended
	select {
	case one := <-got:
		return one, answer.(*providerv1.PayResponse) //nolint:forcetypeassert // see above
	default:
		return nil, answer.(*providerv1.PayResponse) //nolint:forcetypeassert // see above
	}
}

func listen(ctx context.Context, e *provider.Exchanges) (got chan *providerv1.Exchange, ended chan struct{}) {
	got, ended = make(chan *providerv1.Exchange, 64), make(chan struct{})
	go func() {
		defer close(ended)
		_ = e.Stream(ctx, func(r *providerv1.ExchangesResponse) error {
			if r.GetExchange() != nil {
				got <- r.GetExchange()
			}
			return nil
		})
	}()
	for e.Listeners() == 0 {
		time.Sleep(time.Millisecond)
	}
	return got, ended
}

// No secret of the call, of its credential set, of its columns or of the answer is in the recording, however it is
// spelled there.
func TestRecordingHoldsNoSecret(t *testing.T) {
	t.Parallel()
	one, answer := recordOne(t, vaultGateway(t, vaultKey).URL, vaultPay())
	if answer.GetAnswer().GetResult().GetMandate().GetToken() != vaultToken {
		t.Fatalf("the call itself went wrong: %v", answer)
	}
	raw, err := proto.Marshal(one)
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	for what, secret := range map[string]string{
		"key": vaultKey, "code": vaultCode, "pin": vaultPIN, "note": vaultNote, "token": "quoted", "carrier": vaultCarrier, "mail": vaultMail,
	} {
		if strings.Contains(text, secret) {
			t.Errorf("the %s is in the recording", what)
		}
	}
	// What is no secret is: else the search above would prove nothing.
	for _, known := range []string{
		"ORDER-1", "shop-1", "2019049910005496810", "/charge/", "X-Key", "payrack-sealed-0", `"amount":229`, `"status":"PAID"`, `"till":"7"`,
		"2026-11-22 08:30:00", "RtnCode",
	} {
		if !strings.Contains(text, known) {
			t.Errorf("%q is not in the recording", known)
		}
	}
	traffic := one.GetTraffic()
	if len(traffic) != 1 || !traffic[0].GetSealed() || strings.Join(traffic[0].GetEnvelope(), " ") != "/data /shop" {
		t.Errorf("traffic %v", traffic)
	}
	if one.GetCode() != "OK" {
		t.Errorf("code %q", one.GetCode())
	}
	// The same secret has the same dummy everywhere: in the head, in the path and in the clear body.
	dummy := one.GetCall().GetPay().GetOneTimeCode()
	if len(dummy) != len(vaultCode) || !strings.HasSuffix(traffic[0].GetPath(), dummy) || !bytes.Contains(traffic[0].GetBody(), []byte(dummy)) {
		t.Errorf("the dummies of the code do not agree: %q in %q and %s", dummy, traffic[0].GetPath(), traffic[0].GetBody())
	}
}

// What nobody can read is cleaned as text.
func TestRecordingOfGarbageHoldsNoSecret(t *testing.T) {
	t.Parallel()
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadGateway)
		_, _ = io.WriteString(w, "<html>\xff "+vaultCode+"</html>")
	}))
	t.Cleanup(gateway.Close)
	one, _ := recordOne(t, gateway.URL, vaultPay())
	raw, err := proto.Marshal(one)
	if err != nil || bytes.Contains(raw, []byte(vaultCode)) {
		t.Errorf("the code is in the recording, or %v", err)
	}
	if one.GetTraffic()[0].GetResponse().GetStatus() != http.StatusBadGateway {
		t.Errorf("traffic %v", one.GetTraffic())
	}
}

// A recording in which a secret is left, here in the name of a header, is thrown away.
func TestRecordingWithASecretIsDropped(t *testing.T) {
	t.Parallel()
	r := vaultPay()
	r.Call.ColumnsJson = []byte(`{"till":"leak"}`)
	if one, _ := recordOne(t, vaultGateway(t, vaultKey).URL, r); one != nil {
		t.Errorf("recorded %v", one.GetTraffic())
	}
}

// Under load a sample stays small, and a rare code is in it all the same.
func TestSampleIsSmallAndKeepsRareCodes(t *testing.T) {
	t.Parallel()
	now := time.Now()
	takes := provider.Sampler(func() time.Time { return now })
	taken := map[string]int{}
	for range 10 { // seconds
		for i := range 1000 {
			code := "0000"
			if i == 999 {
				code = "1142"
			}
			if takes("pay", code) {
				taken[code]++
			}
			now = now.Add(time.Millisecond)
		}
	}
	if taken["0000"] < 10 || taken["0000"] > 14 || taken["1142"] != 10 {
		t.Errorf("taken %v of 9990 and 10", taken)
	}
	many := 0
	for i := range 5000 {
		if takes("pay", fmt.Sprint("made up ", i)) {
			many++
		}
	}
	if many > 20 {
		t.Errorf("%d of 5000 made-up codes in one moment", many)
	}
}

func TestNobodyListensNothingIsRecorded(t *testing.T) {
	t.Parallel()
	var made []*fake
	s, _ := serviceOf(t, &made)
	exchanges := provider.NewTestExchanges(s)
	_, err := exchanges.Around(t.Context(), valid(), func(ctx context.Context, _ any) (any, error) {
		if ctx != t.Context() {
			t.Error("the call has a context of its own")
		}
		return &providerv1.PayResponse{}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	got, ended := listen(t.Context(), exchanges)
	exchanges.Finish()
	<-ended
	if len(got) != 0 {
		t.Error("something was recorded")
	}
}
