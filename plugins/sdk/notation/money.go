package notation

import (
	"errors"
	"math"
	"strconv"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// ErrAmount says that an amount is not written as it has to be, or does not fit into the currency's charge unit.
var ErrAmount = errors.New("an amount is not a plain number of the charge unit")

// Scaled writes an amount as a count of units with so many decimals: 229 TWD with 2 decimals is "22900", and so
// are 229.00 USD. It fails with ErrAmount for decimals fewer than the currency's or more than six, for less than
// nothing and for what is too large.
func Scaled(m provider.Money, decimals int) (string, error) {
	factor, ok := factor(decimals - m.Exponent)
	if !ok || m.Units < 0 || m.Units > math.MaxInt64/factor {
		return "", ErrAmount
	}
	return strconv.FormatInt(m.Units*factor, 10), nil
}

// ParseScaled reads what Scaled wrote. A count that is no whole number of the currency's charge unit, such as half a
// dollar of TWD, is ErrAmount: it must not be rounded away.
func ParseScaled(text string, decimals int, currency string, exponent int) (provider.Money, error) {
	factor, ok := factor(decimals - exponent)
	v, err := strconv.ParseInt(text, 10, 64)
	if !ok || err != nil || v < 0 || v%factor != 0 || strconv.FormatInt(v, 10) != text {
		return provider.Money{}, ErrAmount
	}
	return provider.Money{Units: v / factor, Currency: currency, Exponent: exponent}, nil
}

func factor(decimals int) (int64, bool) {
	const most = 6
	if decimals < 0 || decimals > most {
		return 0, false
	}
	f := int64(1)
	for range decimals {
		f *= 10
	}
	return f, true
}
