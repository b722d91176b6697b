package provider_test

import (
	"strings"
	"testing"

	"github.com/payrack/payrack/plugins/internal/wire/providerv1"
)

// Money that nobody can take later must not be held: the fake's type has no capture.
func TestHoldWithoutCaptureIsRefused(t *testing.T) {
	t.Parallel()
	var made []*fake
	s, _ := serviceOf(t, &made)
	if problems := configure(t, s, `{}`); len(problems) > 0 {
		t.Fatal(problems)
	}
	opened := made[len(made)-1]
	r := valid()
	r.Capture = false
	failed := pay(t, s, r).GetError()
	if failed.GetEffect() != providerv1.Effect_EFFECT_NONE || !strings.Contains(failed.GetDetail(), "cannot hold it") {
		t.Errorf("got %v", failed)
	}
	if len(opened.paid) != 0 {
		t.Error("the provider was asked all the same")
	}
	if answer := pay(t, s, valid()); answer.GetResult() == nil || len(opened.paid) != 1 {
		t.Errorf("with capture: got %v", answer)
	}
}
