// Package fault is the one error type of the domain: a kind that says what the caller can do, a stable
// code that clients write code against, and words that hold no value the client sent.
package fault

import (
	"errors"
	"time"
)

// Kind says what the caller can do about an error. Internal is the zero value, so that a forgotten kind
// hides instead of leaking. New kinds are added at the end.
type Kind uint8

// The kinds.
const (
	// Internal is a bug or a broken part of the platform; details stay inside.
	Internal Kind = iota
	// Invalid: the request is wrong and stays wrong.
	Invalid
	// NotFound: there is no such thing, or it belongs to another company.
	NotFound
	// Conflict: it contradicts what is there now; the message says with what.
	Conflict
	// Mismatch: the same key came with another request.
	Mismatch
	// Unsupported: the platform or the provider does not do this.
	Unsupported
	// Unavailable: nothing was sent; the same request may be repeated later.
	Unavailable
	// Unknown: it was sent and the outcome is not known yet; ask again, never charge again.
	Unknown
	// Unauthenticated: who asks is not proven.
	Unauthenticated
	// Forbidden: who asks may not.
	Forbidden
	// BadAnswer: the provider answered what cannot be read; nothing of it is relayed.
	BadAnswer
	// Limited: too much was asked; ask again later.
	Limited
)

// Field is one wrong column.
type Field struct {
	// Pointer is the JSON pointer of the column (RFC 6901); of its parent for an unknown member.
	Pointer string
	// Code is a stable word: missing_field, invalid_type, invalid_format, too_long, out_of_range, …
	Code string
	// Detail is a sentence for people, without the value.
	Detail string
}

// Error is a domain error.
type Error struct {
	// Kind says what the caller can do.
	Kind Kind
	// Code is a stable snake_case word.
	Code string
	// Message is a sentence for people; for codes of the seeds it is the seed's own text.
	Message string
	// Fields are the wrong columns, with Invalid.
	Fields []Field
	// Payment is the id of the payment that the error is about, if any.
	Payment string
	// RetryAfter is when to ask again, if that helps.
	RetryAfter time.Duration
	// Native is an answer in the provider's own shape, if the situation has one.
	Native []byte
	// NativeOK means that Native is the whole answer, sent with HTTP 200.
	NativeOK bool
	// Cause stays inside.
	Cause error
}

// New makes an error.
func New(kind Kind, code, message string) *Error {
	return &Error{Kind: kind, Code: code, Message: message}
}

// Wrap makes an error with a cause that stays inside.
func Wrap(kind Kind, code, message string, cause error) *Error {
	return &Error{Kind: kind, Code: code, Message: message, Cause: cause}
}

// Error is for logs: code, message and cause.
func (e *Error) Error() string {
	if e.Cause != nil {
		return e.Code + ": " + e.Message + ": " + e.Cause.Error()
	}
	return e.Code + ": " + e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// KindOf is the kind of the first fault in the chain, Internal for everything else.
func KindOf(err error) Kind {
	if f, ok := errors.AsType[*Error](err); ok {
		return f.Kind
	}
	return Internal
}

// CodeOf is the code of the first fault in the chain, or "internal".
func CodeOf(err error) string {
	if f, ok := errors.AsType[*Error](err); ok && f.Code != "" {
		return f.Code
	}
	return "internal"
}
