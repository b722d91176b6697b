// Package webhook is what the platform tells a company's own server: endpoints, the events that they get, and the
// deliveries of those events. Messages are signed after the Standard Webhooks specification.
package webhook

import (
	"slices"
	"time"

	"github.com/payrack/payrack/core/company"
)

// EndpointID names an endpoint. It is a UUIDv7.
type EndpointID string

// Overlap is how long the secret before the last rotation still signs, so that a receiver can change over in peace.
const Overlap = 24 * time.Hour

// Endpoint is where a company wants to hear of its payments.
type Endpoint struct {
	ID      EndpointID
	Company company.ID
	// URL is told events by POST.
	URL string
	// Types are the events that it gets, all if empty.
	Types []string
	// Enabled is false while nothing new is queued for it. What is queued already waits until it is enabled again.
	Enabled bool
	// Sealed is the secret that signs, Previous the one before it, which signs too until PreviousUntil.
	Sealed        []byte
	Previous      []byte
	PreviousUntil time.Time
	// Version grows by one with each change.
	Version   int64
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Wants reports whether the endpoint gets events of a type that happened then.
func (e Endpoint) Wants(typ string, at time.Time) bool {
	return e.Enabled && !at.Before(e.CreatedAt) && (len(e.Types) == 0 || slices.Contains(e.Types, typ))
}

// Rotated is the endpoint with a new secret.
func (e Endpoint) Rotated(sealed []byte, at time.Time) Endpoint {
	e.Previous, e.PreviousUntil = e.Sealed, at.Add(Overlap)
	e.Sealed = sealed
	return e
}
