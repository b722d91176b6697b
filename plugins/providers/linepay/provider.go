// Package linepay speaks to LINE Pay: to the Offline API, where the till scans the code that the payer shows,
// and to the Online API, where the payer approves in LINE, once or for good.
//
// Three payment types share the return codes, the signature and the records: LINE_QRCODE_PAY (Offline API v2,
// v2.4 and v4), LINE_PAY (Online API v2, v3 and v4: request, then confirm) and LINE_PREAPPROVED_PAY (the same
// versions: charge a stored approval). LINE Pay's answers reach the client byte for byte as they came; what
// the platform decides on is read from them beside that.
package linepay

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// The payment types.
const (
	// TypeQRCode charges the code that the payer shows at a till.
	TypeQRCode = "LINE_QRCODE_PAY"
	// TypeOnline sends the payer to LINE and takes the money once the payer has approved.
	TypeOnline = "LINE_PAY"
	// TypePreapproved charges a payer who has approved for good.
	TypePreapproved = "LINE_PREAPPROVED_PAY"
)

// Provider is the LINE Pay provider. It keeps no state between calls.
type Provider struct {
	gateways map[string]*url.URL // by environment
	timeouts Timeouts
	now      func() time.Time
	http     *provider.Client
}

// Open makes a provider from its settings; the zero Settings are the defaults.
func Open(_ context.Context, s Settings, host provider.Host) (provider.Provider, error) {
	if problems := s.Problems(); len(problems) > 0 {
		return nil, errors.New(strings.Join(problems, "; "))
	}
	s = s.withDefaults()
	p := &Provider{gateways: map[string]*url.URL{}, timeouts: s.Timeouts, now: host.Now}
	if p.now == nil {
		p.now = time.Now
	}
	for _, environment := range []string{provider.EnvironmentLive, provider.EnvironmentTest} {
		gateway, err := s.Endpoints.Of(environment)
		if err != nil {
			return nil, err
		}
		p.gateways[environment] = gateway
	}
	if host.HTTP != nil {
		p.http = host.HTTP.With(provider.ClientOptions{Timeout: longestCall})
	}
	return p, nil
}

// Close gives back the connections of these settings.
func (p *Provider) Close() error {
	if p.http != nil {
		p.http.CloseIdle()
	}
	return nil
}
