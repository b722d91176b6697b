package linepaysandbox

import (
	"strconv"
	"strings"
)

// exponents are the decimals of the charge unit of each currency that the gateway has ever taken.
var exponents = map[string]int{"TWD": 0, "JPY": 0, "THB": 2, "USD": 2}

// maxDigits keeps every amount, in charge units, well inside an int64.
const maxDigits = 15

// amount is money in charge units, with the currency's decimals for writing it.
type amount struct {
	units    int64
	exponent int
}

// parseAmount reads a JSON token. The gateway takes a plain decimal, and a text of one too. code is the
// return code if it does not.
func parseAmount(token string, exponent int) (amount, string) {
	token = strings.Trim(token, `"`)
	digits, negative := strings.CutPrefix(token, "-")
	whole, fraction, dotted := strings.Cut(digits, ".")
	if !allDigits(whole) || (dotted && !allDigits(fraction)) || (len(whole) > 1 && whole[0] == '0') {
		return amount{}, codeParameter
	}
	if len(fraction) > exponent {
		return amount{}, codeScale
	}
	all := whole + fraction + strings.Repeat("0", exponent-len(fraction))
	if len(all) > maxDigits {
		return amount{}, codeTooLarge
	}
	units, err := strconv.ParseInt(all, 10, 64)
	if err != nil {
		return amount{}, codeParameter
	}
	if negative {
		units = -units
	}
	return amount{units: units, exponent: exponent}, ""
}

func allDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// MarshalJSON writes a plain number in major units: 100, 9.9.
func (a amount) MarshalJSON() ([]byte, error) { return []byte(a.String()), nil }

// String is the number.
func (a amount) String() string {
	sign, units := "", a.units
	if units < 0 {
		sign, units = "-", -units
	}
	text := strconv.FormatInt(units, 10)
	if missing := a.exponent + 1 - len(text); missing > 0 {
		text = strings.Repeat("0", missing) + text
	}
	whole, fraction := text[:len(text)-a.exponent], strings.TrimRight(text[len(text)-a.exponent:], "0")
	if fraction != "" {
		whole += "." + fraction
	}
	return sign + whole
}
