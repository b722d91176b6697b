package providers_test

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// The plugin that the test binary plays. Its native answers repeat what it was asked, so that a test sees
// every field that arrived.

type settings struct {
	Label string `json:"label"`
}

type testPlugin struct {
	role  role
	label string
}

func playPlugin(r role) {
	provider.Version = r.Version
	if strings.HasPrefix(r.Behaviour, "shop") {
		playShop(r)
	}
	provider.Serve(r.Name, func(_ context.Context, s settings, _ provider.Host) (provider.Provider, error) {
		return testPlugin{role: r, label: s.Label}, nil
	})
}

const credentialSchema = `{"type":"object","additionalProperties":false,"required":["account_id","secret"],"properties":{
	"account_id":{"type":"string","x-payrack-role":"account"},
	"secret":{"type":"string","x-payrack-secret":true},
	"dialect":{"type":"string","enum":["one","two"],"default":"two","x-payrack-role":"wire"}}}`

const payColumns = `{"type":"object","additionalProperties":false,"required":["order","amount","currency","code"],"properties":{
	"order":{"type":"string","x-payrack-role":"order"},
	"amount":{"type":"number","exclusiveMinimum":0,"x-payrack-role":"amount"},
	"currency":{"type":"string","x-payrack-role":"currency"},
	"code":{"type":"string","x-payrack-role":"code"},
	"about":{"type":"string","x-payrack-role":"description","x-payrack-text":true},
	"reference":{"type":"string","x-payrack-role":"request_id"},
	"capture":{"type":"boolean","x-payrack-role":"capture"},
	"back":{"type":"object","additionalProperties":false,"properties":{"url":{"type":"string","x-payrack-role":"return_url"}}},
	"away":{"type":"string","x-payrack-role":"cancel_url"},
	"till":{"type":"string"}}}`

const searchColumns = `{"type":"object","additionalProperties":false,"required":["order"],"properties":{
	"order":{"type":"string","x-payrack-role":"order"},"till":{"type":"string"}}}`

func (p testPlugin) Describe() provider.Description {
	if p.role.Behaviour == "crash" && os.Getenv("PLUGIN_PROTOCOL_VERSIONS") != "" {
		os.Exit(3)
	}
	pay := payColumns
	if p.role.Behaviour == "broken schema" {
		pay = strings.Replace(pay, `"till":{"type":"string"}`, `"till":{"type":"string","$ref":"https://example.com/"}`, 1)
	}
	follow := func(kind provider.Kind) provider.Operation {
		return provider.Operation{Kind: kind, Columns: json.RawMessage(searchColumns), MovesMoney: true, FoundByOrderID: true, MaxDuration: time.Second}
	}
	d := provider.Description{
		MessageFrom: strings.ToUpper(p.role.Name),
		Types: []provider.Type{{
			Name: p.role.Type, Credential: json.RawMessage(credentialSchema),
			Currencies: []provider.Currency{{Code: "TWD"}, {Code: "USD", Exponent: 2}},
			Operations: []provider.Operation{
				{
					Kind: provider.KindPay, Columns: json.RawMessage(pay), Answer: json.RawMessage(`{"type":"object"}`),
					MovesMoney: true, OrderIDUnique: true, IdempotentReplay: true, FoundByOrderID: true, CancelsUnlanded: true, CarriesReference: true,
					SearchLagMax: 3 * time.Second, LandingMax: 5 * time.Second, MaxDuration: 2 * time.Second,
					Bodies: map[provider.Situation]json.RawMessage{
						provider.SituationDuplicateOrder: json.RawMessage(`{"c":1}`), provider.SituationInProgress: json.RawMessage(`{"c":2}`),
						provider.SituationReversing: json.RawMessage(`{"c":3}`),
					},
				},
				{Kind: provider.KindSearch, Columns: json.RawMessage(searchColumns), FoundByOrderID: true, SearchLagMax: 3 * time.Second, MaxDuration: time.Second},
				follow(provider.KindConfirm), follow(provider.KindCapture), follow(provider.KindVoid), follow(provider.KindRefund),
			},
		}},
	}
	if p.role.Behaviour == "a type without approvals" {
		plain := d.Types[0]
		plain.Name += "_PLAIN"
		plain.Operations = slices.Clip(plain.Operations)
		d.Types = append(d.Types, plain)
	}
	for _, kind := range []provider.Kind{provider.KindCheckMandate, provider.KindExpireMandate} {
		d.Types[0].Operations = append(d.Types[0].Operations, provider.Operation{Kind: kind, Columns: json.RawMessage(searchColumns), MaxDuration: time.Second})
	}
	if p.role.Alias != "" {
		d.Types[0].Operations[0].Aliases = []provider.Route{{Method: "POST", Path: "/v1/payment/" + p.role.Name + "/" + p.role.Alias}}
	}
	if p.role.Behaviour == "two types, one route" {
		twin := d.Types[0]
		twin.Name += "_TWIN"
		d.Types = append(d.Types, twin)
	}
	return d
}

