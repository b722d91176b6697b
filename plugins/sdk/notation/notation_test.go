package notation_test

import (
	"errors"
	"math"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/payrack/payrack/plugins/sdk/notation"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

func TestScaled(t *testing.T) {
	t.Parallel()
	twd := func(units int64) provider.Money { return provider.Money{Units: units, Currency: "TWD"} }
	usd := func(units int64) provider.Money { return provider.Money{Units: units, Currency: "USD", Exponent: 2} }
	for _, c := range []struct {
		money    provider.Money
		decimals int
		want     string
	}{
		{twd(229), 2, "22900"},
		{twd(0), 2, "0"},
		{twd(1), 0, "1"},
		{usd(999), 2, "999"},
		{usd(999), 3, "9990"},
		{twd(math.MaxInt64 / 100), 2, "9223372036854775800"},
	} {
		got, err := notation.Scaled(c.money, c.decimals)
		if err != nil || got != c.want {
			t.Errorf("%+v with %d decimals: %q, %v; want %q", c.money, c.decimals, got, err, c.want)
		}
		back, err := notation.ParseScaled(got, c.decimals, c.money.Currency, c.money.Exponent)
		if diff := cmp.Diff(c.money, back); err != nil || diff != "" {
			t.Errorf("%q: %v\n%s", got, err, diff)
		}
	}
	for _, c := range []struct {
		money    provider.Money
		decimals int
	}{{twd(-1), 2}, {twd(math.MaxInt64/100 + 1), 2}, {usd(1), 1}, {twd(1), 7}} {
		if got, err := notation.Scaled(c.money, c.decimals); !errors.Is(err, notation.ErrAmount) {
			t.Errorf("%+v with %d decimals: %q, %v", c.money, c.decimals, got, err)
		}
	}
	for _, text := range []string{"", "0100", "+100", "-100", "100.0", "1e2", " 100", "150", "1", "9223372036854775808", "１００"} {
		if got, err := notation.ParseScaled(text, 2, "TWD", 0); !errors.Is(err, notation.ErrAmount) {
			t.Errorf("%q was read as %+v", text, got)
		}
	}
}

func TestLocalTime(t *testing.T) {
	t.Parallel()
	at := time.Date(2023, 12, 31, 16, 0, 1, 0, time.UTC)
	if got := notation.LocalTime(at, notation.SlashDateTime); got != "2024/01/01 00:00:01" {
		t.Error(got)
	}
	if got, err := notation.ParseLocalTime("2024/01/01 00:00:01", notation.SlashDateTime); err != nil || !got.Equal(at) || got.Location() != time.UTC {
		t.Error(got, err)
	}
	for _, text := range []string{"", "2024-01-01 00:00:01", "2024/02/30 00:00:00", "2024/1/1 00:00:01", "2024/01/01 24:00:00", "2024/01/01 00:00:01,5"} {
		if got, err := notation.ParseLocalTime(text, notation.SlashDateTime); !errors.Is(err, notation.ErrTime) {
			t.Errorf("%q was read as %v", text, got)
		}
	}
}

func TestReference(t *testing.T) {
	t.Parallel()
	shape := regexp.MustCompile(`^[0-9A-Z]{20}$`)
	seen := map[string]bool{}
	for i := range 10_000 {
		id := "019abcde-0000-7000-8000-" + time.Duration(i).String()
		r := notation.Reference(id, 20)
		if seen[r] || !shape.MatchString(r) || r != notation.Reference(id, 20) {
			t.Fatalf("%q for %q", r, id)
		}
		seen[r] = true
	}
	for n, want := range map[int]int{-1: 0, 0: 0, 1: 1, 48: 48, 49: 48} {
		if got := len(notation.Reference("x", n)); got != want {
			t.Errorf("%d characters for %d", got, n)
		}
	}
	// Written down, because a reference that changes between two releases loses the operation.
	if got := notation.Reference("019abcde-0000-7000-8000-000000000001", 20); got != "2PQQQ42UQM9RZ458YBSB" {
		t.Error(got)
	}
}

func TestObject(t *testing.T) {
	t.Parallel()
	o, err := notation.ReadObject([]byte(`{"b":1.50, "a" : {"x":[1]},"金額":"100"} `))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(o.Bytes()); got != `{"b":1.50,"a":{"x":[1]},"金額":"100"}` {
		t.Error(got)
	}
	changed := o.With("金額", []byte(`1`)).With("c", []byte(`null`)).Without("b", "nothing")
	if got := string(changed.Bytes()); got != `{"a":{"x":[1]},"金額":1,"c":null}` {
		t.Error(got)
	}
	if got := string(o.Bytes()); got != `{"b":1.50,"a":{"x":[1]},"金額":"100"}` {
		t.Error("the first object changed too:", got)
	}
	if o.Get("b") == nil || string(o.Get("b")) != "1.50" || o.Get("c") != nil {
		t.Errorf("b is %s, c is %s", o.Get("b"), o.Get("c"))
	}
	if got := string(notation.Object{}.Bytes()); got != `{}` {
		t.Error(got)
	}
	for _, bad := range []string{``, `[]`, `null`, `{"a":1}x`, `{"a":1,"a":2}`, `{"a":1,"A":2}`, "{\"a\":\"\xff\"}", `{"a":}`} {
		if _, err := notation.ReadObject([]byte(bad)); !errors.Is(err, notation.ErrObject) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzReadObject(f *testing.F) {
	f.Add([]byte(`{"a":1,"b":{"c":[null,"x"]}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		o, err := notation.ReadObject(raw)
		if err != nil {
			return
		}
		again, err := notation.ReadObject(o.Bytes())
		if err != nil || string(again.Bytes()) != string(o.Bytes()) {
			t.Errorf("%q became %q, %v", raw, o.Bytes(), err)
		}
	})
}
