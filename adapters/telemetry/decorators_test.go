package telemetry_test

import (
	"context"
	"strings"
	"testing"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/payrack/payrack/adapters/telemetry"
	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/ports/inbound"
	"github.com/payrack/payrack/ports/outbound"
)

// book is a ledger that only commits.
type book struct {
	outbound.Ledger

	err error
}

func (b book) Commit(context.Context, outbound.Change) (outbound.Committed, error) {
	return outbound.Committed{}, b.err
}

// plugin is a provider that answers one thing.
type plugin struct {
	outbound.Providers
	outbound.Session

	known payment.Known
	open  error
}

func (p plugin) Open(context.Context, outbound.Route) (outbound.Session, error) {
	if p.open != nil {
		return nil, p.open
	}
	return p, nil
}

func (p plugin) Type() catalogue.Type {
	return catalogue.Type{Name: "ACME_PAY", Provider: "acme", Version: "1.0.0"}
}

func (p plugin) Types() []catalogue.Type { return nil }

func (p plugin) Send(context.Context, outbound.Instruction) outbound.Answer {
	return outbound.Answer{Known: p.known, Reason: "canary-reason", Detail: "canary-detail"}
}

func (p plugin) Ask(context.Context, outbound.Question) outbound.Findings {
	return outbound.Findings{Finding: payment.FindingFound}
}

func (p plugin) Close() {}

// core pays through the decorated ports, as the real one does.
type core struct {
	inbound.Payments

	ledger    outbound.Ledger
	providers outbound.Providers
}

func (c core) Pay(ctx context.Context, n inbound.Native) (inbound.Reply, error) {
	s, err := c.providers.Open(ctx, outbound.Route{Type: n.Type})
	if err != nil {
		return inbound.Reply{}, err
	}
	defer s.Close()
	p := payment.Payment{ID: "p-1", OrderNumber: "ORDER-1", State: payment.Sending}
	if _, err := c.ledger.Commit(ctx, outbound.Change{Record: payment.Record{Payment: p}}); err != nil {
		return inbound.Reply{}, err
	}
	a := s.Send(ctx, outbound.Instruction{Kind: payment.KindPay, Payment: p})
	if a.Known == payment.KnownNothing {
		return inbound.Reply{Class: inbound.ReplyPending, Payment: p.ID, State: payment.Unknown}, nil
	}
	return inbound.Reply{Payment: p.ID, State: payment.Succeeded}, nil
}

func (c core) Search(ctx context.Context, n inbound.Native) (inbound.Reply, error) {
	s, err := c.providers.Open(ctx, outbound.Route{Type: n.Type})
	if err != nil {
		return inbound.Reply{}, err
	}
	defer s.Close()
	s.Ask(ctx, outbound.Question{OrderID: "ORDER-1"})
	return inbound.Reply{}, nil
}

func decorated(tel *telemetry.Telemetry, b book, p plugin) inbound.Payments {
	return tel.Payments(core{ledger: tel.Ledger(b), providers: tel.Providers(p)})
}

func byName(t *testing.T, spans []*tracepb.Span) map[string]*tracepb.Span {
	t.Helper()
	all := map[string]*tracepb.Span{}
	for _, s := range spans {
		all[s.GetName()] = s
	}
	return all
}

