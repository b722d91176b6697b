package linepay

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// payOptions are the columns of a payment beside those that travel in typed fields. The objects stay raw,
// so that their numbers reach LINE Pay as the client wrote them.
type payOptions struct {
	Device   string         `json:"merchant_device_profile_id"`
	Extras   jsontext.Value `json:"extras"`
	Packages jsontext.Value `json:"packages"`
}

// Pay charges the code that the payer shows.
func (p *Provider) Pay(ctx context.Context, r provider.PayRequest) provider.Answer {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(p.timeouts.Pay))
	defer cancel()
	m, err := merchantOf(r.Call)
	if err != nil {
		return provider.NothingSent(provider.ReasonAuth, err).Answer()
	}
	body, device, err := payBody(m.Version, r)
	if err != nil {
		return provider.NothingSent(provider.ReasonInvalid, err).Answer()
	}
	e, failure := p.exchange(ctx, r.Call, m, request{
		method:   http.MethodPost,
		path:     "/payments/oneTimeKeys/pay",
		template: "/payments/oneTimeKeys/pay",
		body:     body,
		device:   device,
	})
	if failure != nil {
		return failure.Answer()
	}
	return payOutcome(r, e)
}

// payOutcome says what LINE Pay's answer means for the payment.
func payOutcome(r provider.PayRequest, e envelope) provider.Answer {
	c := codes[e.ReturnCode]
	result := provider.Result{Code: e.ReturnCode, DeclineCode: c.decline}
	switch {
	case c.class == success:
		return paid(r, e, result)
	case c.class.declined():
		return provider.Declined(result, e.body())
	default:
		return provider.Undecided(result, e.body())
	}
}

func paid(r provider.PayRequest, e envelope, result provider.Result) provider.Answer {
	var info paidInfo
	if err := e.info(&info); err != nil {
		return provider.BadAnswer(err).Answer()
	}
	id, err := info.TransactionID.id()
	if err != nil {
		return provider.BadAnswer(errors.New("success without a transaction id")).Answer()
	}
	amount, err := sum(info.PayInfo, r.Amount.Currency)
	if err != nil {
		return provider.BadAnswer(err).Answer()
	}
	result.Reference = provider.Reference{OrderID: info.OrderID, TransactionID: id}
	result.ProviderTime = instant(info.TransactionDate)
	if r.Capture {
		result.Captured = amount
	} else {
		result.Authorized = amount
		result.AuthorizationExpires = instant(info.AuthorizationExpireDate)
	}
	if amount == nil {
		// Paid, but nobody said how much: the search reads the amount from LINE Pay's records.
		return provider.Undecided(result, e.body())
	}
	return provider.Approved(result, e.body())
}

// payBody writes the body of a payment in the shape of the API version.
func payBody(version string, r provider.PayRequest) (body []byte, device string, err error) {
	var o payOptions
	if err := r.Call.Columns.Decode(&o); err != nil {
		return nil, "", errors.New("the columns of the request cannot be read")
	}
	if exponent, ok := exponents[r.Amount.Currency]; !ok || exponent != r.Amount.Exponent || r.Amount.Units <= 0 {
		return nil, "", errNotAmount
	}
	switch {
	case r.Code.Empty():
		return nil, "", errors.New("oneTimeKey is missing")
	case r.Reference.OrderID == "":
		return nil, "", errors.New("orderId is missing")
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

// bodyV4 is the body of v4: packages in place of a product name, options in place of extras.
func bodyV4(r provider.PayRequest, o payOptions) ([]byte, error) {
	amount := jsontext.Value(decimal(r.Amount))
	packages := o.Packages
	if len(packages) == 0 {
		var err error
		packages, err = marshal([]packageV4{{
			ID: "1", Amount: amount, Products: []productV4{{Name: r.Description, Quantity: 1, Price: amount}},
		}})
		if err != nil {
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
		Amount: amount, Currency: r.Amount.Currency, OrderID: r.Reference.OrderID,
		OneTimeKey: r.Code.Reveal(), Packages: packages, Options: options,
	})
}

// marshal writes UTF-8 as it is: LINE Pay checks the signature over these very bytes.
func marshal(v any) ([]byte, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, errRequest
	}
	return raw, nil
}
