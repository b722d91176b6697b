package ecpay_test

import (
	"testing"

	"github.com/payrack/payrack/plugins/conformance"
	ecpaysandbox "github.com/payrack/payrack/plugins/providers/ecpay/sandbox"
	"github.com/payrack/payrack/plugins/sandbox"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	conformance.Run(t, conformance.Plugin{
		Package:  "./cmd/payrack-provider-ecpay",
		Dialects: []sandbox.Dialect{ecpaysandbox.Dialect()},
	})
}
