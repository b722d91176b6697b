package ipass_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/payrack/payrack/plugins/providers/ipass"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

func describe(t *testing.T) provider.Description {
	t.Helper()
	p, err := ipass.Open(t.Context(), ipass.Settings{}, provider.Host{})
	if err != nil {
		t.Fatal(err)
	}
	return p.Describe()
}

func schema(t *testing.T, raw json.RawMessage) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("mem://schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("mem://schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func valid(t *testing.T, s *jsonschema.Schema, text string) bool {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(doc) == nil
}

func TestDescription(t *testing.T) {
	t.Parallel()
	d := describe(t)
	if d.MessageFrom != "IPASS" || len(d.Types) != 1 || d.Types[0].Name != "IPASS_OFFLINE_PAY" {
		t.Fatalf("got %+v", d)
	}
	if diff := cmp.Diff([]provider.Currency{{Code: "TWD"}}, d.Types[0].Currencies); diff != "" {
		t.Errorf("currencies (-want +got):\n%s", diff)
	}
	schema(t, d.Settings)
	schema(t, d.Types[0].Credential)
	routes := map[provider.Kind]string{}
	for _, op := range d.Types[0].Operations {
		schema(t, op.Columns)
		schema(t, op.Answer)
		if op.MaxDuration <= 0 || op.MaxDuration > time.Minute || op.SearchLagMax <= 0 || op.MovesMoney == (op.Kind == provider.KindSearch) {
			t.Errorf("%s: longest call %s, search lag %s, moves money %v", op.Kind, op.MaxDuration, op.SearchLagMax, op.MovesMoney)
		}
		routes[op.Kind] = ""
		for _, a := range op.Aliases {
			routes[op.Kind] += a.Method + " " + a.Path
		}
	}
	want := map[provider.Kind]string{
		provider.KindPay:     "POST /v1/payment/ipass/offline/pay",
		provider.KindVoid:    "POST /v1/payment/ipass/offline/void",
		provider.KindRefund:  "POST /v1/payment/ipass/offline/refund",
		provider.KindSearch:  "POST /v1/payment/ipass/offline/search",
		provider.KindCapture: "", // nobody publishes one
	}
	if diff := cmp.Diff(want, routes); diff != "" {
		t.Errorf("routes (-want +got):\n%s", diff)
	}
	for _, s := range []provider.Situation{provider.SituationDuplicateOrder, provider.SituationInProgress, provider.SituationReversing} {
		var body struct {
			ReturnCode string `json:"return_code"`
			ReturnMsg  string `json:"return_msg"`
		}
		raw := d.Types[0].Operations[0].Bodies[s]
		if err := json.Unmarshal(raw, &body); err != nil || body.ReturnCode == "" || body.ReturnCode == "0000" || body.ReturnMsg == "" {
			t.Errorf("situation %d: %s, %v", s, raw, err)
		}
	}
}

func TestAnnotations(t *testing.T) {
	t.Parallel()
	var columns struct {
		Required   []string                  `json:"required"`
		Properties map[string]map[string]any `json:"properties"`
	}
	if err := json.Unmarshal(describe(t).Types[0].Operations[0].Columns, &columns); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"req_id", "trade_code", "amount", "order_number", "store_id", "terminal_id"}, columns.Required); diff != "" {
		t.Errorf("required (-want +got):\n%s", diff)
	}
	roles := map[string]any{}
	for name, p := range columns.Properties {
		if role, ok := p["x-payrack-role"]; ok {
			roles[name] = role
		}
	}
	want := map[string]any{
		"merchantid": "credential", "key": "credential", "iv": "credential", "req_id": "request_id", "trade_code": "code",
		"amount": "amount", "order_number": "order", "capture": "capture", "pos_date_time": "time", "trade_date_time": "time",
		"product_desc": "description",
	}
	if diff := cmp.Diff(want, roles); diff != "" {
		t.Errorf("roles (-want +got):\n%s", diff)
	}
	for _, name := range []string{"key", "iv", "pos_date_time", "trade_date_time"} {
		if columns.Properties[name]["x-payrack-fingerprint"] != false {
			t.Errorf("%s would make a repeated request another one", name)
		}
	}
}

