package artifacts

import (
	"context"
	"errors"
	"io"
	"net/http"

	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/errcode"

	"github.com/payrack/payrack/core/fault"
)

func invalid(message string) error { return fault.New(fault.Invalid, "artifact_invalid", message) }

func unsigned(message string) error { return fault.New(fault.Invalid, "signature_invalid", message) }

// errPlain is a step of the way that would go without TLS.
var errPlain = errors.New("the way leads over plain HTTP")

// failure says what to do about an error of a registry, a layout or the way there. from is where it was to come from.
func (a *Artifacts) failure(ctx context.Context, from location, err error) error {
	if _, said := errors.AsType[*fault.Error](err); said {
		return err
	}
	unreachable := func(message string) error {
		return fault.Wrap(fault.Invalid, "artifact_unreachable", message, err)
	}
	answer, _ := errors.AsType[*errcode.ErrorResponse](err)
	switch {
	case errors.Is(err, content.ErrMismatchedDigest), errors.Is(err, content.ErrTrailingData), errors.Is(err, content.ErrInvalidDescriptorSize),
		errors.Is(err, io.ErrUnexpectedEOF):
		return fault.Wrap(fault.Invalid, "artifact_invalid",
			"what "+from.place()+" delivered is not what its manifest names: it was cut off, or changed there or on the way. Try again, and if it stays so ask who keeps the registry", err)
	case errors.Is(err, errPlain):
		return unreachable("the way to " + from.place() + " leads over plain HTTP, where anybody could change what arrives: the registry must answer with TLS (plugins.registry.plain_http allows loopback registries)")
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil:
		return unreachable(from.place() + " did not deliver within " + a.options.Timeout.String() + ": look at the network and at the registry, or copy the release here as an OCI layout")
	case errors.Is(err, context.Canceled):
		return unreachable("the order was given up before " + from.place() + " had delivered: order it again")
	case errors.Is(err, errdef.ErrNotFound):
		return unreachable("there is no " + from.String() + ": check the repository and the tag or digest, and whether it was pushed")
	case errors.Is(err, auth.ErrBasicCredentialNotFound),
		answer != nil && (answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden):
		return unreachable(from.place() + " does not let us in: give a user and a password file (plugins.registry of the platform, --username of payrack plugin pack), or run docker login as the same user")
	case from.layout:
		return unreachable("the OCI layout " + from.name + " cannot be read: make it with payrack plugin pack --out, and copy the whole folder")
	default:
		return unreachable(from.place() + " cannot be reached, or does not answer as a registry does: look at its address, its certificate and the network")
	}
}
