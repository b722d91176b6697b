package linepaysandbox

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// The longest texts, in characters.
const (
	maxOrderID     = 100
	maxOneTimeKey  = 19
	maxProductName = 4000
	maxPackageID   = 50
	maxPackageName = 100
)

// payBody is what all versions ask for.
type payBody struct {
	Amount     jsontext.Value `json:"amount"`
	Currency   string         `json:"currency"`
	OrderID    string         `json:"orderId"`
	OneTimeKey string         `json:"oneTimeKey"`
}

// flatBody is the body of v2 and v2.4.
type flatBody struct {
	payBody
	ProductName string `json:"productName"`
	Capture     *bool  `json:"capture"`
	Extras      *extra `json:"extras"`
}

// packagesBody is the body of v4.
type packagesBody struct {
	payBody
	Packages []packageBody `json:"packages"`
	Options  struct {
		Payment struct {
			Capture *bool `json:"capture"`
		} `json:"payment"`
		Extra *extra `json:"extra"`
	} `json:"options"`
}

type packageBody struct {
	ID       string         `json:"id"`
	Amount   jsontext.Value `json:"amount"`
	Name     string         `json:"name"`
	UserFee  jsontext.Value `json:"userFee"`
	Products []productBody  `json:"products"`
}

type productBody struct {
	Name     string         `json:"name"`
	Quantity int64          `json:"quantity"`
	Price    jsontext.Value `json:"price"`
}

type extra struct {
	BranchName           string         `json:"branchName"`
	BranchID             string         `json:"branchId"`
	PromotionRestriction map[string]any `json:"promotionRestriction"`
}

// wanted is a pay request that was understood.
type wanted struct {
	orderID, oneTimeKey, currency, productName string

	amount  amount
	capture bool
	// packages of v4; nil in the other versions.
	packages []packageBody
}

// readFlat reads the body of v2 and v2.4. The text says what is wrong.
func readFlat(body []byte) (payBody, wanted, string) {
	var b flatBody
	if err := json.Unmarshal(body, &b); err != nil {
		return payBody{}, wanted{}, "wrong type"
	}
	w := wanted{capture: b.Capture == nil || *b.Capture, productName: b.ProductName}
	return b.payBody, w, first(checkText("productName", b.ProductName, maxProductName), checkExtra(b.Extras))
}

// readPackages reads the body of v4. The text says what is wrong.
func readPackages(body []byte) (payBody, wanted, string) {
	var b packagesBody
	if err := json.Unmarshal(body, &b); err != nil {
		return payBody{}, wanted{}, "wrong type"
	}
	capture := b.Options.Payment.Capture
	w := wanted{
		capture: capture == nil || *capture, productName: firstProduct(b.Packages), packages: b.Packages,
	}
	return b.payBody, w, first(checkPackages(b.Packages), checkExtra(b.Options.Extra))
}

// readPay understands a pay request, or answers why not.
func readPay(c call, m merchant) (wanted, *envelope) {
	read := readFlat
	if c.version == "v4" {
		read = readPackages
	}
	base, w, cause := read(c.body)
	if cause != "" {
		return w, wrong(cause)
	}
	w.orderID, w.oneTimeKey, w.currency = base.OrderID, base.OneTimeKey, base.Currency
	if cause := checkBase(base); cause != "" {
		return w, wrong(cause)
	}
	total, refused := m.chargeable(base.Amount, base.Currency, w.capture)
	if refused != nil {
		return w, refused
	}
	w.amount = total
	if code := checkSum(w.packages, nil, total, exponents[base.Currency]); code != "" {
		return w, refusal(code)
	}
	return w, nil
}

// chargeable reads an amount that this merchant may charge, or answers why not.
func (m merchant) chargeable(raw jsontext.Value, currency string, capture bool) (amount, *envelope) {
	exponent, known := exponents[currency]
	if !known || !slices.Contains(m.Currencies, currency) {
		return amount{}, refusal(codeCurrency)
	}
	total, code := parseAmount(string(raw), exponent)
	if code != "" {
		return amount{}, refusal(code)
	}
	if total.units <= 0 {
		return amount{}, refusal(codeTooSmall)
	}
	if !capture && !m.CaptureSeparated {
		e := envelope{ReturnCode: codeNotAllowed, ReturnMessage: "Parameter is not allowed [capture:false]"}
		return amount{}, &e
	}
	return total, nil
}

func wrong(cause string) *envelope {
	e := parameter(cause)
	return &e
}

func refusal(code string) *envelope {
	e := refused(code)
	return &e
}

func first(causes ...string) string {
	for _, cause := range causes {
		if cause != "" {
			return cause
		}
	}
	return ""
}

func checkText(name, text string, longest int) string {
	if text == "" || utf8.RuneCountInString(text) > longest {
		return name + ": Size"
	}
	return ""
}

func checkAmount(raw jsontext.Value) string {
	if len(raw) == 0 || raw.Kind() == 'n' {
		return "amount: NotNull"
	}
	if kind := raw.Kind(); kind != '0' && kind != '"' {
		return "amount: TypeMismatch"
	}
	return ""
}

func checkBase(b payBody) string {
	return first(
		checkAmount(b.Amount),
		checkText("currency", b.Currency, 3),
		checkText("orderId", b.OrderID, maxOrderID),
		checkText("oneTimeKey", b.OneTimeKey, maxOneTimeKey),
	)
}

func checkExtra(e *extra) string {
	if e == nil {
		return ""
	}
	if utf8.RuneCountInString(e.BranchName) > 200 {
		return "branchName: Size"
	}
	if utf8.RuneCountInString(e.BranchID) > 32 {
		return "branchId: Size"
	}
	return ""
}

func checkPackages(packages []packageBody) string {
	if len(packages) == 0 {
		return "packages: NotEmpty"
	}
	for _, p := range packages {
		if cause := checkText("packages.id", p.ID, maxPackageID); cause != "" {
			return cause
		}
		if utf8.RuneCountInString(p.Name) > maxPackageName {
			return "packages.name: Size"
		}
		if len(p.Products) == 0 {
			return "packages.products: NotEmpty"
		}
		for _, product := range p.Products {
			if cause := checkText("packages.products.name", product.Name, maxProductName); cause != "" {
				return cause
			}
			if product.Quantity <= 0 {
				return "packages.products.quantity: Positive"
			}
		}
	}
	return ""
}

// checkSum compares the total with the packages and the fee of delivery, and each package with its products and fee.
func checkSum(packages []packageBody, shipping jsontext.Value, total amount, exponent int) string {
	if packages == nil {
		return ""
	}
	left := total.units
	if len(shipping) > 0 {
		fee, code := parseAmount(string(shipping), exponent)
		if code != "" {
			return code
		}
		left -= fee.units
	}
	for _, p := range packages {
		sum, code := parseAmount(string(p.Amount), exponent)
		if code != "" {
			return code
		}
		inside := sum.units
		if len(p.UserFee) > 0 {
			fee, code := parseAmount(string(p.UserFee), exponent)
			if code != "" {
				return code
			}
			inside -= fee.units
		}
		for _, product := range p.Products {
			price, code := parseAmount(string(product.Price), exponent)
			if code != "" {
				return code
			}
			inside -= price.units * product.Quantity
		}
		if inside != 0 {
			return codeScale
		}
		left -= sum.units
	}
	if left != 0 {
		return codeScale
	}
	return ""
}

// firstProduct is what the records show as the name of the goods.
func firstProduct(packages []packageBody) string {
	for _, p := range packages {
		for _, product := range p.Products {
			return strings.TrimSpace(product.Name)
		}
	}
	return ""
}
