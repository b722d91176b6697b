package rig

import (
	"net/http"
	"strings"

	"github.com/payrack/payrack/deployments/chaos/record"
)

// Hear reads an answer as a till does that believes every word of it.
func Hear(c *record.Call, a Answer) {
	c.Status, c.Payment = a.Status, a.Payment
	c.Code, c.State = a.Member("code"), a.Member("state")
	if c.Payment == "" {
		c.Payment = a.Member("payment_id")
	}
	if c.State == "" {
		c.State = a.Member("status")
	}
	switch {
	case c.Kind == record.Read:
		if a.Status == http.StatusOK {
			c.Payment, c.Told = a.Member("id"), promise(c.State, a.Member("failure"))
		}
	case a.Status == http.StatusGatewayTimeout:
		c.State, c.Told = "", record.Pending
	case a.Status == http.StatusAccepted:
		if c.Told = promise(c.State, ""); effect(c.Kind) || c.Told != record.NotPaid {
			c.Told = record.Pending
		}
	case a.Status == http.StatusServiceUnavailable, a.Status == http.StatusTooManyRequests, a.Status == http.StatusInternalServerError:
	case effect(c.Kind):
		hearEffect(c)
	default:
		hearPayment(c, a)
	}
}

// again are the refusals after which the same request may be sent again.
func again(code string) bool {
	switch code {
	case "request_in_progress", "order_in_progress", "order_reversing", "operation_open", "payment_not_found", "store_unavailable",
		"provider_unavailable", "ledger_busy":
		return true
	}
	return false
}

// effect reports that an answer speaks of what was asked for, and not of the payment.
func effect(kind string) bool { return kind == record.Refund || kind == record.Capture }

func hearEffect(c *record.Call) {
	switch {
	case c.Status == http.StatusOK:
		c.Told = record.Done
	case c.Code == "not_done", strings.HasSuffix(c.Code, "_declined"):
		c.Told = record.NotDone
	case !again(c.Code):
		c.Told = record.Refused
	}
}

func hearPayment(c *record.Call, a Answer) {
	code := a.Member("returnCode") + a.Member("return_code")
	if c.Code == "" {
		c.Code = code
	}
	switch {
	case c.Kind == record.Cancel && a.Status == http.StatusOK:
		// The payment was not made, or it was undone: either way nothing of it stays.
		c.Told = record.NotPaid
		if code != "" && code != "0000" && c.State == "" {
			c.Told = record.Refused // the provider would not undo it
		}
	case a.Status == http.StatusCreated:
		c.Told = promise(c.State, a.Member("failure"))
	case a.Status == http.StatusPaymentRequired, c.Code == "not_charged":
		c.Told = record.NotPaid
	case a.Status != http.StatusOK:
		if !again(c.Code) {
			c.Told = record.Refused
		}
	case code == "0000" && c.Kind == record.Pay && c.Online:
		c.State, c.Told = "REQUIRES_ACTION", record.Pending // the provider's word for having the request
	case code == "0000" && c.Holds:
		c.Told = record.Held
	case code == "0000":
		c.Told = record.Paid
	case c.State != "":
		c.Told = promise(c.State, "")
	case a.Member("message_from") == "OMNI":
		c.Told = record.Refused // the order number belongs to another payment
	default:
		c.Told = record.NotPaid
	}
}

// promise is what a state tells somebody who reads it.
func promise(state, failure string) record.Told {
	switch state {
	case "SUCCEEDED", "REFUNDING", "REFUNDED", "PARTIALLY_REFUNDED":
		return record.Paid
	case "AUTHORIZED", "CAPTURING":
		return record.Held
	case "FAILED":
		if failure == "not_sent" {
			return record.Nothing // the same request may run again
		}
		return record.NotPaid
	case "REVERSING", "REVERSED", "VOIDED", "EXPIRED":
		return record.NotPaid
	case "":
		return record.Nothing
	}
	return record.Pending
}
