package httpkit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/payrack/payrack/core/fault"
)

// Ours is the label of answers that payrack itself gives, beside the labels of providers.
const Ours = "OMNI"

// maxFields bounds the field errors of one problem.
const maxFields = 20

// Problem is a problem document (RFC 9457) with the members of the platform's first API beside it.
type Problem struct {
	Type        string  `json:"type"`
	Title       string  `json:"title"`
	Status      int     `json:"status"`
	Detail      string  `json:"detail"`
	Code        string  `json:"code"`
	Errors      []Field `json:"errors,omitempty"`
	RequestID   string  `json:"request_id"`
	TraceID     string  `json:"trace_id,omitempty"`
	PaymentID   string  `json:"payment_id,omitempty"`
	Message     string  `json:"message"`
	MessageFrom string  `json:"message_from"`

	// RetryAfter becomes the header, zero for none.
	RetryAfter time.Duration `json:"-"`
	// Header is added to the reply.
	Header http.Header `json:"-"`
}

// Field is one wrong column.
type Field struct {
	Pointer string `json:"pointer"`
	Code    string `json:"code"`
	Detail  string `json:"detail,omitempty"`
}

// RefusalError is an error of HTTP itself, which the domain has no kind for: wrong path, method, size, media type.
type RefusalError struct {
	Status     int
	Code       string
	Message    string
	RetryAfter time.Duration
	Header     http.Header
}

// Error is for logs.
func (e *RefusalError) Error() string { return e.Code + ": " + e.Message }

var errPanicked = errors.New("request handler panicked")

// StatusClientClosed is what the log shows for a client that went away; nobody reads such a reply.
const StatusClientClosed = 499

// NotFound is the answer for a path that nobody serves.
func NotFound() error {
	return &RefusalError{Status: http.StatusNotFound, Code: "not_found", Message: "There is nothing at this path."}
}

// MethodNotAllowed names the methods that the path has.
func MethodNotAllowed(allowed []string) error {
	return &RefusalError{
		Status: http.StatusMethodNotAllowed, Code: "method_not_allowed",
		Message: "This path has other methods; see the Allow header.",
		Header:  http.Header{"Allow": {strings.Join(allowed, ", ")}},
	}
}

// From turns any error into a problem. An error without a kind is internal, and nothing of it gets out.
func From(err error) Problem {
	if refusal, ok := errors.AsType[*RefusalError](err); ok {
		return Problem{
			Title: title(refusal.Status), Status: refusal.Status, Detail: refusal.Message, Code: refusal.Code,
			Message: refusal.Message, RetryAfter: refusal.RetryAfter, Header: refusal.Header,
		}
	}
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		if errors.Is(err, context.Canceled) {
			return Problem{
				Title: "Client Closed Request", Status: StatusClientClosed, Code: "client_closed",
				Detail: "The client went away.", Message: "The client went away.",
			}
		}
		return internal()
	}
	status, retry := statusOf(f.Kind)
	if status == http.StatusInternalServerError {
		p := internal()
		p.PaymentID = f.Payment
		return p
	}
	p := Problem{
		Title: title(status), Status: status, Detail: f.Message, Code: fault.CodeOf(err), Message: f.Message,
		PaymentID: f.Payment, RetryAfter: f.RetryAfter,
	}
	if p.Detail == "" {
		p.Detail, p.Message = p.Title, p.Title
	}
	if p.RetryAfter == 0 {
		p.RetryAfter = retry
	}
	if status == http.StatusUnauthorized {
		p.Header = challenge("")
	}
	for i, field := range f.Fields {
		if i == maxFields {
			break
		}
		p.Errors = append(p.Errors, Field{Pointer: field.Pointer, Code: field.Code, Detail: field.Detail})
	}
	return p
}

