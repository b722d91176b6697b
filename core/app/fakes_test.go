package app_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/payrack/payrack/adapters/outbound/memory"
	"github.com/payrack/payrack/core/access"
	"github.com/payrack/payrack/core/app"
	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/credential"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/money"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/ports/inbound"
	"github.com/payrack/payrack/ports/outbound"
)

// The fakes behave: a provider that really keeps a ledger of charges, secrets that open only for their field.

// till is a provider with one payment type, TILL_PAY. What it answers is decided by the test; every transmission is
// counted by order.
type till struct {
	mu      sync.Mutex
	sent    map[string]int
	answers func(ctx context.Context, i outbound.Instruction) outbound.Answer
	asked   atomic.Int64
	down    atomic.Bool
	// finds answers searches; nil is the bank's own record.
	finds func(outbound.Question) outbound.Findings
	bank  bank
}

func described() catalogue.Type {
	return catalogue.Type{
		Name: "TILL_PAY", Provider: "till", Version: "1.0.0", MessageFrom: "TILL", WireDefault: "v1",
		Operations: []catalogue.Operation{
			{
				Kind: catalogue.Pay, MaxDuration: 5 * time.Second, MovesMoney: true, Attended: true,
				LandingMax: 10 * time.Second, SearchLagMax: 4 * time.Second,
				Bodies: map[catalogue.Situation][]byte{
					catalogue.DuplicateOrder: []byte(`{"code":"DUP"}`), catalogue.Reversing: []byte(`{"code":"REV"}`),
				},
			},
			{Kind: catalogue.Capture, MaxDuration: 5 * time.Second, MovesMoney: true, LandingMax: 10 * time.Second},
			{Kind: catalogue.Void, MaxDuration: 5 * time.Second, MovesMoney: true, LandingMax: 10 * time.Second},
			{Kind: catalogue.Refund, MaxDuration: 5 * time.Second, MovesMoney: true, LandingMax: 10 * time.Second},
			{Kind: catalogue.Search, MaxDuration: 5 * time.Second},
		},
	}
}

func (p *till) Open(_ context.Context, r outbound.Route) (outbound.Session, error) {
	if p.down.Load() {
		return nil, fault.New(fault.Unavailable, "provider_unavailable", "the provider is down")
	}
	if r.Type != "TILL_PAY" {
		return nil, fault.New(fault.Invalid, "unknown_type", "無此付款方式 "+r.Type)
	}
	return tillSession{p}, nil
}

func (p *till) Types() []catalogue.Type { return []catalogue.Type{described()} }

func (p *till) Read(_ string, k catalogue.Kind, native []byte) (outbound.Form, error) {
	return tillSession{p}.Form(k, native)
}

func (p *till) Credential(_ string, set []byte) (outbound.CredentialForm, error) {
	var c struct {
		Account string `json:"account"`
	}
	if err := json.Unmarshal(set, &c); err != nil || c.Account == "" {
		return outbound.CredentialForm{}, fault.New(fault.Invalid, "missing_field", "account 不可為空")
	}
	return outbound.CredentialForm{Provider: "till", Account: c.Account, Wire: "v1", Set: set}, nil
}

type tillSession struct{ p *till }

func (tillSession) Type() catalogue.Type { return described() }
func (tillSession) Close()               {}

func (tillSession) Form(_ catalogue.Kind, native []byte) (outbound.Form, error) {
	var c struct {
		Order  string `json:"order"`
		Req    string `json:"req"`
		Secret string `json:"secret"`
		Amount int64  `json:"amount"`
		Hold   bool   `json:"hold"`
	}
	if err := json.Unmarshal(native, &c); err != nil || c.Order == "" {
		return outbound.Form{}, fault.New(fault.Invalid, "missing_field", "order 不可為空")
	}
	f := outbound.Form{
		Amount: money.Amount{Units: c.Amount, Currency: money.TWD}, OrderNumber: c.Order, RequestID: c.Req,
		Columns: []byte(`{}`), Meaning: fmt.Appendf(nil, "%s %d %s", c.Order, c.Amount, c.Req),
	}
	if c.Amount == 0 {
		f.Amount = money.Amount{}
	}
	if c.Hold {
		f.Capture = new(false)
	}
	if c.Secret != "" {
		f.Credential, f.Account = []byte(c.Secret), "own-account"
	}
	return f, nil
}