func TestColumns(t *testing.T) {
	t.Parallel()
	pay := columnsOf(t, provider.KindPay)
	base := `{"req_id":"9CC197A0-E12C-4AC5-8CC0-0052E09D3752","trade_code":"96A1OABQAAFmIVAVRxhAgY","amount":229,"order_number":"IXN20231011000001","store_id":"00681","terminal_id":"AB123456","capture":true,"product_desc":"XX 防曬乳*1(149 元)、XX 菸品*1(80)","remark":"","redeem":{"non_redeem_amout":80}}`
	with := func(edit ...string) string { return strings.NewReplacer(edit...).Replace(base) }
	for text, want := range map[string]bool{
		base: true,
		with(`"remark":""`, `"remark":"`+strings.Repeat("字", 1000)+`"`):              true,
		with(`"remark":""`, `"remark":"`+strings.Repeat("字", 1001)+`"`):              false,
		with(`"remark":""`, `"key":"`+key+`","iv":"`+vectorIV+`","merchantid":"M1"`): true,
		with(`"remark":""`, `"iv":"`+strings.Repeat("0", 32)+`"`):                    false,
		with(`"remark":""`, `"iv":"`+vectorIV+`0"`):                                  false,
		with(`"remark":""`, `"key":"short"`):                                         false,
		with(`"capture":true`, `"capture":false`):                                    true, // the plugin knows who may
		with(`"capture":true`, `"capture":"false"`):                                  false,
		with(`"capture":true`, `"captrue":false`):                                    false,
		with(`229`, `0`):   false,
		with(`229`, `1.5`): false,
		with(`"redeem":{"non_redeem_amout":80}`, `"redeem":{}`): true,
		with(`"non_redeem_amout":80`, `"non_redeem_amout":-1`):  false,
		with(`"non_redeem_amout"`, `"non_redeem_amount"`):       false,
		with("IXN20231011000001", strings.Repeat("x", 100)):     true,
		with("IXN20231011000001", strings.Repeat("x", 101)):     false,
		with("IXN20231011000001", "IXN 1"):                      false,
		with("IXN20231011000001", "IXN\u00a0"):                  false,
		with("00681", strings.Repeat("1", 21)):                  false,
		with("AB123456", "AB1234567"):                           false,
		with("96A1OABQAAFmIVAVRxhAgY", strings.Repeat("A", 64)): true,
		with("96A1OABQAAFmIVAVRxhAgY", strings.Repeat("A", 65)): false,
		with("96A1OABQAAFmIVAVRxhAgY", "９６"):                    false,
	} {
		if got := valid(t, pay, text); got != want {
			t.Errorf("pay %.300s: valid %v, want %v", text, got, want)
		}
	}
}

func columnsOf(t *testing.T, kind provider.Kind) *jsonschema.Schema {
	t.Helper()
	for _, op := range describe(t).Types[0].Operations {
		if op.Kind == kind {
			return schema(t, op.Columns)
		}
	}
	t.Fatalf("no operation %s", kind)
	return nil
}

func TestColumnsOfFollowUps(t *testing.T) {
	t.Parallel()
	const id = `"req_id":"9CC197A0-E12C-4AC5-8CC0-0052E09D3752"`
	const own = `"merchantid":"M1","key":"` + key + `","iv":"` + vectorIV + `"`
	for kind, texts := range map[provider.Kind]map[string]bool{
		provider.KindSearch: {
			`{"order_number":"A1"}`: true, `{"order_number":"A1",` + id + `,` + own + `}`: true,
			`{}`: false, `{"order_number":""}`: false, `{"order_number":1}`: false, `{"transaction_id":"e1"}`: false,
		},
		provider.KindVoid: {
			`{"order_number":"A1"}`: true, `{"order_number":"A1",` + id + `,` + own + `}`: true,
			`{}`: false, `{"transaction_id":"e1"}`: false, `{"order_number":"A1","amount":1}`: false,
			`{"order_number":"` + strings.Repeat("單", 100) + `"}`: true, `{"order_number":"` + strings.Repeat("單", 101) + `"}`: false,
		},
		provider.KindRefund: {
			`{"transaction_id":"e1"}`: true, `{"transaction_id":"e1","amount":1,` + id + `,` + own + `}`: true,
			`{"transaction_id":"IPY202208250340004","amount":0}`: false, `{"transaction_id":"e1","amount":1.5}`: false,
			`{}`: false, `{"amount":1}`: false, `{"transaction_id":""}`: false, `{"transaction_id":1}`: false,
			// The printed slip, and what is no slip.
			`{"order_number":"A1"}`: true, `{"order_number":"A1","amount":1}`: false,
		},
		provider.KindCapture: {
			`{"transaction_id":"e1","amount":1}`: true, `{"order_number":"A1"}`: true, `{}`: false, `{"amount":1}`: false,
		},
	} {
		s := columnsOf(t, kind)
		for text, want := range texts {
			if got := valid(t, s, text); got != want {
				t.Errorf("%s %.200s: valid %v, want %v", kind, text, got, want)
			}
		}
	}
}

