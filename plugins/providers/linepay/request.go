package linepay

import (
	"context"
	"errors"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// approvalLife is how long the payer has, from the request on.
const approvalLife = 20 * time.Minute

// Values of the columns payType and confirmUrlType.
const (
	payNormal      = "NORMAL"
	payPreapproved = "PREAPPROVED"
	confirmNone    = "NONE" // nobody is called: the platform asks for the status
)

// onlineColumns are the columns of an online payment: the objects of v3 and v4, and the flat ones of v2. Either
// shape is taken for every version.
type onlineColumns struct {
	Device       string         `json:"merchant_device_profile_id"`
	Packages     jsontext.Value `json:"packages"`
	RedirectURLs struct {
		ConfirmURL     string `json:"confirmUrl"`
		CancelURL      string `json:"cancelUrl"`
		ConfirmURLType string `json:"confirmUrlType"`
		AppPackageName string `json:"appPackageName"`
	} `json:"redirectUrls"`
	Options struct {
		Payment struct {
			PayType string `json:"payType"`
		} `json:"payment"`
		Display struct {
			Locale                 string `json:"locale"`
			CheckConfirmURLBrowser *bool  `json:"checkConfirmUrlBrowser"`
		} `json:"display"`
		Extra         extras         `json:"extra"`
		Events        jsontext.Value `json:"events"`
		Shipping      jsontext.Value `json:"shipping"`
		FamilyService jsontext.Value `json:"familyService"`
		RegPayRequest jsontext.Value `json:"regPayRequest"`
	} `json:"options"`

	ProductImageURL        string `json:"productImageUrl"`
	ConfirmURL             string `json:"confirmUrl"`
	CancelURL              string `json:"cancelUrl"`
	ConfirmURLType         string `json:"confirmUrlType"`
	CheckConfirmURLBrowser *bool  `json:"checkConfirmUrlBrowser"`
	PackageName            string `json:"packageName"`
	DeliveryPlacePhone     string `json:"deliveryPlacePhone"`
	PayType                string `json:"payType"`
	LangCd                 string `json:"langCd"`
	Extras                 extras `json:"extras"`
}

type extras struct {
	BranchID             string         `json:"branchId,omitempty"`
	BranchName           string         `json:"branchName,omitempty"`
	PromotionRestriction jsontext.Value `json:"promotionRestriction,omitempty"`
	AddFriends           jsontext.Value `json:"addFriends,omitempty"`
}

func (e extras) empty() bool {
	return e.BranchID == "" && e.BranchName == "" && len(e.PromotionRestriction) == 0 && len(e.AddFriends) == 0
}

// request asks LINE Pay for the page on which the payer approves. No money moves.
func (p *Provider) request(ctx context.Context, r provider.PayRequest) provider.Answer {
	ctx, cancel := within(ctx, p.timeouts.Request)
	defer cancel()
	e, failure := p.send(ctx, r.Call, func(m merchant) (request, error) {
		body, device, err := requestBody(m.Version, r)
		out := post("/payments/request", "", body)
		out.device, out.free = device, true
		return out, err
	})
	if failure != nil {
		return failure.Answer()
	}
	return p.requestOutcome(e)
}

func (p *Provider) requestOutcome(e envelope) provider.Answer {
	return outcome(provider.KindPay, e, func(result provider.Result) provider.Answer {
		var info reservedInfo
		if err := e.info(&info); err != nil {
			return provider.BadAnswer(err).Answer()
		}
		id, err := info.TransactionID.id()
		if err != nil {
			return provider.BadAnswer(errors.New("a request was accepted without a transaction id")).Answer()
		}
		if info.PaymentURL.Web == "" && info.PaymentURL.App == "" {
			return provider.BadAnswer(errors.New("a request was accepted without a page for the payer")).Answer()
		}
		result.Reference = provider.Reference{TransactionID: id}
		result.Action = &provider.Action{
			WebURL: info.PaymentURL.Web, AppURL: info.PaymentURL.App, Token: info.PaymentAccessToken,
			Expires: p.now().Add(approvalLife),
		}
		return provider.RequiresAction(result, e.body())
	})
}

// reservation is an online payment in no version's shape.
type reservation struct {
	provider.PayRequest

	columns                              onlineColumns
	confirmURL, cancelURL, confirmType   string
	payType, locale, product, appPackage string

	checkBrowser *bool
	extra        extras
}

// requestBody writes the body of a request in the shape of the API version.
func requestBody(version string, r provider.PayRequest) (body []byte, device string, err error) {
	var c onlineColumns
	// The strict reader: two members that differ by case only are two members.
	if raw := r.Call.Columns.Reveal(); len(raw) > 0 && json.Unmarshal(raw, &c) != nil {
		return nil, "", errColumns
	}
	if err := chargeable(r.Amount); err != nil {
		return nil, "", err
	}
	if r.Reference.OrderID == "" {
		return nil, "", errNoOrder
	}
	v, err := reserve(r, c)
	if err != nil {
		return nil, "", err
	}
	if version == v2 {
		body, err = v.flat()
	} else {
		body, err = v.nested(version)
	}
	return body, c.Device, err
}

// reserve reads both shapes. The platform's own URLs go before those of the columns.
func reserve(r provider.PayRequest, c onlineColumns) (reservation, error) {
	v := reservation{PayRequest: r, columns: c}
	conflict := false
	one := func(nested, flat string) string {
		conflict = conflict || (nested != "" && flat != "" && nested != flat)
		if nested != "" {
			return nested
		}
		return flat
	}
	v.confirmURL, v.cancelURL = one(c.RedirectURLs.ConfirmURL, c.ConfirmURL), one(c.RedirectURLs.CancelURL, c.CancelURL)
	v.confirmType = one(c.RedirectURLs.ConfirmURLType, c.ConfirmURLType)
	v.payType = one(c.Options.Payment.PayType, c.PayType)
	v.locale = one(c.Options.Display.Locale, locales[c.LangCd])
	v.appPackage = one(c.RedirectURLs.AppPackageName, c.PackageName)
	v.checkBrowser = c.Options.Display.CheckConfirmURLBrowser
	if v.checkBrowser == nil {
		v.checkBrowser = c.CheckConfirmURLBrowser
	}
	if v.extra = c.Options.Extra; v.extra.empty() {
		v.extra = c.Extras
	}
	if conflict {
		return reservation{}, errors.New("a column is given in the shape of v2 and in that of v3, and the two differ")
	}
	if to := r.Redirect; to != nil {
		v.confirmURL, v.cancelURL = first(to.ConfirmURL, v.confirmURL), first(to.CancelURL, v.cancelURL)
		if to.WantMandate && v.payType == "" {
			v.payType = payPreapproved
		}
	}
	if v.confirmType == confirmNone {
		v.confirmURL, v.cancelURL = "", ""
	} else {
		if v.confirmURL == "" {
			return reservation{}, errors.New("confirmUrl is missing; only confirmUrlType NONE goes without")
		}
		// v3 wants a page for the payer who cancels; the platform's own page knows that nothing was paid.
		v.cancelURL = first(v.cancelURL, v.confirmURL)
	}
	return v.described()
}

// described finds a name for what is sold: the versions have it in different places.
func (v reservation) described() (reservation, error) {
	v.product = v.Description
	if v.product != "" {
		return v, nil
	}
	if len(v.columns.Packages) == 0 {
		return v, errors.New("productName is missing")
	}
	var packages []struct {
		Products []struct {
			Name     string `json:"name"`
			ImageURL string `json:"imageUrl"`
		} `json:"products"`
	}
	if err := json.Unmarshal(v.columns.Packages, &packages); err != nil {
		return v, errors.New("packages cannot be read")
	}
	for _, p := range packages {
		for _, product := range p.Products {
			v.product = first(v.product, product.Name)
			v.columns.ProductImageURL = first(v.columns.ProductImageURL, product.ImageURL)
		}
	}
	if v.product == "" {
		return v, errors.New("packages name no product")
	}
	return v, nil
}

func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
