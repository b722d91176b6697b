package linepay

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// A regKey that nobody charges ends by itself.
const (
	regKeyLife     = 180 * 24 * time.Hour
	regKeyTestLife = 24 * time.Hour
)

const approvedPath = "/payments/preapprovedPay/%/"

var errNoRegKey = errors.New("regKey is missing")

// approval is a stored approval that can be charged, from now on for its whole life.
func (p *Provider) approval(call provider.Call, token provider.Secret, label string) *provider.Mandate {
	life := regKeyLife
	if call.Environment == provider.EnvironmentTest {
		life = regKeyTestLife
	}
	return &provider.Mandate{Token: token, Label: label, State: provider.MandateActive, Expires: p.now().Add(life)}
}

func dead(token provider.Secret) *provider.Mandate {
	return &provider.Mandate{Token: token, State: provider.MandateDead}
}

// payApproved charges a payer who has approved for good.
func (p *Provider) payApproved(ctx context.Context, r provider.PayRequest) provider.Answer {
	ctx, cancel := within(ctx, p.timeouts.Pay)
	defer cancel()
	e, failure := p.send(ctx, r.Call, func(merchant) (request, error) { return approvedRequest(r) })
	if failure != nil {
		return failure.Answer()
	}
	answer := p.approvedOutcome(r, e)
	if result := answer.Result(); answer.Outcome() == provider.OutcomeUnknown && result != nil && result.Code == codeOK {
		return p.verified(ctx, r, e, *result)
	}
	return answer
}

func approvedRequest(r provider.PayRequest) (request, error) {
	var o struct {
		Device string `json:"merchant_device_profile_id"`
	}
	if err := r.Call.Columns.Decode(&o); err != nil {
		return request{}, errColumns
	}
	if err := chargeable(r.Amount); err != nil {
		return request{}, err
	}
	switch {
	case r.MandateToken.Empty():
		return request{}, errNoRegKey
	case r.Reference.OrderID == "":
		return request{}, errNoOrder
	case r.Description == "":
		return request{}, errors.New("productName is missing")
	}
	b := struct {
		ProductName string         `json:"productName"`
		Amount      jsontext.Value `json:"amount"`
		Currency    string         `json:"currency"`
		OrderID     string         `json:"orderId"`
		Capture     *bool          `json:"capture,omitempty"`
	}{
		ProductName: r.Description, Amount: jsontext.Value(decimal(r.Amount)), Currency: r.Amount.Currency,
		OrderID: r.Reference.OrderID,
	}
	if !r.Capture {
		b.Capture = &r.Capture
	}
	body, err := marshal(b)
	out := post(approvedPath+"payment", r.MandateToken.Reveal(), body)
	out.device = o.Device
	return out, err
}

// approvedOutcome reads the answer to a charge. A code that ends the approval says so.
func (p *Provider) approvedOutcome(r provider.PayRequest, e envelope) provider.Answer {
	if c := codes[e.ReturnCode]; c.kills && c.class.declined() {
		return provider.Declined(provider.Result{
			Code: e.ReturnCode, DeclineCode: c.decline, Mandate: dead(r.MandateToken),
		}, e.body())
	}
	return outcome(provider.KindPay, e, func(result provider.Result) provider.Answer {
		result.Mandate = p.approval(r.Call, r.MandateToken, "")
		answer, _ := charged(e, r.Amount.Currency, func(paidInfo) bool { return !r.Capture }, result)
		return answer
	})
}

// verified completes a success that names no amount, which is LINE Pay's usual answer here, from its records. If
// they do not show the payment yet, the platform searches.
func (p *Provider) verified(ctx context.Context, r provider.PayRequest, e envelope, result provider.Result) provider.Answer {
	call := r.Call
	call.NotAfter = time.Time{} // that bounds what moves money
	m, err := merchantOf(call)
	if err != nil {
		return provider.Undecided(result, e.body())
	}
	s := inquiry{
		Provider: p, call: call, merchant: m,
		asked: provider.Reference{OrderID: r.Reference.OrderID, TransactionID: result.Reference.TransactionID},
	}
	found := s.recorded(ctx, !r.Capture).Findings
	if found == nil || found.Finding != provider.FindingFound {
		return provider.Undecided(result, e.body())
	}
	result.Captured, result.Authorized = found.Captured, found.Authorized
	result.Reference.OrderID = found.Reference.OrderID
	return provider.Approved(result, e.body())
}

// CheckMandate asks whether an approval can still be charged.
func (p *Provider) CheckMandate(ctx context.Context, r provider.CheckMandateRequest) provider.MandateAnswer {
	ctx, cancel := within(ctx, p.timeouts.Mandate)
	defer cancel()
	if r.MandateToken.Empty() {
		return provider.MandateAnswer{Failure: provider.NothingSent(provider.ReasonInvalid, errNoRegKey)}
	}
	var o struct {
		CreditCardAuth bool `json:"creditCardAuth"`
	}
	if err := r.Call.Columns.Decode(&o); err != nil {
		return provider.MandateAnswer{Failure: provider.NothingSent(provider.ReasonInvalid, errColumns)}
	}
	e, failure := p.send(ctx, r.Call, func(merchant) (request, error) {
		out := post(approvedPath+"check", r.MandateToken.Reveal(), nil)
		out.method, out.body = http.MethodGet, nil
		if r.AuthorizeCard || o.CreditCardAuth {
			out.query = url.Values{"creditCardAuth": {"true"}}
		}
		return out, nil
	})
	if failure != nil {
		return provider.MandateAnswer{Failure: failure}
	}
	if e.ReturnCode == codeOK {
		return provider.MandateAnswer{Mandate: &provider.Mandate{Token: r.MandateToken, State: provider.MandateActive}, Native: e.body()}
	}
	return mandateRefused(r.MandateToken, e)
}

// ExpireMandate ends an approval. One that is gone already is ended too.
func (p *Provider) ExpireMandate(ctx context.Context, r provider.ExpireMandateRequest) provider.MandateAnswer {
	ctx, cancel := within(ctx, p.timeouts.Mandate)
	defer cancel()
	if r.MandateToken.Empty() {
		return provider.MandateAnswer{Failure: provider.NothingSent(provider.ReasonInvalid, errNoRegKey)}
	}
	e, failure := p.send(ctx, r.Call, func(merchant) (request, error) {
		return post(approvedPath+"expire", r.MandateToken.Reveal(), nil), nil
	})
	if failure != nil {
		return provider.MandateAnswer{Failure: failure}
	}
	if e.ReturnCode == codeOK {
		return provider.MandateAnswer{Mandate: dead(r.MandateToken), Native: e.body()}
	}
	return mandateRefused(r.MandateToken, e)
}

// mandateRefused reads every other code: the approval is dead, or nothing is known about it.
func mandateRefused(token provider.Secret, e envelope) provider.MandateAnswer {
	c := codes[e.ReturnCode]
	if c.kills {
		return provider.MandateAnswer{Mandate: dead(token), Native: e.body()}
	}
	return provider.MandateAnswer{
		Failure: &provider.Failure{
			Effect: provider.EffectPossible, Reason: c.class.reason(), Code: e.ReturnCode,
			Detail: "LINE Pay did not say whether the approval can be charged",
		},
		Native: e.body(),
	}
}
