package linepaysandbox_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/payrack/payrack/plugins/sandbox/sandboxtest"
)

var onlineVersions = []string{"v2", "v3", "v4"}

const shop = "https://shop.example.com"

// requestBody is a request of 100 TWD in the shape of a version; more are members of the payment's options.
func requestBody(version, order, payType, confirmType string, capture bool) string {
	if version == "v2" {
		return fmt.Sprintf(`{"productName":"拿鐵","amount":100,"currency":"TWD","orderId":%q,"confirmUrl":%q,"cancelUrl":%q,`+
			`"confirmUrlType":%q,"payType":%q,"capture":%t}`, order, shop+"/yes?a=1", shop+"/no", confirmType, payType, capture)
	}
	return fmt.Sprintf(`{"amount":100,"currency":"TWD","orderId":%q,"packages":[{"id":"1","amount":100,"products":[{"name":"拿鐵","quantity":2,"price":50}]}],`+
		`"redirectUrls":{"confirmUrl":%q,"cancelUrl":%q,"confirmUrlType":%q},"options":{"payment":{"capture":%t,"payType":%q}}}`,
		order, shop+"/yes?a=1", shop+"/no", confirmType, capture, payType)
}

func (c *till) post(version, path, body string) answer {
	c.t.Helper()
	return c.call(http.MethodPost, "/"+version+"/payments/"+path, "", body)
}

func (c *till) get(version, path string) answer {
	c.t.Helper()
	return c.call(http.MethodGet, "/"+version+"/payments/"+path, "", "")
}

// begin requests a payment and returns its id.
func (c *till) begin(version, order, payType string, capture bool) string {
	c.t.Helper()
	got := c.want("request", c.post(version, "request", requestBody(version, order, payType, "CLIENT", capture)), "0000")
	return fmt.Sprint(got.info["transactionId"])
}

// customer does what a customer does, and returns the control route's answer.
func (c *till) customer(id, deed string, body sandboxtest.Object) map[string]any {
	c.t.Helper()
	var out map[string]any
	if status := c.sandbox.Control(http.MethodPost, "linepay/"+id+"/"+deed, body, &out); status != http.StatusOK {
		c.t.Errorf("%s: HTTP %d: %v", deed, status, out)
	}
	return out
}

const confirmBody = `{"amount":100,"currency":"TWD"}`

// approved begins a payment and lets the customer approve.
func (c *till) approved(version, order, payType string, capture bool) string {
	c.t.Helper()
	id := c.begin(version, order, payType, capture)
	c.customer(id, "approve", nil)
	return id
}