func (tillSession) Compose(_ catalogue.Kind, v catalogue.Values) ([]byte, error) {
	return json.Marshal(map[string]any{
		"order": v.OrderNumber, "amount": v.Amount.Units, "req": v.RequestID, "hold": v.Capture != nil && !*v.Capture,
	})
}

func (tillSession) Mandate(context.Context, outbound.MandateQuestion) outbound.MandateAnswer {
	return outbound.MandateAnswer{}
}

func (s tillSession) Send(ctx context.Context, i outbound.Instruction) outbound.Answer {
	s.p.mu.Lock()
	s.p.sent[i.Operation.OrderID]++
	s.p.mu.Unlock()
	if _, ok := ctx.Deadline(); !ok {
		panic("a call without a deadline")
	}
	return s.p.answers(ctx, i)
}

func (s tillSession) Ask(_ context.Context, q outbound.Question) outbound.Findings {
	s.p.asked.Add(1)
	if s.p.finds == nil {
		return s.p.bank.find(q)
	}
	return s.p.finds(q)
}

func (p *till) transmissions(order string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sent[order]
}

// approved answers as asked.
func approved(_ context.Context, i outbound.Instruction) outbound.Answer {
	return outbound.Answer{
		Known: payment.KnownApproved, Native: []byte(`{"code":"0000"}`),
		Evidence: payment.Evidence{
			OrderID: i.Operation.OrderID, Captured: i.Operation.Amount, Code: "0000", ProviderTransaction: "tx-" + i.Operation.OrderID,
		},
	}
}

type vault struct{}

func (vault) Seal(_ context.Context, f credential.Field, plain []byte) ([]byte, error) {
	sealed := fmt.Appendf(nil, "%s|%s|%s|", f.Company, f.Provider, f.Name)
	for _, b := range plain {
		sealed = append(sealed, b^0x5a)
	}
	return sealed, nil
}

func (vault) Open(_ context.Context, f credential.Field, sealed []byte) ([]byte, error) {
	head := fmt.Appendf(nil, "%s|%s|%s|", f.Company, f.Provider, f.Name)
	rest, ok := bytes.CutPrefix(sealed, head)
	if !ok {
		return nil, fault.New(fault.Internal, "secret_unreadable", "another field")
	}
	plain := make([]byte, len(rest))
	for i, b := range rest {
		plain[i] = b ^ 0x5a
	}
	return plain, nil
}

func (vault) Fingerprint(data []byte) [32]byte {
	return sha256.Sum256(append([]byte("pepper"), data...))
}
func (vault) Hash(secret string) (string, error) { return "hash:" + secret, nil }
func (vault) Matches(hash, secret string) bool   { return hash == "hash:"+secret }

type signer struct{ made sync.Map }

func (s *signer) Sign(_ context.Context, p access.Principal, _ time.Time) (string, error) {
	token := fmt.Sprintf("token-%d", time.Now().UnixNano())
	s.made.Store(token, p)
	return token, nil
}

func (s *signer) Verify(_ context.Context, token string) (access.Principal, error) {
	p, ok := s.made.Load(token)
	if !ok {
		return access.Principal{}, fault.New(fault.Unauthenticated, "invalid_token", "not ours")
	}
	return p.(access.Principal), nil //nolint:forcetypeassert // stored above
}

func (s *signer) Keys(context.Context) ([]byte, error) { return []byte(`{"keys":[]}`), nil }

// sealKey signs with a mark.
type sealKey struct{}

func (*sealKey) SignBlock(data []byte) (string, []byte, error) {
	sum := sha256.Sum256(append([]byte("sealed"), data...))
	return "k", sum[:], nil
}

func (*sealKey) VerifyBlock(key string, data, signature []byte) bool {
	sum := sha256.Sum256(append([]byte("sealed"), data...))
	return key == "k" && bytes.Equal(sum[:], signature)
}

type clock struct{ offset atomic.Int64 }

func (c *clock) Now() time.Time { return time.Now().UTC().Add(time.Duration(c.offset.Load())) }

