package ipass_test

import (
	"testing"

	"github.com/payrack/payrack/plugins/conformance"
	ipasssandbox "github.com/payrack/payrack/plugins/providers/ipass/sandbox"
	"github.com/payrack/payrack/plugins/sandbox"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	conformance.Run(t, conformance.Plugin{
		Package:  "./cmd/payrack-provider-ipass",
		Dialects: []sandbox.Dialect{ipasssandbox.Dialect()},
	})
}
