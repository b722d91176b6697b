package linepay_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/payrack/payrack/plugins/providers/linepay"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

const (
	ours = "https://pay.example.com/v1/payment/callback/p1"
	shop = "https://shop.example.com/"
)

// requestAnswer is an answer to a request, with the shapes of a recorded one.
const requestAnswer = `{"returnCode":"0000","returnMessage":"Success.","info":{"paymentUrl":{"web":"https://sandbox-web-pay.line.me/web/payment/wait?transactionReserveId=abc",` +
	`"app":"line://pay/payment/abc"},"transactionId":2026071802368895010,"paymentAccessToken":"056579816895"}}`

func onlineRequest(t *testing.T, version, columns string, edit func(*provider.PayRequest)) provider.PayRequest {
	t.Helper()
	r := provider.PayRequest{
		Call: online(t, linepay.TypeOnline, version, columns), Reference: provider.Reference{OrderID: "PMX-0001"},
		Amount: provider.Money{Units: 250, Currency: "TWD"}, Capture: true, Description: "拿鐵",
		Redirect: &provider.Redirect{ConfirmURL: ours, CancelURL: shop + "no"},
	}
	if edit != nil {
		edit(&r)
	}
	return r
}

func TestRequestBodies(t *testing.T) {
	t.Parallel()
	// The body of the sample from 2017, as it is left when the typed columns are taken out.
	const flat = `{"productImageUrl":"https://shop.example.com/a.png","payType":"PREAPPROVED"}`
	const packages = `"packages":[{"id":"a","amount":250,"userFee":10,"products":[{"name":"tea","imageUrl":"https://i","quantity":2,"price":120}]}]`
	for name, c := range map[string]struct {
		version, columns, want string
		edit                   func(*provider.PayRequest)
	}{
		"v3, flat": {
			version: "v3", columns: flat,
			want: `{"amount":250,"currency":"TWD","orderId":"PMX-0001","packages":[{"id":"1","amount":250,"products":[{"name":"拿鐵","imageUrl":"https://shop.example.com/a.png","quantity":1,"price":250}]}],"redirectUrls":{"confirmUrl":"` + ours + `","cancelUrl":"` + shop + `no"},"options":{"payment":{"payType":"PREAPPROVED"}}}`,
		},
		"v2, flat, no cancel page": {
			version: "v2", columns: flat,
			edit: func(r *provider.PayRequest) { r.Redirect.CancelURL = "" },
			want: `{"productName":"拿鐵","productImageUrl":"https://shop.example.com/a.png","amount":250,"currency":"TWD","orderId":"PMX-0001","confirmUrl":"` + ours + `","cancelUrl":"` + ours + `","payType":"PREAPPROVED"}`,
		},
		"v2, everything": {
			version: "v2", columns: `{"confirmUrlType":"SERVER","checkConfirmUrlBrowser":true,"packageName":"com.shop","deliveryPlacePhone":"0912","langCd":"zh-Hant","extras":{"branchName":"信義店","addFriends":[{"type":"LINE_AT","idList":["@a"]}]}}`,
			edit: func(r *provider.PayRequest) { r.Capture = false },
			want: `{"productName":"拿鐵","amount":250,"currency":"TWD","orderId":"PMX-0001","confirmUrl":"` + ours + `","confirmUrlType":"SERVER","checkConfirmUrlBrowser":true,"cancelUrl":"` + shop + `no","packageName":"com.shop","deliveryPlacePhone":"0912","langCd":"zh-Hant","capture":false,"extras":{"branchName":"信義店","addFriends":[{"type":"LINE_AT","idList":["@a"]}]}}`,
		},
		"v2 from the shape of v3": {
			version: "v2", columns: `{` + packages + `,"redirectUrls":{"appPackageName":"com.shop"},"options":{"payment":{"payType":"NORMAL"},"display":{"locale":"zh_TW"}}}`,
			edit: func(r *provider.PayRequest) { r.Description = "" },
			want: `{"productName":"tea","productImageUrl":"https://i","amount":250,"currency":"TWD","orderId":"PMX-0001","confirmUrl":"` + ours + `","cancelUrl":"` + shop + `no","packageName":"com.shop","payType":"NORMAL","langCd":"zh-Hant"}`,
		},
		"v3, everything": {
			version: "v3", columns: `{` + packages + `,"redirectUrls":{"confirmUrl":"https://other","confirmUrlType":"CLIENT","appPackageName":"com.shop"},"options":{"display":{"locale":"zh_TW","checkConfirmUrlBrowser":false},"extra":{"branchId":"1","promotionRestriction":{"rewardLimit":1.50}},"events":[{"code":"E","totalAmount":9.90}],"shipping":{"type":"SHIPPING","feeAmount":0},"familyService":{"addFriends":[]}}}`,
			edit: func(r *provider.PayRequest) { r.Capture = false },
			want: `{"amount":250,"currency":"TWD","orderId":"PMX-0001",` + packages + `,"redirectUrls":{"confirmUrl":"` + ours + `","cancelUrl":"` + shop + `no","confirmUrlType":"CLIENT","appPackageName":"com.shop"},"options":{"payment":{"capture":false},"display":{"locale":"zh_TW","checkConfirmUrlBrowser":false},"extra":{"branchId":"1","promotionRestriction":{"rewardLimit":1.50}},"events":[{"code":"E","totalAmount":9.90}],"shipping":{"type":"SHIPPING","feeAmount":0},"familyService":{"addFriends":[]}}}`,
		},
		"v4, nobody is called": {
			version: "v4", columns: `{"redirectUrls":{"confirmUrlType":"NONE"},"options":{"regPayRequest":{"regPayPeriodType":"RECURRING"}}}`,
			edit: func(r *provider.PayRequest) {
				r.Amount = provider.Money{Units: 999, Currency: "USD", Exponent: 2}
				r.Redirect.WantMandate = true
			},
			want: `{"amount":9.99,"currency":"USD","orderId":"PMX-0001","packages":[{"id":"1","amount":9.99,"products":[{"name":"拿鐵","quantity":1,"price":9.99}]}],"redirectUrls":{"confirmUrlType":"NONE"},"options":{"payment":{"payType":"PREAPPROVED"},"regPayRequest":{"regPayPeriodType":"RECURRING"}}}`,
		},
		"v3, URLs of the client": {
			version: "v3", columns: `{"confirmUrl":"` + shop + `yes","cancelUrl":"` + shop + `no"}`,
			edit: func(r *provider.PayRequest) { r.Redirect = nil },
			want: `{"amount":250,"currency":"TWD","orderId":"PMX-0001","packages":[{"id":"1","amount":250,"products":[{"name":"拿鐵","quantity":1,"price":250}]}],"redirectUrls":{"confirmUrl":"` + shop + `yes","cancelUrl":"` + shop + `no"}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, map[string]reply{"POST /" + c.version + "/payments/request": {body: requestAnswer}})
			answer := open(t, g.URL, nil).Pay(t.Context(), onlineRequest(t, c.version, c.columns, c.edit))
			if answer.Outcome() != provider.OutcomeRequiresAction || string(answer.Native().Body) != requestAnswer {
				t.Errorf("outcome %v, failure %+v, native %s", answer.Outcome(), answer.Failure(), answer.Native().Body)
			}
			if sent := g.requests(); len(sent) != 1 || sent[0].body != c.want {
				t.Errorf("sent %+v\nwant %s", sent, c.want)
			}
		})
	}
}

func TestRequestAsksThePayerToAct(t *testing.T) {
	t.Parallel()
	g := newGateway(t, map[string]reply{"POST /v3/payments/request": {body: requestAnswer}})
	r := open(t, g.URL, nil).Pay(t.Context(), onlineRequest(t, "", `{}`, nil)).Result()
	if r == nil || r.Action == nil {
		t.Fatalf("got %+v", r)
	}
	if left := time.Until(r.Action.Expires); left < 19*time.Minute || left > 20*time.Minute {
		t.Errorf("the payer has %s", left)
	}
	if r.Action.WebURL != "https://sandbox-web-pay.line.me/web/payment/wait?transactionReserveId=abc" || r.Action.AppURL != "line://pay/payment/abc" ||
		r.Action.Token.Reveal() != "056579816895" {
		t.Errorf("action %+v", r.Action)
	}
	if diff := cmp.Diff(provider.Reference{TransactionID: "2026071802368895010"}, r.Reference); diff != "" || r.Captured != nil || r.Authorized != nil {
		t.Errorf("reference (-want +got):\n%s\n%+v", diff, r)
	}
}

func TestRequestRefusesWhatTheVersionDoesNotHave(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	p := open(t, g.URL, nil)
	none := func(r *provider.PayRequest) { r.Redirect = nil }
	for name, r := range map[string]provider.PayRequest{
		"NONE in v2":           onlineRequest(t, "v2", `{"confirmUrlType":"NONE"}`, nil),
		"events in v2":         onlineRequest(t, "v2", `{"options":{"events":[{"code":"a"}]}}`, nil),
		"friends in v3":        onlineRequest(t, "v3", `{"extras":{"addFriends":[]}}`, nil),
		"phone in v3":          onlineRequest(t, "v3", `{"deliveryPlacePhone":"1"}`, nil),
		"regPay in v3":         onlineRequest(t, "v3", `{"options":{"regPayRequest":{}}}`, nil),
		"family in v4":         onlineRequest(t, "v4", `{"options":{"familyService":{}}}`, nil),
		"no page":              onlineRequest(t, "v3", `{}`, none),
		"two kinds":            onlineRequest(t, "v3", `{"payType":"NORMAL","options":{"payment":{"payType":"PREAPPROVED"}}}`, nil),
		"no product":           onlineRequest(t, "v3", `{}`, func(r *provider.PayRequest) { r.Description = "" }),
		"no order":             onlineRequest(t, "v3", `{}`, func(r *provider.PayRequest) { r.Reference.OrderID = "" }),
		"wrong decimals":       onlineRequest(t, "v3", `{}`, func(r *provider.PayRequest) { r.Amount.Exponent = 2 }),
		"packages not a list":  onlineRequest(t, "v3", `{"packages":{}}`, func(r *provider.PayRequest) { r.Description = "" }),
		"columns not readable": onlineRequest(t, "v3", `{"payType":1}`, nil),
		"v2.4":                 onlineRequest(t, "v2.4", `{}`, nil),
	} {
		answer := p.Pay(t.Context(), r)
		if f := answer.Failure(); f == nil || f.Effect != provider.EffectNone || f.Detail == "" {
			t.Errorf("%s: got %+v, want a request that was not sent", name, f)
		}
	}
	if n := len(g.requests()); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

func TestUnusableAnswersToARequestAreUnknown(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"no info": `{"returnCode":"0000","returnMessage":"-"}`,
		"no id":   strings.Replace(requestAnswer, `"transactionId":2026071802368895010,`, "", 1),
		"no page": `{"returnCode":"0000","returnMessage":"-","info":{"transactionId":1}}`,
		"html":    "<html>",
	} {
		g := newGateway(t, map[string]reply{"POST /v3/payments/request": {body: body}})
		a := open(t, g.URL, nil).Pay(t.Context(), onlineRequest(t, "v3", `{}`, nil))
		if a.Outcome() != provider.OutcomeUnknown || a.Failure() == nil || len(a.Native().Body) > 0 {
			t.Errorf("%s: outcome %v, %+v", name, a.Outcome(), a.Failure())
		}
	}
}

// Nothing that the plugin sends may be repeated by a transport on its own.
func TestNothingInvitesARepetition(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	p := open(t, g.URL, nil)
	p.Pay(t.Context(), onlineRequest(t, "v3", `{}`, nil))
	p.Pay(t.Context(), payRequest(t, "v4", `{}`))
	for _, r := range g.requests() {
		if r.method != http.MethodPost || r.header.Get("Idempotency-Key") != "" || r.header.Get("X-Idempotency-Key") != "" {
			t.Errorf("sent %s %s with %v", r.method, r.target, r.header)
		}
	}
	if n := len(g.requests()); n != 2 {
		t.Errorf("%d requests were sent, want 2", n)
	}
}
