package provider

import (
	"context"
	"log/slog"
	"time"
)

// Provider is what a plugin implements. Describe is required; every other ability is an interface of
// one method below, and implementing it is the claim. A type's Operations and the implemented
// interfaces must agree: Serve refuses to start otherwise.
type Provider interface {
	// Describe says what the provider is. It does no I/O and does not depend on settings.
	Describe() Description
}

// Payer starts payments.
type Payer interface {
	Pay(ctx context.Context, r PayRequest) Answer
}

// Confirmer finishes payments that the payer approved.
type Confirmer interface {
	Confirm(ctx context.Context, r ConfirmRequest) Answer
}

// Capturer takes authorized amounts.
type Capturer interface {
	Capture(ctx context.Context, r CaptureRequest) Answer
}

// Voider cancels authorizations.
type Voider interface {
	Void(ctx context.Context, r VoidRequest) Answer
}

// Refunder gives captured money back.
type Refunder interface {
	Refund(ctx context.Context, r RefundRequest) Answer
}

// Searcher asks what the provider knows. Without it no unknown outcome can be settled.
type Searcher interface {
	Search(ctx context.Context, r SearchRequest) SearchAnswer
}

// MandateChecker asks about stored approvals.
type MandateChecker interface {
	CheckMandate(ctx context.Context, r CheckMandateRequest) MandateAnswer
}

// MandateExpirer ends stored approvals.
type MandateExpirer interface {
	ExpireMandate(ctx context.Context, r ExpireMandateRequest) MandateAnswer
}

// NotificationParser reads what the provider pushes.
type NotificationParser interface {
	ParseNotification(ctx context.Context, n Notification) NotificationAnswer
}

// HealthChecker says whether the provider can take calls. Without it a configured provider is ready.
type HealthChecker interface {
	Health(ctx context.Context, deep bool) error
}

// Closer releases what Open took.
type Closer interface {
	Close() error
}

// Host is what the platform gives a provider.
type Host struct {
	// Log writes to the platform's log, one JSON line a record. Never log a secret.
	Log *slog.Logger
	// Now is the clock.
	Now func() time.Time
	// HTTP sends requests to the provider's gateway, see Client.
	HTTP *Client
}
