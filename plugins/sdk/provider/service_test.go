package provider_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/payrack/payrack/plugins/internal/wire/providerv1"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

type config struct {
	Label string `json:"label"`
	Panic bool   `json:"panic"`
	Other bool   `json:"other"`
}

// fake is a provider that pays and searches.
type fake struct {
	config config
	mu     sync.Mutex
	paid   []provider.PayRequest
	block  chan struct{}
	begun  chan struct{}
	closed chan struct{}
}

func (f *fake) Describe() provider.Description {
	d := provider.Description{MessageFrom: "FAKE", Types: []provider.Type{{
		Name: "FAKE_PAY", Credential: json.RawMessage("{}"),
		Currencies: []provider.Currency{{Code: "TWD", Exponent: 0}, {Code: "USD", Exponent: 2}},
		Operations: []provider.Operation{
			{Kind: provider.KindPay, Columns: json.RawMessage("{}"), MaxDuration: time.Second},
			{Kind: provider.KindSearch, Columns: json.RawMessage("{}"), MaxDuration: time.Second},
		},
	}}}
	if f.config.Other {
		d.MessageFrom = "OTHER"
	}
	return d
}

func (f *fake) Pay(_ context.Context, r provider.PayRequest) provider.Answer {
	f.mu.Lock()
	f.paid = append(f.paid, r)
	f.mu.Unlock()
	switch r.Reference.OrderID {
	case "panic":
		panic(errors.New("canary"))
	case "nil":
		var r *provider.PayRequest
		_ = r.Amount
	case "block":
		close(f.begun)
		<-f.block
	case "array":
		return provider.Approved(provider.Result{}, provider.Native{Body: json.RawMessage("[]")})
	case "long":
		return provider.Approved(provider.Result{}, provider.Native{Body: json.RawMessage(`{"a":"` + strings.Repeat("x", 65<<10) + `"}`)})
	case "bad-utf8":
		return provider.Unknown(provider.ReasonTimeout, "\xff", strings.Repeat("門", 400))
	}
	return provider.Approved(provider.Result{Code: f.config.Label}, provider.Native{})
}

func (f *fake) Search(context.Context, provider.SearchRequest) provider.SearchAnswer {
	return provider.SearchAnswer{}
}

func (f *fake) Close() error {
	if f.closed != nil {
		close(f.closed)
	}
	return nil
}

func serviceOf(t *testing.T, made *[]*fake) (providerv1.ProviderServiceServer, *bytes.Buffer) {
	t.Helper()
	var logs bytes.Buffer
	h := provider.Host{Log: slog.New(slog.NewJSONHandler(&logs, nil)), Now: time.Now}
	s, err := provider.NewTestService(t.Context(), "fake", func(_ context.Context, c config, _ provider.Host) (provider.Provider, error) {
		if c.Panic {
			panic("canary")
		}
		f := &fake{config: c, block: make(chan struct{}), begun: make(chan struct{}), closed: make(chan struct{})}
		if made != nil {
			*made = append(*made, f)
		}
		return f, nil
	}, h)
	if err != nil {
		t.Fatal(err)
	}
	return s, &logs
}

func configure(t *testing.T, s providerv1.ProviderServiceServer, settings string) []string {
	t.Helper()
	out, err := s.Configure(t.Context(), &providerv1.ConfigureRequest{SettingsJson: []byte(settings)})
	if err != nil {
		t.Fatal(err)
	}
	return out.GetProblems()
}

func valid() *providerv1.PayRequest {
	return &providerv1.PayRequest{
		Capture: true,
		Call: &providerv1.Call{
			PaymentType: "FAKE_PAY", Environment: "live", NotAfter: timestamppb.New(time.Now().Add(time.Minute)),
		},
		Reference: &providerv1.Reference{OrderId: "o"},
		Amount:    &providerv1.Money{Units: 1, Currency: "USD", Exponent: 2},
	}
}

func pay(t *testing.T, s providerv1.ProviderServiceServer, r *providerv1.PayRequest) *providerv1.Answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	out, err := s.Pay(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	return out.GetAnswer()
}

