package linepay

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// The texts of this package's errors hold no value of the client and no secret, so that they may reach the
// operator.
var (
	errRequest     = errors.New("the request cannot be formed")
	errEnvironment = errors.New("the environment is neither live nor test")
	errStatus      = errors.New("LINE Pay answered another HTTP status than 200")
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
	base, ok := p.gateways[call.Environment]
	if !ok {
		return envelope{}, provider.NothingSent(provider.ReasonInternal, errEnvironment)
	}
	path, err := url.PathUnescape("/" + m.Version + r.path)
	if err != nil {
		return envelope{}, provider.NothingSent(provider.ReasonInvalid, errRequest)
	}
	target := *base
	target.Path, target.RawPath, target.RawQuery = path, "/"+m.Version+r.path, r.query.Encode()
	req := &http.Request{Method: r.method, URL: &target, Header: make(http.Header, 8)}
	payload := target.RawQuery
	if r.method == http.MethodPost {
		payload = string(r.body)
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(r.body)), int64(len(r.body))
	}
	setHeader(req, "Content-Type", "application/json; charset=UTF-8")
	setHeader(req, "Accept", "application/json")
	if r.device != "" {
		setHeader(req, "X-LINE-MerchantDeviceType", "POS")
		setHeader(req, "X-LINE-MerchantDeviceProfileId", r.device)
	}
	m.authenticate(req, payload)

	resp, err := p.http.Do(provider.WithTemplate(ctx, "/"+m.Version+r.template), call, req)
	if err != nil {
		return envelope{}, provider.FailureOf(err)
	}
	// LINE Pay answers 200 to every business outcome; any other status says nothing about the payment.
	if resp.Status != http.StatusOK {
		if statusErr := resp.StatusError(); statusErr != nil {
			return envelope{}, statusErr.Failure()
		}
		return envelope{}, provider.BadAnswer(errStatus)
	}
	e, err := read(resp.Body)
	if err != nil {
		return envelope{}, provider.BadAnswer(err)
	}
	return e, nil
}
