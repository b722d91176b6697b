package linepay

import (
	"context"
	"errors"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// Pay begins a payment.
func (p *Provider) Pay(ctx context.Context, r provider.PayRequest) provider.Answer {
	switch r.Call.PaymentType {
	case TypeQRCode:
		return p.payCode(ctx, r)
	case TypeOnline:
		return p.request(ctx, r)
	case TypePreapproved:
		return p.payApproved(ctx, r)
	default:
		return provider.NothingSent(provider.ReasonUnsupported, errType).Answer()
	}
}

// payOptions are the columns of a payment in a store beside those that travel in typed fields. The objects stay
// raw, so that their numbers reach LINE Pay as the client wrote them.
type payOptions struct {
	Device   string         `json:"merchant_device_profile_id"`
	Extras   jsontext.Value `json:"extras"`
	Packages jsontext.Value `json:"packages"`
}

var (
	errColumns = errors.New("the columns of the request cannot be read")
	errNoOrder = errors.New("orderId is missing")
)

// payCode charges the code that the payer shows.
func (p *Provider) payCode(ctx context.Context, r provider.PayRequest) provider.Answer {
	ctx, cancel := within(ctx, p.timeouts.Pay)
	defer cancel()
	e, failure := p.send(ctx, r.Call, func(m merchant) (request, error) {
		body, device, err := payBody(m.Version, r)
		out := post("/payments/oneTimeKeys/pay", "", body)
		out.device = device
		return out, err
	})
	if failure != nil {
		return failure.Answer()
	}
	if e.ReturnCode == codeOneTimeKey {
		// A code pays once. A request that the network delivered twice can be refused the second time because the first has
		// used the code, which LINE Pay need not look at after the order number.
		e.again = p.began(ctx, r.Call, r.Reference.OrderID)
	}
	return payOutcome(r, e)
}

// began reports whether LINE Pay knows of a payment of this order that has not failed, or does not say.
func (p *Provider) began(ctx context.Context, call provider.Call, order string) bool {
	call.NotAfter = time.Time{} // that bounds what moves money
	m, err := merchantOf(call)
	if err != nil {
		return true
	}
	found := inquiry{Provider: p, call: call, merchant: m, asked: provider.Reference{OrderID: order}}.checked(ctx).Findings
	return found == nil || found.Finding != provider.FindingNotFound && found.Finding != provider.FindingEnded
}

// payOutcome says what LINE Pay's answer means for the payment.
func payOutcome(r provider.PayRequest, e envelope) provider.Answer {
	return outcome(provider.KindPay, e, func(result provider.Result) provider.Answer {
		answer, _ := charged(e, r.Amount.Currency, func(paidInfo) bool { return !r.Capture }, result)
		return answer
	})
}

// payBody writes the body of a payment in the shape of the API version.
func payBody(version string, r provider.PayRequest) (body []byte, device string, err error) {
	var o payOptions
	if err := r.Call.Columns.Decode(&o); err != nil {
		return nil, "", errColumns
	}
	if err := chargeable(r.Amount); err != nil {
		return nil, "", err
	}
	switch {
	case r.Code.Empty():
		return nil, "", errors.New("oneTimeKey is missing")
	case r.Reference.OrderID == "":
		return nil, "", errNoOrder
	}
	if version == v4 {
		body, err = bodyV4(r, o)
	} else {
		body, err = bodyV2(r, o)
	}
	return body, o.Device, err
}

// bodyV2 is the flat body of v2 and v2.4.
func bodyV2(r provider.PayRequest, o payOptions) ([]byte, error) {
	if len(o.Packages) > 0 {
		return nil, errors.New("packages exist in v4 only; this payment goes by v2 or v2.4")
	}
	b := struct {
		ProductName string         `json:"productName"`
		Amount      jsontext.Value `json:"amount"`
		Currency    string         `json:"currency"`
		OrderID     string         `json:"orderId"`
		OneTimeKey  string         `json:"oneTimeKey"`
		Capture     *bool          `json:"capture,omitempty"`
		Extras      jsontext.Value `json:"extras,omitempty"`
	}{
		ProductName: r.Description,
		Amount:      jsontext.Value(decimal(r.Amount)),
		Currency:    r.Amount.Currency,
		OrderID:     r.Reference.OrderID,
		OneTimeKey:  r.Code.Reveal(),
		Extras:      o.Extras,
	}
	if !r.Capture {
		b.Capture = &r.Capture
	}
	return marshal(b)
}

type (
	packageV4 struct {
		ID       string         `json:"id"`
		Amount   jsontext.Value `json:"amount"`
		Products []productV4    `json:"products"`
	}
	productV4 struct {
		Name     string         `json:"name"`
		ImageURL string         `json:"imageUrl,omitempty"`
		Quantity int            `json:"quantity"`
		Price    jsontext.Value `json:"price"`
	}
	optionsV4 struct {
		Payment *captureV4     `json:"payment,omitempty"`
		Extra   jsontext.Value `json:"extra,omitempty"`
	}
	captureV4 struct {
		Capture bool `json:"capture"`
	}
)

// onePackage is the whole payment as one product.
func onePackage(amount provider.Money, name, imageURL string) (jsontext.Value, error) {
	price := jsontext.Value(decimal(amount))
	return marshal([]packageV4{{
		ID: "1", Amount: price, Products: []productV4{{Name: name, ImageURL: imageURL, Quantity: 1, Price: price}},
	}})
}

// bodyV4 is the body of v4: packages in place of a product name, options in place of extras.
func bodyV4(r provider.PayRequest, o payOptions) ([]byte, error) {
	packages := o.Packages
	if len(packages) == 0 {
		var err error
		if packages, err = onePackage(r.Amount, r.Description, ""); err != nil {
			return nil, err
		}
	}
	var options *optionsV4
	if len(o.Extras) > 0 {
		var old struct {
			Events     jsontext.Value `json:"events"`
			AddFriends jsontext.Value `json:"addFriends"`
		}
		if err := json.Unmarshal(o.Extras, &old); err != nil {
			return nil, errors.New("extras cannot be read")
		}
		if len(old.Events) > 0 || len(old.AddFriends) > 0 {
			return nil, errors.New("extras.events and extras.addFriends do not exist in v4")
		}
		options = &optionsV4{Extra: o.Extras}
	}
	if !r.Capture {
		if options == nil {
			options = &optionsV4{}
		}
		options.Payment = &captureV4{Capture: false}
	}
	return marshal(struct {
		Amount     jsontext.Value `json:"amount"`
		Currency   string         `json:"currency"`
		OrderID    string         `json:"orderId"`
		OneTimeKey string         `json:"oneTimeKey"`
		Packages   jsontext.Value `json:"packages"`
		Options    *optionsV4     `json:"options,omitempty"`
	}{
		Amount: jsontext.Value(decimal(r.Amount)), Currency: r.Amount.Currency, OrderID: r.Reference.OrderID,
		OneTimeKey: r.Code.Reveal(), Packages: packages, Options: options,
	})
}

// marshal writes UTF-8 as it is: LINE Pay checks the signature over these very bytes.
func marshal(v any) (jsontext.Value, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, errRequest
	}
	return raw, nil
}
