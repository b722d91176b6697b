// Package money holds amounts of money: whole charge units and an ISO 4217 currency, never a float.
//
// A charge unit is the smallest amount that is charged in a currency. It is not always ISO's minor unit:
// TWD has two decimals in ISO 4217, yet nobody is charged half a dollar, and its wallets count whole ones. The table below is the platform's, used by the API, the database and the sandbox alike.
package money

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Currency is an ISO 4217 code in capitals.
type Currency string

// The currencies that the platform charges.
const (
	TWD Currency = "TWD"
	JPY Currency = "JPY"
	THB Currency = "THB"
	USD Currency = "USD"
)

// ErrUnknownCurrency is returned for a currency that the platform does not charge.
var ErrUnknownCurrency = errors.New("unknown currency")

// ErrFormat is returned for text that is not an amount of its currency.
var ErrFormat = errors.New("not an amount of this currency")

// ErrRange is returned for an amount that does not fit.
var ErrRange = errors.New("amount out of range")

// ErrCurrencyMismatch is returned when two currencies meet in one sum.
var ErrCurrencyMismatch = errors.New("amounts of different currencies")

// Exponent is the number of decimals of the charge unit: TWD 0, JPY 0, THB 2, USD 2.
func (c Currency) Exponent() (int, error) {
	switch c {
	case TWD, JPY:
		return 0, nil
	case THB, USD:
		return 2, nil
	default:
		return 0, fmt.Errorf("%w: only TWD, JPY, THB and USD are charged", ErrUnknownCurrency)
	}
}

// Amount is a number of charge units of one currency. 229 TWD is {229, TWD}; 9.99 USD is {999, USD}.
// The zero Amount has no currency and stands for "not said".
type Amount struct {
	Units    int64
	Currency Currency
}

// Of makes an amount of a known currency.
func Of(units int64, c Currency) (Amount, error) {
	if _, err := c.Exponent(); err != nil {
		return Amount{}, err
	}
	return Amount{Units: units, Currency: c}, nil
}

// Parse reads the plain decimal text of an amount in major units, as it stands in a JSON document: digits,
// and at most as many decimals as the currency has. No sign, exponent or leading zero.
func Parse(text string, c Currency) (Amount, error) {
	exponent, err := c.Exponent()
	if err != nil {
		return Amount{}, err
	}
	whole, decimals, dotted := strings.Cut(text, ".")
	if whole == "" || (len(whole) > 1 && whole[0] == '0') || !digits(whole) {
		return Amount{}, ErrFormat
	}
	if dotted && (decimals == "" || len(decimals) > exponent || !digits(decimals)) {
		return Amount{}, ErrFormat
	}
	units, err := strconv.ParseInt(whole+decimals+strings.Repeat("0", exponent-len(decimals)), 10, 64)
	if err != nil {
		return Amount{}, ErrRange
	}
	return Amount{Units: units, Currency: c}, nil
}

// IsZero reports whether nothing was said: no units and no currency.
func (a Amount) IsZero() bool { return a == Amount{} }

// Add returns a + b of the same currency.
func (a Amount) Add(b Amount) (Amount, error) {
	if a.Currency != b.Currency {
		return Amount{}, ErrCurrencyMismatch
	}
	if (b.Units > 0 && a.Units > math.MaxInt64-b.Units) || (b.Units < 0 && a.Units < math.MinInt64-b.Units) {
		return Amount{}, ErrRange
	}
	return Amount{Units: a.Units + b.Units, Currency: a.Currency}, nil
}

// String shows the amount in major units, for people: "9.99 USD".
func (a Amount) String() string {
	exponent, err := a.Currency.Exponent()
	if err != nil || exponent == 0 {
		return strconv.FormatInt(a.Units, 10) + " " + string(a.Currency)
	}
	sign, units := "", a.Units
	if units < 0 {
		sign = "-"
	}
	text := strings.TrimPrefix(strconv.FormatInt(units, 10), "-")
	if len(text) <= exponent {
		text = strings.Repeat("0", exponent-len(text)+1) + text
	}
	return sign + text[:len(text)-exponent] + "." + text[len(text)-exponent:] + " " + string(a.Currency)
}

func digits(s string) bool {
	for _, r := range s {
		if r < '0' || r > '9' {
			return false
		}
	}
	return true
}
