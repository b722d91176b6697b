package form_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/payrack/payrack/adapters/outbound/providers/form"
	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/fault"
)

// The rows of the catalogue of bad inputs that concern columns. An empty code means that it is taken.
func TestColumnCatalogue(t *testing.T) {
	t.Parallel()
	uuid := `"9CC197A0-E12C-4AC5-8CC0-0052E09D3752"`
	long := func(n int) string { return `"` + strings.Repeat("中", n) + `"` }
	ascii := func(n int) string { return `"` + strings.Repeat("a", n) + `"` }
	for _, c := range []struct {
		name, column, raw, code string
	}{
		{"req_id absent", "req_id", ``, "missing_field"},
		{"req_id null", "req_id", `null`, "missing_field"},
		{"req_id empty", "req_id", `""`, "missing_field"},
		{"req_id 35", "req_id", uuid[:len(uuid)-2] + `"`, "invalid_format"},
		{"req_id 37", "req_id", uuid[:len(uuid)-1] + `A"`, "invalid_format"},
		{"req_id 36 x", "req_id", `"` + strings.Repeat("x", 36) + `"`, "invalid_format"},
		{"req_id braces", "req_id", `"{9CC197A0-E12C-4AC5-8CC0-0052E09D3752}"`, "invalid_format"},
		{"req_id nil", "req_id", `"00000000-0000-0000-0000-000000000000"`, "invalid_format"},
		{"req_id lower", "req_id", strings.ToLower(uuid), ""},
		{"req_id full-width", "req_id", `"９CC197A0-E12C-4AC5-8CC0-0052E09D3752"`, "invalid_format"},
		{"req_id space", "req_id", `" 9CC197A0-E12C-4AC5-8CC0-0052E09D3752"`, "invalid_format"},
		{"req_id number", "req_id", `1`, "invalid_type"},
		{"trade_code absent", "trade_code", ``, "missing_field"},
		{"trade_code empty", "trade_code", `""`, "missing_field"},
		{"trade_code 64", "trade_code", ascii(64), ""},
		{"trade_code 65", "trade_code", ascii(65), "too_long"},
		{"trade_code space", "trade_code", `"96A1 OAB"`, "invalid_format"},
		{"trade_code leading space", "trade_code", `" 96A1OAB"`, "invalid_format"},
		{"amount absent", "amount", ``, "missing_field"},
		{"amount null", "amount", `null`, "invalid_type"},
		{"amount 0", "amount", `0`, "out_of_range"},
		{"amount -0", "amount", `-0`, "out_of_range"},
		{"amount -1", "amount", `-1`, "out_of_range"},
		{"amount 1.5", "amount", `1.5`, "invalid_type"},
		{"amount 229.0", "amount", `229.0`, "invalid_type"},
		{"amount 2.29e2", "amount", `2.29e2`, "invalid_type"},
		{"amount 1E2", "amount", `1E2`, "invalid_type"},
		{"amount max", "amount", `9223372036854775807`, ""},
		{"amount max+1", "amount", `9223372036854775808`, "out_of_range"},
		{"amount 400 digits", "amount", strings.Repeat("7", 400), "out_of_range"},
		{"amount text", "amount", `"229"`, "invalid_type"},
		{"amount list", "amount", `[229]`, "invalid_type"},
		{"redeem empty", "redeem", `{}`, ""},
		{"redeem null", "redeem", `null`, ""},
		{"redeem absent", "redeem", ``, ""},
		{"redeem text", "redeem", `"x"`, "invalid_type"},
		{"order absent", "order_number", ``, "missing_field"},
		{"order empty", "order_number", `""`, "missing_field"},
		{"order 100", "order_number", ascii(100), ""},
		{"order 100 Chinese", "order_number", long(100), ""},
		{"order 101", "order_number", ascii(101), "too_long"},
		{"order number", "order_number", `20231011`, "invalid_type"},
		{"order space", "order_number", `"A 1"`, "invalid_format"},
		{"order trailing space", "order_number", `"A1 "`, "invalid_format"},
		{"order NUL", "order_number", `"A\u0000"`, "invalid_format"},
		{"order BEL", "order_number", `"A\u0007"`, "invalid_format"},
		{"order CRLF", "order_number", `"A\r\nB"`, "invalid_format"},
		{"order U+2028", "order_number", `"A\u2028"`, "invalid_format"},
		{"order bidi", "order_number", `"A\u202eB"`, "invalid_format"},
		{"order isolate", "order_number", `"A\u2066B"`, "invalid_format"},
		{"order BOM", "order_number", `"\ufeffA"`, "invalid_format"},
		{"order zero width", "order_number", `"A\u200bB"`, "invalid_format"},
		{"order C1", "order_number", `"A\u0085B"`, "invalid_format"},
		{"terminal tab", "terminal_id", `"A\tB"`, "invalid_format"},
		{"terminal zero width", "terminal_id", `"A\u200dB"`, "invalid_format"},
		{"store 20", "store_id", ascii(20), ""},
		{"store 21", "store_id", ascii(21), "too_long"},
		{"store absent", "store_id", ``, "missing_field"},
		{"desc 4000 Chinese", "product_desc", long(4000), ""},
		{"desc 4001 Chinese", "product_desc", long(4001), "too_long"},
		{"desc lines", "product_desc", `"a\n\tb"`, ""},
		{"desc emoji", "product_desc", `"👨\u200d👩\u200d👧"`, ""},
		{"desc carriage return", "product_desc", `"a\rb"`, "invalid_format"},
		{"desc bidi", "product_desc", `"a\u202eb"`, "invalid_format"},
		{"desc NUL", "product_desc", `"\u0000"`, "invalid_format"},
		{"remark 1000", "remark", long(1000), ""},
		{"remark 1001", "remark", long(1001), "too_long"},
		{"remark empty", "remark", `""`, ""},
		{"remark null", "remark", `null`, ""},
		{"capture false", "capture", `false`, "capture_false_unsupported"},
		{"capture text", "capture", `"true"`, "invalid_type"},
		{"capture 1", "capture", `1`, "invalid_type"},
		{"capture null", "capture", `null`, "invalid_type"},
		{"date leading tab", "pos_date_time", `"\t2023-10-11 01:44:54 "`, ""},
		{"date ideographic space", "pos_date_time", `"\u30002023-10-11 01:44:54"`, "invalid_format"},
		{"date no-break space", "pos_date_time", `"\u00a02023-10-11 01:44:54"`, "invalid_format"},
		{"date 30 February", "pos_date_time", `"2023-02-30 01:44:54"`, "invalid_format"},
		{"date month 13", "pos_date_time", `"2023-13-01 01:44:54"`, "invalid_format"},
		{"date 24:00", "pos_date_time", `"2023-10-11 24:00:00"`, "invalid_format"},
		{"date leap second", "pos_date_time", `"2023-12-31 23:59:60"`, "invalid_format"},
		{"date 29 February 2023", "pos_date_time", `"2023-02-29 00:00:00"`, "invalid_format"},
		{"date 29 February 2024", "pos_date_time", `"2024-02-29 00:00:00"`, ""},
		{"date year 0", "pos_date_time", `"0000-10-11 01:44:54"`, "invalid_format"},
		{"date year 10000", "pos_date_time", `"10000-10-11 01:44:54"`, "invalid_format"},
		{"date full-width", "pos_date_time", `"２０２３-10-11 01:44:54"`, "invalid_format"},
		{"date T", "pos_date_time", `"2023-10-11T01:44:54"`, "invalid_format"},
		{"date comma fraction", "pos_date_time", `"2023-10-11 01:44:5,"`, "invalid_format"},
		{"date one digit", "pos_date_time", `"2023-10-1  01:44:54"`, "invalid_format"},
		{"date epoch", "pos_date_time", `1697000000`, "invalid_type"},
		{"date absent", "pos_date_time", ``, ""},
		{"date null", "pos_date_time", `null`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := columns(t, "till_pay").Read([]byte(with(t, tillPay, c.column, c.raw)))
			if c.code == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			f := fieldFault(t, err, "/request/"+c.column, c.code)
			if len(f.Fields) != 1 || f.Code != c.code {
				t.Errorf("one mistake is told as %s %+v", f.Code, f.Fields)
			}
			if c.code == "missing_field" && f.Message != c.column+" 不可為空" {
				t.Errorf("message %q", f.Message)
			}
		})
	}
}