// Both spellings of the published pages are taken.
func TestAliasesOfFollowUps(t *testing.T) {
	t.Parallel()
	want := map[string]any{"merchantid": "merchant_id", "transaction_id": "transactionId", "order_number": "orderNumber"}
	for _, op := range describe(t).Types[0].Operations {
		var columns struct {
			Properties map[string]map[string]any `json:"properties"`
		}
		if err := json.Unmarshal(op.Columns, &columns); err != nil {
			t.Fatal(err)
		}
		for name, p := range columns.Properties {
			alias, _ := p["x-payrack-alias"].([]any)
			switch {
			case op.Kind == provider.KindPay && name == "order_number": // only one spelling is published
			case want[name] != nil && (len(alias) != 1 || alias[0] != want[name]):
				t.Errorf("%s: %s has the aliases %v", op.Kind, name, alias)
			}
		}
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{}`: "",
		`{"endpoints":{"live":"https://pay.example.com/ipass","test":"http://127.0.0.1:8082/ipass"},"timeouts":{"pay":"5s","search":"2s"}}`:                                                                                                             "",
		`{"wire":{"cipher":"aes-gcm","key_encoding":"hex","iv_transport":"body","names":{"amount":"TxnAmt"},"codes":{"1001":{"class":"declined","decline_code":"x"}},"pay_status":{"5":"paid"},"paths":{"pay":"/a","search":"/b"},"iv_header":"X-IV"}}`: "",
		`{"endpoints":{"test":"http://gateway:1"}}`:                     "endpoints.test must be https",
		`{"endpoints":{"live":"https://u:hunter2@x.example"}}`:          "endpoints.live must not have a user",
		`{"endpoints":{"live":"x"}}`:                                    "endpoints.live must be a URL",
		`{"timeouts":{"pay":"34s"}}`:                                    "timeouts.pay must be",
		`{"timeouts":{"follow_up":"24s"}}`:                              "timeouts.follow_up must be",
		`{"timeouts":{"follow_up":"-1s"}}`:                              "timeouts.follow_up must be",
		`{"refund_without_amount":"void"}`:                              "",
		`{"refund_without_amount":"yes"}`:                               "refund_without_amount must be one of",
		`{"wire":{"field_case":"kebab"}}`:                               "wire.field_case must be one of",
		`{"wire":{"iv_case":"x"}}`:                                      "wire.iv_case must be one of",
		`{"wire":{"data_encoding":"base32"}}`:                           "wire.data_encoding must be one of",
		`{"wire":{"iv_member":"data"}}`:                                 "wire.iv_member and wire.data_member must differ",
		`{"wire":{"iv_header":"ipass-merchantid"}}`:                     "wire.iv_header and wire.merchant_header must differ",
		`{"wire":{"paths":{"refund":"/a?b"}}}`:                          "wire.paths.refund must be",
		`{"wire":{"field_case":"pascal","names":{"amount":"ReqId"}}}`:   "wire.names must give every column",
		`{"wire":{"cipher":"des"}}`:                                     "wire.cipher must be one of",
		`{"wire":{"key_encoding":"x"}}`:                                 "wire.key_encoding must be one of",
		`{"wire":{"iv_transport":"x"}}`:                                 "wire.iv_transport must be one of",
		`{"wire":{"iv_header":"X IV"}}`:                                 "wire.iv_header must be",
		`{"wire":{"paths":{"pay":"pay"}}}`:                              "wire.paths.pay must be",
		`{"wire":{"names":{"amount":"reqId"}}}`:                         "wire.names must give every column",
		`{"wire":{"names":{"amout":"x"}}}`:                              "wire.names.amout is not",
		`{"wire":{"codes":{"9999":{"class":"declined"}}}}`:              "wire.codes.9999 is published",
		`{"wire":{"codes":{"1001":{"class":"no"}}}}`:                    "wire.codes.1001.class must be one of",
		`{"wire":{"pay_status":{"5":"ok"}}}`:                            "wire.pay_status.5 must be one of",
		`{"wire":{"cipher":"des"},"endpoints":{"live":"x","test":"y"}}`: "endpoints.test",
	} {
		var s ipass.Settings
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			t.Fatal(err)
		}
		_, err := ipass.Open(t.Context(), s, provider.Host{})
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", text, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2")):
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}
