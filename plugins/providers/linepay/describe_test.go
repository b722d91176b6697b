package linepay_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/payrack/payrack/plugins/providers/linepay"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

func describe(t *testing.T) provider.Description {
	t.Helper()
	p, err := linepay.Open(t.Context(), linepay.Settings{}, provider.Host{})
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
	if d.MessageFrom != "LINE_PAY" || len(d.Types) != 1 || d.Types[0].Name != "LINE_QRCODE_PAY" {
		t.Fatalf("got %+v", d)
	}
	want := []provider.Currency{{Code: "TWD"}, {Code: "THB", Exponent: 2}, {Code: "USD", Exponent: 2}, {Code: "JPY"}}
	if diff := cmp.Diff(want, d.Types[0].Currencies); diff != "" {
		t.Errorf("currencies (-want +got):\n%s", diff)
	}
	schema(t, d.Settings)
	schema(t, d.Types[0].Credential)
	for _, op := range d.Types[0].Operations {
		schema(t, op.Columns)
		schema(t, op.Answer)
		if op.MaxDuration <= 0 || op.MaxDuration > time.Minute {
			t.Errorf("%s: longest call %s", op.Kind, op.MaxDuration)
		}
	}
	pay := d.Types[0].Operations[0]
	for _, s := range []provider.Situation{provider.SituationDuplicateOrder, provider.SituationInProgress, provider.SituationReversing} {
		var body struct {
			ReturnCode    string `json:"returnCode"`
			ReturnMessage string `json:"returnMessage"`
		}
		if err := json.Unmarshal(pay.Bodies[s], &body); err != nil || body.ReturnCode == "" || body.ReturnMessage == "" {
			t.Errorf("situation %d: %s, %v", s, pay.Bodies[s], err)
		}
	}
}

func TestRequiredColumnsInOrder(t *testing.T) {
	t.Parallel()
	var columns struct {
		Required []string `json:"required"`
	}
	if err := json.Unmarshal(describe(t).Types[0].Operations[0].Columns, &columns); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"productName", "amount", "currency", "orderId", "oneTimeKey"}, columns.Required); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestColumns(t *testing.T) {
	t.Parallel()
	operations := describe(t).Types[0].Operations
	pay, search := schema(t, operations[0].Columns), schema(t, operations[1].Columns)
	with := func(members string) string {
		return `{"productName":"拿鐵","amount":250,"currency":"TWD","orderId":"PMX-0001","oneTimeKey":"381234567890123456"` + members + `}`
	}
	for text, want := range map[string]bool{
		with(""): true,
		with(`,"channel_id":"1606993764","channel_secret":"101c18448bf38e160757d53417287bd9","merchant_device_profile_id":"000030_k1","capture":true`):               true,
		with(`,"extras":{"branchId":"1","promotionRestriction":{"useLimit":1}},"packages":[{"id":"1","amount":1,"products":[{"name":"a","quantity":1,"price":1}]}]`): true,
		with(`,"channel_secret":"101c18448bf38e160757d53417287bd"`):              false,
		with(`,"captrue":false`):                                                 false,
		with(`,"merchant_device_profile_id":"a\r\nX-Evil: 1"`):                   false,
		strings.Replace(with(""), "TWD", "EUR", 1):                               false,
		strings.Replace(with(""), "250", "0", 1):                                 false,
		strings.Replace(with(""), "PMX-0001", strings.Repeat("訂", 100), 1):       true,
		strings.Replace(with(""), "PMX-0001", strings.Repeat("x", 101), 1):       false,
		strings.Replace(with(""), "PMX-0001", "PMX 0001", 1):                     false,
		strings.Replace(with(""), "PMX-0001", "PMX\u3000", 1):                    false,
		strings.Replace(with(""), "PMX-0001", "..", 1):                           false,
		strings.Replace(with(""), "381234567890123456", "38123456789012345 ", 1): false,
	} {
		if got := valid(t, pay, text); got != want {
			t.Errorf("pay %.200s: valid %v, want %v", text, got, want)
		}
	}
	for text, want := range map[string]bool{
		`{"channel_id":"1606993764","channel_secret":"101c18448bf38e160757d53417287bd9","orderId":"20140101123456789"}`: true,
		`{"transactionId":2019049910005496810}`:   true,
		`{"transactionId":"2019049910005496810"}`: false,
		`{"transactionId":0}`:                     false,
		`{}`:                                      false,
	} {
		if got := valid(t, search, text); got != want {
			t.Errorf("search %s: valid %v, want %v", text, got, want)
		}
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{}`: "",
		`{"endpoints":{"live":"http://127.0.0.1:8082","test":"http://localhost:1/"},"timeouts":{"pay":"5s","search":"500ms"}}`: "",
		`{"endpoints":{"test":"http://sandbox:8082"},"allow_http":true}`:                                                       "",
		`{"endpoints":{"test":"http://sandbox:8082"}}`:                                                                         "endpoints.test must be https",
		`{"endpoints":{"live":"https://user:hunter2@example.com"}}`:                                                            "endpoints.live must not have a user",
		`{"endpoints":{"live":"https://example.com/line"}}`:                                                                    "endpoints.live must not have a path",
		`{"endpoints":{"live":"example.com"}}`:                                                                                 "endpoints.live must be a URL",
		`{"endpoints":{"live":"ftp://example.com"}}`:                                                                           "endpoints.live must be https",
		`{"timeouts":{"pay":"46s"}}`:                                                                                           "timeouts.pay must be",
		`{"timeouts":{"search":"-1s"}}`:                                                                                        "timeouts.search must be",
	} {
		var s linepay.Settings
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			t.Fatal(err)
		}
		_, err := linepay.Open(t.Context(), s, provider.Host{})
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", text, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2")):
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
	var s linepay.Settings
	if err := json.Unmarshal([]byte(`{"timeouts":{"pay":5}}`), &s); err == nil {
		t.Error("a number was taken as a duration")
	}
}