func TestNestedCatalogue(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ doc, pointer, code string }{
		{with(t, tillPay, "redeem", `{"non_redeem_amout":-1}`), "/request/redeem/non_redeem_amout", "out_of_range"},
		{with(t, tillPay, "redeem", `{"non_redeem_amout":1.0}`), "/request/redeem/non_redeem_amout", "invalid_type"},
		{with(t, tillPay, "redeem", `{"non_redeem_amout":"80"}`), "/request/redeem/non_redeem_amout", "invalid_type"},
		{with(t, tillPay, "redeem", `{"non_redeem_amout":null}`), "/request/redeem/non_redeem_amout", "invalid_type"},
		{with(t, tillPay, "redeem", `{"non_redeem_amount":1}`), "/request/redeem", "unknown_member"},
	} {
		_, err := columns(t, "till_pay").Read([]byte(c.doc))
		if f := fieldFault(t, err, c.pointer, c.code); len(f.Fields) != 1 {
			t.Errorf("%s: %+v", c.pointer, f.Fields)
		}
	}
	for _, c := range []struct{ packages, pointer, code string }{
		{`[{"id":"a","amount":1},{"amount":1}]`, "/request/packages/1/id", "missing_field"},
		{`[{"id":"","amount":1}]`, "/request/packages/0/id", "missing_field"},
		{`[{"id":"a","amount":1e3}]`, "/request/packages/0/amount", "invalid_type"},
		{`[{"id":"a","amount":-1}]`, "/request/packages/0/amount", "out_of_range"},
		{`[{"id":"a","amount":1,"note":"123456"}]`, "/request/packages/0/note", "too_long"},
		{`[{"id":"a","amount":` + strings.Repeat("1", 41) + `}]`, "/request/packages/0/amount", "out_of_range"},
		{`[{"id":"a","amount":0.` + strings.Repeat("0", 39) + `}]`, "/request/packages/0/amount", "out_of_range"},
		{`[{"id":"a","amount":1,"` + "\\u0000" + `":1}]`, "/request/packages/0", "unknown_member"},
		{`[null]`, "/request/packages/0", "invalid_type"},
		{`[]`, "/request/packages", "too_short"},
		{`{}`, "/request/packages", "invalid_type"},
	} {
		_, err := columns(t, "code_pay").Read([]byte(with(t, codePay, "packages", c.packages)))
		if f := fieldFault(t, err, c.pointer, c.code); len(f.Fields) != 1 {
			t.Errorf("%s: %+v", c.pointer, f.Fields)
		}
	}
}

