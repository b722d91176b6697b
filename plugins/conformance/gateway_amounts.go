package conformance

import (
	"strconv"
	"strings"
)

// units reads an amount as the script writes it, in charge units. Without a currency of its own the one
// of the booking counts.
func (g *scriptGateway) units(text, currency string, b *booking) (int64, bool) {
	if currency == "" && b != nil {
		currency = b.currency
	}
	switch g.script.Amounts {
	case "major":
		return scaled(text, g.exponents[currency])
	case "hundredths":
		v, ok := scaled(text, 0)
		for range 2 - g.exponents[currency] {
			if v%10 != 0 {
				return 0, false
			}
			v /= 10
		}
		return v, ok
	default:
		return scaled(text, 0)
	}
}

// scaled reads decimal text with at most so many decimals.
func scaled(text string, decimals int) (int64, bool) {
	whole, fraction, point := strings.Cut(text, ".")
	if len(fraction) > decimals || point && fraction == "" {
		return 0, false
	}
	v, err := strconv.ParseInt(whole+fraction+strings.Repeat("0", decimals-len(fraction)), 10, 64)
	return v, err == nil && whole != ""
}

// spell writes an amount as the script has it.
func (g *scriptGateway) spell(units int64, currency string) string {
	switch g.script.Amounts {
	case "major":
		return decimal(units, g.exponents[currency])
	case "hundredths":
		for range 2 - g.exponents[currency] {
			units *= 10
		}
	}
	return strconv.FormatInt(units, 10)
}

func decimal(units int64, decimals int) string {
	if decimals == 0 {
		return strconv.FormatInt(units, 10)
	}
	text := strconv.FormatInt(units, 10)
	for len(text) <= decimals {
		text = "0" + text
	}
	return text[:len(text)-decimals] + "." + text[len(text)-decimals:]
}
