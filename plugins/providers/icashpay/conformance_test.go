package icashpay_test

import (
	"testing"

	"github.com/payrack/payrack/plugins/conformance"
	icashpaysandbox "github.com/payrack/payrack/plugins/providers/icashpay/sandbox"
	"github.com/payrack/payrack/plugins/sandbox"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	conformance.Run(t, conformance.Plugin{
		Package:  "./cmd/payrack-provider-icashpay",
		Dialects: []sandbox.Dialect{icashpaysandbox.Dialect()},
	})
}
