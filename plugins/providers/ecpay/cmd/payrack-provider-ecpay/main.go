// Command payrack-provider-ecpay is the ECPay provider plugin. The platform starts it.
package main

import (
	"github.com/payrack/payrack/plugins/providers/ecpay"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

func main() { provider.Serve("ecpay", ecpay.Open) }
