package telemetry_test

import (
	"context"
	"strings"
	"testing"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/ports/outbound"
)

// approvals is a provider that answers one thing about stored approvals.
type approvals struct {
	outbound.Providers
	outbound.Session

	answer outbound.MandateAnswer
}

func (a approvals) Open(context.Context, outbound.Route) (outbound.Session, error) { return a, nil }

func (a approvals) Types() []catalogue.Type { return nil }

func (a approvals) Type() catalogue.Type {
	return catalogue.Type{Name: "ACME_PAY", Provider: "acme", Version: "1.0.0"}
}

func (a approvals) Mandate(context.Context, outbound.MandateQuestion) outbound.MandateAnswer {
	return a.answer
}

func (a approvals) Close() {}

func TestApprovalsAreMeasured(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		end                bool
		answer             outbound.MandateAnswer
		operation, outcome string
		failed             bool
	}{
		"active":  {false, outbound.MandateAnswer{Known: true, Label: "canary-label"}, "check_mandate", "active", false},
		"ended":   {true, outbound.MandateAnswer{Known: true, Dead: true}, "expire_mandate", "dead", false},
		"unknown": {true, outbound.MandateAnswer{Reason: "timeout", Detail: "canary-detail"}, "expire_mandate", "failed", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			col := &collector{}
			tel := start(t, col)
			s, err := tel.Providers(approvals{answer: c.answer}).Open(t.Context(), outbound.Route{})
			if err != nil {
				t.Fatal(err)
			}
			got := s.Mandate(t.Context(), outbound.MandateQuestion{End: c.end, Token: "canary-token"})
			if got.Known != c.answer.Known || got.Dead != c.answer.Dead || got.Label != c.answer.Label || got.Detail != c.answer.Detail {
				t.Errorf("the answer changed on its way: %+v", got)
			}
			stop(t, tel)
			spans := col.all()
			if len(spans) != 1 || spans[0].GetName() != "payrack.provider."+c.operation || text(spans[0], "payrack.result") != c.outcome ||
				(spans[0].GetStatus().GetCode() == tracepb.Status_STATUS_CODE_ERROR) != c.failed {
				t.Errorf("spans %v", spans)
			}
			out := metricsOf(t, tel)
			if want := `payrack_provider_calls_total{operation="` + c.operation + `",provider="acme"`; !strings.Contains(out, want) ||
				!strings.Contains(out, `result="`+c.outcome+`",version="1.0.0"} 1`) {
				t.Errorf("%s is missing in:\n%s", want, out)
			}
			if strings.Contains(out+col.everything(), "canary") {
				t.Error("a secret or free text left")
			}
		})
	}
}