func TestSearchCatalogue(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ doc, pointer, code string }{
		{`{}`, "/request/orderId", "missing_field"},
		{`{"orderId":""}`, "/request/orderId", "missing_field"},
		{`{"orderId":null}`, "/request/orderId", "missing_field"},
		{`{"orderId":"","transactionId":1}`, "/request/orderId", "invalid_format"},
		{`{"transactionId":null}`, "/request/transactionId", "invalid_type"},
		{`{"transactionId":20190499100054968101}`, "/request/transactionId", "out_of_range"},
		{`{"transactionId":9223372036854775808}`, "/request/transactionId", "out_of_range"},
		{`{"transactionId":0}`, "/request/transactionId", "out_of_range"},
		{`{"transactionId":-1}`, "/request/transactionId", "out_of_range"},
		{`{"transactionId":1e18}`, "/request/transactionId", "invalid_type"},
		{`{"transactionId":2019049910005496810.0}`, "/request/transactionId", "invalid_type"},
		{`{"transactionId":"２０１９"}`, "/request/transactionId", "invalid_type"},
		{`{"transactionId":" 201"}`, "/request/transactionId", "invalid_type"},
		{`{"transactionId":01}`, "/request", "malformed_json"},
		{`{"orderId":"1"`, "/request", "malformed_json"},
		{`{"orderId":"1"}}`, "/request", "malformed_json"},
		{`["1"]`, "/request", "invalid_type"},
		{`null`, "/request", "invalid_type"},
		{`"x"`, "/request", "invalid_type"},
		{``, "/request", "malformed_json"},
		{`{"orderId":"1","orderId":"2"}`, "/request", "duplicate_member"},
		{`{"orderId":"1","\u006frderId":"2"}`, "/request", "duplicate_member"},
		{"{\"orderId\":\"\xff\"}", "/request", "malformed_json"},
		{`{"orderId":"\ud800"}`, "/request", "malformed_json"},
		{`{"orderId":` + strings.Repeat("[", 50) + strings.Repeat("]", 50) + `}`, "/request", "too_deep"},
		{`{"orderId":"1","channel_id":"1606993764"}`, "/request/channel_secret", "credentials_incomplete"},
		{`{"orderId":"1","channel_secret":"101c18448bf38e160757d53417287bd9"}`, "/request/channel_id", "credentials_incomplete"},
		{`{"orderId":"1","channel_id":"1606993764","channel_secret":"101c18448bf38e160757d53417287bd"}`, "/request/channel_secret", "invalid_format"},
		{`{"orderId":"1","channel_id":"1606993764","channel_secret":"101c18448bf38e160757d53417287bd9a"}`, "/request/channel_secret", "invalid_format"},
		{`{"orderId":"1","channel_id":"1606993764","channel_secret":"` + strings.Repeat("a", 4096) + `"}`, "/request/channel_secret", "invalid_format"},
		{`{"OrderId":"1"}`, "/request", "unknown_member"},
		{`{"orderid":"1","transactionId":1}`, "/request", "unknown_member"},
		{`{"orderId":"1","utm":1}`, "/request", "unknown_member"},
	} {
		_, err := columns(t, "code_search").Read([]byte(c.doc))
		wantField(t, err, c.pointer, c.code)
	}
	_, err := columns(t, "till_search").Read([]byte(`{"orderNumber":"A1"}`))
	if err != nil {
		t.Error(err)
	}
	_, err = columns(t, "till_search").Read([]byte(`{"orderNumber":"A1","order_number":"A1"}`))
	if err != nil {
		t.Error(err)
	}
	_, err = columns(t, "till_search").Read([]byte(`{"orderNumber":"A1","order_number":"A2"}`))
	wantField(t, err, "/request/order_number", "conflicting_members")
}

