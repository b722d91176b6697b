package ipass

import (
	"bytes"
	"context"
	"net/http"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// exchange sends one request and reads the answer. refused is true if the gateway answered in clear that it
// did not take the request at all. The failure says how much is known if there is no answer.
func (p *Provider) exchange(
	ctx context.Context, call provider.Call, c credential, iv [ivSize]byte, path string, clear []byte,
) (a answer, refused bool, failure *provider.Failure) {
	target, err := p.endpoints.of(call.Environment, path)
	if err != nil {
		return answer{}, false, notSent(provider.ReasonUnavailable, err)
	}
	header := http.Header{}
	body, err := p.wire.seal(header, c, iv, clear)
	if err != nil {
		return answer{}, false, notSent(provider.ReasonAuth, err)
	}
	req, err := http.NewRequestWithContext(provider.WithTemplate(ctx, path), http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return answer{}, false, notSent(provider.ReasonInternal, errRequest)
	}
	header["Content-Type"] = []string{"application/json; charset=utf-8"}
	header["Accept"] = []string{"application/json"}
	req.Header = header
	resp, err := p.http.Do(ctx, call, req)
	if err != nil {
		return answer{}, false, sendFailure(err)
	}
	raw := resp.Body
	switch {
	case resp.Status == http.StatusOK:
		if raw, err = p.wire.open(resp.Header, c, raw); err != nil {
			return answer{}, false, badAnswer(err)
		}
	case refusal(resp.Status):
		refused = true
	default:
		if statusErr := resp.StatusError(); statusErr != nil {
			return answer{}, false, statusErr.Failure()
		}
		return answer{}, false, badAnswer(errStatus)
	}
	a, err = p.wire.read(raw)
	if err != nil {
		if statusErr := resp.StatusError(); statusErr != nil {
			return answer{}, false, statusErr.Failure()
		}
		return answer{}, false, badAnswer(err)
	}
	return a, refused, nil
}

// refusal reports whether a status, with a readable body, says that the request was not taken. The four
// exceptions may also come from something in between, while the request is under way.
func refusal(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusConflict, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	default:
		return status >= 400 && status <= 499
	}
}