type ids struct{ n atomic.Int64 }

func (i *ids) New() string { return fmt.Sprintf("id-%08d", i.n.Add(1)) }

type noRuntime struct{}

func (noRuntime) Describe(context.Context, string, string) (release.Release, error) {
	return release.Release{}, errors.New("no plugins here")
}

func (noRuntime) Keep(_ context.Context, r release.Release) (release.Release, error) { return r, nil }

func (noRuntime) Types(context.Context, release.Release) ([]catalogue.Type, error) { return nil, nil }
func (noRuntime) Prepare(context.Context, release.Release) error                   { return nil }
func (noRuntime) Route(context.Context, release.Channel, []release.Release) error  { return nil }
func (noRuntime) Instances(string) []release.Instance                              { return nil }

// shaky is a ledger whose commits fail when the test says so.
type shaky struct {
	outbound.Ledger
	fail func(outbound.Change) error
}

func (s *shaky) Commit(ctx context.Context, c outbound.Change) (outbound.Committed, error) {
	if s.fail != nil {
		if err := s.fail(c); err != nil {
			return outbound.Committed{}, err
		}
	}
	return s.Ledger.Commit(ctx, c)
}

// world is a core over memory, with one company.
type world struct {
	*app.App
	t      *testing.T
	till   *till
	ledger *shaky
	store  *memory.Store
	clock  *clock
	who    access.Principal
	client access.Client
	secret string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	store := memory.New()
	w := &world{
		t: t, till: &till{sent: map[string]int{}, answers: approved}, ledger: &shaky{Ledger: store.Ledger()}, store: store, clock: &clock{},
	}
	var err error
	w.App, err = app.New(app.Options{
		Ledger: w.ledger, Journal: store.Journal(), Mandates: store.Mandates(), SealKey: &sealKey{}, Providers: w.till, Runtime: noRuntime{}, Releases: store.Releases(), Replicas: store.Replicas(), Directory: store.Directory(),
		Secrets: vault{}, Signer: &signer{}, Clock: w.clock, IDs: &ids{}, Boot: "boot-1",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ended, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
		cancel()
		_ = w.Close(ended) // what is still being tried is not this test's
	})
	ctx, d := t.Context(), w.Directory()
	must(t)(d.AddCompany(ctx, inbound.AddCompany{ID: "co", Name: "Company"}))
	must(t)(d.AddStore(ctx, inbound.AddStore{Company: "co", ID: "s1", Name: "Store"}))
	must(t)(d.AddStore(ctx, inbound.AddStore{Company: "co", ID: "s2", Name: "Store without credentials"}))
	for _, env := range []company.Environment{company.Test, company.Live} {
		must(t)(d.PutCredential(ctx, inbound.PutCredential{Company: "co", Store: "s1", Type: "TILL_PAY", Environment: env, Set: []byte(`{"account":"store-account"}`)}))
	}
	w.client, w.secret, err = d.AddClient(ctx, inbound.AddClient{
		Company: "co", Name: "till", Scopes: []access.Scope{access.Pay, access.Search}, Environments: []company.Environment{company.Test},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.who = access.Principal{Client: w.client.ID, Company: "co", Scopes: w.client.Scopes, Environments: w.client.Environments}
	return w
}

func must(t *testing.T) func(any, error) {
	t.Helper()
	return func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
}

// order is a payment of 100 for an order at store s1.
func (w *world) order(number string) inbound.Native {
	store := "s1"
	return inbound.Native{
		Principal: w.who, Type: "TILL_PAY", Store: &store, Environment: company.Test,
		Request: []byte(`{"order":` + strconv.Quote(number) + `,"amount":100,"req":"` + number + `-req"}`),
	}
}

// record reads the payment of an order.
func (w *world) record(ctx context.Context, number string) payment.Record {
	w.t.Helper()
	for _, account := range []string{"store-account", "own-account"} {
		r, err := w.ledger.Find(ctx, outbound.Key{
			Company: "co", Environment: company.Test, Provider: "till", Account: account, OrderNumber: number,
		})
		if err == nil {
			return r
		}
	}
	return payment.Record{}
}