func TestCredentialCatalogue(t *testing.T) {
	t.Parallel()
	iv := `"00112233445566778899aabbccddeeff"`
	for _, c := range []struct {
		doc     string
		missing []string
	}{
		{with(t, tillPay, "merchantid", `"M"`), []string{"key", "iv"}},
		{with(t, tillPay, "merchantid", `"M"`, "key", `"k"`), []string{"iv"}},
		{with(t, tillPay, "key", `"k"`, "iv", iv), []string{"merchantid"}},
		{with(t, tillPay, "merchantid", `"M"`, "key", `""`, "iv", iv), []string{"key"}},
	} {
		_, err := columns(t, "till_pay").Read([]byte(c.doc))
		for _, name := range c.missing {
			f := fieldFault(t, err, "/request/"+name, "credentials_incomplete")
			if f.Message != c.missing[0]+" 不可為空" || f.Code != "credentials_incomplete" || len(f.Fields) != len(c.missing) {
				t.Errorf("%v: %s %q %+v", c.missing, f.Code, f.Message, f.Fields)
			}
		}
	}
	for _, bad := range []string{iv[:len(iv)-2] + `"`, iv[:len(iv)-1] + `0"`, `"zz112233445566778899aabbccddeeff"`, `"00000000000000000000000000000000"`} {
		_, err := columns(t, "till_pay").Read([]byte(with(t, tillPay, "merchantid", `"M"`, "key", `"k"`, "iv", bad)))
		wantField(t, err, "/request/iv", "invalid_format")
	}
	_, err := columns(t, "till_pay").Read([]byte(with(t, tillPay, "merchantid", `"M"`, "merchant_id", `"N"`, "key", `"k"`, "iv", iv)))
	wantField(t, err, "/request/merchantid", "conflicting_members")
}