// Whatever a plugin could misunderstand is refused before the provider sees it.
func TestMoneyMovingRequestsAreGuarded(t *testing.T) {
	t.Parallel()
	var made []*fake
	s, _ := serviceOf(t, &made)
	if a := pay(t, s, valid()); a.GetError().GetEffect() != providerv1.Effect_EFFECT_NONE {
		t.Errorf("before Configure: %v", a)
	}
	if problems := configure(t, s, ""); problems != nil {
		t.Fatal(problems)
	}
	f := made[len(made)-1]
	withUnknown := func(m proto.Message) { m.ProtoReflect().SetUnknown([]byte{0xfa, 0x3f, 0x01, 0x78}) } // field 1023
	for name, change := range map[string]func(*providerv1.PayRequest){
		"no head":                 func(r *providerv1.PayRequest) { r.Call = nil },
		"unknown field":           func(r *providerv1.PayRequest) { withUnknown(r) },
		"unknown field in a part": func(r *providerv1.PayRequest) { withUnknown(r.GetReference()) },
		"must understand":         func(r *providerv1.PayRequest) { r.Call.MustUnderstand = []string{"instalments"} },
		"wrong exponent":          func(r *providerv1.PayRequest) { r.Amount.Exponent = 0 },
		"unknown currency":        func(r *providerv1.PayRequest) { r.Amount.Currency = "JPY" },
		"no amount":               func(r *providerv1.PayRequest) { r.Amount = nil },
		"zero":                    func(r *providerv1.PayRequest) { r.Amount.Units = 0 },
		"negative":                func(r *providerv1.PayRequest) { r.Amount.Units = -5 },
		"too late":                func(r *providerv1.PayRequest) { r.Call.NotAfter = timestamppb.New(time.Now().Add(-time.Millisecond)) },
		"unknown type":            func(r *providerv1.PayRequest) { r.Call.PaymentType = "OTHER_PAY" },
		"unknown environment":     func(r *providerv1.PayRequest) { r.Call.Environment = "Live" },
	} {
		r := valid()
		change(r)
		a := pay(t, s, r)
		if a.GetError().GetEffect() != providerv1.Effect_EFFECT_NONE || a.GetError().GetDetail() == "" {
			t.Errorf("%s: %v", name, a)
		}
	}
	out, err := s.Pay(t.Context(), valid())
	if err != nil || out.GetAnswer().GetError().GetEffect() != providerv1.Effect_EFFECT_NONE {
		t.Errorf("no deadline: %v, %v", out, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	refund, err := s.Refund(ctx, &providerv1.RefundRequest{Call: valid().GetCall(), Amount: valid().GetAmount()})
	if err != nil || refund.GetAnswer().GetError().GetReason() != providerv1.Reason_REASON_UNSUPPORTED {
		t.Errorf("an operation that is not declared: %v, %v", refund, err)
	}
	if len(f.paid) != 0 {
		t.Errorf("the provider saw %d of them", len(f.paid))
	}
	if a := pay(t, s, valid()); a.GetResult().GetOutcome() != providerv1.Outcome_OUTCOME_APPROVED || len(f.paid) != 1 {
		t.Errorf("the valid request: %v", a)
	}
}

func TestUnknownEnumNumberIsForeign(t *testing.T) {
	t.Parallel()
	r := &providerv1.SearchRequest{About: 99}
	if where := provider.Foreign(r.ProtoReflect()); where != "about" {
		t.Errorf("found %q", where)
	}
	r.About = providerv1.OperationKind_OPERATION_KIND_PAY
	if where := provider.Foreign(r.ProtoReflect()); where != "" {
		t.Errorf("found %q in a known request", where)
	}
}

func TestWhatAProviderCanDoWrong(t *testing.T) {
	t.Parallel()
	s, logs := serviceOf(t, nil)
	configure(t, s, "")
	for order, reason := range map[string]providerv1.Reason{
		"panic":    providerv1.Reason_REASON_INTERNAL,
		"nil":      providerv1.Reason_REASON_INTERNAL,
		"array":    providerv1.Reason_REASON_BAD_ANSWER,
		"long":     providerv1.Reason_REASON_BAD_ANSWER,
		"bad-utf8": providerv1.Reason_REASON_TIMEOUT,
	} {
		r := valid()
		r.Reference.OrderId = order
		a := pay(t, s, r)
		if a.GetError().GetEffect() != providerv1.Effect_EFFECT_POSSIBLE || a.GetError().GetReason() != reason || a.GetNative() != nil {
			t.Errorf("%s: %v", order, a)
		}
		if _, err := proto.Marshal(a); err != nil || len(a.GetError().GetDetail()) > 500 {
			t.Errorf("%s: cannot travel: %v, detail of %d bytes", order, err, len(a.GetError().GetDetail()))
		}
		if strings.Contains(a.String(), "canary") {
			t.Errorf("%s: the panic's text goes out: %v", order, a)
		}
	}
	if strings.Contains(logs.String(), "canary") || !strings.Contains(logs.String(), "service_test.go") ||
		!strings.Contains(logs.String(), "nil pointer") {
		t.Errorf("the log has the text of a panic, or not its place: %s", logs)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	out, err := s.Search(ctx, &providerv1.SearchRequest{Call: valid().GetCall()})
	if err != nil || out.GetError().GetReason() != providerv1.Reason_REASON_INTERNAL {
		t.Errorf("an empty search answer: %v, %v", out, err)
	}
}

func TestConfigureSwapsAndClosesTheOldOneAtItsEnd(t *testing.T) {
	t.Parallel()
	var made []*fake
	s, _ := serviceOf(t, &made)
	configure(t, s, `{"label":"one"}`)
	one := made[len(made)-1]
	answers := make(chan *providerv1.Answer, 1)
	go func() {
		r := valid()
		r.Reference.OrderId = "block"
		answers <- pay(t, s, r)
	}()
	select {
	case <-one.begun:
	case a := <-answers:
		t.Fatalf("the call was answered before it reached the provider: %v", a)
	}
	configure(t, s, `{"label":"two"}`)
	if got := pay(t, s, valid()).GetResult().GetProviderCode(); got != "two" {
		t.Errorf("%q serves after Configure", got)
	}
	select {
	case <-one.closed:
		t.Error("the old provider was closed during its call")
	default:
	}
	close(one.block)
	if got := (<-answers).GetResult().GetProviderCode(); got != "one" {
		t.Errorf("the open call was answered by %q", got)
	}
	<-one.closed
}

func TestSettingsAreStrict(t *testing.T) {
	t.Parallel()
	s, logs := serviceOf(t, nil)
	configure(t, s, `{"label":"kept"}`)
	for settings, says := range map[string]string{
		`{"lable":"x"}`:            `"lable"`,
		`{"label":7}`:              `"label" must be a string`,
		`{"label":"x"} {}`:         "other data",
		`{"label":`:                "",
		`nonsense`:                 "no JSON",
		`{"panic":true}`:           "failed internally",
		`{"other":true}`:           "depends on its settings",
		`{"label":"x","label2":1}`: `"label2"`,
	} {
		problems := configure(t, s, settings)
		if len(problems) == 0 || !strings.Contains(problems[0], says) {
			t.Errorf("%s: %v, want %q", settings, problems, says)
		}
		if got := pay(t, s, valid()).GetResult().GetProviderCode(); got != "kept" {
			t.Errorf("%s: %q serves", settings, got)
		}
	}
	if strings.Contains(logs.String(), "canary") {
		t.Error("the text of a panic is in the log")
	}
}

type liar struct{ fake }

func (*liar) Refund(context.Context, provider.RefundRequest) provider.Answer {
	return provider.Answer{}
}

type poor struct{}

func (poor) Describe() provider.Description { return (&fake{}).Describe() }

func TestDeclaredAndImplementedMustAgree(t *testing.T) {
	t.Parallel()
	for says, p := range map[string]provider.Provider{
		`is a Refunder, but no type declares`: &liar{},
		`"pay", but the provider is no Payer`: poor{},
	} {
		_, err := provider.NewTestService(t.Context(), "x", func(context.Context, config, provider.Host) (provider.Provider, error) {
			return p, nil
		}, provider.Host{Now: time.Now})
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q", err, says)
		}
	}
	_, err := provider.NewTestService(t.Context(), "x", func(context.Context, config, provider.Host) (provider.Provider, error) {
		return nil, errors.New("no endpoint")
	}, provider.Host{})
	if err == nil || !strings.Contains(err.Error(), "zero settings") {
		t.Errorf("a provider that cannot describe itself: %v", err)
	}
	_, err = provider.NewTestService(t.Context(), "x", func(context.Context, config, provider.Host) (provider.Provider, error) {
		return &fake{}, errors.New("no endpoint")
	}, provider.Host{Now: time.Now})
	if err != nil {
		t.Errorf("a provider that came with an error must do for the description: %v", err)
	}
}

func TestHealthBeforeConfigure(t *testing.T) {
	t.Parallel()
	s, _ := serviceOf(t, nil)
	before, err := s.Health(t.Context(), &providerv1.HealthRequest{})
	if err != nil || before.GetReady() {
		t.Errorf("before: %v, %v", before, err)
	}
	configure(t, s, "")
	after, err := s.Health(t.Context(), &providerv1.HealthRequest{})
	if err != nil || !after.GetReady() {
		t.Errorf("after: %v, %v", after, err)
	}
}
