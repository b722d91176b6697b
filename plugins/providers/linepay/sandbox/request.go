package linepaysandbox

import (
	"slices"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const maxURL = 500

// flatRequest is the body of a request in v2.
type flatRequest struct {
	ProductName    string         `json:"productName"`
	Amount         jsontext.Value `json:"amount"`
	Currency       string         `json:"currency"`
	OrderID        string         `json:"orderId"`
	ConfirmURL     string         `json:"confirmUrl"`
	ConfirmURLType string         `json:"confirmUrlType"`
	CancelURL      string         `json:"cancelUrl"`
	PayType        string         `json:"payType"`
	Capture        *bool          `json:"capture"`
	Extras         *extra         `json:"extras"`
}

// nestedRequest is the body of a request in v3 and v4.
type nestedRequest struct {
	Amount       jsontext.Value `json:"amount"`
	Currency     string         `json:"currency"`
	OrderID      string         `json:"orderId"`
	Packages     []packageBody  `json:"packages"`
	RedirectURLs struct {
		ConfirmURL     string `json:"confirmUrl"`
		CancelURL      string `json:"cancelUrl"`
		ConfirmURLType string `json:"confirmUrlType"`
	} `json:"redirectUrls"`
	Options struct {
		Payment struct {
			Capture *bool  `json:"capture"`
			PayType string `json:"payType"`
		} `json:"payment"`
		Extra    *extra `json:"extra"`
		Shipping struct {
			FeeAmount jsontext.Value `json:"feeAmount"`
		} `json:"shipping"`
	} `json:"options"`
}

// asking is a request for an online payment in no version's shape.
type asking struct {
	amount   jsontext.Value
	currency string
	payType  string
	capture  *bool
	packages []packageBody
	shipping jsontext.Value
	reservation
}

// readRequest understands a request, or answers why not.
func readRequest(c call, m merchant) (reservation, *envelope) {
	read := readNestedRequest
	if c.version == "v2" {
		read = readFlatRequest
	}
	a, cause := read(c)
	if cause == "" {
		cause = first(checkAmount(a.amount), checkText("currency", a.currency, 3), checkText("orderId", a.OrderID, maxOrderID), a.checkReturn(c.version))
	}
	if cause == "" && !slices.Contains([]string{"", "NORMAL", "PREAPPROVED"}, a.payType) {
		cause = "payType: Enum"
	}
	if cause != "" {
		return reservation{}, wrong(cause)
	}
	a.Capture = a.capture == nil || *a.capture
	a.Preapproved = a.payType == "PREAPPROVED"
	total, refused := m.chargeable(a.amount, a.currency, a.Capture)
	if refused != nil {
		return reservation{}, refused
	}
	if a.Preapproved && !m.Preapproved {
		return reservation{}, refusal(codeNoPreapproved)
	}
	if code := checkSum(a.packages, a.shipping, total, exponents[a.currency]); code != "" && !a.Preapproved {
		return reservation{}, refusal(code)
	}
	a.Currency, a.Amount = a.currency, total.units
	return a.reservation, nil
}

func readFlatRequest(c call) (asking, string) {
	var b flatRequest
	if err := json.Unmarshal(c.body, &b); err != nil {
		return asking{}, "wrong type"
	}
	return asking{
		amount: b.Amount, currency: b.Currency, payType: b.PayType, capture: b.Capture,
		reservation: reservation{
			OrderID: b.OrderID, ProductName: b.ProductName,
			ConfirmURL: b.ConfirmURL, CancelURL: b.CancelURL, ConfirmType: b.ConfirmURLType,
		},
	}, first(checkText("productName", b.ProductName, maxProductName), checkExtra(b.Extras))
}

func readNestedRequest(c call) (asking, string) {
	var b nestedRequest
	if err := json.Unmarshal(c.body, &b); err != nil {
		return asking{}, "wrong type"
	}
	var raw struct {
		Packages jsontext.Value `json:"packages"`
	}
	_ = json.Unmarshal(c.body, &raw) // it was read above
	if c.version == "v4" {
		for i := range b.Packages {
			b.Packages[i].UserFee = nil // no member of v4
		}
	}
	return asking{
		amount: b.Amount, currency: b.Currency, payType: b.Options.Payment.PayType, capture: b.Options.Payment.Capture,
		packages: b.Packages, shipping: b.Options.Shipping.FeeAmount,
		reservation: reservation{
			OrderID: b.OrderID, ProductName: firstProduct(b.Packages), Packages: raw.Packages,
			ConfirmURL: b.RedirectURLs.ConfirmURL, CancelURL: b.RedirectURLs.CancelURL, ConfirmType: b.RedirectURLs.ConfirmURLType,
		},
	}, first(checkPackages(b.Packages), checkExtra(b.Options.Extra))
}

// checkReturn: the pages to come back to are needed unless nobody is called, and v2 always calls.
func (a asking) checkReturn(version string) string {
	types := []string{"", "CLIENT", "SERVER"}
	if version != "v2" {
		types = append(types, "NONE")
	}
	switch {
	case !slices.Contains(types, a.ConfirmType):
		return "confirmUrlType: Enum"
	case utf8.RuneCountInString(a.ConfirmURL) > maxURL || utf8.RuneCountInString(a.CancelURL) > maxURL:
		return "redirectUrls: Size"
	case a.ConfirmType != "NONE" && a.ConfirmURL == "":
		return "confirmUrl: NotEmpty"
	case a.ConfirmType != "NONE" && a.CancelURL == "" && version != "v2":
		return "cancelUrl: NotEmpty"
	}
	return ""
}

// reservedInfo answers a request.
type reservedInfo struct {
	PaymentURL         paymentURL `json:"paymentUrl"`
	TransactionID      int64      `json:"transactionId"`
	PaymentAccessToken string     `json:"paymentAccessToken"`
}

type paymentURL struct {
	Web string `json:"web"`
	App string `json:"app"`
}

// confirmedInfo answers a confirm.
type confirmedInfo struct {
	OrderID                 string         `json:"orderId"`
	TransactionID           int64          `json:"transactionId"`
	AuthorizationExpireDate string         `json:"authorizationExpireDate,omitempty"`
	RegKey                  string         `json:"regKey,omitempty"`
	PayInfo                 []payInfo      `json:"payInfo"`
	Packages                []packageInfo  `json:"packages,omitempty"`
	PaymentProvider         jsontext.Value `json:"paymentProvider,omitzero"`
}

type packageInfo struct {
	ID     string         `json:"id"`
	Amount jsontext.Value `json:"amount"`
}
