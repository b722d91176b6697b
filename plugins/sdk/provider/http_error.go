package provider

import (
	"net/http"
	"strconv"
	"time"
)

// SendError says that no answer of the gateway was read. Its text is safe to log: it holds the host and
// what happened, and never a query, a header or a body.
type SendError struct {
	// Sent is true if any byte of the request may have left. False is a proof that none did.
	Sent bool
	// Reason sorts the error.
	Reason Reason
	// Status is the HTTP status, if the head of an answer was read.
	Status int
	// RetryAfter is the gateway's wish, or 0.
	RetryAfter time.Duration

	host  string
	text  string
	cause error
}

// Error says what happened.
func (e *SendError) Error() string {
	text := e.text
	if text == "" {
		text = "the request failed"
	}
	if e.host != "" {
		text = e.host + ": " + text
	}
	if e.Status != 0 {
		text += " (HTTP status " + strconv.Itoa(e.Status) + ")"
	}
	if !e.Sent {
		text += "; nothing was sent"
	}
	return text
}

// Unwrap gives context.Canceled or context.DeadlineExceeded where one of them ended the call.
func (e *SendError) Unwrap() error { return e.cause }

// Answer is the answer of a money-moving call that ended with this error: unknown if a byte left, not
// sent if none did.
func (e *SendError) Answer() Answer {
	if e.Sent {
		return Unknown(e.Reason, e.code(), e.Error()).WithRetryAfter(e.RetryAfter)
	}
	return NotSent(e.Reason, e.code(), e.Error()).WithRetryAfter(e.RetryAfter)
}

// Failure is the same for a search or a mandate call, which move no money.
func (e *SendError) Failure() *Failure { return e.Answer().Failure() }

func (e *SendError) code() string {
	if e.Status == 0 {
		return ""
	}
	return "HTTP " + strconv.Itoa(e.Status)
}

// StatusError sorts an answer by its HTTP status: nil for 2xx. Everything else counts as sent, because a
// status proves that the request arrived and not that it had no effect; where a gateway documents that a
// status means "not taken", say NotSent yourself.
func (r Response) StatusError() *SendError {
	e := &SendError{Sent: true, Status: r.Status, text: "the gateway did not answer the call"}
	switch {
	case r.Status >= 200 && r.Status <= 299:
		return nil
	case r.Status == http.StatusUnauthorized || r.Status == http.StatusForbidden:
		e.Reason = ReasonAuth
	case r.Status == http.StatusTooManyRequests:
		e.Reason = ReasonRateLimited
	case r.Status == http.StatusRequestTimeout || r.Status == http.StatusGatewayTimeout:
		e.Reason = ReasonTimeout
	case r.Status >= 500:
		e.Reason = ReasonUnavailable
	default:
		e.Reason = ReasonBadAnswer
	}
	if seconds, err := strconv.ParseUint(r.Header.Get("Retry-After"), 10, 16); err == nil {
		e.RetryAfter = time.Duration(seconds) * time.Second
	}
	return e
}
