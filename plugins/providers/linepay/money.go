package linepay

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// exponents are the decimals of LINE Pay's charge units. They are not those of ISO 4217: TWD has none.
var exponents = map[string]int{"TWD": 0, "JPY": 0, "THB": 2, "USD": 2}

// decimal writes an amount as a plain JSON number in major units: 229 TWD is 229, 999 cents are 9.99.
func decimal(m provider.Money) string {
	digits := strconv.FormatInt(m.Units, 10)
	if m.Exponent == 0 {
		return digits
	}
	sign := ""
	if digits[0] == '-' {
		sign, digits = "-", digits[1:]
	}
	if missing := m.Exponent + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	point := len(digits) - m.Exponent
	return sign + digits[:point] + "." + digits[point:]
}

// chargeable refuses an amount that LINE Pay has no number for.
func chargeable(m provider.Money) error {
	if exponent, ok := exponents[m.Currency]; !ok || exponent != m.Exponent || m.Units <= 0 {
		return errNotAmount
	}
	return nil
}

var errNotAmount = errors.New("an amount is not a plain number of the currency's decimals")

// number is a JSON number as it was sent, or the text of a JSON string, because some middlemen quote ids.
// It never passes through a float: ids have 19 digits.
type number string

// UnmarshalJSON keeps the token.
func (n *number) UnmarshalJSON(raw []byte) error {
	text := string(raw)
	if len(text) >= 2 && text[0] == '"' {
		text = text[1 : len(text)-1]
	}
	if text == "null" {
		text = ""
	}
	*n = number(text)
	return nil
}

// id reads a transaction id: a positive 64-bit integer, returned in its own digits.
func (n number) id() (string, error) {
	v, err := strconv.ParseInt(string(n), 10, 64)
	if err != nil || v <= 0 || strconv.FormatInt(v, 10) != string(n) {
		return "", errors.New("a transaction id is not a 64-bit integer")
	}
	return string(n), nil
}

// units reads an amount in charge units. A refund's amount is negative.
func (n number) units(exponent int) (int64, error) {
	whole, fraction, hasPoint := strings.Cut(string(n), ".")
	if hasPoint && (fraction == "" || len(fraction) > exponent) {
		return 0, errNotAmount
	}
	fraction += strings.Repeat("0", exponent-len(fraction))
	for i, c := range whole + fraction {
		if (c < '0' || c > '9') && (i != 0 || c != '-') {
			return 0, errNotAmount
		}
	}
	if whole == "" || whole == "-" {
		return 0, errNotAmount
	}
	v, err := strconv.ParseInt(whole+fraction, 10, 64)
	if err != nil {
		return 0, errNotAmount
	}
	return v, nil
}

// payment is one entry of payInfo.
type payment struct {
	Method                 string `json:"method"`
	Amount                 number `json:"amount"`
	CreditCardBrand        string `json:"creditCardBrand"`
	MaskedCreditCardNumber string `json:"maskedCreditCardNumber"`
}

// sum adds the entries of payInfo: the money actually paid. No entry at all is nil.
func sum(entries []payment, currency string) (*provider.Money, error) {
	if len(entries) == 0 {
		return nil, nil //nolint:nilnil // LINE Pay may leave payInfo away; that is not an error
	}
	exponent, ok := exponents[currency]
	if !ok {
		return nil, fmt.Errorf("the currency is not one that LINE Pay charges")
	}
	total := provider.Money{Currency: currency, Exponent: exponent}
	for _, e := range entries {
		v, err := e.Amount.units(exponent)
		if err != nil {
			return nil, err
		}
		if v < 0 || total.Units+v < total.Units {
			return nil, errNotAmount
		}
		total.Units += v
	}
	return &total, nil
}

// nothing is no money of a currency, which is another thing than not knowing how much.
func nothing(currency string) *provider.Money {
	return &provider.Money{Currency: currency, Exponent: exponents[currency]}
}
