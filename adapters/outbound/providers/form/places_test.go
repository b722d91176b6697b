package form_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/payrack/payrack/adapters/outbound/providers/form"
	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/money"
)

// The three ways to write one request to a wallet.
const (
	walletFlat   = `{"sum":{"value":9.90,"currency":"USD"},"orderId":"O-1","confirmUrl":"https://shop.example/ok","cancelUrl":"https://shop.example/no","capture":false}`
	walletNested = `{"orderId":"O-1","sum":{"currency":"USD","value":9.9},"options":{"payment":{"capture":false}},` +
		`"redirectUrls":{"cancelUrl":"https://shop.example/no","confirmUrl":"https://shop.example/ok"}}`
	walletBoth = `{"sum":{"value":9.90,"currency":"USD"},"orderId":"O-1","confirmUrl":"https://shop.example/ok","capture":false,"options":{"payment":{"capture":false}},` +
		`"redirectUrls":{"cancelUrl":"https://shop.example/no","confirmUrl":"https://shop.example/ok"}}`
)

// A value with a role is taken out wherever it stands, and means the same there.
func TestRolesInsideObjects(t *testing.T) {
	t.Parallel()
	c := columns(t, "wallet_pay")
	first, err := c.Read([]byte(walletFlat))
	if err != nil {
		t.Fatal(err)
	}
	if first.Amount != (money.Amount{Units: 990, Currency: money.USD}) || first.OrderNumber != "O-1" || first.Capture == nil || *first.Capture ||
		first.ReturnURL != "https://shop.example/ok" || first.CancelURL != "https://shop.example/no" || string(first.Columns) != "{}" {
		t.Errorf("%+v, columns %s", first, first.Columns)
	}
	for _, doc := range []string{walletNested, walletBoth, with(t, walletFlat, "options", `{}`), with(t, walletFlat, "options", `{"payment":{}}`)} {
		got, err := c.Read([]byte(doc))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(first, got); diff != "" {
			t.Errorf("%s\n%s", doc, diff)
		}
	}
	rest, err := c.Read([]byte(with(t, walletNested, "options", `{"payment":{"payType":"NORMAL","capture":false}}`,
		"redirectUrls", `{"confirmUrlType":"NONE","confirmUrl":"https://shop.example/ok"}`, "sum", `{"label":"tea","value":1,"currency":"TWD"}`)))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(rest.Columns), `{"sum":{"label":"tea"},"options":{"payment":{"payType":"NORMAL"}},"redirectUrls":{"confirmUrlType":"NONE"}}`; !sameMembers(t, got, want) {
		t.Errorf("columns\n got %s\nwant %s", got, want)
	}
	if string(rest.Meaning) == string(first.Meaning) {
		t.Error("another request means the same")
	}
	// Leaving a default out is saying it, inside an object too.
	said, errSaid := c.Read([]byte(with(t, walletFlat, "capture", "true")))
	left, errLeft := c.Read([]byte(with(t, walletFlat, "capture", "")))
	if errSaid != nil || errLeft != nil || string(said.Meaning) != string(left.Meaning) || left.Capture != nil {
		t.Errorf("%v %v\n%s\n%s", errSaid, errLeft, said.Meaning, left.Meaning)
	}
}

func sameMembers(t *testing.T, a, b string) bool {
	t.Helper()
	return canonicalJSON(t, []byte(a)) == canonicalJSON(t, []byte(b))
}