func TestOnePaymentIsOneChainOfSpans(t *testing.T) {
	t.Parallel()
	c := &collector{}
	tel := start(t, c)
	native := inbound.Native{Type: "ACME_PAY", Request: []byte(`{"secret":"canary-request"}`), IdempotencyKey: "canary-key"}
	reply, err := decorated(tel, book{}, plugin{known: payment.KnownApproved}).Pay(t.Context(), native)
	if err != nil || reply.Payment != "p-1" {
		t.Fatalf("got %v, %v", reply, err)
	}
	stop(t, tel)
	spans := byName(t, c.all())
	pay, commit, send := spans["payrack.pay"], spans["payrack.ledger.commit"], spans["payrack.provider.pay"]
	if pay == nil || commit == nil || send == nil {
		t.Fatalf("spans %v", spans)
	}
	for name, s := range map[string]*tracepb.Span{"commit": commit, "send": send} {
		if string(s.GetParentSpanId()) != string(pay.GetSpanId()) || string(s.GetTraceId()) != string(pay.GetTraceId()) {
			t.Errorf("%s is no child of the payment", name)
		}
	}
	for key, want := range map[string]string{
		"payrack.payment_id": "p-1", "payrack.order_number": "ORDER-1", "payrack.type": "ACME_PAY",
		"payrack.provider": "acme", "payrack.result": "final", "payrack.state": "SUCCEEDED",
	} {
		if got := text(pay, key); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	if out := c.everything() + metricsOf(t, tel); strings.Contains(out, "canary") {
		t.Errorf("free text left:\n%s", out)
	}
}

func TestHowAPaymentEndsIsCounted(t *testing.T) {
	t.Parallel()
	down := fault.New(fault.Unavailable, "store_unavailable", "canary-message")
	for name, c := range map[string]struct {
		book   book
		plugin plugin
		want   []string
	}{
		"approved": {plugin: plugin{known: payment.KnownApproved}, want: []string{
			`payrack_operations_total{operation="pay",provider="acme",result="final",type="ACME_PAY"} 1`,
			`payrack_provider_calls_total{operation="pay",provider="acme",reason="other",result="approved",version="1.0.0"} 1`,
			`payrack_ledger_commits_total{result="committed"} 1`,
		}},
		"unknown": {plugin: plugin{known: payment.KnownNothing}, want: []string{
			`payrack_operations_total{operation="pay",provider="acme",result="pending",type="ACME_PAY"} 1`,
			`payrack_unknown_outcomes_total{operation="pay",provider="acme",version="1.0.0"} 1`,
		}},
		"no store": {book: book{err: down}, want: []string{
			`payrack_operations_total{operation="pay",provider="acme",result="store_unavailable",type="ACME_PAY"} 1`,
			`payrack_ledger_commits_total{result="store_unavailable"} 1`,
		}},
		"type of the client is no label": {
			plugin: plugin{open: fault.New(fault.Invalid, "unknown_type", "no such type")},
			want:   []string{`payrack_operations_total{operation="pay",provider="none",result="unknown_type",type="none"} 1`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			col := &collector{}
			tel := start(t, col)
			_, err := decorated(tel, c.book, c.plugin).Pay(t.Context(), inbound.Native{Type: "canary-type"})
			if c.book.err != nil && fault.CodeOf(err) != fault.CodeOf(c.book.err) {
				t.Errorf("the error changed on its way: %v", err)
			}
			stop(t, tel)
			out := metricsOf(t, tel)
			for _, want := range c.want {
				if !strings.Contains(out, want) {
					t.Errorf("%s is missing in:\n%s", want, out)
				}
			}
			if strings.Contains(out+col.everything(), "canary") {
				t.Error("free text left")
			}
		})
	}
}

func TestSearchIsMeasured(t *testing.T) {
	t.Parallel()
	c := &collector{}
	tel := start(t, c)
	if _, err := decorated(tel, book{}, plugin{}).Search(t.Context(), inbound.Native{}); err != nil {
		t.Fatal(err)
	}
	stop(t, tel)
	if s := byName(t, c.all())["payrack.provider.search"]; s == nil || text(s, "payrack.result") != "found" {
		t.Errorf("spans %v", c.all())
	}
}

func TestInstancesAreShown(t *testing.T) {
	t.Parallel()
	tel := start(t, nil)
	read := func() map[string][]release.Instance {
		return map[string][]release.Instance{"acme": {
			{Version: "1.0.0", State: "serving", Inflight: 3}, {Version: "1.0.0", State: "serving", Inflight: 4},
		}}
	}
	if err := tel.WatchInstances(read); err != nil {
		t.Fatal(err)
	}
	out := metricsOf(t, tel)
	for _, want := range []string{
		`payrack_plugin_instances{provider="acme",state="serving",version="1.0.0"} 2`,
		`payrack_plugin_calls_in_flight{provider="acme",version="1.0.0"} 7`,
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%s is missing in:\n%s", want, out)
		}
	}
	if err := tel.WatchInstances(read); err == nil {
		t.Error("a second watch is no error")
	}
}

func TestStatementsAreSpansWithoutText(t *testing.T) {
	t.Parallel()
	c := &collector{}
	tel := start(t, c)
	tel.Statement(t.Context(), "sqlite", "sqlite.commit")(7, nil)
	tel.Statement(t.Context(), "sqlite", "sqlite.query")(0, fault.New(fault.Unavailable, "store_unavailable", "canary"))
	stop(t, tel)
	spans := byName(t, c.all())
	if s := spans["sqlite.commit"]; s == nil || text(s, "db.system.name") != "sqlite" {
		t.Errorf("spans %v", c.all())
	}
	if s := spans["sqlite.query"]; s.GetStatus().GetCode() != tracepb.Status_STATUS_CODE_ERROR || text(s, "payrack.error_code") != "store_unavailable" {
		t.Errorf("the error is missing: %v", s)
	}
	if strings.Contains(c.everything(), "canary") {
		t.Error("free text left")
	}
}
