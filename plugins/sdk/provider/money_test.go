package provider_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

func TestDecimalBothWays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		units    int64
		exponent int
		want     string
	}{
		{229, 0, "229"},
		{0, 0, "0"},
		{0, 2, "0.00"},
		{1, 2, "0.01"},
		{99, 2, "0.99"},
		{999, 2, "9.99"},
		{-5, 2, "-0.05"},
		{-120, 2, "-1.20"},
		{9007199254740993, 2, "90071992547409.93"}, // a float would lose the last cent
		{math.MaxInt64, 0, "9223372036854775807"},
		{math.MaxInt64, 4, "922337203685477.5807"},
		{math.MinInt64, 2, "-92233720368547758.08"},
	} {
		m := provider.Money{Units: c.units, Currency: "XXX", Exponent: c.exponent}
		if got := m.Decimal(); got != c.want {
			t.Errorf("%d with %d decimals: got %s, want %s", c.units, c.exponent, got, c.want)
		}
		if back, err := provider.ParseMoney(c.want, "XXX", c.exponent); err != nil || back != m {
			t.Errorf("%s: got %+v, %v", c.want, back, err)
		}
	}
}

func TestParseMoney(t *testing.T) {
	t.Parallel()
	if m, err := provider.ParseMoney("9.9", "USD", 2); err != nil || m.Units != 990 {
		t.Errorf("fewer decimals: got %+v, %v", m, err)
	}
	for _, c := range []struct {
		text     string
		exponent int
	}{
		{"", 0},
		{"-", 0},
		{".5", 2},
		{"1.", 2},
		{"1.5", 0},
		{"9.999", 2},
		{"1e3", 2},
		{" 1", 0},
		{"1 ", 0},
		{"+1", 0},
		{"--1", 0},
		{"1-", 0},
		{"1.-5", 2},
		{"1,5", 2},
		{"0x10", 0},
		{"１", 0},
		{"NaN", 2},
		{"1.2.3", 4},
		{"9223372036854775808", 0},
		{"92233720368547758.08", 2},
		{"1", -1},
		{"1", 5},
	} {
		if m, err := provider.ParseMoney(c.text, "XXX", c.exponent); err == nil {
			t.Errorf("%q with %d decimals was read as %+v", c.text, c.exponent, m)
		}
	}
}

func TestNumberKeepsItsDigits(t *testing.T) {
	t.Parallel()
	var got struct {
		A provider.Number `json:"a"`
		B provider.Number `json:"b"`
		C provider.Number `json:"c"`
		D provider.Number `json:"d"`
	}
	if err := json.Unmarshal([]byte(`{"a":2019049910005496810,"b":"2019049910005496811","c":null}`), &got); err != nil {
		t.Fatal(err)
	}
	if got.A != "2019049910005496810" || got.B != "2019049910005496811" || got.C != "" || got.D != "" {
		t.Errorf("got %+v", got)
	}
	out, err := json.Marshal(got)
	if want := `{"a":2019049910005496810,"b":2019049910005496811,"c":null,"d":null}`; err != nil || string(out) != want {
		t.Errorf("got %s, %v", out, err)
	}
	if id, err := got.A.ID(); err != nil || id != "2019049910005496810" {
		t.Errorf("got %s, %v", id, err)
	}
	for _, text := range []provider.Number{"", "0", "-1", "01", "1.0", "1e3", "9223372036854775808", "x"} {
		if id, err := text.ID(); err == nil {
			t.Errorf("%q was read as the id %s", text, id)
		}
	}
	for _, raw := range []string{`true`, `{}`, `[1]`, `"a\nb"`} {
		var n provider.Number
		if err := json.Unmarshal([]byte(raw), &n); err == nil {
			t.Errorf("%s was read as the number %q", raw, n)
		}
	}
	for _, n := range []provider.Number{"01", "1.", "1e3", "x", "-", "1;"} {
		if out, err := json.Marshal(n); err == nil {
			t.Errorf("%q was written as %s", n, out)
		}
	}
}
