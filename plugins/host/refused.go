package host

import (
	"fmt"
	"strings"
)

// Code says why a release was not activated.
type Code string

// The reasons of a refusal.
const (
	// CodeDigestMismatch: the file is not the installed one.
	CodeDigestMismatch Code = "digest_mismatch"
	// CodeBinaryMissing: there is no file at the path, or it cannot be read.
	CodeBinaryMissing Code = "binary_missing"
	// CodeBinaryDamaged: the file begins as an executable and is cut short or damaged.
	CodeBinaryDamaged Code = "binary_damaged"
	// CodeProtocolUnsupported: the binary is no payrack plugin, or one of another major contract.
	CodeProtocolUnsupported Code = "protocol_unsupported"
	// CodeStartCrashed: the process could not be started or ended before it served.
	CodeStartCrashed Code = "start_crashed"
	// CodeStartTimeout: the process did not answer in time.
	CodeStartTimeout Code = "start_timeout"
	// CodeInfoMismatch: the plugin describes itself as something else than the installed release.
	CodeInfoMismatch Code = "info_mismatch"
	// CodeUnhealthy: the plugin refused its settings or is not ready.
	CodeUnhealthy Code = "unhealthy"
	// CodeRehearsalUnsupported: the release cannot make recorded calls again. Only Rehearse says this.
	CodeRehearsalUnsupported Code = "rehearsal_unsupported"
)

// Refused says that a release was not activated and what serves has not changed.
type Refused struct { //nolint:errname // it reads host.Refused
	// Code is stable, for programs.
	Code Code
	// Message says what happened and what to do, for operators.
	Message string

	settings bool
	cause    error
}

// Error is the code and the message.
func (r *Refused) Error() string { return string(r.Code) + ": " + r.Message }

// Unwrap gives the cause, if there is one.
func (r *Refused) Unwrap() error { return r.cause }

func refuse(c Code, format string, args ...any) *Refused {
	return &Refused{Code: c, Message: fmt.Sprintf(format, args...)}
}

// maxWords bounds what a refusal repeats of a plugin's own words, in characters.
const maxWords = 1000

// words is what a plugin said as a refusal may repeat it. Refusals are reported by every replica, kept in the journal and stored as
// the reason of a rollback: a megabyte, or a character that a database does not take, must not come that far.
func words(text string) string {
	return fmt.Sprintf("%.*s", maxWords, strings.ReplaceAll(printable([]byte(text)), "\n", "; "))
}

// Why sorts the reasons of an Unavailable.
type Why string

// The reasons why no instance was picked.
const (
	// WhyNotActive: no release was activated.
	WhyNotActive Why = "not_active"
	// WhyDisabled: the provider was disabled.
	WhyDisabled Why = "disabled"
	// WhyRestarting: the plugin crashed or hangs and has not come back in time.
	WhyRestarting Why = "restarting"
	// WhyQuarantined: the plugin crashed too often and waits for an operator.
	WhyQuarantined Why = "quarantined"
	// WhyOverloaded: too many calls are open and the queue is full.
	WhyOverloaded Why = "overloaded"
	// WhyShare: the release takes as many calls as one beside the default release may; another one may have room.
	WhyShare Why = "share_taken"
	// WhyClosed: the host is stopping.
	WhyClosed Why = "closed"
)

// Unavailable says that no instance was picked: nothing was handed to any plugin.
type Unavailable struct { //nolint:errname // it reads host.Unavailable
	// Name of the provider.
	Name string
	// Why no instance was picked.
	Why Why
	// Detail for the operator.
	Detail string
}

// Error says which provider and why.
func (u *Unavailable) Error() string {
	text := "provider " + u.Name + " is unavailable: " + string(u.Why)
	if u.Detail != "" {
		text += " (" + u.Detail + ")"
	}
	return text
}
