package form_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/payrack/payrack/adapters/outbound/providers/form"
	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/money"
)

// described is a schema as its author wrote it. The test draws values from it without the code that it tests.
type described map[string]any

func (d described) child(name string) described {
	m, _ := d[name].(map[string]any)
	return m
}

func (d described) names(keyword string) []string {
	var out []string
	list, _ := d[keyword].([]any)
	for _, x := range list {
		if s, ok := x.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

func (d described) is(name string) bool {
	return d["type"] == name || slices.Contains(d.names("type"), name)
}

// number is a bound, or other if there is none.
func (d described) number(keyword string, other int) int {
	if x, ok := d[keyword].(float64); ok {
		return int(x)
	}
	return other
}

// roles are the members with a role, the shallowest first.
func (d described) roles() map[string][]described {
	out := map[string][]described{}
	for level := []described{d}; len(level) > 0; {
		var below []described
		for _, o := range level {
			properties := o.child("properties")
			for name := range properties {
				p := properties.child(name)
				if role, ok := p["x-payrack-role"].(string); ok {
					out[role] = append(out[role], p)
				}
				below = append(below, p)
			}
		}
		level = below
	}
	return out
}

// fits reports whether a text is one that the member takes.
func (d described) fits(s string) bool {
	if list := d.names("enum"); len(list) > 0 && !slices.Contains(list, s) {
		return false
	}
	if pattern, ok := d["pattern"].(string); ok && !compiled(pattern).MatchString(s) {
		return false
	}
	if d["x-payrack-text"] != true && strings.ContainsAny(s, "\n\u200d") {
		return false
	}
	n := utf8.RuneCountInString(s)
	switch d["format"] {
	case "payrack-uuid":
		if n != 36 {
			return false
		}
	case "payrack-local-datetime":
		if !strings.HasPrefix(s, "2024-02-29 ") {
			return false
		}
	}
	not := d.child("not")
	return n >= d.number("minLength", 1) && n <= d.number("maxLength", 1<<20) && not["const"] != s && !slices.Contains(not.names("enum"), s)
}

var patterns sync.Map

func compiled(pattern string) *regexp.Regexp {
	if re, ok := patterns.Load(pattern); ok {
		return re.(*regexp.Regexp) //nolint:forcetypeassert // nothing else is in it
	}
	re := regexp.MustCompile(pattern)
	patterns.Store(pattern, re)
	return re
}

var someTexts = []string{
	"A1", "7", "000000000000000001", "2019049910005496810", "1606993764", "00112233445566778899aabbccddeeff", "9cc197a0-e12c-4ac5-8cc0-0052e09d3752",
	"2024-02-29 12:00:00", "https://shop.example/a?b=c&d=%20", "茶 \"one\" \\ two\n👨‍👩‍👧", "k1", strings.Repeat("x", 16), strings.Repeat("9", 24),
}

func (d described) text(t *rapid.T) string {
	fitting := slices.DeleteFunc(slices.Concat(d.names("enum"), d.names("examples"), someTexts), func(s string) bool { return !d.fits(s) })
	if rapid.Bool().Draw(t, "random") {
		if s := rapid.StringMatching(`[A-Za-z0-9]{1,20}`).Draw(t, "text"); d.fits(s) {
			return s
		}
	}
	if len(fitting) == 0 {
		t.Fatalf("the test has no text for %v", map[string]any(d))
	}
	return rapid.SampledFrom(fitting).Draw(t, "text")
}

// sample is a value of a member without a role; what has one inside is left out.
func (d described) sample(t *rapid.T) any {
	switch {
	case d.is("object"):
		out := map[string]any{}
		for _, name := range d.names("required") {
			if p := d.child("properties").child(name); p["x-payrack-role"] == nil {
				out[name] = p.sample(t)
			}
		}
		return out
	case d.is("array"):
		out := []any{}
		for range d.number("minItems", 0) {
			out = append(out, d.child("items").sample(t))
		}
		return out
	case d.is("string"):
		return d.text(t)
	case d.is("integer"), d.is("number"):
		return max(d.number("minimum", 0), d.number("exclusiveMinimum", 0)+1)
	}
	return true
}

// columnsBeside are the required columns that no value is written into, and those of the first choice.
func (d described) columnsBeside(t *rapid.T) []byte {
	required := d.names("required")
	if choices, ok := d["anyOf"].([]any); ok {
		first, _ := choices[0].(map[string]any)
		required = append(required, described(first).names("required")...)
	}
	out := map[string]any{}
	for _, name := range required {
		p := d.child("properties").child(name)
		if p["x-payrack-role"] != nil {
			continue
		}
		if x := p.sample(t); !isEmptyObject(x) {
			out[name] = x
		}
	}
	return marshal(t, out)
}

func isEmptyObject(x any) bool {
	m, ok := x.(map[string]any)
	return ok && len(m) == 0
}

func marshal(t *rapid.T, v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func drawValues(t *rapid.T, d described, currencies []catalogue.Currency) catalogue.Values {
	roles := d.roles()
	text := func(role string) string {
		if len(roles[role]) == 0 {
			return ""
		}
		return roles[role][0].text(t)
	}
	v := catalogue.Values{
		OrderNumber: text("order"), RequestID: text("request_id"), Code: text("code"), Mandate: text("mandate"),
		ReturnURL: text("return_url"), CancelURL: text("cancel_url"), Description: text("description"), Columns: d.columnsBeside(t),
	}
	if places := roles["amount"]; len(places) > 0 {
		v.Amount.Units = rapid.Int64Range(1, 99_999).Draw(t, "units")
		x := rapid.SampledFrom(currencies).Draw(t, "currency")
		v.Amount.Currency = money.Currency(x.Code)
		if !places[0].is("number") && x.Exponent == 2 {
			v.Amount.Units *= 100
		}
	}
	if places := roles["transaction"]; len(places) > 0 {
		v.Transaction = rapid.StringMatching(`[1-9][0-9]{0,17}`).Draw(t, "transaction")
	}
	if places := roles["capture"]; len(places) > 0 {
		v.Capture = rapid.SampledFrom([]*bool{nil, new(true), new(places[0]["enum"] != nil)}).Draw(t, "capture")
	}
	if len(roles["credential"]) > 0 && rapid.Bool().Draw(t, "credential") {
		set := map[string]any{}
		properties := d.child("properties")
		for name := range properties {
			if p := properties.child(name); p["x-payrack-role"] == "credential" {
				set[name] = p.text(t)
			}
		}
		v.Credential = marshal(t, set)
	}
	return v
}

// Whatever values are written into the columns, the same are read from them.
func TestReadGivesBackWhatWasComposed(t *testing.T) {
	t.Parallel()
	for name, doc := range everySchema(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var d described
			if err := json.Unmarshal(doc.columns, &d); err != nil {
				t.Fatal(err)
			}
			currencies := []catalogue.Currency{{Code: "TWD"}}
			if len(d.roles()["currency"]) > 0 {
				currencies = append(currencies, catalogue.Currency{Code: "JPY"}, catalogue.Currency{Code: "THB", Exponent: 2}, catalogue.Currency{Code: "USD", Exponent: 2})
			}
			c, err := form.CompileColumns(form.Spec{Schema: doc.columns, Currencies: currencies, Credential: doc.credential})
			if err != nil {
				t.Fatal(err)
			}
			rapid.Check(t, func(t *rapid.T) {
				v := drawValues(t, d, currencies)
				native, err := c.Compose(v)
				if err != nil {
					t.Fatalf("%+v: %v", v, err)
				}
				if again, err := c.Compose(v); err != nil || !bytes.Equal(native, again) {
					t.Fatalf("composes differently again: %s %s %v", native, again, err)
				}
				f, err := c.Read(native)
				if err != nil {
					t.Fatalf("%s: %v", native, err)
				}
				capture := v.Capture == nil || f.Capture != nil && *v.Capture == *f.Capture
				if f.Amount != v.Amount || f.OrderNumber != v.OrderNumber || f.TransactionID != v.Transaction || f.RequestID != v.RequestID ||
					!capture || f.Code != v.Code || f.Mandate != v.Mandate || f.ReturnURL != v.ReturnURL || f.CancelURL != v.CancelURL ||
					f.Description != v.Description || (len(f.Credential) > 0) != (len(v.Credential) > 0) {
					t.Fatalf("%+v\n%s\n%+v", v, native, f)
				}
			})
		})
	}
}

type columnSchema struct {
	columns    []byte
	credential *form.Credential
}

// everySchema are the columns of the test data and those that bundled providers keep as files.
func everySchema(t *testing.T) map[string]columnSchema {
	t.Helper()
	out := map[string]columnSchema{}
	files, err := filepath.Glob("testdata/*.json")
	if err != nil {
		t.Fatal(err)
	}
	bundled, err := filepath.Glob("../../../../plugins/providers/*/schema/*.json")
	if err != nil || len(bundled) == 0 {
		t.Fatalf("no bundled schemas: %v", err)
	}
	for _, file := range append(files, bundled...) {
		folder, name := filepath.Split(strings.TrimSuffix(file, ".json"))
		doc, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(name, "credential") || !bytes.Contains(doc, []byte(`"x-payrack-role"`)) {
			continue // settings and answers have no roles
		}
		out[filepath.Base(filepath.Dir(filepath.Dir(file)))+" "+name] = columnSchema{doc, credentialBeside(t, folder, name)}
	}
	return out
}

// credentialBeside is the credential schema of the type that the columns belong to: till_pay has till_credential if
// there is one, and credential if not.
func credentialBeside(t *testing.T, folder, name string) *form.Credential {
	t.Helper()
	family, _, _ := strings.Cut(name, "_")
	for _, file := range []string{family + "_credential.json", "credential.json"} {
		doc, err := os.ReadFile(filepath.Join(folder, file))
		if err != nil {
			continue
		}
		c, err := form.CompileCredential(doc)
		if err != nil {
			t.Fatalf("%s%s: %v", folder, file, err)
		}
		return c
	}
	return nil
}
