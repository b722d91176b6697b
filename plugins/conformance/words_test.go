package conformance_test

import (
	"encoding/base64"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/payrack/payrack/plugins/conformance"
)

func TestExpandJSON(t *testing.T) {
	t.Parallel()
	for raw, pattern := range map[string]string{
		`{"b":1.50,"a":[true,null,"x"]}`:            `^\{"b":1\.50,"a":\[true,null,"x"\]\}$`,
		`{"n":"{{digits 10}}"}`:                     `^\{"n":"[1-9][0-9]{9}"\}$`,
		`{"n":"={{digits 19}}"}`:                    `^\{"n":[1-9][0-9]{18}\}$`,
		`{"k":"{{hex 32}}"}`:                        `^\{"k":"[1-9a-f][0-9a-f]{31}"\}$`,
		`{"u":"{{uuid | upper}}"}`:                  `^\{"u":"[0-9A-F]{8}-[0-9A-F]{4}-4[0-9A-F]{3}-[89AB][0-9A-F]{3}-[0-9A-F]{12}"\}$`,
		`{"t":"{{now \"+08:00\" \"2006-01-02\"}}"}`: `^\{"t":"\d{4}-\d\d-\d\d"\}$`,
		// RFC 4231, test case 2.
		`["{{hmac_sha256 \"Jefe\" \"what do ya want for nothing?\" | to_hex}}"]`: `^\["5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"\]$`,
		`"=literal"`: ``,
		``:           `^\{\}$`,
	} {
		got, err := conformance.ExpandJSON(raw)
		if pattern == "" {
			if err == nil {
				t.Errorf("%s is accepted and makes %s", raw, got)
			}
			continue
		}
		if err != nil || !regexp.MustCompile(pattern).MatchString(got) {
			t.Errorf("%s makes %s, %v; want %s", raw, got, err, pattern)
		}
	}
	for _, raw := range []string{`{"a":"{{nothing}}"}`, `{"a":`, `{"t":"{{now \"8\" \"2006\"}}"}`, `{"a":"{{digits}}"}`} {
		if got, err := conformance.ExpandJSON(raw); err == nil {
			t.Errorf("%s is accepted and makes %s", raw, got)
		}
	}
}

func TestFindSecrets(t *testing.T) {
	t.Parallel()
	const value = "k3y with/odd+chars"
	for name, text := range map[string]string{
		"clear": "before " + value + " after", "alone": value,
		"base64":  "x=" + base64.StdEncoding.EncodeToString([]byte(value)),
		"hex":     hex.EncodeToString([]byte(value)) + ".",
		"escaped": "/path?k=k3y+with%2Fodd%2Bchars&x=1",
	} {
		if got := conformance.FindSecrets(text, "another-secret", value); !slices.Equal(got, []string{value}) {
			t.Errorf("%s: found %v", name, got)
		}
	}
	if got := conformance.FindSecrets("before k3y with/odd-chars", value); len(got) > 0 {
		t.Errorf("found %v where it is not", got)
	}
}

func TestAmounts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		form     string
		units    int64
		exponent int
		want     string
	}{
		{"", 229, 0, "229"},
		{"units", 999, 2, "999"},
		{"major", 229, 0, "229"},
		{"major", 999, 2, "9.99"},
		{"major", 5, 2, "0.05"},
		{"hundredths", 229, 0, "22900"},
		{"hundredths", 999, 2, "999"},
	} {
		text, back, ok := conformance.Amounts(c.form, c.units, c.exponent)
		if text != c.want || back != c.units || !ok {
			t.Errorf("%s %d with %d decimals is %s and reads as %d, %v", c.form, c.units, c.exponent, text, back, ok)
		}
	}
	for _, c := range []struct {
		form, text string
		exponent   int
	}{
		{"units", "2.29", 2},
		{"units", "", 0},
		{"major", "2.295", 2},
		{"major", "2.", 2},
		{"major", "2.0", 0},
		{"hundredths", "22901", 0},
		{"units", "99999999999999999999", 0},
	} {
		if got, ok := conformance.ReadAmount(c.form, c.text, c.exponent); ok {
			t.Errorf("%s %q with %d decimals reads as %d", c.form, c.text, c.exponent, got)
		}
	}
}

func TestFixedZone(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocationFromTZData("KIT", conformance.FixedZone(14*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if _, offset := time.Unix(1_800_000_000, 0).In(zone).Zone(); offset != 14*60*60 {
		t.Errorf("the offset is %d seconds", offset)
	}
}

func TestStackLines(t *testing.T) {
	t.Parallel()
	words := strings.Split("INFO plugin wrote line=SIGQUIT: quit\nINFO plugin wrote line=goroutine 1 [running]:\nINFO plugin wrote line=main.main()\n"+
		"WARN plugin log lines dropped lines=530\nINFO plugin configured", "\n")
	if n, goes := conformance.StackLines(words...); n != 533 || !goes {
		t.Errorf("got %d lines, %v", n, goes)
	}
	if n, goes := conformance.StackLines("INFO plugin wrote line=hello"); n != 1 || goes {
		t.Errorf("got %d lines, %v", n, goes)
	}
}
