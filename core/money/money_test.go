package money_test

import (
	"errors"
	"math"
	"testing"

	"github.com/payrack/payrack/core/money"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text     string
		currency money.Currency
		units    int64
		err      error
	}{
		{"229", money.TWD, 229, nil},
		{"0", money.TWD, 0, nil},
		{"9.99", money.USD, 999, nil},
		{"9.9", money.USD, 990, nil},
		{"9", money.THB, 900, nil},
		{"0.01", money.THB, 1, nil},
		{"9223372036854775807", money.JPY, math.MaxInt64, nil},
		{"9223372036854775808", money.JPY, 0, money.ErrRange},
		{"92233720368547758.08", money.USD, 0, money.ErrRange},
		{"229.0", money.TWD, 0, money.ErrFormat},
		{"9.999", money.USD, 0, money.ErrFormat},
		{"9.", money.USD, 0, money.ErrFormat},
		{".9", money.USD, 0, money.ErrFormat},
		{"-1", money.TWD, 0, money.ErrFormat},
		{"+1", money.TWD, 0, money.ErrFormat},
		{"01", money.TWD, 0, money.ErrFormat},
		{"1e2", money.TWD, 0, money.ErrFormat},
		{"１", money.TWD, 0, money.ErrFormat},
		{"", money.TWD, 0, money.ErrFormat},
		{"1", "XXX", 0, money.ErrUnknownCurrency},
	} {
		got, err := money.Parse(c.text, c.currency)
		if !errors.Is(err, c.err) || got.Units != c.units {
			t.Errorf("Parse(%q, %s) = %v, %v; want %d, %v", c.text, c.currency, got, err, c.units, c.err)
		}
	}
}

func TestParseReadsWhatStringShows(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		amount money.Amount
		text   string
	}{
		{money.Amount{Units: 229, Currency: money.TWD}, "229 TWD"},
		{money.Amount{Units: 5, Currency: money.USD}, "0.05 USD"},
		{money.Amount{Units: 999, Currency: money.THB}, "9.99 THB"},
		{money.Amount{Units: -105, Currency: money.USD}, "-1.05 USD"},
	} {
		if got := c.amount.String(); got != c.text {
			t.Errorf("%#v shows as %q, want %q", c.amount, got, c.text)
		}
	}
}

func TestAdd(t *testing.T) {
	t.Parallel()
	one := money.Amount{Units: 1, Currency: money.TWD}
	if got, err := one.Add(one); err != nil || got.Units != 2 {
		t.Errorf("1 + 1 = %v, %v", got, err)
	}
	if _, err := one.Add(money.Amount{Units: 1, Currency: money.JPY}); !errors.Is(err, money.ErrCurrencyMismatch) {
		t.Errorf("TWD + JPY: %v", err)
	}
	if _, err := one.Add(money.Amount{Units: math.MaxInt64, Currency: money.TWD}); !errors.Is(err, money.ErrRange) {
		t.Errorf("overflow: %v", err)
	}
}