func TestOnlinePayment(t *testing.T) {
	t.Parallel()
	wantMembers := map[string][2][]string{ // confirm, details
		"v2": {{"orderId", "payInfo", "transactionId"}, {"currency", "orderId", "payInfo", "productName", "transactionDate", "transactionId", "transactionType"}},
		"v3": {{"orderId", "packages", "payInfo", "transactionId"}, {
			"currency", "merchantName", "orderId", "packages", "payInfo", "payStatus", "productName", "transactionDate", "transactionId", "transactionType",
		}},
		"v4": {{"orderId", "packages", "payInfo", "paymentProvider", "transactionId"}, {
			"currency", "merchantName", "orderId", "packages", "payInfo", "payStatus", "paymentProvider", "productName", "transactionDate", "transactionId",
			"transactionType",
		}},
	}
	for _, version := range onlineVersions {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			c := start(t, nil)
			asked := c.want("request", c.post(version, "request", requestBody(version, "A", "NORMAL", "CLIENT", true)), "0000")
			if !regexp.MustCompile(`"paymentUrl":\{"web":"http://127.0.0.1:[0-9]+/web/payment/wait\?transactionReserveId=([0-9a-f]+)","app":"line://pay/payment/[0-9a-f]+"\},` +
				`"transactionId":20[0-9]{15}10,"paymentAccessToken":"[0-9]{12}"`).MatchString(asked.raw) {
				t.Errorf("request answered %s", asked.raw)
			}
			id := fmt.Sprint(asked.info["transactionId"])
			status := func(code, message string) {
				t.Helper()
				if version == "v2" {
					return
				}
				if got := c.want("status", c.get(version, "requests/"+id+"/check"), code); !strings.Contains(got.raw, message) {
					t.Errorf("status answered %s, want the message %q", got.raw, message)
				}
			}
			status("0000", "reserved transaction.")
			c.want("details before the approval", c.details(version, "transactionId="+id), "1150")
			sent := c.customer(id, "approve", sandboxtest.Object{"method": "SPLIT"})
			want := shop + "/yes?a=1&orderId=A&transactionId=" + id
			if version == "v2" {
				want = shop + "/yes?a=1&transactionId=" + id
			}
			if sent["confirm_url"] != want {
				t.Errorf("the customer is sent to %v, want %s", sent["confirm_url"], want)
			}
			status("0110", "authentication is done.")
			c.want("details before the confirm", c.details(version, "transactionId="+id), "1150")
			c.want("another amount", c.post(version, id+"/confirm", `{"amount":99,"currency":"TWD"}`), "1153")
			c.want("another currency", c.post(version, id+"/confirm", `{"amount":100,"currency":"JPY"}`), "1153")
			confirmed := c.want("confirm", c.post(version, id+"/confirm", confirmBody), "0000")
			status("0123", "-")
			c.want("confirm again", c.post(version, id+"/confirm", confirmBody), "1172")
			c.want("request of a paid order", c.post(version, "request", requestBody(version, "A", "NORMAL", "CLIENT", true)), "1172")
			details := c.want("details", c.details(version, "transactionId="+id), "0000")
			for i, members := range []map[string]any{confirmed.info, details.list[0]} {
				if diff := cmp.Diff(wantMembers[version][i], keys(members)); diff != "" {
					t.Errorf("members of answer %d (-want +got):\n%s", i, diff)
				}
			}
			if !strings.Contains(confirmed.raw, `"payInfo":[{"method":"CREDIT_CARD","amount":90,`) || !strings.Contains(confirmed.raw, `{"method":"POINT","amount":10}]`) {
				t.Errorf("confirm answered %s", confirmed.raw)
			}
			c.want("part", c.post(version, id+"/refund", `{"refundAmount":30}`), "0000")
			c.want("too much", c.post(version, id+"/refund", `{"refundAmount":71}`), "1164")
			c.want("rest", c.post(version, id+"/refund", `{}`), "0000")
			c.want("again", c.post(version, id+"/refund", `{}`), "1165")
			c.want("void of taken money", c.post(version, "authorizations/"+id+"/void", `{}`), "1179")
			if diff := cmp.Diff([]string{"charge 100", "refund 30", "refund 70"}, c.movements()); diff != "" {
				t.Errorf("ledger (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOnlineHold(t *testing.T) {
	t.Parallel()
	for _, version := range onlineVersions {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			c := start(t, nil)
			ids := map[string]string{}
			for _, order := range []string{"captured", "voided", "expired"} {
				ids[order] = c.approved(version, order, "NORMAL", false)
				if got := c.want("confirm", c.post(version, ids[order]+"/confirm", confirmBody), "0000"); got.info["authorizationExpireDate"] == nil {
					t.Errorf("confirm answered %s", got.raw)
				}
			}
			got := c.want("capture", c.post(version, "authorizations/"+ids["captured"]+"/capture", `{"amount":60,"currency":"TWD"}`), "0000")
			if got.info["transactionDate"] != nil || fmt.Sprint(got.info["transactionId"]) != ids["captured"] {
				t.Errorf("capture answered %s", got.raw)
			}
			c.want("void", c.post(version, "authorizations/"+ids["voided"]+"/void", `{}`), "0000")
			c.want("void again", c.post(version, "authorizations/"+ids["voided"]+"/void", `{}`), "1165")
			c.sandbox.Advance("721h")
			c.want("capture of what expired", c.post(version, "authorizations/"+ids["expired"]+"/capture", confirmBody), "1179")
			for order, status := range map[string]string{"captured": "CAPTURE", "voided": "VOIDED_AUTHORIZATION", "expired": "EXPIRED_AUTHORIZATION"} {
				path, query := "/"+version+"/payments", "transactionId="+ids[order]
				if version == "v2" && order != "captured" {
					path += "/authorizations"
				}
				record := c.want("details", c.call(http.MethodGet, path, query, ""), "0000")
				if got := record.list[0]["payStatus"]; got != status && (version != "v2" || got != nil) {
					t.Errorf("payStatus %v of %s", got, order)
				}
			}
			if diff := cmp.Diff([]string{"authorize 100", "authorize 100", "authorize 100", "capture 60", "void 100", "void 100"}, c.movements()); diff != "" {
				t.Errorf("ledger (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCaptureThatReleases(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	c.sandbox.Arm(sandboxtest.Object{"operation": "capture", "fault": "auto_cancel"})
	c.want("pay", c.payWith("v4", "A", "100", "TWD", c.sandbox.Code("linepay", nil), false), "0000")
	c.want("capture", c.follow("v4", "A", "capture", confirmBody), "1199")
	c.want("capture again", c.follow("v4", "A", "capture", confirmBody), "1179")
	if diff := cmp.Diff([]string{"authorize 100", "void 100"}, c.movements()); diff != "" || c.sandbox.Fired("auto_cancel") != 1 {
		t.Errorf("fired %d times, ledger (-want +got):\n%s", c.sandbox.Fired("auto_cancel"), diff)
	}
}

func TestCustomerWhoDoesNotPay(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	early := c.begin("v3", "early", "NORMAL", true)
	c.want("confirm too early", c.post("v3", early+"/confirm", confirmBody), "1169")
	c.want("then it is dead", c.get("v3", "requests/"+early+"/check"), "0122")
	c.want("for good", c.post("v3", early+"/confirm", confirmBody), "1159")

	no := c.begin("v3", "no", "NORMAL", true)
	if sent := c.customer(no, "cancel", nil); sent["cancel_url"] != shop+"/no" {
		t.Errorf("the customer is sent to %v", sent)
	}
	c.want("cancelled", c.get("v3", "requests/"+no+"/check"), "0121")
	c.want("confirm of nothing", c.post("v3", no+"/confirm", confirmBody), "1159")

	poor := c.begin("v3", "poor", "NORMAL", true)
	c.customer(poor, "approve", sandboxtest.Object{"balance": 99})
	c.want("poor", c.post("v3", poor+"/confirm", confirmBody), "1142")
	c.want("dead too", c.get("v3", "requests/"+poor+"/check"), "0122")

	slow := c.approved("v3", "slow", "NORMAL", true)
	c.sandbox.Advance("20m")
	c.want("expired", c.get("v3", "requests/"+slow+"/check"), "0121")
	c.want("confirm too late", c.post("v3", slow+"/confirm", confirmBody), "1180")
	for _, id := range []string{early, no, slow, "1"} {
		if status := c.sandbox.Control(http.MethodPost, "linepay/"+id+"/approve", nil, nil); status != http.StatusBadRequest {
			t.Errorf("approve of %s: HTTP %d", id, status)
		}
	}
	c.want("an order that was not paid can be requested again", c.post("v3", "request", requestBody("v3", "slow", "NORMAL", "NONE", true)), "0000")
	c.want("no such request", c.get("v3", "requests/2026010112345678910/check"), "1150")
	c.want("too long an id", c.get("v3", "requests/"+strings.Repeat("9", 19)+"/check"), "2101")
	if moves := c.movements(); len(moves) != 0 {
		t.Errorf("money moved: %v", moves)
	}
}

// Two requests of one order: the first confirm wins.
func TestTwoRequestsOfOneOrder(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	one, two := c.approved("v3", "A", "NORMAL", true), c.approved("v3", "A", "NORMAL", true)
	c.want("one", c.post("v3", one+"/confirm", confirmBody), "0000")
	c.want("two", c.post("v3", two+"/confirm", confirmBody), "1172")
	if diff := cmp.Diff([]string{"charge 100"}, c.movements()); diff != "" {
		t.Errorf("ledger (-want +got):\n%s", diff)
	}
}

func TestRequestsThatAreRefused(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	body := requestBody("v3", "A", "NORMAL", "CLIENT", true)
	flat := requestBody("v2", "A", "NORMAL", "CLIENT", true)
	for name, tt := range map[string]struct{ version, body, want string }{
		"not JSON":              {"v3", "{", "2102"},
		"no packages":           {"v3", `{"amount":100,"currency":"TWD","orderId":"A","redirectUrls":{"confirmUrlType":"NONE"}}`, "2101"},
		"no confirmUrl":         {"v4", strings.Replace(body, `"confirmUrl":"https://shop.example.com/yes?a=1",`, "", 1), "2101"},
		"no cancelUrl":          {"v3", strings.Replace(body, `"cancelUrl":"https://shop.example.com/no",`, "", 1), "2101"},
		"a type nobody knows":   {"v3", requestBody("v3", "A", "OTHER", "CLIENT", true), "2101"},
		"NONE in v2":            {"v2", requestBody("v2", "A", "NORMAL", "NONE", true), "2101"},
		"a sum that is wrong":   {"v3", strings.Replace(body, `"amount":100`, `"amount":101`, 1), "1124"},
		"a fee of v3 in v4":     {"v4", strings.Replace(body, `"id":"1","amount":100`, `"id":"1","amount":100,"userFee":1`, 1), "0000"},
		"a fee that is missing": {"v3", strings.Replace(body, `"id":"1","amount":100`, `"id":"1","amount":100,"userFee":1`, 1), "1124"},
		"cents of TWD":          {"v2", strings.Replace(flat, `"amount":100`, `"amount":100.5`, 1), "1124"},
		"nothing":               {"v2", strings.Replace(flat, `"amount":100`, `"amount":0`, 1), "1183"},
		"another currency":      {"v2", strings.Replace(flat, `TWD`, `EUR`, 1), "1178"},
		"no product":            {"v2", strings.Replace(flat, `拿鐵`, ``, 1), "2101"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.want(name, c.post(tt.version, "request", tt.body), tt.want)
		})
	}
}

func TestFlagsOfAMerchant(t *testing.T) {
	t.Parallel()
	c := start(t, sandboxtest.Object{"preapproved": false, "capture_separated": false, "currencies": []string{"JPY"}, "card_authorization": false})
	c.want("currency", c.post("v3", "request", requestBody("v3", "A", "NORMAL", "CLIENT", true)), "1178")
	yen := func(s string) string { return strings.Replace(s, "TWD", "JPY", 1) }
	c.want("approval", c.post("v3", "request", yen(requestBody("v3", "A", "PREAPPROVED", "CLIENT", true))), "1194")
	held := c.want("hold", c.post("v3", "request", yen(requestBody("v3", "A", "NORMAL", "CLIENT", false))), "2103")
	if !strings.Contains(held.raw, "Parameter is not allowed [capture:false]") {
		t.Errorf("answered %s", held.raw)
	}
	c.want("charge of an approval", c.post("v3", "preapprovedPay/RKX/payment", `{}`), "1194")
	c.want("card", c.call(http.MethodGet, "/v3/payments/preapprovedPay/RKX/check", "creditCardAuth=true", ""), "2103")
}

func TestSecretsOnlyFromListedAddresses(t *testing.T) {
	t.Parallel()
	c := start(t, sandboxtest.Object{"allowed_ips": []string{"192.0.2.1"}})
	c.want("v2", c.get("v2", "orders/X/check"), "1106")
	c.want("v4 signs", c.get("v4", "orders/X/check"), "1150")
	c.sandbox.Account("linepay", "store", sandboxtest.Object{"allowed_ips": []string{"127.0.0.1"}})
	c.want("v2 from here", c.get("v2", "orders/X/check"), "1150")
}

func TestNonces(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		options sandboxtest.Object
		second  string
	}{"once": {nil, "1106"}, "again": {sandboxtest.Object{"reuse_nonces": true}, "1150"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := start(t, tt.options)
			req := c.request(http.MethodGet, "/v3/payments/requests/1/check", "", "")
			c.want("first", c.do(req), "1150")
			c.want("second", c.do(req.Clone(t.Context())), tt.second)
		})
	}
}

func TestConfirmURLOfTheServer(t *testing.T) {
	t.Parallel()
	called := make(chan string, 1)
	merchant := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		called <- r.RequestURI
		w.WriteHeader(http.StatusTeapot)
	}))
	t.Cleanup(merchant.Close)
	c := start(t, nil)
	body := strings.Replace(requestBody("v3", "A", "NORMAL", "SERVER", true), shop+"/yes?a=1", merchant.URL+"/yes?orderId=mine", 1)
	id := fmt.Sprint(c.want("request", c.post("v3", "request", body), "0000").info["transactionId"])
	if got := c.customer(id, "approve", nil); got["confirm_status"] != float64(http.StatusTeapot) {
		t.Errorf("answered %v", got)
	}
	if got := <-called; got != "/yes?orderId=mine&transactionId="+id {
		t.Errorf("called %s", got)
	}
}

func TestReservationsOutliveARestart(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	id := c.approved("v4", "A", "PREAPPROVED", true)
	c.sandbox.Restart()
	c.want("status", c.get("v4", "requests/"+id+"/check"), "0110")
	key := fmt.Sprint(c.want("confirm", c.post("v4", id+"/confirm", confirmBody), "0000").info["regKey"])
	c.sandbox.Restart()
	c.want("check", c.get("v4", "preapprovedPay/"+key+"/check"), "0000")
}
