package linepay_test

import (
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/payrack/payrack/plugins/providers/linepay"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

// A layout with odd white space, member order and numbers, to be passed on as it stands.
const paidAnswer = `{ "returnMessage" : "OK","returnCode":"0000",
 "info":{"orderId":"PMX-0001","transactionId":2026071802368895010,"transactionDate":"2026-07-18T09:00:00Z",
 "payInfo":[{"method":"CREDIT_CARD","amount":200},{"amount":50,"method":"POINT"}],"balance":1.50,"new":[1E2,"\u00e9"]} }`

func TestPayIsApprovedAndPassedThrough(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"v2", "v2.4", "v4"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, map[string]reply{"POST /" + version + "/payments/oneTimeKeys/pay": {body: "\n" + paidAnswer + "\r\n"}})
			answer := open(t, g.URL, nil).Pay(t.Context(), payRequest(t, version, `{}`))
			if answer.Outcome() != provider.OutcomeApproved {
				t.Fatalf("outcome %v, failure %+v", answer.Outcome(), answer.Failure())
			}
			want := &provider.Result{
				Reference:    provider.Reference{OrderID: "PMX-0001", TransactionID: "2026071802368895010"},
				Captured:     &provider.Money{Units: 250, Currency: "TWD"},
				Code:         "0000",
				ProviderTime: time.Date(2026, 7, 18, 9, 0, 0, 0, time.UTC),
			}
			if diff := cmp.Diff(want, answer.Result()); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
			if got := string(answer.Native().Body); got != paidAnswer {
				t.Errorf("the answer was changed:\n%s", got)
			}
		})
	}
}

