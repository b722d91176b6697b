package form_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/payrack/payrack/adapters/outbound/providers/form"
	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/money"
	"github.com/payrack/payrack/ports/outbound"
)

// FuzzColumns: nothing panics, no error tells the canary, and what is accepted reads the same again when it
// is put together from what was read.
func FuzzColumns(f *testing.F) {
	for _, seed := range []string{
		codePay, tillPay, `{}`, `{"orderId":"1"}`, `{"transactionId":2019049910005496810}`, `null`, `[]`, `{"a`,
		`{"amount":1e999999999,"currency":"TWD"}`, `{"orderId":"c4n4ry"}`, `{"c4n4ry":{"c4n4ry":["c4n4ry"]}}`,
		with(f, codePay, "amount", "1.50", "currency", `"USD"`, "capture", "false"),
		with(f, codePay, "packages", `[{"id":"a","amount":1.10,"note":null}]`),
		with(f, codePay, "channel_id", `"1606993764"`, "channel_secret", `"101c18448bf38e160757d53417287bd9"`),
		with(f, tillPay, "merchant_id", `"M1"`, "key", `"K1"`, "iv", `"00112233445566778899aabbccddeeff"`),
	} {
		f.Add([]byte(seed))
	}
	pay, search, till := columns(f, "code_pay"), columns(f, "code_search"), columns(f, "till_pay")
	f.Fuzz(func(t *testing.T, native []byte) {
		for _, c := range []struct {
			read  func([]byte) (outbound.Form, error)
			names roles
		}{
			{pay.Read, roles{amount: "amount", currency: "currency", order: "orderId", code: "oneTimeKey", description: "productName"}},
			{search.Read, roles{order: "orderId", transaction: "transactionId"}},
			{till.Read, roles{amount: "amount", order: "order_number", request: "req_id", code: "trade_code", description: "product_desc"}},
		} {
			got, err := c.read(native)
			if err != nil {
				quiet(t, err)
				continue
			}
			if !jsontext.Value(got.Columns).IsValid() || !jsontext.Value(got.Meaning).IsValid() {
				t.Fatalf("not JSON: %s %s", got.Columns, got.Meaning)
			}
			again, err := c.read(c.names.assemble(t, got))
			if err != nil {
				t.Fatalf("%s is refused again: %v", native, err)
			}
			if diff := cmp.Diff(members(t, got), members(t, again)); diff != "" {
				t.Fatalf("%s reads differently again:\n%s", native, diff)
			}
		}
	})
}

func quiet(t *testing.T, err error) {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != fault.Invalid || len(f.Fields) == 0 || len(f.Fields) > 20 {
		t.Fatalf("%+v", err)
	}
	text := f.Error()
	for _, x := range f.Fields {
		text += x.Pointer + x.Code + x.Detail
	}
	if strings.Contains(text, "c4n4ry") {
		t.Fatalf("told: %s", text)
	}
}

type roles struct{ amount, currency, order, request, code, description, transaction string }

