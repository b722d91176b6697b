package linepay

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// request is one request to LINE Pay.
type request struct {
	method string
	// path behind the version, escaped.
	path string
	// template is the path for traces, without the order number.
	template string
	query    url.Values
	body     []byte
	// device is the till that takes the payment, if it is known.
	device string
}

// exchange sends one request and reads the answer's envelope. The failure says how much is known if there
// is no envelope.
func (p *Provider) exchange(ctx context.Context, call provider.Call, m merchant, r request) (envelope, *provider.Failure) {
	base, err := p.endpoints.of(call.Environment)
	if err != nil {
		return envelope{}, notSent(provider.ReasonInternal, err)
	}
	target, err := base.Parse("/" + m.Version + r.path)
	if err != nil {
		return envelope{}, notSent(provider.ReasonInvalid, errRequest)
	}
	target.RawQuery = r.query.Encode()
	payload := target.RawQuery
	var body io.Reader
	if r.method == http.MethodPost {
		payload, body = string(r.body), bytes.NewReader(r.body)
	}
	ctx = provider.WithTemplate(ctx, "/"+m.Version+r.template)
	req, err := http.NewRequestWithContext(ctx, r.method, target.String(), body)
	if err != nil {
		return envelope{}, notSent(provider.ReasonInternal, errRequest)
	}
	setHeader(req, "Content-Type", "application/json; charset=UTF-8")
	setHeader(req, "Accept", "application/json")
	if r.device != "" {
		setHeader(req, "X-LINE-MerchantDeviceType", "POS")
		setHeader(req, "X-LINE-MerchantDeviceProfileId", r.device)
	}
	m.authenticate(req, payload)

	resp, err := p.http.Do(ctx, call, req)
	if err != nil {
		return envelope{}, sendFailure(err)
	}
	// LINE Pay answers 200 to every business outcome; any other status says nothing about the payment.
	if resp.Status != http.StatusOK {
		if statusErr := resp.StatusError(); statusErr != nil {
			return envelope{}, statusErr.Failure()
		}
		return envelope{}, badAnswer(errStatus)
	}
	e, err := read(resp.Body)
	if err != nil {
		return envelope{}, badAnswer(err)
	}
	return e, nil
}