func TestPlacesThatContradict(t *testing.T) {
	t.Parallel()
	wallet, mandate := columns(t, "wallet_pay"), columns(t, "mandate_pay")
	const token = `{"productName":"x","amount":1,"currency":"TWD","orderId":"1","regKey":"RK1"}`
	for _, c := range []struct {
		columns            *form.Columns
		doc, pointer, code string
	}{
		{wallet, with(t, walletBoth, "confirmUrl", `"https://other.example/ok"`), "/request/redirectUrls/confirmUrl", "conflicting_members"},
		{wallet, with(t, walletBoth, "capture", "true"), "/request/options/payment/capture", "conflicting_members"},
		{wallet, with(t, walletNested, "redirectUrls", `{"confirmUrl":"shop.example"}`), "/request/redirectUrls/confirmUrl", "invalid_format"},
		{wallet, with(t, walletNested, "redirectUrls", `{"confirmUrl":""}`), "/request/redirectUrls/confirmUrl", "missing_field"},
		{wallet, with(t, walletNested, "redirectUrls", ""), "/request/confirmUrl", "missing_field"},
		{wallet, with(t, walletFlat, "sum", `{"value":1.5,"currency":"TWD"}`), "/request/sum/value", "invalid_type"},
		{wallet, with(t, walletFlat, "sum", `{"value":1.005,"currency":"USD"}`), "/request/sum/value", "invalid_format"},
		{wallet, with(t, walletFlat, "sum", `{"value":-1,"currency":"USD"}`), "/request/sum/value", "out_of_range"},
		{wallet, with(t, walletFlat, "sum", `{"value":1,"currency":"EUR"}`), "/request/sum/currency", "invalid_format"},
		{wallet, with(t, walletFlat, "sum", `{"value":1}`), "/request/sum/currency", "missing_field"},
		{wallet, with(t, walletFlat, "sum", `{"value":1,"currency":"USD","label":"too long"}`), "/request/sum/label", "too_long"},
		{wallet, with(t, walletFlat, "sum", `7`), "/request/sum", "invalid_type"},
		{mandate, with(t, token, "mandate_id", `"m-1"`), "/request/mandate_id", "conflicting_members"},
		{mandate, with(t, token, "regKey", ""), "/request/regKey", "missing_field"},
	} {
		_, err := c.columns.Read([]byte(c.doc))
		if f := fieldFault(t, err, c.pointer, c.code); len(f.Fields) != 1 {
			t.Errorf("%s: one mistake is told as %+v", c.doc, f.Fields)
		}
	}
	f, err := mandate.Read([]byte(with(t, token, "regKey", `""`, "mandate_id", `"m-1"`)))
	if err != nil || f.MandateID != "m-1" || f.Mandate != "" || string(f.Columns) != "{}" {
		t.Errorf("%+v, %v", f, err)
	}
	if f, err = mandate.Read([]byte(token)); err != nil || f.Mandate != "RK1" || f.MandateID != "" {
		t.Errorf("%+v, %v", f, err)
	}
}

// What is wrong inside an object is told once, and nothing is missing because of it.
func TestWrongNeighbour(t *testing.T) {
	t.Parallel()
	c, err := form.CompileColumns(form.Spec{
		Schema: []byte(`{"type":"object","additionalProperties":false,"properties":{
			"amount":{"type":"number","x-payrack-role":"amount"},
			"more":{"type":"object","properties":{"currency":{"type":"string","x-payrack-role":"currency"},"n":{"type":"integer"}}}}}`),
		Currencies: []catalogue.Currency{{Code: "TWD"}, {Code: "USD", Exponent: 2}},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Read([]byte(`{"amount":1,"more":{"currency":"TWD","n":"x"}}`))
	if f := fieldFault(t, err, "/request/more/n", "invalid_type"); len(f.Fields) != 1 {
		t.Errorf("%+v", f.Fields)
	}
	_, err = c.Read([]byte(`{"amount":1,"more":{"n":1}}`))
	wantField(t, err, "/request/more/currency", "missing_field")
	_, err = c.Compose(catalogue.Values{Amount: money.Amount{Units: -1, Currency: money.TWD}})
	wantField(t, err, "/amount", "out_of_range")
}

func TestRefusedPlaces(t *testing.T) {
	t.Parallel()
	object := func(properties string) string {
		return `{"type":"object","additionalProperties":false,"properties":{` + properties + `}}`
	}
	for _, c := range []struct{ properties, want string }{
		{`"a":` + object(`"b":{"type":"string","x-payrack-role":"credential"}`), "must stand at the top"},
		{`"a":{"type":"array","items":{"type":"string","x-payrack-role":"order"}}`, "inside a list"},
		{`"a":{"type":"array","items":` + object(`"b":{"type":"array","items":{"type":"string","x-payrack-role":"code"}}`) + `}`, "inside a list"},
		{`"a":` + object(`"b":{"type":"string","x-payrack-role":"order"},"c":{"type":"string","x-payrack-role":"order"}`), "twice in one object"},
		{`"n":{"type":"integer","x-payrack-role":"amount"},"a":` + object(`"n":{"type":"integer","x-payrack-role":"amount"}`), "used twice"},
		{`"a":` + object(`"b":{"type":"boolean","x-payrack-role":"return_url"}`), `"a.b"`},
		{`"a.b":{"type":"string"},"a":` + object(`"b":{"type":"string","x-payrack-role":"order"}`), "name is used twice"},
	} {
		_, err := form.CompileColumns(form.Spec{Schema: []byte(object(c.properties)), Currencies: []catalogue.Currency{{Code: "TWD"}}})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s\n got %v, want %q", c.properties, err, c.want)
		}
	}
}

func TestWhatColumnsTake(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][3]bool{
		"till_pay": {true, true, false}, "till_search": {}, "wallet_pay": {true, false, true}, "mandate_pay": {true, false, false},
	} {
		c := columns(t, name)
		if got := [3]bool{c.TakesAmount(), c.TakesCode(), c.TakesReturnURL()}; got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func asFault(t *testing.T, err error) *fault.Error {
	t.Helper()
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		t.Fatalf("no fault: %v", err)
	}
	return f
}