// assemble writes a native request from what was read.
func (r roles) assemble(t *testing.T, f outbound.Form) []byte {
	t.Helper()
	doc := map[string]json.RawMessage{}
	for _, part := range [][]byte{f.Columns, f.Credential} {
		if len(part) == 0 {
			continue
		}
		if err := json.Unmarshal(part, &doc); err != nil {
			t.Fatal(err)
		}
	}
	set := func(name, text string) {
		if name == "" || text == "" {
			return
		}
		quoted, err := jsontext.AppendQuote(nil, text)
		if err != nil {
			t.Fatal(err)
		}
		doc[name] = quoted
	}
	set(r.order, f.OrderNumber)
	set(r.request, f.RequestID)
	set(r.code, f.Code)
	set(r.description, f.Description)
	set(r.currency, string(f.Amount.Currency))
	if r.transaction != "" && f.TransactionID != "" {
		doc[r.transaction] = json.RawMessage(f.TransactionID)
	}
	if r.amount != "" {
		number, _, _ := strings.Cut(f.Amount.String(), " ")
		doc[r.amount] = json.RawMessage(number)
	}
	if f.Capture != nil {
		doc["capture"] = json.RawMessage(strconv.FormatBool(*f.Capture))
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(doc); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// members makes two forms comparable whatever the order of their members.
func members(t *testing.T, f outbound.Form) map[string]any {
	t.Helper()
	sorted := func(doc []byte) string { return canonicalJSON(t, doc) }
	capture := ""
	if f.Capture != nil {
		capture = strconv.FormatBool(*f.Capture)
	}
	return map[string]any{
		"amount": f.Amount, "order": f.OrderNumber, "request": f.RequestID, "transaction": f.TransactionID,
		"description": f.Description, "capture": capture, "code": f.Code, "mandate": f.Mandate, "account": f.Account,
		"wire": f.Wire, "credential": sorted(f.Credential), "columns": sorted(f.Columns), "meaning": withoutEmptyDescription(string(f.Meaning)),
	}
}

// canonicalJSON is a document with its members in order.
func canonicalJSON(t *testing.T, doc []byte) string {
	t.Helper()
	if len(doc) == 0 {
		return ""
	}
	v := jsontext.Value(bytes.Clone(doc))
	if err := v.Format(jsontext.ReorderRawObjects(true)); err != nil {
		t.Fatal(err)
	}
	return string(v)
}

// An empty description cannot be told from none in a typed field; the test puts none together.
func withoutEmptyDescription(meaning string) string {
	for _, name := range []string{`"productName":"",`, `"product_desc":"",`} {
		meaning = strings.ReplaceAll(meaning, name, "")
	}
	return meaning
}

// FuzzCompose: nothing panics, no error tells the canary, and what was written is read back or refused.
func FuzzCompose(f *testing.F) {
	f.Add(int64(229), "TWD", "O-1", "96A1", "茶", "https://shop.example/ok", "7", []byte(`{"store_id":"S","terminal_id":"T"}`), []byte(`{"shop":"1","secret":"2"}`))
	f.Add(int64(999), "USD", "O 1", "c4n4ry\u0000", "\xff", "c4n4ry", "-7", []byte(`{"sum":{"label":"x"},"redirectUrls":{"confirmUrlType":"NONE"}}`), []byte(`{"c4n4ry":1}`))
	f.Add(int64(-1), "", "", "", "", "", "007", []byte(`{"redirectUrls":[],"sum":null}`), []byte(`{"channel_id":"","channel_secret":null}`))
	all := []*form.Columns{
		columns(f, "till_pay"), columns(f, "till_search"), columns(f, "code_pay"), columns(f, "code_search"), columns(f, "wallet_pay"), columns(f, "mandate_pay"),
	}
	f.Fuzz(func(t *testing.T, units int64, currency, order, code, description, back, transaction string, beside, set []byte) {
		for i, c := range all {
			v := catalogue.Values{
				Amount: money.Amount{Units: units, Currency: money.Currency(currency)}, OrderNumber: order, Transaction: transaction, Columns: beside, Credential: set,
			}
			switch i {
			case 0, 2:
				v.Code, v.Description = code, description
			case 4:
				v.ReturnURL, v.CancelURL = back, description
			case 5:
				v.Mandate, v.Description = code, description
			default:
				v.Amount = money.Amount{}
			}
			native, err := c.Compose(v)
			if err != nil {
				quiet(t, err)
				continue
			}
			if !jsontext.Value(native).IsValid() {
				t.Fatalf("not JSON: %s", native)
			}
			got, err := c.Read(native)
			if err != nil {
				quiet(t, err)
				continue
			}
			said := v.Amount == got.Amount || v.Amount.IsZero()
			for _, x := range [][2]string{
				{v.Code, got.Code}, {v.Mandate, got.Mandate}, {v.ReturnURL, got.ReturnURL}, {v.CancelURL, got.CancelURL}, {v.Description, got.Description}, {v.OrderNumber, got.OrderNumber},
			} {
				said = said && (x[0] == "" || x[0] == x[1])
			}
			if !said {
				t.Fatalf("%+v\n%s\n%+v", v, native, got)
			}
		}
	})
}
