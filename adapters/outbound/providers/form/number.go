package form

import (
	"strconv"
	"strings"
)

// maxDigits bounds a number token: longer ones are out of range for everything a payment says.
const maxDigits = 40

// numberProblem judges a number token by the declared type. Exponents are refused everywhere: a reader
// that goes through a float would change the digits.
func numberProblem(raw string, whole bool) (code string) {
	switch {
	case strings.ContainsAny(raw, "eE"):
		return codeType
	case whole && strings.Contains(raw, "."):
		return codeType
	case len(raw) > maxDigits:
		return codeRange
	case whole:
		if _, err := strconv.ParseInt(raw, 10, 64); err != nil {
			return codeRange
		}
	}
	return ""
}

// canonicalNumber spells a plain decimal in one way: 1.50 is 1.5, 2.0 is 2, -0 is 0.
func canonicalNumber(raw string) string {
	if strings.Contains(raw, ".") {
		raw = strings.TrimRight(strings.TrimRight(raw, "0"), ".")
	}
	if raw == "-0" {
		return "0"
	}
	return raw
}
