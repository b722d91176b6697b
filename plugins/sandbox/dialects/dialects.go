// Package dialects lists the providers that the sandbox plays. A new provider adds one line here.
package dialects

import (
	ecpaysandbox "github.com/payrack/payrack/plugins/providers/ecpay/sandbox"
	icashpaysandbox "github.com/payrack/payrack/plugins/providers/icashpay/sandbox"
	ipasssandbox "github.com/payrack/payrack/plugins/providers/ipass/sandbox"
	linepaysandbox "github.com/payrack/payrack/plugins/providers/linepay/sandbox"
	"github.com/payrack/payrack/plugins/sandbox"
)

// All returns every dialect there is.
func All() []sandbox.Dialect {
	return []sandbox.Dialect{
		linepaysandbox.Dialect(),
		ipasssandbox.Dialect(),
		icashpaysandbox.Dialect(),
		ecpaysandbox.Dialect(),
	}
}
