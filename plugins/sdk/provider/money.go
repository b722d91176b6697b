package provider

import (
	"errors"
	"strconv"
	"strings"
)

var (
	errAmount   = errors.New("an amount is not a plain decimal number of the currency's decimals")
	errExponent = errors.New("an amount cannot have that many decimals")
	errID       = errors.New("an id is not a positive 64-bit integer")
	errNumber   = errors.New("neither a number nor the text of one")
)

// maxExponent bounds the decimals of a charge unit; ISO 4217 has none above 4.
const maxExponent = 4

// Decimal writes the amount in major units with exactly its decimals and no float on the way: 229 TWD is
// "229", 999 cents are "9.99".
func (m Money) Decimal() string {
	digits := strconv.FormatInt(m.Units, 10)
	if m.Exponent <= 0 {
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

// ParseMoney reads an amount in major units as a gateway writes it: "229", "9.99", "-5". It accepts fewer
// decimals than the exponent and no more, and neither an exponent sign nor blanks: an amount that is written
// in another way than documented is not understood, and a plugin must not guess at money.
func ParseMoney(text, currency string, exponent int) (Money, error) {
	if exponent < 0 || exponent > maxExponent {
		return Money{}, errExponent
	}
	whole, fraction, hasPoint := strings.Cut(text, ".")
	digits := strings.TrimPrefix(whole, "-")
	if digits == "" || hasPoint && fraction == "" || len(fraction) > exponent {
		return Money{}, errAmount
	}
	for _, c := range []byte(digits + fraction) {
		if c < '0' || c > '9' {
			return Money{}, errAmount
		}
	}
	units, err := strconv.ParseInt(whole+fraction+strings.Repeat("0", exponent-len(fraction)), 10, 64)
	if err != nil {
		return Money{}, errAmount
	}
	return Money{Units: units, Currency: currency, Exponent: exponent}, nil
}

// Number is a JSON number in the digits in which it came, or the text of a JSON string, because some gateways
// quote numbers. It never passes through a float, which would change the last digits of a 19-digit id. Absent
// and null are "". Written to JSON it is a number again.
type Number string

// UnmarshalJSON keeps the digits.
func (n *Number) UnmarshalJSON(raw []byte) error {
	text := string(raw)
	switch {
	case text == "null":
		text = ""
	case len(text) >= 2 && text[0] == '"':
		if text = text[1 : len(text)-1]; strings.ContainsAny(text, `\"`) {
			return errNumber
		}
	case text == "" || text[0] != '-' && (text[0] < '0' || text[0] > '9'):
		return errNumber
	}
	*n = Number(text)
	return nil
}

// MarshalJSON writes the number without quotes, "" as null. A text that is no plain decimal is an error.
func (n Number) MarshalJSON() ([]byte, error) {
	if n == "" {
		return []byte("null"), nil
	}
	whole, fraction, hasPoint := strings.Cut(strings.TrimPrefix(string(n), "-"), ".")
	if !plainDigits(whole) || len(whole) > 1 && whole[0] == '0' || hasPoint && !plainDigits(fraction) {
		return nil, errNumber
	}
	return []byte(n), nil
}

// ID reads the number as a provider's id: a positive 64-bit integer, returned in its own digits.
func (n Number) ID() (string, error) {
	v, err := strconv.ParseInt(string(n), 10, 64)
	if err != nil || v <= 0 || strconv.FormatInt(v, 10) != string(n) {
		return "", errID
	}
	return string(n), nil
}

// Money reads the number as an amount in major units, see ParseMoney.
func (n Number) Money(currency string, exponent int) (Money, error) {
	return ParseMoney(string(n), currency, exponent)
}

func plainDigits(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s != ""
}
