// Command payrack-provider-ipass is the iPASS MONEY provider plugin. The platform starts it.
package main

import (
	"github.com/payrack/payrack/plugins/providers/ipass"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

func main() { provider.Serve("ipass", ipass.Open) }
