// Command payrack-provider-linepay is the LINE Pay provider plugin. The platform starts it.
package main

import (
	"github.com/payrack/payrack/plugins/providers/linepay"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

func main() { provider.Serve("linepay", linepay.Open) }
