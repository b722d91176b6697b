// Command payrack-provider-icashpay is the icash Pay provider plugin. The platform starts it.
package main

import (
	"github.com/payrack/payrack/plugins/providers/icashpay"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

func main() { provider.Serve("icashpay", icashpay.Open) }
