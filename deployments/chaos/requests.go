package main

import "github.com/payrack/payrack/deployments/internal/rig"

// sale is what the customer's till asks for.
func (c *customer) sale() rig.Sale {
	s := rig.Sale{
		Provider: c.provider, Store: c.dev.StoreID, Order: c.order, Key: c.key, Amount: c.amount, Neutral: c.neutral, Online: c.online, Holds: c.holds,
	}
	if c.stored {
		s.Mandate = c.mandate
	}
	return s
}

// request is the path and the body with which a till asks for money.
func (c *customer) request(code string) (path string, body []byte, err error) {
	return c.sale().Pay(code)
}

// cancelRequest names the payment by its order number alone.
func (c *customer) cancelRequest() []byte { return c.sale().Cancel() }
