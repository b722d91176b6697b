package rig_test

import (
	"testing"

	"github.com/payrack/payrack/deployments/chaos/record"
	"github.com/payrack/payrack/deployments/internal/rig"
)

// A provider's own word of success means what was asked for.
func TestHearAProvidersWord(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		heard record.Call
		want  record.Told
	}{
		{record.Call{Kind: record.Pay}, record.Paid},
		{record.Call{Kind: record.Pay, Holds: true}, record.Held},
		{record.Call{Kind: record.Pay, Online: true}, record.Pending},
		{record.Call{Kind: record.Pay, Online: true, Holds: true}, record.Pending},
		{record.Call{Kind: record.Cancel, Online: true, Holds: true}, record.NotPaid},
	} {
		if rig.Hear(&c.heard, rig.Answer{Status: 200, Body: []byte(`{"returnCode":"0000"}`)}); c.heard.Told != c.want {
			t.Errorf("%+v, want %q", c.heard, c.want)
		}
	}
}

// A till believes every word, and nothing that was not said.
func TestHear(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kind   string
		status int
		body   string
		want   record.Told
	}{
		"paid, in one provider's words":      {record.Pay, 200, `{"returnCode":"0000"}`, record.Paid},
		"paid, in another's":                 {record.Pay, 200, `{"return_code":"0000"}`, record.Paid},
		"paid, found by a search":            {record.Pay, 200, `{"status":"SUCCEEDED","message_from":"OMNI"}`, record.Paid},
		"paid, neutral":                      {record.Pay, 201, `{"state":"SUCCEEDED"}`, record.Paid},
		"paid and partly given back":         {record.Read, 200, `{"state":"PARTIALLY_REFUNDED"}`, record.Paid},
		"declined":                           {record.Pay, 200, `{"returnCode":"1142","message_from":"LINE_PAY"}`, record.NotPaid},
		"declined, neutral":                  {record.Pay, 402, `{"code":"payment_declined"}`, record.NotPaid},
		"not charged":                        {record.Pay, 409, `{"code":"not_charged"}`, record.NotPaid},
		"reversing":                          {record.Pay, 200, `{"return_code":"PRK1","status":"REVERSING","message_from":"OMNI"}`, record.NotPaid},
		"reversing, neutral":                 {record.Pay, 202, `{"state":"REVERSING"}`, record.NotPaid},
		"pending, with a provider's success": {record.Pay, 504, `{"returnCode":"0000","status":"PENDING"}`, record.Pending},
		"pending, neutral":                   {record.Pay, 202, `{"state":"UNKNOWN"}`, record.Pending},
		"nothing sent":                       {record.Pay, 503, `{"code":"provider_unavailable"}`, record.Nothing},
		"never sent, as a state":             {record.Read, 200, `{"state":"FAILED","failure":"not_sent"}`, record.Nothing},
		"in progress":                        {record.Pay, 409, `{"code":"request_in_progress"}`, record.Nothing},
		"wrong":                              {record.Pay, 400, `{"code":"missing_field"}`, record.Refused},
		"another payment's order number":     {record.Pay, 200, `{"returnCode":"1172","message_from":"OMNI"}`, record.Refused},
		"cancelled before anything":          {record.Cancel, 200, `{"return_code":"PRK1","status":"REVERSING"}`, record.NotPaid},
		"cancelled by a void":                {record.Cancel, 200, `{"return_code":"0000"}`, record.NotPaid},
		"the void was declined":              {record.Cancel, 200, `{"return_code":"S412","message_from":"IPASS"}`, record.Refused},
		"refunded":                           {record.Refund, 200, `{"state":"REFUNDED"}`, record.Done},
		"refund in doubt":                    {record.Refund, 202, `{"state":"REFUNDING"}`, record.Pending},
		"refund declined":                    {record.Refund, 402, `{"code":"refund_declined"}`, record.NotDone},
		"refund without effect":              {record.Refund, 409, `{"code":"not_done"}`, record.NotDone},
		"another refund runs":                {record.Refund, 409, `{"code":"operation_open"}`, record.Nothing},
		"held":                               {record.Pay, 201, `{"state":"AUTHORIZED"}`, record.Held},
		"the customer has to act":            {record.Pay, 201, `{"state":"REQUIRES_ACTION"}`, record.Pending},
		"confirmed":                          {record.Confirm, 200, `{"state":"SUCCEEDED"}`, record.Paid},
		"confirmed, and held":                {record.Confirm, 200, `{"state":"AUTHORIZED"}`, record.Held},
		"captured":                           {record.Capture, 200, `{"state":"SUCCEEDED"}`, record.Done},
		"capture in doubt":                   {record.Capture, 202, `{"state":"CAPTURING"}`, record.Pending},
		"capture without effect":             {record.Capture, 409, `{"code":"not_done"}`, record.NotDone},
		"nothing is held any more":           {record.Capture, 409, `{"code":"not_allowed_in_state"}`, record.Refused},
		"more than was taken":                {record.Refund, 409, `{"code":"refund_exceeds_captured"}`, record.Refused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			heard := record.Call{Kind: c.kind}
			rig.Hear(&heard, rig.Answer{Status: c.status, Body: []byte(c.body)})
			if heard.Told != c.want {
				t.Errorf("told %q, want %q", heard.Told, c.want)
			}
		})
	}
}