// A wrong member is told once, and only what is not there counts as missing from a credential set.
func TestEachPlaceIsToldOnce(t *testing.T) {
	t.Parallel()
	_, err := columns(t, "code_search").Read([]byte(`{"orderId":"1","channel_id":1}`))
	if f := fieldFault(t, err, "/request/channel_id", "invalid_type"); len(f.Fields) != 2 || f.Fields[1].Pointer != "/request/channel_secret" {
		t.Errorf("%+v", f.Fields)
	}

	c, err := form.CompileColumns(form.Spec{Schema: []byte(`{"type":"object","additionalProperties":false,"required":["outer"],"properties":{
		"outer":{"type":"object","additionalProperties":false,"required":["inner"],"properties":{"inner":{"type":"integer"},"more":{"type":"integer"}}}}}`)})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Read([]byte(`{"outer":{"inner":"x"}}`))
	if f := fieldFault(t, err, "/request/outer/inner", "invalid_type"); len(f.Fields) != 1 {
		t.Errorf("%+v", f.Fields)
	}
	_, err = c.Read([]byte(`{"outer":{"more":1}}`))
	if f := fieldFault(t, err, "/request/outer/inner", "missing_field"); len(f.Fields) != 1 || f.Message != "outer.inner 不可為空" {
		t.Errorf("%q %+v", f.Message, f.Fields)
	}
}

