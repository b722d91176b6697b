package main

import (
	"context"
	"encoding/json"
	"fmt"
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
	back, err := c.approve(ctx, transaction)
	if err != nil {
		c.trouble.add(err)
		return record.Call{Payment: id}
	}
	way := c.draw(3)
	if way != 0 {
		c.work.Go(func() { c.comeBack(ctx, back) })
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

// takeHeld decides about money that is held: one in six leaves it, one in six gives it up, the others capture all or a part, now
// and then from two tills at once. It returns how much was taken for certain.
func (c *customer) takeHeld(ctx context.Context, id string) int64 {
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

// approve lets the customer approve at the provider, and says where they are sent.
func (c *cluster) approve(ctx context.Context, transaction string) (page string, err error) {
	var deed struct {
		ConfirmURL string `json:"confirm_url"`
	}
	err = c.box.Ask(ctx, http.MethodPost, "linepay/"+transaction+"/approve", nil, &deed)
	return deed.ConfirmURL, err
}

// approveOnce makes the stored approval that clients charge, before anything breaks.
func (c *cluster) approveOnce(ctx context.Context) error {
	const order = "APPROVAL-1"
	at := "http://" + c.replicas[0].public
	ask := func(method, path string, body []byte, wanted int) (rig.Answer, error) {
		a, err := c.http.Do(ctx, rig.Call{Method: method, URL: at + path, Bearer: c.bearer, Key: order + path, Body: body})
		if err == nil && a.Status != wanted {
			err = fmt.Errorf("%d %s", a.Status, a.Body)
		}
		if err != nil {
			err = fmt.Errorf("make a stored approval: %s: %w", path, err)
		}
		return a, err
	}
	path, body, err := rig.Sale{Store: c.dev.StoreID, Order: order, Amount: 168}.Approval()
	if err != nil {
		return err
	}
	begun, err := ask(http.MethodPost, path, body, http.StatusCreated)
	if err != nil {
		return err
	}
	if _, err := c.approve(ctx, begun.Member("provider_transaction_id")); err != nil {
		return err
	}
	// The confirm of LINE Pay's own form shows the token, the neutral one our id.
	shown, err := ask(http.MethodPost, "/v1/payment/integrate/confirm", fmt.Appendf(nil,
		`{"type":"LINE_PAY","store_id":%q,"is_test":true,"request":{"orderId":%q,"amount":168,"currency":"TWD"}}`, c.dev.StoreID, order), http.StatusOK)
	if err != nil {
		return err
	}
	var native struct {
		Info struct {
			RegKey string `json:"regKey"` //nolint:tagliatelle // LINE Pay's spelling
		} `json:"info"`
	}
	if err := json.Unmarshal(shown.Body, &native); err != nil {
		return err
	}
	c.regKey = native.Info.RegKey
	paid, err := ask(http.MethodGet, "/v2/payments/"+begun.Member("id"), nil, http.StatusOK)
	if err != nil {
		return err
	}
	if c.mandate = paid.Member("mandate_id"); c.mandate == "" || c.regKey == "" {
		return fmt.Errorf("the confirmed payment has no stored approval: %s", paid.Body)
	}
	return nil
}
