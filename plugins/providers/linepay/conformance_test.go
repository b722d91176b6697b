package linepay_test

import (
	"testing"

	"github.com/payrack/payrack/plugins/conformance"
	linepaysandbox "github.com/payrack/payrack/plugins/providers/linepay/sandbox"
	"github.com/payrack/payrack/plugins/sandbox"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	conformance.Run(t, conformance.Plugin{
		Package:  "./cmd/payrack-provider-linepay",
		Dialects: []sandbox.Dialect{linepaysandbox.Dialect()},
	})
}
