package linepay

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// The texts of this package's errors hold no value of the client and no secret, so that they may reach the
// operator.
var (
	errRequest     = errors.New("the request cannot be formed")
	errEnvironment = errors.New("the environment is neither live nor test")
	errStatus      = errors.New("LINE Pay answered another HTTP status than 200")
	errType        = errors.New("the plugin does not serve the payment type")
)

// request is one request to LINE Pay.
type request struct {
	method string
	// path behind the version, escaped.
	path string
	// template is the path for traces, without order number, transaction id and regKey.
	template string
	query    url.Values
	body     []byte
	// device is the till that takes the payment, if it is known.
	device string
	// free is true for a request that moves no money, whatever becomes of it.
	free bool
}

// get asks for something that no path but the query names.
func get(path string, query url.Values) request {
	return request{method: http.MethodGet, path: path, template: path, query: query}
}

// post sends a body to a path, with the name of one thing in it at the place of %. An operation without members
// sends an empty object: what is signed must be what is sent, and gateways differ on empty bodies.
func post(path, name string, body []byte) request {
	if body == nil {
		body = []byte("{}")
	}
	return request{
		method: http.MethodPost, path: strings.Replace(path, "%", url.PathEscape(name), 1),
		template: strings.Replace(path, "%", "{id}", 1), body: body,
	}
}

// send forms a request for a merchant and sends it. Forming fails on what the client asked for and the API
// version does not have.
func (p *Provider) send(ctx context.Context, call provider.Call, form func(merchant) (request, error)) (envelope, *provider.Failure) {
	m, err := merchantOf(call)
	if err != nil {
		return envelope{}, provider.NothingSent(provider.ReasonAuth, err)
	}
	r, err := form(m)
	if err != nil {
		return envelope{}, provider.NothingSent(provider.ReasonInvalid, err)
	}
	e, failure := p.exchange(ctx, call, m, r)
	if failure == nil && e.ReturnCode == codeHeaders && m.signs() && r.method == http.MethodPost && !r.free {
		// A nonce is taken once. A request that the network delivered twice can be refused the second time for that, by the code
		// that a wrong secret has, too.
		e.again = p.welcome(ctx, call, m)
	}
	return e, failure
}

// welcome reports whether LINE Pay takes this merchant's headers, or does not say. It asks about a payment that nobody has.
func (p *Provider) welcome(ctx context.Context, call provider.Call, m merchant) bool {
	call.NotAfter = time.Time{} // that bounds what moves money
	e, failure := p.exchange(ctx, call, m, get(detailsPath, url.Values{"transactionId": {"1"}}))
	return failure != nil || e.ReturnCode != codeHeaders
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
