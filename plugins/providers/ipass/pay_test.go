package ipass_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/payrack/payrack/plugins/providers/ipass"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

// success is the clear text of a success for the payment of this package's tests.
func success(edit ...string) string {
	return strings.NewReplacer(edit...).Replace(`{"returnCode":"0000","returnMsg":"成功","reqId":"` + reqID + `","transactionId":"e2458974869618","transactionDateTime":"2024-09-03 14:54:15","electronicInvoiceCarrier":"","paymentType":"1","amount":229,"orderNumber":"` + orderID + `"}`)
}

func payAgainst(t *testing.T, r reply, request provider.PayRequest) provider.Answer {
	t.Helper()
	g := newGateway(t, always(r))
	answer := open(t, g.URL, nil).Pay(t.Context(), request)
	if n := len(g.requests()); n != 1 {
		t.Errorf("%d requests were sent", n)
	}
	return answer
}

func TestPayIsApproved(t *testing.T) {
	t.Parallel()
	answer := payAgainst(t, reply{clear: success()}, payRequest(t, nil, seedColumns))
	want := &provider.Result{
		Reference: provider.Reference{OrderID: orderID, TransactionID: "e2458974869618"},
		Captured:  &provider.Money{Units: 229, Currency: "TWD"}, Code: "0000",
		ProviderTime: time.Date(2024, 9, 3, 6, 54, 15, 0, time.UTC),
	}
	if diff := cmp.Diff(want, answer.Result()); answer.Outcome() != provider.OutcomeApproved || diff != "" {
		t.Errorf("outcome %v, failure %+v, result (-want +got):\n%s", answer.Outcome(), answer.Failure(), diff)
	}
	body := `{"transaction_id":"e2458974869618","transaction_date_time":"2024-09-03 14:54:15","electronic_invoice_carrier":"","payment_type":"1","amount":229,"order_number":"` + orderID + `","return_code":"0000","return_msg":"成功","req_id":"` + reqID + `"}`
	if got := answer.Native(); string(got.Body) != body || got.Sensitive {
		t.Errorf("native %s, sensitive %v", got.Body, got.Sensitive)
	}
}

func TestPayToleratesSpellings(t *testing.T) {
	t.Parallel()
	for name, clear := range map[string]string{
		"PascalCase":        success(`"returnCode"`, `"ReturnCode"`, `"reqId"`, `"ReqId"`, `"transactionId"`, `"TransactionId"`, `"orderNumber"`, `"OrderNumber"`),
		"amount as text":    success(`229`, `"229"`),
		"blanks":            success(orderID, ` `+orderID+` `),
		"lower-case req_id": success(reqID, strings.ToLower(reqID)),
		"unknown members":   success(`"amount"`, `"new":{"a":[1]},"amount"`),
		"no order":          success(`,"orderNumber":"`+orderID+`"`, ``),
		"id as number":      success(`"e2458974869618"`, `2019049910005496810`),
		"odd time":          success("2024-09-03 14:54:15", "soon"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if answer := payAgainst(t, reply{clear: clear}, payRequest(t, nil, seedColumns)); answer.Outcome() != provider.OutcomeApproved {
				t.Errorf("outcome %v, failure %+v", answer.Outcome(), answer.Failure())
			}
		})
	}
}

func TestCarrierIsSensitive(t *testing.T) {
	t.Parallel()
	answer := payAgainst(t, reply{clear: success(`"electronicInvoiceCarrier":""`, `"electronicInvoiceCarrier":"/ABD.122"`)}, payRequest(t, nil, seedColumns))
	if !answer.Native().Sensitive {
		t.Error("an invoice carrier is personal data")
	}
}

func TestConfiguredCodes(t *testing.T) {
	t.Parallel()
	g := newGateway(t, always(reply{clear: success(`"0000"`, `"0042"`)}))
	p := open(t, g.URL, func(s *ipass.Settings) {
		s.Wire.Codes = map[string]ipass.Code{"0042": {Class: "declined", DeclineCode: "insufficient_funds"}}
	})
	answer := p.Pay(t.Context(), payRequest(t, nil, seedColumns))
	if answer.Outcome() != provider.OutcomeDeclined || answer.Result().DeclineCode != "insufficient_funds" {
		t.Errorf("outcome %v, result %+v", answer.Outcome(), answer.Result())
	}
}

