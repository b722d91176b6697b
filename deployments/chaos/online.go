package main

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/payrack/payrack/deployments/chaos/record"
	"github.com/payrack/payrack/deployments/internal/rig"
)

// requiresAction is the state of a payment that waits for its customer.
const requiresAction = "REQUIRES_ACTION"

// visit lets the customer approve at the provider and come back. One in ten never does; of the others some close the browser, so
// that the shop has to confirm, some come back, and with some both happens at once. It returns what was heard last.
func (c *customer) visit(ctx context.Context, id string) record.Call {
	if c.chance(10) {
		return record.Call{Payment: id}
	}
	transaction := c.transaction(ctx, id)
	if transaction == "" {
		return record.Call{Payment: id} // cancelled meanwhile, or nobody answered
	}
	pause(ctx, time.Duration(c.draw(1500))*time.Millisecond)
	var deed struct {
		ConfirmURL string `json:"confirm_url"`
	}
	if err := c.box.Ask(ctx, http.MethodPost, "linepay/"+transaction+"/approve", nil, &deed); err != nil {
		c.trouble.add(err)
		return record.Call{Payment: id}
	}
	way := c.draw(3)
	if way != 0 {
		c.work.Go(func() { c.comeBack(ctx, deed.ConfirmURL) })
	}
	if way != 1 {
		return c.settle(ctx, record.Confirm, "/v2/payments/"+id+"/confirm", c.newKey(), []byte("{}"), 0, false)
	}
	// Nobody but the customer's browser confirms; if it never arrives, the payment stays what it is.
	last := record.Call{Payment: id}
	for end := time.Now().Add(patienceOfTills / 2); ctx.Err() == nil && time.Now().Before(end); pause(ctx, time.Second) {
		if heard := c.read(ctx, id); heard.Payment != "" {
			last = heard
		}
		if last.Told == record.Held || last.Told == record.Paid || last.Told == record.NotPaid {
			break
		}
	}
	return last
}

// transaction asks until it knows the provider's id of a payment that waits for its customer; empty if it does not wait.
func (c *customer) transaction(ctx context.Context, id string) string {
	for end := time.Now().Add(patienceOfTills); ctx.Err() == nil && time.Now().Before(end); pause(ctx, 300*time.Millisecond) {
		r := c.replicas[c.draw(len(c.replicas))]
		short, cancel := context.WithTimeout(ctx, 5*time.Second)
		a, err := c.http.Do(short, rig.Call{Method: http.MethodGet, URL: "http://" + r.public + "/v2/payments/" + id, Bearer: c.bearer})
		cancel()
		if err != nil || a.Status != http.StatusOK {
			continue
		}
		if a.Member("state") != requiresAction {
			return ""
		}
		return a.Member("provider_transaction_id")
	}
	return ""
}

// comeBack opens the page that the provider sends the customer to, at a replica that may be dead: then it is tried again as
// somebody does who sees an error in the browser, three times.
func (c *customer) comeBack(ctx context.Context, page string) {
	at, err := url.Parse(page)
	if err != nil {
		c.trouble.add(err)
		return
	}
	for range 3 {
		r := c.replicas[c.draw(len(c.replicas))]
		short, cancel := context.WithTimeout(ctx, 10*time.Second)
		r.flying.Add(1)
		a, err := c.http.Do(short, rig.Call{Method: http.MethodGet, URL: "http://" + r.public + at.RequestURI()})
		r.flying.Add(-1)
		cancel()
		if err == nil && a.Status/100 != 5 {
			return
		}
		pause(ctx, 2*time.Second)
	}
}

// collect decides about money that is held: one in six leaves it, one in six gives it up, the others capture all or a part, now
// and then from two tills at once. It returns how much was taken for certain.
func (c *customer) collect(ctx context.Context, id string) int64 {
	switch c.draw(6) {
	case 0:
		return 0
	case 1:
		c.cancel(ctx)
		return 0
	}
	amount := c.amount
	if c.chance(2) {
		amount = 1 + int64(c.draw(int(c.amount)))
	}
	capture := func(amount int64) record.Call {
		return c.settle(ctx, record.Capture, "/v2/payments/"+id+"/capture", c.newKey(), sum(amount), amount, false)
	}
	if c.chance(4) {
		c.work.Go(func() { capture(1 + int64(c.draw(int(c.amount)))) })
	}
	if capture(amount).Told != record.Done {
		return 0
	}
	return amount
}