func TestPayBodies(t *testing.T) {
	t.Parallel()
	const full = `"extras":{"branchName":"信義店","promotionRestriction":{"useLimit":10,"rewardLimit":1.50}}`
	for name, c := range map[string]struct {
		version, columns, want string
		edit                   func(*provider.PayRequest)
	}{
		"v2": {
			version: "v2", columns: `{}`,
			want: `{"productName":"拿鐵","amount":250,"currency":"TWD","orderId":"PMX-0001","oneTimeKey":"381234567890123456"}`,
		},
		"v2.4 with everything": {
			version: "v2.4", columns: `{` + full + `,"merchant_device_profile_id":"000030_k1"}`,
			edit: func(r *provider.PayRequest) { r.Capture = false },
			want: `{"productName":"拿鐵","amount":250,"currency":"TWD","orderId":"PMX-0001","oneTimeKey":"381234567890123456","capture":false,` + full + `}`,
		},
		"v4 authorizing": {
			version: "v4", columns: `{` + full + `}`,
			edit: func(r *provider.PayRequest) { r.Capture = false },
			want: `{"amount":250,"currency":"TWD","orderId":"PMX-0001","oneTimeKey":"381234567890123456","packages":[{"id":"1","amount":250,"products":[{"name":"拿鐵","quantity":1,"price":250}]}],"options":{"payment":{"capture":false},"extra":{"branchName":"信義店","promotionRestriction":{"useLimit":10,"rewardLimit":1.50}}}}`,
		},
		"v4 with packages of the client": {
			version: "v4", columns: `{"packages":[{"amount":9.90,"id":"a","products":[{"price":9.90,"name":"<tea> & 茶","quantity":1}]}]}`,
			edit: func(r *provider.PayRequest) { r.Amount = provider.Money{Units: 990, Currency: "USD", Exponent: 2} },
			want: `{"amount":9.90,"currency":"USD","orderId":"PMX-0001","oneTimeKey":"381234567890123456","packages":[{"amount":9.90,"id":"a","products":[{"price":9.90,"name":"<tea> & 茶","quantity":1}]}]}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := payRequest(t, c.version, c.columns)
			if c.edit != nil {
				c.edit(&r)
			}
			g := newGateway(t, nil)
			open(t, g.URL, nil).Pay(t.Context(), r)
			sent := g.requests()
			if len(sent) != 1 || sent[0].body != c.want {
				t.Errorf("sent %+v\nwant %s", sent, c.want)
			}
		})
	}
}

func TestPayRefusesWhatTheVersionDoesNotHave(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	p := open(t, g.URL, nil)
	for name, r := range map[string]provider.PayRequest{
		"packages in v2":   payRequest(t, "v2", `{"packages":[]}`),
		"events in v4":     payRequest(t, "v4", `{"extras":{"events":[]}}`),
		"friends in v4":    payRequest(t, "v4", `{"extras":{"addFriends":[]}}`),
		"no code":          edited(payRequest(t, "v4", `{}`), func(r *provider.PayRequest) { r.Code = provider.Secret{} }),
		"no order":         edited(payRequest(t, "v4", `{}`), func(r *provider.PayRequest) { r.Reference.OrderID = "" }),
		"wrong exponent":   edited(payRequest(t, "v4", `{}`), func(r *provider.PayRequest) { r.Amount.Exponent = 2 }),
		"unknown currency": edited(payRequest(t, "v4", `{}`), func(r *provider.PayRequest) { r.Amount.Currency = "EUR" }),
		"nothing to pay":   edited(payRequest(t, "v4", `{}`), func(r *provider.PayRequest) { r.Amount.Units = 0 }),
	} {
		answer := p.Pay(t.Context(), r)
		if f := answer.Failure(); f == nil || f.Effect != provider.EffectNone || f.Reason != provider.ReasonInvalid || f.Detail == "" {
			t.Errorf("%s: got %+v, want an invalid request that was not sent", name, f)
		}
	}
	if n := len(g.requests()); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

func edited(r provider.PayRequest, edit func(*provider.PayRequest)) provider.PayRequest {
	edit(&r)
	return r
}

func TestUnusableAnswersAreUnknown(t *testing.T) {
	t.Parallel()
	info := func(members string) string {
		return `{"returnCode":"0000","returnMessage":"OK","info":{` + members + `}}`
	}
	for name, c := range map[string]reply{
		"empty":                   {body: ""},
		"html":                    {body: "<html>Service unavailable</html>"},
		"truncated":               {body: paidAnswer[:90]},
		"trailing":                {body: paidAnswer + `{}`},
		"array":                   {body: `[` + paidAnswer + `]`},
		"null":                    {body: `null`},
		"bom":                     {body: "\ufeff" + paidAnswer},
		"invalid utf-8":           {body: strings.Replace(paidAnswer, "OK", "\xff", 1)},
		"two codes":               {body: `{"returnCode":"1142","returnCode":"0000","info":{"transactionId":1,"payInfo":[{"amount":250}]}}`},
		"other letters":           {body: `{"ReturnCode":"1142","returnMessage":"x"}`},
		"number as code":          {body: `{"returnCode":1142,"returnMessage":"x"}`},
		"empty code":              {body: `{"returnCode":"","returnMessage":"x"}`},
		"code with a line break":  {body: `{"returnCode":"11\n42","returnMessage":"x"}`},
		"the other error shape":   {body: `{"resultCode":1142,"statusMessage":"x"}`},
		"10 MB":                   {body: `{"returnCode":"1142","returnMessage":"` + strings.Repeat("x", 10<<20) + `"}`},
		"success without info":    {body: `{"returnCode":"0000","returnMessage":"OK"}`},
		"success with null info":  {body: `{"returnCode":"0000","returnMessage":"OK","info":null}`},
		"success without id":      {body: info(`"payInfo":[{"amount":250}]`)},
		"success with text as id": {body: info(`"transactionId":"abc","payInfo":[{"amount":250}]`)},
		"id of 20 digits":         {body: info(`"transactionId":20260718023688950101,"payInfo":[{"amount":250}]`)},
		"id with a fraction":      {body: info(`"transactionId":2026071802368895010.0,"payInfo":[{"amount":250}]`)},
		"negative id":             {body: info(`"transactionId":-1,"payInfo":[{"amount":250}]`)},
		"amount as float":         {body: info(`"transactionId":1,"payInfo":[{"amount":250.0}]`)},
		"amount with exponent":    {body: info(`"transactionId":1,"payInfo":[{"amount":2.5e2}]`)},
		"amount missing":          {body: info(`"transactionId":1,"payInfo":[{"method":"POINT"}]`)},
		"amount negative":         {body: info(`"transactionId":1,"payInfo":[{"amount":300},{"amount":-50}]`)},
		"amount beyond int64":     {body: info(`"transactionId":1,"payInfo":[{"amount":9223372036854775808}]`)},
		"sum beyond int64":        {body: info(`"transactionId":1,"payInfo":[{"amount":9223372036854775807},{"amount":9223372036854775807}]`)},
		"info as array":           {body: `{"returnCode":"0000","returnMessage":"OK","info":[]}`},
		"500":                     {status: http.StatusInternalServerError, body: `{"returnCode":"1142","returnMessage":"x"}`},
		"502 html":                {status: http.StatusBadGateway, body: "<html>"},
		"403":                     {status: http.StatusForbidden, body: `{"returnCode":"1106","returnMessage":"x"}`},
		"404":                     {status: http.StatusNotFound, body: `{"returnCode":"1142","returnMessage":"x"}`},
		"429":                     {status: http.StatusTooManyRequests, body: `{}`},
		"201 with a success":      {status: http.StatusCreated, body: paidAnswer},
		"302":                     {status: http.StatusFound, body: paidAnswer},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, map[string]reply{"POST /v4/payments/oneTimeKeys/pay": c})
			answer := open(t, g.URL, nil).Pay(t.Context(), payRequest(t, "v4", `{}`))
			f := answer.Failure()
			if answer.Outcome() != provider.OutcomeUnknown || f == nil || f.Effect != provider.EffectPossible || f.Detail == "" {
				t.Errorf("got outcome %v, result %+v, failure %+v", answer.Outcome(), answer.Result(), f)
			}
			if len(answer.Native().Body) != 0 {
				t.Errorf("an unusable answer was passed on")
			}
			if n := len(g.requests()); n != 1 {
				t.Errorf("%d requests were sent", n)
			}
		})
	}
}

// A payment that the network delivered twice may be refused the second time because the first has used the customer's code. Only
// if LINE Pay knows of no such order was nothing taken.
func TestAUsedCodeIsNoDeclineOfWhatUsedIt(t *testing.T) {
	t.Parallel()
	const check = "GET /v4/payments/orders/PMX-0001/check"
	status := func(s string) map[string]reply {
		return map[string]reply{check: {body: `{"returnCode":"0000","returnMessage":"OK","info":{"status":"` + s + `","orderId":"PMX-0001"}}`}}
	}
	for name, c := range map[string]struct {
		answers map[string]reply
		want    provider.Outcome
	}{
		"wrong or old":      {map[string]reply{}, provider.OutcomeDeclined},
		"failed":            {status("FAIL"), provider.OutcomeDeclined},
		"paid":              {status("COMPLETE"), provider.OutcomeUnknown},
		"under way":         {status("AUTH_READY"), provider.OutcomeUnknown},
		"nobody can tell":   {map[string]reply{check: {status: http.StatusBadGateway}}, provider.OutcomeUnknown},
		"an internal error": {map[string]reply{check: {body: `{"returnCode":"9000","returnMessage":"x"}`}}, provider.OutcomeUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.answers["POST /v4/payments/oneTimeKeys/pay"] = reply{body: `{"returnCode":"1133","returnMessage":"x"}`}
			g := newGateway(t, c.answers)
			a := open(t, g.URL, nil).Pay(t.Context(), payRequest(t, "v4", `{}`))
			if a.Outcome() != c.want || a.Result() == nil || a.Result().Code != "1133" || len(a.Native().Body) == 0 {
				t.Errorf("%v, %+v, native %s", a.Outcome(), a.Result(), a.Native().Body)
			}
		})
	}
}

func TestSuccessWithoutAmountIsSearchedFor(t *testing.T) {
	t.Parallel()
	answer := pay(t, `{"returnCode":"0000","returnMessage":"OK","info":{"transactionId":"2026071802368895010","orderId":"PMX-0001"}}`)
	if answer.Outcome() != provider.OutcomeUnknown || answer.Result() == nil || answer.Result().Reference.TransactionID != "2026071802368895010" {
		t.Errorf("got outcome %v, result %+v", answer.Outcome(), answer.Result())
	}
}

// What LINE Pay answered is reported as it is; the platform compares it with what was asked.
func TestOtherOrderAndAmountAreReported(t *testing.T) {
	t.Parallel()
	answer := pay(t, `{"returnCode":"0000","returnMessage":"OK","info":{"transactionId":1,"orderId":"OTHER","payInfo":[{"amount":249}]}}`)
	r := answer.Result()
	if r == nil || r.Reference.OrderID != "OTHER" || r.Captured == nil || r.Captured.Units != 249 {
		t.Errorf("got %+v", r)
	}
}

func TestAuthorizationIsReportedAsHeld(t *testing.T) {
	t.Parallel()
	r := payRequest(t, "v4", `{}`)
	r.Capture = false
	answer := linepay.PayOutcome(r, []byte(`{"returnCode":"0000","returnMessage":"OK","info":{"transactionId":1,"authorizationExpireDate":"2026-07-25T09:00:00Z","payInfo":[{"amount":250}]}}`))
	got := answer.Result()
	if got == nil || got.Captured != nil || got.Authorized == nil || got.Authorized.Units != 250 || got.AuthorizationExpires.Day() != 25 {
		t.Errorf("got %+v", got)
	}
}

func TestPayWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	t.Run("too slow", func(t *testing.T) {
		t.Parallel()
		g := newGateway(t, map[string]reply{"POST /v4/payments/oneTimeKeys/pay": {body: paidAnswer, wait: time.Minute}})
		p := open(t, g.URL, func(s *linepay.Settings) { s.Timeouts.Pay = provider.Duration(time.Second) })
		f := p.Pay(t.Context(), payRequest(t, "v4", `{}`)).Failure()
		if f == nil || f.Effect != provider.EffectPossible || f.Reason != provider.ReasonTimeout {
			t.Errorf("got %+v", f)
		}
	})
	t.Run("nobody there", func(t *testing.T) {
		t.Parallel()
		f := open(t, "http://"+nobody(t), nil).Pay(t.Context(), payRequest(t, "v4", `{}`)).Failure()
		if f == nil || f.Effect != provider.EffectNone || f.Reason != provider.ReasonUnavailable {
			t.Errorf("got %+v", f)
		}
	})
	t.Run("too late", func(t *testing.T) {
		t.Parallel()
		g := newGateway(t, nil)
		r := payRequest(t, "v4", `{}`)
		r.Call.NotAfter = time.Now().Add(-time.Second)
		f := open(t, g.URL, nil).Pay(t.Context(), r).Failure()
		if f == nil || f.Effect != provider.EffectNone || len(g.requests()) != 0 {
			t.Errorf("got %+v after %d requests", f, len(g.requests()))
		}
	})
}

// nobody is an address where nobody listens, now or later: one that was given up is soon another test's.
func nobody(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	at, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	bound, ok := at.(*syscall.SockaddrInet4)
	if !ok {
		t.Fatalf("bound to %T", at)
	}
	return fmt.Sprintf("127.0.0.1:%d", bound.Port)
}

func TestAmounts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		units    int64
		exponent int
		text     string
	}{
		{229, 0, "229"},
		{1, 2, "0.01"},
		{99, 2, "0.99"},
		{100, 2, "1.00"},
		{999, 2, "9.99"},
		{-20, 0, "-20"},
		{-150, 2, "-1.50"},
		{9223372036854775807, 0, "9223372036854775807"},
		{9223372036854775807, 2, "92233720368547758.07"},
	} {
		if got := linepay.Decimal(provider.Money{Units: c.units, Exponent: c.exponent}); got != c.text {
			t.Errorf("%d with %d decimals: got %s, want %s", c.units, c.exponent, got, c.text)
		}
		if got, err := linepay.Units(c.text, c.exponent); err != nil || got != c.units {
			t.Errorf("%s with %d decimals: got %d, %v", c.text, c.exponent, got, err)
		}
	}
	if got, err := linepay.Units("100", 2); err != nil || got != 10000 {
		t.Errorf("100 THB: got %d, %v", got, err)
	}
	for _, text := range []string{"", "-", ".5", "1.", "1.234", "1e2", "+1", "1,0", "0x10", "--1", "1-", "١", "92233720368547758.08"} {
		if got, err := linepay.Units(text, 2); err == nil {
			t.Errorf("%q was read as %d", text, got)
		}
	}
}