// A failure may come without req_id, as the published sample of 9999 does.
func TestUnknownKeepsTheGatewaysMembers(t *testing.T) {
	t.Parallel()
	answer := payAgainst(t, reply{clear: `{"returnCode":"9999","returnMsg":"發生未預期錯誤"}`}, payRequest(t, nil, seedColumns))
	if got := string(answer.Native().Body); answer.Outcome() != provider.OutcomeUnknown || got != `{"return_code":"9999","return_msg":"發生未預期錯誤"}` {
		t.Errorf("outcome %v, native %s", answer.Outcome(), got)
	}
}

// Without an integrity check of the encryption, a success counts only if all that can be compared agrees.
func TestUntrustworthyAnswersAreUnknown(t *testing.T) {
	t.Parallel()
	foreign := "00000000-0000-4000-8000-000000000001"
	for name, r := range map[string]reply{
		"foreign req_id":            {clear: success(reqID, foreign)},
		"decline of another":        {clear: success(`"0000"`, `"S402"`, reqID, foreign)},
		"success without req_id":    {clear: success(`"reqId":"`+reqID+`",`, ``)},
		"other order":               {clear: success(orderID, "OTHER")},
		"decline of another order":  {clear: success(`"0000"`, `"S402"`, orderID, "OTHER")},
		"larger amount":             {clear: success("229", "230")},
		"smaller amount":            {clear: success("229", "228")},
		"amount as float":           {clear: success("229", "229.0")},
		"amount with exponent":      {clear: success("229", "2.29e2")},
		"negative amount":           {clear: success("229", "-229")},
		"amount beyond int64":       {clear: success("229", "9223372036854775808")},
		"no transaction id":         {clear: success("e2458974869618", "")},
		"plain text":                {raw: success()},
		"html":                      {raw: "<html>busy</html>"},
		"empty":                     {raw: " "},
		"not base64":                {raw: `{"data":"*"}`},
		"wrong key":                 {clear: success(), key: strings.Repeat("k", 32)},
		"wrong IV":                  {clear: success(), iv: "000102030405060708090a0b0c0d0e0f"},
		"no object":                 {clear: `[]`},
		"cut":                       {clear: success()[:40]},
		"trailing":                  {clear: success() + "{}"},
		"two codes":                 {clear: success(`"reqId"`, `"returnCode":"S402","reqId"`)},
		"two codes after renaming":  {clear: success(`"reqId"`, `"ReturnCode":"S402","reqId"`)},
		"code as number":            {clear: success(`"0000"`, `0`)},
		"no code":                   {clear: `{"returnMsg":"x"}`},
		"code with a line break":    {clear: success(`"0000"`, `"00\n00"`)},
		"req_id as object":          {clear: success(`"`+reqID+`"`, `{}`)},
		"invalid utf-8":             {clear: success("成功", "\xff")},
		"10 MB":                     {clear: success("成功", strings.Repeat("x", 10<<20))},
		"500":                       {status: http.StatusInternalServerError, clear: success()},
		"502 html":                  {status: http.StatusBadGateway, raw: "<html>"},
		"403 html":                  {status: http.StatusForbidden, raw: "<html>"},
		"408":                       {status: http.StatusRequestTimeout, raw: `{"returnCode":"S402"}`},
		"409":                       {status: http.StatusConflict, raw: `{"returnCode":"S402"}`},
		"425":                       {status: http.StatusTooEarly, raw: `{"returnCode":"S402"}`},
		"429":                       {status: http.StatusTooManyRequests, raw: `{"returnCode":"S402"}`},
		"201":                       {status: http.StatusCreated, clear: success()},
		"302":                       {status: http.StatusFound, clear: success()},
		"401 about another request": {status: http.StatusUnauthorized, raw: `{"returnCode":"S401","reqId":"` + foreign + `"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// No redeem: the amount has to be exact.
			answer := payAgainst(t, r, payRequest(t, nil, `{"store_id":"00681","terminal_id":"AB123456"}`))
			f := answer.Failure()
			if answer.Outcome() != provider.OutcomeUnknown || f == nil || f.Effect != provider.EffectPossible || f.Detail == "" {
				t.Errorf("outcome %v, result %+v, failure %+v", answer.Outcome(), answer.Result(), f)
			}
			if len(answer.Native().Body) != 0 {
				t.Errorf("an untrustworthy answer was passed on: %s", answer.Native().Body)
			}
		})
	}
}

// A gateway that cannot attribute a request answers in clear that it did not take it.
func TestRefusalsInClear(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		reply reply
		want  provider.Outcome
	}{
		"listed":          {reply{status: http.StatusUnauthorized, raw: `{"returnCode":"S401","returnMsg":"unknown merchant"}`}, provider.OutcomeDeclined},
		"not listed":      {reply{status: http.StatusBadRequest, raw: `{"returnCode":"0077","returnMsg":"x"}`}, provider.OutcomeDeclined},
		"unknown":         {reply{status: http.StatusBadRequest, raw: `{"returnCode":"9999","returnMsg":"x"}`}, provider.OutcomeUnknown},
		"says success":    {reply{status: http.StatusBadRequest, raw: success()}, provider.OutcomeUnknown},
		"duplicate order": {reply{status: http.StatusBadRequest, raw: `{"returnCode":"0006","returnMsg":"x"}`}, provider.OutcomeUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer := payAgainst(t, c.reply, payRequest(t, nil, seedColumns))
			if answer.Outcome() != c.want || answer.Result() == nil || !strings.Contains(string(answer.Native().Body), "return_code") {
				t.Errorf("outcome %v, want %v; failure %+v; native %s", answer.Outcome(), c.want, answer.Failure(), answer.Native().Body)
			}
		})
	}
}

func TestAmountCheck(t *testing.T) {
	t.Parallel()
	const none, partly, nothing = `{}`, `{"redeem":{"non_redeem_amout":80}}`, `{"redeem":{"non_redeem_amout":229}}`
	for _, c := range []struct {
		check, columns, amount string
		approved               bool
	}{
		{"", none, "229", true},
		{"", none, "200", false},
		{"", `{"redeem":{}}`, "200", false},
		{"", partly, "200", true},
		{"", partly, "229", true},
		{"", partly, "230", false},
		{"", nothing, "200", false},
		{"exact", partly, "200", false},
		{"at_most", none, "200", true},
		{"at_most", none, "230", false},
	} {
		t.Run(fmt.Sprintf("%s %s %s", c.check, c.columns, c.amount), func(t *testing.T) {
			t.Parallel()
			answer := payAgainst(t, reply{clear: success("229", c.amount)}, payRequest(t, map[string]string{"amount_check": c.check}, c.columns))
			if got := answer.Outcome() == provider.OutcomeApproved; got != c.approved {
				t.Fatalf("approved %v, failure %+v", got, answer.Failure())
			}
			if r := answer.Result(); c.approved && c.amount == "200" && r.Captured != nil {
				t.Errorf("a discounted success does not contradict the amount that was asked for: %+v", r.Captured)
			}
		})
	}
}

func TestPayRefusesBeforeSending(t *testing.T) {
	t.Parallel()
	g := newGateway(t, always(reply{clear: success()}))
	p := open(t, g.URL, nil)
	for name, c := range map[string]struct {
		members map[string]string
		columns string
		edit    func(*provider.PayRequest)
		reason  provider.Reason
	}{
		"capture false":       {edit: func(r *provider.PayRequest) { r.Capture = false }, reason: provider.ReasonUnsupported},
		"another currency":    {edit: func(r *provider.PayRequest) { r.Amount.Currency = "USD" }, reason: provider.ReasonInvalid},
		"nothing to pay":      {edit: func(r *provider.PayRequest) { r.Amount.Units = 0 }, reason: provider.ReasonInvalid},
		"no code":             {edit: func(r *provider.PayRequest) { r.Code = provider.Secret{} }, reason: provider.ReasonInvalid},
		"a shop's own code":   {edit: func(r *provider.PayRequest) { r.Code = provider.NewSecret("TWQRP://shop/158/01/V1?D1=1") }, reason: provider.ReasonInvalid},
		"no order":            {edit: func(r *provider.PayRequest) { r.Reference.OrderID = "" }, reason: provider.ReasonInvalid},
		"redeem above amount": {columns: `{"redeem":{"non_redeem_amout":230}}`, reason: provider.ReasonInvalid},
		"redeem negative":     {columns: `{"redeem":{"non_redeem_amout":-1}}`, reason: provider.ReasonInvalid},
		"IV of zeros":         {members: map[string]string{"iv": strings.Repeat("0", 32)}, reason: provider.ReasonInvalid},
		"IV too short":        {members: map[string]string{"iv": "00"}, reason: provider.ReasonInvalid},
		"key too short":       {members: map[string]string{"key": "0123456789"}, reason: provider.ReasonAuth},
		"another merchant":    {members: map[string]string{"merchantid": "X"}, reason: provider.ReasonAuth},
		"no key":              {members: map[string]string{"key": ""}, reason: provider.ReasonAuth},
		"too late":            {edit: func(r *provider.PayRequest) { r.Call.NotAfter = time.Now().Add(-time.Second) }, reason: provider.ReasonTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			columns := c.columns
			if columns == "" {
				columns = seedColumns
			}
			r := payRequest(t, c.members, columns)
			if c.edit != nil {
				c.edit(&r)
			}
			if f := p.Pay(t.Context(), r).Failure(); f == nil || f.Effect != provider.EffectNone || f.Reason != c.reason {
				t.Errorf("got %+v, want %s and nothing sent", f, c.reason)
			}
		})
	}
	t.Cleanup(func() {
		if n := len(g.requests()); n != 0 {
			t.Errorf("%d requests were sent", n)
		}
	})
}

// A merchant whose credential set says so may hold an amount; then the held amount has to be exact.
func TestPayThatOnlyHolds(t *testing.T) {
	t.Parallel()
	may := map[string]any{"separate_capture": true, "amount_check": "at_most"}
	hold := payRequest(t, nil, seedColumns)
	hold.Call, hold.Capture = callWith(t, may, seedColumns), false
	g := newGateway(t, always(reply{clear: success()}))
	answer := open(t, g.URL, nil).Pay(t.Context(), hold)
	r := answer.Result()
	if answer.Outcome() != provider.OutcomeApproved || r.Captured != nil || r.Authorized == nil || r.Authorized.Units != 229 {
		t.Errorf("outcome %v, result %+v, failure %+v", answer.Outcome(), r, answer.Failure())
	}
	if sent := g.requests(); len(sent) != 1 || !strings.Contains(sent[0].clear, `"capture":false`) {
		t.Errorf("sent %+v", sent)
	}
	less := payAgainst(t, reply{clear: success("229", "200")}, hold)
	if less.Outcome() != provider.OutcomeUnknown {
		t.Errorf("a smaller hold: %v", less.Outcome())
	}
	refusal := open(t, g.URL, nil).Pay(t.Context(), func() provider.PayRequest {
		r := payRequest(t, nil, seedColumns)
		r.Capture = false
		return r
	}()).Failure()
	if refusal == nil || refusal.Effect != provider.EffectNone || refusal.Reason != provider.ReasonUnsupported || refusal.Code != "capture_false_unsupported" {
		t.Errorf("without the setting: %+v", refusal)
	}
}

func TestNoGatewayConfigured(t *testing.T) {
	t.Parallel()
	p := open(t, "", nil)
	f := p.Pay(t.Context(), payRequest(t, nil, seedColumns)).Failure()
	if f == nil || f.Effect != provider.EffectNone || !strings.Contains(f.Detail, "endpoints.test") {
		t.Errorf("got %+v", f)
	}
}

func TestPayTooSlow(t *testing.T) {
	t.Parallel()
	g := newGateway(t, always(reply{clear: success(), wait: time.Minute}))
	p := open(t, g.URL, func(s *ipass.Settings) { s.Timeouts.Pay = provider.Duration(time.Second) })
	f := p.Pay(t.Context(), payRequest(t, nil, seedColumns)).Failure()
	if f == nil || f.Effect != provider.EffectPossible || f.Reason != provider.ReasonTimeout {
		t.Errorf("got %+v", f)
	}
}