// statusOf is the one table from kinds to statuses, with the pause after which asking again makes sense.
func statusOf(k fault.Kind) (status int, retry time.Duration) {
	switch k {
	case fault.Internal:
		return http.StatusInternalServerError, 0
	case fault.Invalid, fault.Unsupported:
		return http.StatusBadRequest, 0
	case fault.NotFound:
		return http.StatusNotFound, 0
	case fault.Conflict:
		return http.StatusConflict, 0
	case fault.Mismatch:
		return http.StatusUnprocessableEntity, 0
	case fault.Unavailable:
		return http.StatusServiceUnavailable, 2 * time.Second
	case fault.Unknown:
		return http.StatusGatewayTimeout, 2 * time.Second
	case fault.Unauthenticated:
		return http.StatusUnauthorized, 0
	case fault.Forbidden:
		return http.StatusForbidden, 0
	case fault.BadAnswer:
		return http.StatusBadGateway, 0
	case fault.Limited:
		return http.StatusTooManyRequests, time.Second
	}
	return http.StatusInternalServerError, 0
}

func internal() Problem {
	const message = "Something broke on our side. Quote the request id when you report it."
	return Problem{
		Title: title(http.StatusInternalServerError), Status: http.StatusInternalServerError, Detail: message,
		Code: "internal", Message: message,
	}
}

func title(status int) string {
	if t := http.StatusText(status); t != "" {
		return t
	}
	return "Error " + strconv.Itoa(status)
}

// WriteError answers with the problem of an error and notes it for the log.
func WriteError(w http.ResponseWriter, r *http.Request, err error) {
	p := From(err)
	if p.Status >= http.StatusInternalServerError {
		Of(r.Context()).Err = err
	}
	WriteProblem(w, r, p)
}

// WriteProblem answers with a problem document.
func WriteProblem(w http.ResponseWriter, r *http.Request, p Problem) {
	x := Of(r.Context())
	x.Code = p.Code
	p.Type = "urn:payrack:problem:" + p.Code
	p.RequestID, p.TraceID, p.MessageFrom = x.RequestID, x.TraceID(r.Context()), Ours
	h := w.Header()
	maps.Copy(h, p.Header)
	if p.PaymentID != "" {
		x.Payment = p.PaymentID
		h.Set(PaymentHeader, p.PaymentID)
	}
	SetRetryAfter(h, p.RetryAfter)
	write(w, p.Status, ProblemMedia(r), p)
}

// ProblemMedia is the media type of a problem document: its own if Accept names it, else plain JSON, so that a client
// that only knows the media type of its request still reads the members it knows.
func ProblemMedia(r *http.Request) string {
	if accepts(r.Header.Values("Accept"), "application/problem+json") {
		return "application/problem+json"
	}
	return mediaJSON
}

// PaymentHeader carries the id of the payment that a reply concerns.
const PaymentHeader = "Payrack-Payment-Id"

// SetRetryAfter sets the header in whole seconds, at least one; nothing for zero.
func SetRetryAfter(h http.Header, d time.Duration) {
	if d <= 0 {
		return
	}
	h.Set("Retry-After", strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10))
}

// WriteJSON answers with a value. Text keeps its characters: no HTML escapes.
func WriteJSON(w http.ResponseWriter, status int, v any) { write(w, status, "application/json", v) }

func write(w http.ResponseWriter, status int, mediaType string, v any) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		// Only structs of ours come here; one that does not encode is a bug, and the shell answers panics.
		panic(fmt.Errorf("encoding a reply of ours: %w", err))
	}
	WriteBytes(w, status, mediaType, b.Bytes())
}

// WriteBytes answers with a finished body.
func WriteBytes(w http.ResponseWriter, status int, mediaType string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", mediaType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client is gone; the log line has the status and the bytes
}

func accepts(headers []string, mediaType string) bool {
	for _, header := range headers {
		for one := range strings.SplitSeq(header, ",") {
			name, parameters, _ := strings.Cut(one, ";")
			if !strings.EqualFold(strings.TrimSpace(name), mediaType) {
				continue
			}
			if q := strings.ReplaceAll(parameters, " ", ""); q != "q=0" && !strings.HasPrefix(q, "q=0.000") {
				return true
			}
		}
	}
	return false
}