// heard is what arrived at the plugin.
type heard struct {
	Operation    string            `json:"operation"`
	Label        string            `json:"label"`
	Call         map[string]string `json:"call"`
	Columns      json.RawMessage   `json:"columns"`
	Credential   json.RawMessage   `json:"credential"`
	Order        string            `json:"order"`
	Transaction  string            `json:"transaction"`
	Reference    string            `json:"reference"`
	Units        int64             `json:"units"`
	Currency     string            `json:"currency"`
	Exponent     int               `json:"exponent"`
	Capture      bool              `json:"capture"`
	Description  string            `json:"description"`
	Code         string            `json:"code"`
	Mandate      string            `json:"mandate"`
	Seen         []string          `json:"seen"`
	Purpose      provider.Purpose  `json:"purpose"`
	About        provider.Kind     `json:"about"`
	Back         string            `json:"back"`
	Away         string            `json:"away"`
	Card         bool              `json:"card"`
	NotAfterUnix int64             `json:"not_after"`
}

func (p testPlugin) hear(operation string, c provider.Call, r provider.Reference) heard {
	return heard{
		Operation: operation, Label: p.label, Columns: c.Columns.Reveal(), Credential: c.Credential.Reveal(),
		Order: r.OrderID, Transaction: r.TransactionID, Reference: r.ClientReference, NotAfterUnix: c.NotAfter.Unix(),
		Call: map[string]string{
			"operation_id": c.OperationID, "type": c.PaymentType, "environment": c.Environment, "credential_ref": c.CredentialRef,
			"account": c.Account, "wire": c.Wire, "request_id": c.RequestID,
		},
	}
}

func (h *heard) sum(m provider.Money) {
	h.Units, h.Currency, h.Exponent = m.Units, m.Currency, m.Exponent
}

func (h *heard) native() provider.Native {
	body, err := json.Marshal(h)
	if err != nil {
		panic(err)
	}
	return provider.Native{Body: body, Sensitive: true}
}

func (p testPlugin) Pay(_ context.Context, r provider.PayRequest) provider.Answer {
	h := p.hear("pay", r.Call, r.Reference)
	h.sum(r.Amount)
	h.Capture, h.Description, h.Code, h.Mandate = r.Capture, r.Description, r.Code.Reveal(), r.MandateToken.Reveal()
	if r.Redirect != nil {
		h.Back, h.Away = r.Redirect.ConfirmURL, r.Redirect.CancelURL
	}
	result := provider.Result{
		Reference: provider.Reference{OrderID: r.Reference.OrderID, TransactionID: "T1"}, Captured: &r.Amount, Code: "0000",
		ProviderTime: time.Unix(1, 0).UTC(), AuthorizationExpires: time.Unix(2, 0).UTC(),
	}
	switch r.Code.Reveal() {
	case "decline":
		result.Captured, result.DeclineCode = nil, "insufficient_funds"
		return provider.Declined(result, h.native())
	case "undecided":
		return provider.Undecided(result, h.native())
	case "approval":
		result.Mandate = &provider.Mandate{Token: provider.NewSecret("RK1"), Label: "card 1111", State: provider.MandateActive, Expires: time.Unix(3, 0).UTC()}
	case "dead":
		result.Captured, result.Mandate = nil, &provider.Mandate{State: provider.MandateDead}
		return provider.Declined(result, h.native())
	case "action":
		result.Action = &provider.Action{
			WebURL: "https://wallet.example.com/1", AppURL: "wallet://1", Expires: time.Unix(4, 0).UTC(), Token: provider.NewSecret("ignored"),
		}
		return provider.RequiresAction(result, h.native())
	case "not sent":
		return provider.NotSent(provider.ReasonInvalid, "E1", "the amount is odd")
	case "unknown":
		return provider.Unknown(provider.ReasonTimeout, "E2", "no answer").WithNative(h.native())
	case "exponent":
		result.Captured = &provider.Money{Units: 100, Currency: "TWD", Exponent: 2}
		return provider.Approved(result, h.native())
	case "list":
		return provider.Approved(result, provider.Native{Body: json.RawMessage(`[1]`)})
	case "long":
		return provider.Approved(result, provider.Native{Body: json.RawMessage(`{"a":"` + strings.Repeat("x", 70_000) + `"}`)})
	case "hang":
		time.Sleep(2 * time.Second) // longer than the test waits
	case "die":
		os.Exit(9)
	}
	return provider.Approved(result, h.native())
}

