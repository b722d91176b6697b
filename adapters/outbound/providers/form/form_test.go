package form_test

import (
	"embed"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/payrack/payrack/adapters/outbound/providers/form"
	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/fault"
)

//go:embed testdata/*.json
var testdata embed.FS

func schema(tb testing.TB, name string) []byte {
	tb.Helper()
	doc, err := testdata.ReadFile("testdata/" + name + ".json")
	if err != nil {
		tb.Fatal(err)
	}
	return doc
}

func credential(tb testing.TB, name string) *form.Credential {
	tb.Helper()
	c, err := form.CompileCredential(schema(tb, name))
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func columns(tb testing.TB, name string) *form.Columns {
	tb.Helper()
	family, _, _ := strings.Cut(name, "_")
	currencies := []catalogue.Currency{{Code: "TWD", Exponent: 0}}
	if family != "till" {
		currencies = append(currencies, catalogue.Currency{Code: "THB", Exponent: 2}, catalogue.Currency{Code: "USD", Exponent: 2}, catalogue.Currency{Code: "JPY"})
	}
	c, err := form.CompileColumns(form.Spec{
		Schema:     schema(tb, name),
		Currencies: currencies,
		Credential: credential(tb, family+"_credential"),
	})
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// tillPay is a request sample of the seeds, as printed there.
const tillPay = `{
"req_id": "9CC197A0-E12C-4AC5-8CC0-0052E09D3752",
"trade_code": "96A1OABQAAFmIVAVRxhAgY",
"amount": 229,
"order_number": "IXN20231011000001",
"store_id": "00681",
"terminal_id": "AB123456",
"capture": true,
"pos_date_time": " 2023-10-11 01:44:54",
"trade_date_time": " 2023-10-11 01:45:55",
"product_desc": "XX 防曬乳*1(149 元)、XX 菸品*1(80)",
"remark": "",
"redeem": {
"non_redeem_amout": 80
}
}`

const codePay = `{"productName":"Café 咖啡","amount":100,"currency":"TWD","orderId":"O-1","oneTimeKey":"383838383838383838"}`

// with replaces, adds or (empty raw) removes members of an object by name, keeping the order.
func with(tb testing.TB, doc string, pairs ...string) string {
	tb.Helper()
	var order []string
	members := map[string]json.RawMessage{}
	d := json.NewDecoder(strings.NewReader(doc))
	if _, err := d.Token(); err != nil {
		tb.Fatal(err)
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			tb.Fatal(err)
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			tb.Fatal(err)
		}
		order = append(order, name.(string)) //nolint:forcetypeassert // a member name
		members[name.(string)] = raw         //nolint:forcetypeassert // a member name
	}
	for i := 0; i < len(pairs); i += 2 {
		if _, ok := members[pairs[i]]; !ok {
			order = append(order, pairs[i])
		}
		members[pairs[i]] = json.RawMessage(pairs[i+1])
	}
	var b strings.Builder
	for _, name := range order {
		if len(members[name]) == 0 {
			continue
		}
		if b.Len() > 0 {
			b.WriteString(",")
		}
		quoted, err := json.Marshal(name)
		if err != nil {
			tb.Fatal(err)
		}
		b.Write(quoted)
		b.WriteString(":")
		b.Write(members[name])
	}
	return "{" + b.String() + "}"
}

func TestTakesTheSample(t *testing.T) {
	t.Parallel()
	f, err := columns(t, "till_pay").Read([]byte(tillPay))
	if err != nil {
		t.Fatal(err)
	}
	if f.Amount.Units != 229 || f.Amount.Currency != "TWD" || f.OrderNumber != "IXN20231011000001" ||
		f.RequestID != "9CC197A0-E12C-4AC5-8CC0-0052E09D3752" || f.Code != "96A1OABQAAFmIVAVRxhAgY" ||
		f.Capture == nil || !*f.Capture || f.Description != "XX 防曬乳*1(149 元)、XX 菸品*1(80)" || f.Credential != nil {
		t.Errorf("typed fields: %+v", f)
	}
	want := `{"store_id":"00681","terminal_id":"AB123456","pos_date_time":"2023-10-11 01:44:54",` +
		`"trade_date_time":"2023-10-11 01:45:55","remark":"","redeem":{"non_redeem_amout":80}}`
	if string(f.Columns) != want {
		t.Errorf("columns\n got %s\nwant %s", f.Columns, want)
	}
	wantMeaning := `{"amount":"229 TWD","capture":true,"order_number":"IXN20231011000001",` +
		`"product_desc":"XX 防曬乳*1(149 元)、XX 菸品*1(80)","redeem":{"non_redeem_amout":80},"remark":"",` +
		`"req_id":"9cc197a0-e12c-4ac5-8cc0-0052e09d3752","store_id":"00681","terminal_id":"AB123456",` +
		`"trade_code":"96A1OABQAAFmIVAVRxhAgY"}`
	if string(f.Meaning) != wantMeaning {
		t.Errorf("meaning\n got %s\nwant %s", f.Meaning, wantMeaning)
	}
}

func TestRequestCredentials(t *testing.T) {
	t.Parallel()
	doc := with(t, tillPay, "merchant_id", `"M1"`, "iv", `"00112233445566778899aabbccddeeff"`, "key", `"K1"`)
	f, err := columns(t, "till_pay").Read([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(f.Credential), `{"merchantid":"M1","key":"K1","iv":"00112233445566778899aabbccddeeff"}`; got != want {
		t.Errorf("credential\n got %s\nwant %s", got, want)
	}
	if f.Account != "M1" || f.Wire != "" {
		t.Errorf("account %q, wire %q", f.Account, f.Wire)
	}
	if strings.Contains(string(f.Columns)+string(f.Meaning), "K1") || strings.Contains(string(f.Meaning), "M1") {
		t.Error("a credential is in the columns or the meaning")
	}

	f, err = columns(t, "code_search").Read([]byte(`{"channel_id":"1606993764","channel_secret":"101c18448bf38e160757d53417287bd9","orderId":"20140101123456789"}`))
	if err != nil {
		t.Fatal(err)
	}
	if f.Account != "1606993764" || f.Wire != "v4" || f.OrderNumber != "20140101123456789" || string(f.Columns) != "{}" {
		t.Errorf("search: %+v", f)
	}
	// Empty members stand for "use the stored set".
	f, err = columns(t, "code_search").Read([]byte(`{"channel_id":"","channel_secret":null,"orderId":"1"}`))
	if err != nil || f.Credential != nil {
		t.Errorf("empty credentials: %v, %s", err, f.Credential)
	}
}

func TestAmounts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		amount, currency string
		units            int64
		code             string
	}{
		{`100`, `"TWD"`, 100, ""},
		{`100.5`, `"THB"`, 10050, ""},
		{`0.05`, `"USD"`, 5, ""},
		{`100.50`, `"USD"`, 10050, ""},
		{`92233720368547758.07`, `"USD"`, 9223372036854775807, ""},
		{`9223372036854775807`, `"JPY"`, 9223372036854775807, ""},
		{`229.0`, `"TWD"`, 0, "invalid_type"},
		{`1.5`, `"JPY"`, 0, "invalid_type"},
		{`1.005`, `"USD"`, 0, "invalid_format"},
		{`2.29e2`, `"TWD"`, 0, "invalid_type"},
		{`1E2`, `"USD"`, 0, "invalid_type"},
		{`0`, `"TWD"`, 0, "out_of_range"},
		{`-0`, `"TWD"`, 0, "out_of_range"},
		{`-0.00`, `"USD"`, 0, "out_of_range"},
		{`-5`, `"USD"`, 0, "out_of_range"},
		{`9223372036854775808`, `"TWD"`, 0, "out_of_range"},
		{`92233720368547758.08`, `"USD"`, 0, "out_of_range"},
		{strings.Repeat("9", 400), `"TWD"`, 0, "out_of_range"},
		{`1e1000000000`, `"TWD"`, 0, "invalid_type"},
		{`"100"`, `"TWD"`, 0, "invalid_type"},
		{`null`, `"TWD"`, 0, "invalid_type"},
		{`true`, `"TWD"`, 0, "invalid_type"},
	} {
		t.Run(c.amount[:min(len(c.amount), 24)]+c.currency, func(t *testing.T) {
			t.Parallel()
			f, err := columns(t, "code_pay").Read([]byte(with(t, codePay, "amount", c.amount, "currency", c.currency)))
			if c.code == "" {
				if err != nil || f.Amount.Units != c.units {
					t.Fatalf("got %+v, %v", f.Amount, err)
				}
				return
			}
			wantField(t, err, "/request/amount", c.code)
		})
	}
}

func wantField(tb testing.TB, err error, pointer, code string) {
	tb.Helper()
	_ = fieldFault(tb, err, pointer, code)
}

func fieldFault(tb testing.TB, err error, pointer, code string) *fault.Error {
	tb.Helper()
	var f *fault.Error
	if !errors.As(err, &f) {
		tb.Fatalf("got %v, want a fault at %s", err, pointer)
	}
	if f.Kind != fault.Invalid || f.Code == "" || f.Message == "" {
		tb.Errorf("kind %d, code %q, message %q", f.Kind, f.Code, f.Message)
	}
	for _, x := range f.Fields {
		if x.Pointer == pointer && x.Code == code && x.Detail != "" {
			return f
		}
	}
	tb.Fatalf("no %s at %s in %+v", code, pointer, f.Fields)
	return nil
}

func TestEqualRequestsHaveEqualMeaning(t *testing.T) {
	t.Parallel()
	pay := columns(t, "code_pay")
	base, err := pay.Read([]byte(codePay))
	if err != nil {
		t.Fatal(err)
	}
	same := []string{
		`{ "oneTimeKey":"383838383838383838", "orderId":"O-1","currency":"TWD","amount":100,"productName":"Caf\u00e9 咖啡"}`,
		with(t, codePay, "capture", "true"),
		with(t, codePay, "packages", "null"),
		with(t, codePay, "channel_id", `"1606993764"`, "channel_secret", `"101c18448bf38e160757d53417287bd9"`),
	}
	for _, doc := range same {
		f, err := pay.Read([]byte(doc))
		if err != nil || string(f.Meaning) != string(base.Meaning) {
			t.Errorf("%s\n got %s, %v\nwant %s", doc, f.Meaning, err, base.Meaning)
		}
	}
	for _, doc := range []string{
		with(t, codePay, "capture", "false"),
		with(t, codePay, "amount", "101"),
		with(t, codePay, "currency", `"JPY"`),
		with(t, codePay, "oneTimeKey", `"383838383838383839"`),
		with(t, codePay, "orderId", `"O-2"`),
		with(t, codePay, "packages", `[{"id":"1","amount":100}]`),
	} {
		f, err := pay.Read([]byte(doc))
		if err != nil || string(f.Meaning) == string(base.Meaning) {
			t.Errorf("%s means the same, %v", doc, err)
		}
	}

	till := columns(t, "till_pay")
	first, err := till.Read([]byte(tillPay))
	if err != nil {
		t.Fatal(err)
	}
	again, err := till.Read([]byte(with(t, tillPay, "trade_date_time", `"2023-10-11 02:00:00"`, "pos_date_time", "",
		"req_id", `"9cc197a0-e12c-4ac5-8cc0-0052e09d3752"`)))
	if err != nil || string(first.Meaning) != string(again.Meaning) {
		t.Errorf("a stamped retry: %v\n%s\n%s", err, first.Meaning, again.Meaning)
	}
	// 1.10 and 1.1 are one number, 1.01 is another.
	number := func(raw string) string {
		f, err := pay.Read([]byte(with(t, codePay, "packages", `[{"id":"1","amount":`+raw+`}]`)))
		if err != nil {
			t.Fatal(err)
		}
		return string(f.Meaning)
	}
	if number("1.10") != number("1.1") || number("0.0") != number("-0") || number("1.01") == number("1.1") || number("10") == number("1") {
		t.Error("numbers are not compared by what they mean")
	}
	// 1.50 and 1.5 are one amount.
	a, errA := pay.Read([]byte(with(t, codePay, "amount", "1.50", "currency", `"USD"`)))
	b, errB := pay.Read([]byte(with(t, codePay, "amount", "1.5", "currency", `"USD"`)))
	if errA != nil || errB != nil || string(a.Meaning) != string(b.Meaning) {
		t.Errorf("%v %v %s %s", errA, errB, a.Meaning, b.Meaning)
	}
}

func TestRawTokensStay(t *testing.T) {
	t.Parallel()
	f, err := columns(t, "code_search").Read([]byte(`{"transactionId": 2019049910005496810}`))
	if err != nil || f.TransactionID != "2019049910005496810" {
		t.Fatalf("%q, %v", f.TransactionID, err)
	}
	f, err = columns(t, "code_pay").Read([]byte(with(t, codePay, "packages", `[{"id":"a","amount":1234567890.10,"note":null}, {"id":"b","amount":0.0}]`)))
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"packages":[{"id":"a","amount":1234567890.10},{"id":"b","amount":0.0}]}`; string(f.Columns) != want {
		t.Errorf("got %s", f.Columns)
	}
}

func TestStoredCredential(t *testing.T) {
	t.Parallel()
	c := credential(t, "code_credential")
	if c.AccountMember() != "channel_id" || c.WireMember() != "version" || c.WireDefault() != "v4" {
		t.Errorf("%q %q %q", c.AccountMember(), c.WireMember(), c.WireDefault())
	}
	s, err := c.Read([]byte(`{"channel_secret":"101c18448bf38e160757d53417287bd9", "channel_id":"1606993764"}`))
	if err != nil || s.Account != "1606993764" || s.Wire != "v4" {
		t.Fatalf("%+v, %v", s, err)
	}
	s, err = c.Read([]byte(`{"channel_id":"1606993764","channel_secret":"101c18448bf38e160757d53417287bd9","version":"v2"}`))
	if err != nil || s.Wire != "v2" {
		t.Fatalf("%+v, %v", s, err)
	}
	_, err = c.Read([]byte(`{"channel_id":"160699376","version":"v9","extra":1}`))
	wantField(t, err, "/set/channel_secret", "missing_field")
	wantField(t, err, "/set/channel_id", "invalid_format")
	wantField(t, err, "/set/version", "invalid_format")
	wantField(t, err, "/set", "unknown_member")

	s, err = credential(t, "till_credential").Read([]byte(`{"merchant_id":"M9","key":"k"}`))
	if err != nil || string(s.Set) != `{"merchantid":"M9","key":"k"}` || s.Account != "M9" {
		t.Fatalf("%+v, %v", s, err)
	}
}
