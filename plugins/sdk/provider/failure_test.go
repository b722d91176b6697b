package provider_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

func TestFailureBecomesAnAnswerOfTheSameEffect(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		failure *provider.Failure
		effect  provider.Effect
		reason  provider.Reason
		detail  string
	}{
		"nothing sent": {provider.NothingSent(provider.ReasonAuth, errors.New("no key")), provider.EffectNone, provider.ReasonAuth, "no key"},
		"bad answer":   {provider.BadAnswer(errors.New("no code")), provider.EffectPossible, provider.ReasonBadAnswer, "no code"},
		"not sent by the client": {
			provider.FailureOf(fmt.Errorf("wrapped: %w", &provider.SendError{Reason: provider.ReasonTimeout})),
			provider.EffectNone, provider.ReasonTimeout, "the request failed; nothing was sent",
		},
		"sent by the client": {
			provider.FailureOf(&provider.SendError{Reason: provider.ReasonTimeout, Sent: true}),
			provider.EffectPossible, provider.ReasonTimeout, "the request failed",
		},
		"an error of nobody": {
			provider.FailureOf(errors.New("canary")),
			provider.EffectPossible, provider.ReasonInternal, "the request ended in an error without a class",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.failure.RetryAfter = 3 * time.Second
			a := c.failure.Answer()
			got := a.Failure()
			if a.Outcome() != provider.OutcomeUnknown || got == nil || got.Effect != c.effect || got.Reason != c.reason ||
				got.Detail != c.detail || got.RetryAfter != 3*time.Second {
				t.Errorf("outcome %v, %+v", a.Outcome(), got)
			}
		})
	}
	if a := (*provider.Failure)(nil).Answer(); a.Outcome() != provider.OutcomeUnknown || a.Result() != nil {
		t.Errorf("no failure at all: %+v", a)
	}
}

// A secret is read as encoding/json reads a string, whichever of the two ways it takes.
func TestSecretReadsEveryString(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{
		`"plain"`, `""`, `"with space ~!"`, `"quote\"d"`, `"back\\slash"`, `"\u0041"`, `"\ud83d\ude00"`, `"金"`,
		"\"invalid \xff\"", `"a\nb"`, "\"raw\nnewline\"", `"open`, `"a"b"`, `7`, `null`, `{}`, ``,
	} {
		var want string
		wantErr := json.Unmarshal([]byte(raw), &want)
		var got provider.Secret
		gotErr := got.UnmarshalJSON([]byte(raw))
		if (gotErr == nil) != (wantErr == nil) || got.Reveal() != want {
			t.Errorf("%q: %q, %v; want %q, %v", raw, got.Reveal(), gotErr, want, wantErr)
		}
	}
}
