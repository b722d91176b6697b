package ipass

import (
	"bytes"
	"context"
	"errors"
	"net/http"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// The texts of this package's errors hold no value of the client and no secret, so that they may reach the
// operator.
var (
	errRequest = errors.New("the request cannot be formed")
	errStatus  = errors.New("iPASS answered another HTTP status than 200")
)

// exchange sends one request and reads the answer. refused is true if the gateway answered in clear that it
// did not take the request at all. The failure says how much is known if there is no answer.
func (p *Provider) exchange(
	ctx context.Context, call provider.Call, c credential, iv [ivSize]byte, path string, clear []byte,
) (a answer, refused bool, failure *provider.Failure) {
	gateway, err := p.endpoints.Of(call.Environment)
	if err != nil {
		return answer{}, false, provider.NothingSent(provider.ReasonUnavailable, err)
	}
	header := http.Header{}
	body, err := p.wire.seal(header, c, iv, clear)
	if err != nil {
		return answer{}, false, provider.NothingSent(provider.ReasonAuth, err)
	}
	ctx = provider.WithClear(provider.WithTemplate(ctx, path), clear)
	req, err := http.NewRequestWithContext(ctx, method, gateway.String()+path, bytes.NewReader(body))
	if err != nil {
		return answer{}, false, provider.NothingSent(provider.ReasonInternal, errRequest)
	}
	header["Content-Type"] = []string{contentType}
	header["Accept"] = []string{"application/json"}
	req.Header = header
	resp, err := p.http.Do(ctx, call, req)
	if err != nil {
		return answer{}, false, provider.FailureOf(err)
	}
	raw := resp.Body
	switch {
	case resp.Status == http.StatusOK:
		if raw, err = resp.Open(raw, func(raw []byte) ([]byte, error) { return p.wire.open(resp.Header, c, raw) }); err != nil {
			return answer{}, false, provider.BadAnswer(err)
		}
	case refusal(resp.Status):
		refused = true
	default:
		if statusErr := resp.StatusError(); statusErr != nil {
			return answer{}, false, statusErr.Failure()
		}
		return answer{}, false, provider.BadAnswer(errStatus)
	}
	a, err = p.wire.read(raw)
	if err != nil {
		if statusErr := resp.StatusError(); statusErr != nil {
			return answer{}, false, statusErr.Failure()
		}
		return answer{}, false, provider.BadAnswer(err)
	}
	return a, refused, nil
}