// A schema that forgot its minimum still takes no negative amount.
func TestNegativeAmountWithoutMinimum(t *testing.T) {
	t.Parallel()
	c, err := form.CompileColumns(form.Spec{
		Schema:     []byte(`{"type":"object","additionalProperties":false,"properties":{"sum":{"type":"integer","x-payrack-role":"amount"}}}`),
		Currencies: []catalogue.Currency{{Code: "USD", Exponent: 2}},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Read([]byte(`{"sum":-5}`))
	wantField(t, err, "/request/sum", "out_of_range")
	// Whole dollars are counted in cents all the same.
	if f, err := c.Read([]byte(`{"sum":5}`)); err != nil || f.Amount.Units != 500 {
		t.Errorf("%+v, %v", f.Amount, err)
	}
	if f, err := c.Read([]byte(`{}`)); err != nil || !f.Amount.IsZero() {
		t.Errorf("%+v, %v", f.Amount, err)
	}
}

// Where a schema allows members that it does not describe, they are passed on as they are if they are safe.
func TestUndescribedMembers(t *testing.T) {
	t.Parallel()
	c, err := form.CompileColumns(form.Spec{Schema: []byte(`{"type":"object","additionalProperties":false,"properties":{
		"free":{"type":"object"},"list":{"type":"array"}}}`)})
	if err != nil {
		t.Fatal(err)
	}
	f, err := c.Read([]byte(`{"free":{"b":[1.50,null,{"c":"文\n"}],"a":true},"list":[1,"x"]}`))
	if err != nil || string(f.Columns) != `{"free":{"b":[1.50,null,{"c":"文\n"}],"a":true},"list":[1,"x"]}` {
		t.Errorf("%s, %v", f.Columns, err)
	}
	for _, doc := range []struct{ doc, pointer, code string }{
		{`{"free":{"a":1e5}}`, "/request/free", "invalid_format"},
		{`{"free":{"a":["\u0000"]}}`, "/request/free", "invalid_format"},
		{`{"free":{"a":{"\u202e":1}}}`, "/request/free", "invalid_format"},
		{`{"free":{"\u202e":1}}`, "/request/free", "unknown_member"},
		{`{"list":[1e5]}`, "/request/list", "invalid_format"},
	} {
		_, err := c.Read([]byte(doc.doc))
		wantField(t, err, doc.pointer, doc.code)
	}
}

// Missing columns come first and in the order of `required`, whatever else is wrong.
func TestOrderOfProblems(t *testing.T) {
	t.Parallel()
	_, err := columns(t, "code_pay").Read([]byte(`{"oneTimeKey":"","capture":"x","zzz":1,"channel_id":"1606993764","amount":-1,"currency":"TWD"}`))
	f := fieldFault(t, err, "/request/orderId", "missing_field")
	got := ""
	for _, x := range f.Fields {
		got += x.Pointer + " " + x.Code + "\n"
	}
	want := "/request/productName missing_field\n/request/orderId missing_field\n/request/oneTimeKey missing_field\n" +
		"/request/amount out_of_range\n/request/capture invalid_type\n/request unknown_member\n/request/channel_secret credentials_incomplete\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if f.Message != "productName 不可為空" || f.Code != "missing_field" {
		t.Errorf("%s %q", f.Code, f.Message)
	}
}

func TestManyProblemsAreCut(t *testing.T) {
	t.Parallel()
	doc := with(t, codePay, "packages", "["+strings.TrimSuffix(strings.Repeat(`{"id":1},`, 40), ",")+"]")
	_, err := columns(t, "code_pay").Read([]byte(doc))
	if f := fieldFault(t, err, "/request/packages/0/id", "invalid_type"); len(f.Fields) != 20 {
		t.Errorf("%d fields", len(f.Fields))
	}
}

// Whatever is wrong, nothing that the client sent is told: not in the text of the error, not in its fields,
// not in its cause.
func TestNoValueIsTold(t *testing.T) {
	t.Parallel()
	const canary = "c4n4ry"
	q := `"` + canary + `"`
	docs := []string{
		`{"` + canary + `":1}`, `{"` + canary, canary, q, `[` + q + `]`, `{"orderId":"` + canary + `\ud800"}`,
		with(t, codePay, canary, "1"),
		with(t, codePay, "redeem", `{"`+canary+`":`+q+`}`),
	}
	for _, column := range []string{"productName", "amount", "currency", "orderId", "oneTimeKey", "capture", "packages", "channel_id", "channel_secret"} {
		for _, raw := range []string{q, `"` + canary + `\u0000"`, `["` + canary + `"]`, `[{"` + canary + `":1}]`, `[{"id":1,"` + canary + `":"` + canary + `"}]`, `{"` + canary + `":` + q + `}`, `"` + strings.Repeat(canary, 1000) + `"`} {
			docs = append(docs, with(t, codePay, column, raw))
		}
	}
	refused := 0
	for _, doc := range docs {
		_, err := columns(t, "code_pay").Read([]byte(doc))
		if err == nil {
			continue
		}
		refused++
		var text strings.Builder
		text.WriteString(err.Error())
		var f *fault.Error
		if !errors.As(err, &f) {
			t.Fatal(err)
		}
		for _, x := range f.Fields {
			text.WriteString(x.Pointer + x.Detail + x.Code)
		}
		if strings.Contains(text.String(), canary) || f.Cause != nil {
			t.Errorf("told: %s", text.String())
		}
	}
	if refused < 50 {
		t.Errorf("only %d of %d documents were refused", refused, len(docs))
	}
}

func TestKindIsInvalid(t *testing.T) {
	t.Parallel()
	_, err := columns(t, "code_pay").Read([]byte(`{}`))
	if fault.KindOf(err) != fault.Invalid {
		t.Error(err)
	}
}
