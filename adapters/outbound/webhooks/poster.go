package webhooks

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/payrack/payrack/core/webhook"
)

// Bounds of an attempt.
const (
	defaultTimeout = 10 * time.Second
	dialTimeout    = 5 * time.Second
	// maxAnswer is how much of an answer is read, so that the connection can be used again.
	maxAnswer  = 16 << 10
	maxHeaders = 16 << 10
)

// Options of a poster.
type Options struct {
	// Loopback lets messages go to this machine, and there without TLS: for development only.
	Loopback bool
	// Timeout of an attempt, from the look-up of the name to the end of the answer; 10 s if zero.
	Timeout time.Duration
	// UserAgent of the requests.
	UserAgent string
	// TLS of the connections; the system's roots by default.
	TLS *tls.Config
}

// Poster implements outbound.Webhooks.
type Poster struct {
	client    *http.Client
	loopback  bool
	userAgent string
	dial      net.Dialer
}

// New makes a poster.
func New(o Options) *Poster {
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.UserAgent == "" {
		o.UserAgent = "payrack"
	}
	p := &Poster{loopback: o.Loopback, userAgent: o.UserAgent}
	p.dial = net.Dialer{
		Timeout: dialTimeout,
		// Here the name is resolved: what is checked is what is dialled, so that a name cannot change in between.
		ControlContext: func(_ context.Context, network, address string, _ syscall.RawConn) error {
			if (network != "tcp4" && network != "tcp6") || !p.may(address) {
				return errForbidden
			}
			return nil
		},
	}
	p.client = &http.Client{
		Timeout: o.Timeout,
		// A redirect is an answer like any other that is no success.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:                  nil, // an environment variable must not decide where messages go
			DialContext:            p.dial.DialContext,
			TLSClientConfig:        o.TLS.Clone(),
			TLSHandshakeTimeout:    dialTimeout,
			ResponseHeaderTimeout:  o.Timeout,
			MaxResponseHeaderBytes: maxHeaders,
			MaxIdleConns:           64,
			MaxIdleConnsPerHost:    8,
			MaxConnsPerHost:        16,
			IdleConnTimeout:        30 * time.Second,
			DisableCompression:     true, // a small answer must not become a large one
			ForceAttemptHTTP2:      true,
		},
	}
	return p
}

// Post sends a message once.
func (p *Poster) Post(ctx context.Context, m webhook.Message) (outcome webhook.Outcome) {
	began := time.Now()
	defer func() { outcome.Took = time.Since(began) }()
	if err := p.Allowed(m.URL); err != nil {
		return webhook.Outcome{Trouble: "the URL of the endpoint is not allowed any more"}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, m.URL, bytes.NewReader(m.Body))
	if err != nil {
		return webhook.Outcome{Trouble: "the URL of the endpoint cannot be used"}
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", p.userAgent)
	r.Header.Set("Webhook-Id", string(m.ID))
	r.Header.Set("Webhook-Timestamp", strconv.FormatInt(m.At.Unix(), 10))
	r.Header.Set("Webhook-Signature", m.Signature)
	answer, err := p.client.Do(r)
	if err != nil {
		return webhook.Outcome{Trouble: trouble(err)}
	}
	defer func() { _ = answer.Body.Close() }() // what is left of it is not wanted
	_, _ = io.CopyN(io.Discard, answer.Body, maxAnswer)
	outcome = webhook.Outcome{Status: answer.StatusCode, RetryAfter: retryAfter(answer.Header.Get("Retry-After"))}
	switch {
	case answer.StatusCode >= 300 && answer.StatusCode <= 399:
		outcome.Trouble = "answered with a redirect, which is not followed: register the URL that it leads to"
	case answer.StatusCode < 200 || answer.StatusCode > 299:
		outcome.Trouble = "answered with HTTP status " + strconv.Itoa(answer.StatusCode)
	}
	return outcome
}

// trouble is an error without names, addresses and what the other side said.
func trouble(err error) string {
	var lookup *net.DNSError
	var certificate *tls.CertificateVerificationError
	var slow net.Error
	switch {
	case errors.Is(err, errForbidden):
		return "its name leads to an address that is not a public one"
	case errors.As(err, &lookup):
		return "its name cannot be resolved"
	case errors.As(err, &certificate):
		return "its TLS certificate is not valid"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "it refuses connections"
	case errors.Is(err, context.Canceled):
		return "payrack was stopped before it answered"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &slow) && slow.Timeout():
		return "it did not answer in time"
	default:
		return "the connection failed before it answered"
	}
}

// retryAfter reads the seconds of the header; a date is not worth trusting two clocks.
func retryAfter(text string) time.Duration {
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || n < 0 || n > 24*60*60 {
		return 0
	}
	return time.Duration(n) * time.Second
}