func (p testPlugin) answer(h heard, m provider.Money) provider.Answer {
	return provider.Approved(provider.Result{Reference: provider.Reference{OrderID: h.Order}, Authorized: &m, Refunded: &m}, h.native())
}

func (p testPlugin) Confirm(_ context.Context, r provider.ConfirmRequest) provider.Answer {
	h := p.hear("confirm", r.Call, r.Reference)
	h.sum(r.Amount)
	return p.answer(h, r.Amount)
}

func (p testPlugin) Capture(_ context.Context, r provider.CaptureRequest) provider.Answer {
	h := p.hear("capture", r.Call, r.Reference)
	h.sum(r.Amount)
	return p.answer(h, r.Amount)
}

func (p testPlugin) Void(_ context.Context, r provider.VoidRequest) provider.Answer {
	h := p.hear("void", r.Call, r.Reference)
	return provider.Approved(provider.Result{}, h.native())
}

func (p testPlugin) Refund(_ context.Context, r provider.RefundRequest) provider.Answer {
	h := p.hear("refund", r.Call, r.Reference)
	h.sum(r.Amount)
	h.Seen = r.RefundIDsSeen
	return p.answer(h, r.Amount)
}

func (p testPlugin) Search(_ context.Context, r provider.SearchRequest) provider.SearchAnswer {
	h := p.hear("search", r.Call, r.Reference)
	h.Purpose, h.About = r.Purpose, r.About
	native := h.native()
	findings := map[string]provider.Finding{
		"in progress": provider.FindingInProgress, "not found": provider.FindingNotFound, "awaiting": provider.FindingAwaitingPayer,
		"approved": provider.FindingPayerApproved, "ended": provider.FindingEnded,
	}
	if f, ok := findings[r.Reference.OrderID]; ok {
		return provider.SearchAnswer{Findings: &provider.Findings{Finding: f}, Native: native}
	}
	switch r.Reference.OrderID {
	case "failure":
		return provider.SearchAnswer{Failure: &provider.Failure{Reason: provider.ReasonTimeout, Code: "E3", Detail: "no answer"}}
	case "failure before":
		return provider.SearchAnswer{Failure: &provider.Failure{Effect: provider.EffectNone, Reason: provider.ReasonUnavailable}}
	case "list":
		return provider.SearchAnswer{Findings: &provider.Findings{Finding: provider.FindingFound}, Native: provider.Native{Body: json.RawMessage(`[]`)}}
	case "exponent":
		return provider.SearchAnswer{Findings: &provider.Findings{Finding: provider.FindingFound, Captured: &provider.Money{Units: 1, Currency: "USD"}}}
	case "nothing":
		return provider.SearchAnswer{}
	}
	twd := func(units int64) *provider.Money { return &provider.Money{Units: units, Currency: "TWD"} }
	return provider.SearchAnswer{Native: native, Findings: &provider.Findings{
		Finding: provider.FindingFound, Complete: true, Reference: provider.Reference{OrderID: r.Reference.OrderID, TransactionID: "T1"},
		Authorized: twd(3), Captured: twd(2), Refunded: twd(1),
		Movements: []provider.Movement{
			{Kind: provider.KindRefund, ID: "R1", Amount: *twd(1)}, {Kind: provider.KindCapture, ID: "C1", Amount: *twd(2)},
		},
	}}
}

func (p testPlugin) mandate(operation string, c provider.Call, token string, card bool) provider.MandateAnswer {
	h := p.hear(operation, c, provider.Reference{})
	h.Mandate, h.Card = token, card
	m := provider.Mandate{State: provider.MandateActive, Label: "card 1111", Expires: time.Unix(3, 0).UTC()}
	if operation == "expire" {
		m.State = provider.MandateDead
	}
	switch token {
	case "failure":
		return provider.MandateAnswer{Failure: &provider.Failure{Reason: provider.ReasonUnsupported, Detail: "not enabled"}, Native: h.native()}
	case "unspecified":
		m.State = provider.MandateUnspecified
	case "nothing":
		return provider.MandateAnswer{}
	}
	return provider.MandateAnswer{Mandate: &m, Native: h.native()}
}

func (p testPlugin) CheckMandate(_ context.Context, r provider.CheckMandateRequest) provider.MandateAnswer {
	return p.mandate("check", r.Call, r.MandateToken.Reveal(), r.AuthorizeCard)
}

func (p testPlugin) ExpireMandate(_ context.Context, r provider.ExpireMandateRequest) provider.MandateAnswer {
	return p.mandate("expire", r.Call, r.MandateToken.Reveal(), false)
}
