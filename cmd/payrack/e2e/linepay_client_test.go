package e2e_test

import (
	"crypto/rand"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// The payment types of LINE Pay.
const (
	typeQRCode      = "LINE_QRCODE_PAY"
	typeOnline      = "LINE_PAY"
	typePreapproved = "LINE_PREAPPROVED_PAY"
)

// shopURL is where the shop of these tests wants its payers back.
const shopURL = "https://shop.example/paid?cart=7"

// fields are the members of a JSON object to be sent.
type fields = map[string]any

// shop is a merchant with LINE Pay on a running platform.
type shop struct{ *platform }

// native sends a request in LINE Pay's own columns.
func (p shop) native(operation, paymentType string, request any, headers ...string) answer {
	p.t.Helper()
	return p.post(integrate+operation, fields{"type": paymentType, "store_id": p.StoreID, "is_test": true, "request": request}, headers...)
}

// neutral sends a request to the neutral API, under a key of its own.
func (p shop) neutral(method, path string, body any) answer {
	p.t.Helper()
	var raw []byte
	if body != nil {
		raw = encode(p.t, body)
	}
	return p.do(method, p.HTTPURL+"/v2/"+path, raw, "Idempotency-Key", rand.Text())
}

// onlineRequest is an online payment in the flat columns that LINE Pay's v2 had.
func onlineRequest(order string, amount any, more fields) fields {
	request := fields{
		"productName": "拿鐵", "amount": amount, "currency": "TWD", "orderId": order, "confirmUrl": shopURL, "cancelUrl": "https://shop.example/cancelled",
	}
	maps.Copy(request, more)
	return request
}

// begun is an online payment that waits for its payer.
type begun struct {
	id, order, transaction string
}

// begin asks for an online payment.
func (p shop) begin(order string, amount any, more fields) begun {
	p.t.Helper()
	a := p.native("pay", typeOnline, onlineRequest(order, amount, more))
	if a.status != http.StatusOK || a.member("returnCode") != "0000" {
		p.t.Fatalf("request of %s: %s", order, a)
	}
	b := begun{id: paymentID(a), order: order, transaction: a.at("info", "transactionId")}
	if len(b.transaction) != 19 || b.id == "" {
		p.t.Fatalf("request of %s: %s", order, a)
	}
	return b
}

func paymentID(a answer) string { return a.header.Get("Payrack-Payment-Id") }

// at reads a value below a path of members, text without its quotes and all else as it is written.
func (a answer) at(path ...string) string {
	body := a.body
	for _, name := range path {
		var members map[string]json.RawMessage
		if json.Unmarshal(body, &members) != nil {
			return ""
		}
		body = members[name]
	}
	var text string
	if json.Unmarshal(body, &text) == nil {
		return text
	}
	return string(body)
}

// deed is what the sandbox tells about what a customer did.
type deed struct {
	ConfirmURL    string `json:"confirm_url"`
	CancelURL     string `json:"cancel_url"`
	ConfirmStatus int    `json:"confirm_status"`
}

// approve lets the customer approve an online payment, with the choices of a one-time code.
func (p shop) approve(transaction string, choices any) deed {
	p.t.Helper()
	var d deed
	decode(p.t, p.control(http.MethodPost, "linepay/"+transaction+"/approve", choices).body, &d)
	return d
}

// open follows a link as a browser does that is sent somewhere, without a token, and does not follow further.
func (p shop) open(link string) answer {
	p.t.Helper()
	return p.do(http.MethodGet, link, nil, "Authorization", "")
}

// shown is a payment as the neutral API shows it.
type shownPayment struct {
	ID          string     `json:"id"`
	State       string     `json:"state"`
	Order       string     `json:"order_number"`
	Amount      neutralSum `json:"amount"`
	Authorized  neutralSum `json:"authorized"`
	Captured    neutralSum `json:"captured"`
	Refunded    neutralSum `json:"refunded"`
	Transaction string     `json:"provider_transaction_id"`
	Mandate     string     `json:"mandate_id"`
	Failure     string     `json:"failure"`
	Code        string     `json:"provider_code"`
	OrderID     string     `json:"order_id"`
}

type neutralSum struct {
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

func (p shop) shown(id string) shownPayment {
	p.t.Helper()
	var s shownPayment
	decode(p.t, p.do(http.MethodGet, p.HTTPURL+"/v2/payments/"+id, nil).body, &s)
	return s
}

// arrived counts what of one kind arrived at the sandbox for an order.
func (p shop) arrived(operation, order string) int {
	p.t.Helper()
	n := 0
	for _, r := range p.requests("linepay", order) {
		if r.Operation == operation {
			n++
		}
	}
	return n
}

// arm lets the sandbox break one operation of an order, once.
func (p shop) arm(operation, order, fault string) {
	p.t.Helper()
	p.control(http.MethodPost, "faults", fields{"provider": "linepay", "operation": operation, "order_id": order, "fault": fault, "times": 1})
}

// speak opens a store with credentials of the sandbox's account in another API version, and returns a shop whose requests
// name that store.
func (p shop) speak(version string, paymentTypes ...string) shop {
	p.t.Helper()
	store := "speaks-" + strings.ReplaceAll(version, ".", "-")
	add := func(what string, body fields) {
		a := p.do(http.MethodPost, p.AdminURL+"/admin/v1/"+what, encode(p.t, body), "Authorization", "Bearer "+p.AdminToken)
		if a.status != http.StatusCreated {
			p.t.Fatalf("%s for %s: %s", what, version, a)
		}
	}
	add("stores", fields{"company_id": p.CompanyID, "id": store, "name": "Store that speaks " + version})
	for _, paymentType := range paymentTypes {
		for _, environment := range []string{"live", "test"} {
			add("credentials", fields{
				"company_id": p.CompanyID, "store_id": store, "type": paymentType, "environment": environment,
				"set": fields{"channel_id": p.LinePay.ChannelID, "channel_secret": p.LinePay.ChannelSecret, "version": version},
			})
		}
	}
	other := *p.platform
	other.StoreID = store
	return shop{&other}
}

// sub is the platform with the failures of another test.
func (p shop) sub(t *testing.T) shop {
	t.Helper()
	other := *p.platform
	other.t = t
	return shop{&other}
}

// query reads one parameter of a link.
func query(t *testing.T, link, name string) string {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get(name)
}

// lineRecord is a payment in LINE Pay's own records.
type lineRecord struct {
	ID      json.Number `json:"transactionId"` //nolint:tagliatelle // LINE Pay's name
	PayInfo []struct {
		Amount json.Number `json:"amount"`
	} `json:"payInfo"` //nolint:tagliatelle // LINE Pay's name
	Refunds []struct {
		ID     json.Number `json:"refundTransactionId"` //nolint:tagliatelle // LINE Pay's name
		Amount json.Number `json:"refundAmount"`        //nolint:tagliatelle // LINE Pay's name
	} `json:"refundList"` //nolint:tagliatelle // LINE Pay's name
}

// records reads the answer of a search.
func (a answer) records() ([]lineRecord, error) {
	var page struct {
		Info []lineRecord `json:"info"`
	}
	err := json.Unmarshal(a.body, &page)
	return page.Info, err
}

// jsonNumber is a number as it is written, so that no digit of a 19-digit id gets lost on the way.
func jsonNumber(digits string) json.Number { return json.Number(digits) }
