package form_test

import (
	"strings"
	"testing"

	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/money"
)

func amountOf(units int64, c money.Currency) money.Amount {
	return money.Amount{Units: units, Currency: c}
}

func TestCompose(t *testing.T) {
	t.Parallel()
	no, yes := false, true
	for _, c := range []struct {
		name, columns string
		values        catalogue.Values
		want          string
	}{
		{
			"a till", "till_pay",
			catalogue.Values{
				Amount: amountOf(229, money.TWD), OrderNumber: "A-1", RequestID: "9cc197a0-e12c-4ac5-8cc0-0052e09d3752", Code: "96A1", Capture: &yes,
				Description: "茶 \"x\"", Transaction: "has no column", Columns: []byte(`{"terminal_id":"T1","store_id":"S1","redeem":{"non_redeem_amout":80}}`),
				Credential: []byte(`{"key":"k","merchant_id":"M","iv":"00112233445566778899aabbccddeeff"}`),
			},
			`{"merchantid":"M","key":"k","iv":"00112233445566778899aabbccddeeff","req_id":"9cc197a0-e12c-4ac5-8cc0-0052e09d3752","trade_code":"96A1",` +
				`"amount":229,"order_number":"A-1","store_id":"S1","terminal_id":"T1","capture":true,"product_desc":"茶 \"x\"","redeem":{"non_redeem_amout":80}}`,
		},
		{
			"decimals", "code_pay",
			catalogue.Values{Amount: amountOf(5, money.USD), OrderNumber: "A-1", RequestID: "has no column", Code: "1", Description: "x"},
			`{"productName":"x","amount":0.05,"currency":"USD","orderId":"A-1","oneTimeKey":"1"}`,
		},
		{
			"whole units of a currency with decimals", "mandate_pay",
			catalogue.Values{Amount: amountOf(1200, money.THB), OrderNumber: "A-1", Mandate: "RK1", Description: "x", Transaction: "2019049910005496810"},
			`{"regKey":"RK1","productName":"x","amount":12,"currency":"THB","orderId":"A-1","transactionId":2019049910005496810}`,
		},
		{
			"objects are made", "wallet_pay",
			catalogue.Values{Amount: amountOf(990, money.USD), OrderNumber: "A-1", ReturnURL: "https://a.example/", CancelURL: "https://b.example/", Capture: &no},
			`{"sum":{"value":9.90,"currency":"USD"},"orderId":"A-1","confirmUrl":"https://a.example/","cancelUrl":"https://b.example/","capture":false}`,
		},
		{
			"objects that were given are filled where they need it", "wallet_pay",
			catalogue.Values{
				Amount: amountOf(1, money.TWD), OrderNumber: "A-1", ReturnURL: "https://a.example/",
				Columns: []byte(`{"redirectUrls":{"confirmUrlType":"NONE"},"sum":null}`),
			},
			`{"sum":{"value":1,"currency":"TWD"},"orderId":"A-1","redirectUrls":{"confirmUrlType":"NONE","confirmUrl":"https://a.example/"}}`,
		},
		{"a search", "code_search", catalogue.Values{Transaction: "7", OrderNumber: "A-1"}, `{"orderId":"A-1","transactionId":7}`},
		{"an alias", "till_search", catalogue.Values{Columns: []byte(`{"orderNumber":"A-1"}`)}, `{"order_number":"A-1"}`},
		{"the client's own request id", "till_pay", catalogue.Values{RequestID: "ours", Columns: []byte(`{"req_id":"theirs"}`)}, `{"req_id":"theirs"}`},
		{"columns that nobody describes are left to Read", "till_search", catalogue.Values{OrderNumber: "A", Columns: []byte(`{"zzz":1}`)}, `{"order_number":"A","zzz":1}`},
		{"two spellings are left to Read", "till_search", catalogue.Values{Columns: []byte(`{"orderNumber":"A","order_number":"B"}`)}, `{"order_number":"B","orderNumber":"A"}`},
		{"nothing", "code_pay", catalogue.Values{}, `{}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := columns(t, c.columns).Compose(c.values)
			if err != nil || string(got) != c.want {
				t.Errorf("%v\n got %s\nwant %s", err, got, c.want)
			}
		})
	}
}

func TestComposeRefuses(t *testing.T) {
	t.Parallel()
	no := false
	till := func(change func(*catalogue.Values)) catalogue.Values {
		v := catalogue.Values{Amount: amountOf(229, money.TWD), OrderNumber: "A-1", RequestID: "9cc197a0-e12c-4ac5-8cc0-0052e09d3752", Code: "96A1"}
		change(&v)
		return v
	}
	for _, c := range []struct {
		name, columns string
		values        catalogue.Values
		pointer, code string
	}{
		{"no amount here", "code_search", catalogue.Values{Amount: amountOf(1, money.TWD)}, "/amount", "unsupported_value"},
		{"no such currency", "till_pay", catalogue.Values{Amount: amountOf(1, money.USD)}, "/amount/currency", "unsupported_value"},
		{"a part of a whole unit", "mandate_pay", catalogue.Values{Amount: amountOf(1205, money.THB)}, "/amount", "unsupported_value"},
		{"a negative amount", "till_pay", till(func(v *catalogue.Values) { v.Amount.Units = -1 }), "/amount", "out_of_range"},
		{"no money", "till_pay", till(func(v *catalogue.Values) { v.Amount.Units = 0 }), "/amount", "out_of_range"},
		{"no code here", "mandate_pay", catalogue.Values{Code: "1"}, "/source/code", "unsupported_value"},
		{"no mandate here", "code_pay", catalogue.Values{Mandate: "RK1"}, "/source/mandate_id", "unsupported_value"},
		{"no way back here", "code_pay", catalogue.Values{ReturnURL: "https://a.example/"}, "/return_url", "unsupported_value"},
		{"no cancel here", "code_pay", catalogue.Values{CancelURL: "https://a.example/"}, "/cancel_url", "unsupported_value"},
		{"no description here", "code_search", catalogue.Values{Description: "x"}, "/description", "unsupported_value"},
		{"no credentials here", "mandate_pay", catalogue.Values{Credential: []byte(`{"shop":"1"}`)}, "/credentials", "unsupported_value"},
		{"an unknown credential", "code_search", catalogue.Values{Credential: []byte(`{"c4n4ry":"1"}`)}, "/credentials", "unknown_member"},
		{"a column as a credential", "code_search", catalogue.Values{Credential: []byte(`{"orderId":"1"}`)}, "/credentials", "unknown_member"},
		{"half a credential", "code_search", catalogue.Values{OrderNumber: "1", Credential: []byte(`{"channel_id":"1606993764"}`)}, "/credentials/channel_secret", "credentials_incomplete"},
		{"a wrong credential", "code_search", catalogue.Values{OrderNumber: "1", Credential: []byte(`{"channel_id":"c4n4ry"}`)}, "/credentials/channel_id", "invalid_format"},
		{"a credential twice", "till_pay", catalogue.Values{Credential: []byte(`{"merchantid":"1","merchant_id":"1"}`)}, "/credentials/merchantid", "conflicting_members"},
		{"a credential at two places", "till_pay", catalogue.Values{Credential: []byte(`{"key":"1"}`), Columns: []byte(`{"key":"1"}`)}, "/credentials/key", "conflicting_members"},
		{"credentials that are no object", "till_pay", catalogue.Values{Credential: []byte(`["c4n4ry"]`)}, "/credentials", "invalid_type"},
		{"columns that are no object", "till_pay", catalogue.Values{Columns: []byte(`["c4n4ry"]`)}, "/request", "invalid_type"},
		{"columns twice", "till_pay", catalogue.Values{Columns: []byte(`{"a":1,"a":2}`)}, "/request", "duplicate_member"},
		{"an order beside a value", "till_pay", till(func(v *catalogue.Values) { v.Columns = []byte(`{"order_number":"c4n4ry"}`) }), "/request/order_number", "conflicting_members"},
		{"an alias beside a value", "till_search", catalogue.Values{OrderNumber: "A", Columns: []byte(`{"orderNumber":"A"}`)}, "/request/order_number", "conflicting_members"},
		{"a currency beside a value", "code_pay", catalogue.Values{Amount: amountOf(1, money.TWD), Columns: []byte(`{"currency":"JPY"}`)}, "/request/currency", "conflicting_members"},
		{"a nested one beside a value", "wallet_pay", catalogue.Values{ReturnURL: "https://a.example/", Columns: []byte(`{"redirectUrls":{"confirmUrl":"https://b.example/"}}`)}, "/request/redirectUrls/confirmUrl", "conflicting_members"},
		{"something else in the way", "wallet_pay", catalogue.Values{Amount: amountOf(1, money.TWD), Columns: []byte(`{"sum":"c4n4ry"}`)}, "/request/sum/value", "conflicting_members"},
		{"a code with a blank", "till_pay", till(func(v *catalogue.Values) { v.Code = "c4n4ry 1" }), "/source/code", "invalid_format"},
		{"a long order", "till_pay", till(func(v *catalogue.Values) { v.OrderNumber = strings.Repeat("x", 101) }), "/order_number", "too_long"},
		{"a hidden character", "code_pay", catalogue.Values{Description: "a\u202eb"}, "/description", "invalid_format"},
		{"a relative address", "wallet_pay", catalogue.Values{ReturnURL: "c4n4ry"}, "/return_url", "invalid_format"},
		{"a capture that is refused", "till_pay", till(func(v *catalogue.Values) { v.Capture = &no }), "/capture", "capture_false_unsupported"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := columns(t, c.columns).Compose(c.values)
			f := fieldFault(t, err, c.pointer, c.code)
			text := f.Error()
			for _, x := range f.Fields {
				text += x.Pointer + x.Detail
			}
			if strings.Contains(text, "c4n4ry") {
				t.Errorf("told: %s", text)
			}
			if f.Code == c.code && f.Message != f.Fields[0].Detail {
				t.Errorf("message %q, %+v", f.Message, f.Fields)
			}
		})
	}
	_, err := columns(t, "code_search").Compose(catalogue.Values{Capture: &no})
	if f := asFault(t, err); f.Kind != fault.Unsupported || f.Code != "capture_false_unsupported" || len(f.Fields) != 1 || f.Fields[0].Pointer != "/capture" {
		t.Errorf("%+v", f)
	}
	yes := true
	if got, err := columns(t, "code_search").Compose(catalogue.Values{Capture: &yes}); err != nil || string(got) != "{}" {
		t.Errorf("what is done anyway need not be said: %s, %v", got, err)
	}
}

// A value that its column does not take is told in the words of the request that held it, everything else that is
// wrong beside it by its column.
func TestComposeNamesTheValue(t *testing.T) {
	t.Parallel()
	_, err := columns(t, "code_pay").Compose(catalogue.Values{
		Amount: amountOf(1, money.TWD), OrderNumber: "A", Code: strings.Repeat("1", 65), Columns: []byte(`{"packages":[]}`),
	})
	f := asFault(t, err)
	got := f.Message + "\n"
	for _, x := range f.Fields {
		got += x.Pointer + " " + x.Code + " " + x.Detail + "\n"
	}
	want := "productName 不可為空\n/request/productName missing_field productName 不可為空\n" +
		"/source/code too_long code may have at most 64 characters\n/request/packages too_short packages must have at least 1 items\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
