package linepay

import (
	"errors"

	"github.com/go-json-experiment/json/jsontext"
)

// locales are v3's names of v2's languages.
var locales = map[string]string{
	"ja": "ja", "ko": "ko", "en": "en", "th": "th", "zh-Hant": "zh_TW", "zh-Hans": "zh_CN",
}

// language is v2's name of a locale.
func language(locale string) string {
	for lang, l := range locales {
		if l == locale {
			return lang
		}
	}
	return ""
}

// flat is the body of v2.
func (v reservation) flat() ([]byte, error) {
	o := v.columns.Options
	switch {
	case v.confirmType == confirmNone:
		return nil, errors.New("confirmUrlType NONE exists since v3; this payment goes by v2")
	case len(o.Events)+len(o.Shipping)+len(o.FamilyService)+len(o.RegPayRequest) > 0:
		return nil, errors.New("options.events, shipping, familyService and regPayRequest do not exist in v2")
	}
	b := struct {
		ProductName            string         `json:"productName"`
		ProductImageURL        string         `json:"productImageUrl,omitempty"`
		Amount                 jsontext.Value `json:"amount"`
		Currency               string         `json:"currency"`
		OrderID                string         `json:"orderId"`
		ConfirmURL             string         `json:"confirmUrl"`
		ConfirmURLType         string         `json:"confirmUrlType,omitempty"`
		CheckConfirmURLBrowser *bool          `json:"checkConfirmUrlBrowser,omitempty"`
		CancelURL              string         `json:"cancelUrl,omitempty"`
		PackageName            string         `json:"packageName,omitempty"`
		DeliveryPlacePhone     string         `json:"deliveryPlacePhone,omitempty"`
		PayType                string         `json:"payType,omitempty"`
		LangCd                 string         `json:"langCd,omitempty"`
		Capture                *bool          `json:"capture,omitempty"`
		Extras                 *extras        `json:"extras,omitempty"`
	}{
		ProductName: v.product, ProductImageURL: v.columns.ProductImageURL,
		Amount: jsontext.Value(decimal(v.Amount)), Currency: v.Amount.Currency, OrderID: v.Reference.OrderID,
		ConfirmURL: v.confirmURL, ConfirmURLType: v.confirmType, CheckConfirmURLBrowser: v.checkBrowser, CancelURL: v.cancelURL,
		PackageName: v.appPackage, DeliveryPlacePhone: v.columns.DeliveryPlacePhone,
		PayType: v.payType, LangCd: language(v.locale),
	}
	if !v.Capture {
		b.Capture = &v.Capture
	}
	if !v.extra.empty() {
		b.Extras = &v.extra
	}
	return marshal(b)
}

type (
	redirectV3 struct {
		ConfirmURL     string `json:"confirmUrl,omitempty"`
		CancelURL      string `json:"cancelUrl,omitempty"`
		ConfirmURLType string `json:"confirmUrlType,omitempty"`
		AppPackageName string `json:"appPackageName,omitempty"`
	}
	optionsV3 struct {
		Payment       *paymentV3     `json:"payment,omitempty"`
		Display       *displayV3     `json:"display,omitempty"`
		Extra         *extras        `json:"extra,omitempty"`
		Events        jsontext.Value `json:"events,omitempty"`
		Shipping      jsontext.Value `json:"shipping,omitempty"`
		FamilyService jsontext.Value `json:"familyService,omitempty"`
		RegPayRequest jsontext.Value `json:"regPayRequest,omitempty"`
	}
	paymentV3 struct {
		Capture *bool  `json:"capture,omitempty"`
		PayType string `json:"payType,omitempty"`
	}
	displayV3 struct {
		Locale                 string `json:"locale,omitempty"`
		CheckConfirmURLBrowser *bool  `json:"checkConfirmUrlBrowser,omitempty"`
	}
)

// nested is the body of v3 and v4.
func (v reservation) nested(version string) ([]byte, error) {
	c := v.columns
	switch {
	case c.DeliveryPlacePhone != "":
		return nil, errors.New("deliveryPlacePhone exists in v2 only; this payment goes by " + version)
	case len(v.extra.AddFriends) > 0:
		return nil, errors.New("extras.addFriends exists in v2 only; this payment goes by " + version)
	case version == v3 && len(c.Options.RegPayRequest) > 0:
		return nil, errors.New("options.regPayRequest exists since v4; this payment goes by v3")
	case version == v4 && len(c.Options.FamilyService) > 0:
		return nil, errors.New("options.familyService does not exist in v4")
	}
	packages := c.Packages
	if len(packages) == 0 {
		var err error
		if packages, err = onePackage(v.Amount, v.product, c.ProductImageURL); err != nil {
			return nil, err
		}
	}
	return marshal(struct {
		Amount       jsontext.Value `json:"amount"`
		Currency     string         `json:"currency"`
		OrderID      string         `json:"orderId"`
		Packages     jsontext.Value `json:"packages"`
		RedirectURLs redirectV3     `json:"redirectUrls"`
		Options      *optionsV3     `json:"options,omitempty"`
	}{
		Amount: jsontext.Value(decimal(v.Amount)), Currency: v.Amount.Currency, OrderID: v.Reference.OrderID, Packages: packages,
		RedirectURLs: redirectV3{
			ConfirmURL: v.confirmURL, CancelURL: v.cancelURL, ConfirmURLType: v.confirmType, AppPackageName: v.appPackage,
		},
		Options: v.options(),
	})
}

// options are what was asked for beside the defaults, or nil.
func (v reservation) options() *optionsV3 {
	from := v.columns.Options
	o := optionsV3{
		Events: from.Events, Shipping: from.Shipping, FamilyService: from.FamilyService, RegPayRequest: from.RegPayRequest,
	}
	if !v.Capture || v.payType != "" {
		o.Payment = &paymentV3{PayType: v.payType}
		if !v.Capture {
			o.Payment.Capture = &v.Capture
		}
	}
	if v.locale != "" || v.checkBrowser != nil {
		o.Display = &displayV3{Locale: v.locale, CheckConfirmURLBrowser: v.checkBrowser}
	}
	if !v.extra.empty() {
		o.Extra = &v.extra
	}
	if o.Payment == nil && o.Display == nil && o.Extra == nil && len(o.Events)+len(o.Shipping)+len(o.FamilyService)+len(o.RegPayRequest) == 0 {
		return nil
	}
	return &o
}
