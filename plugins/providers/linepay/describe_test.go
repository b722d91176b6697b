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
	want := map[string][]provider.Kind{
		"LINE_QRCODE_PAY": {provider.KindPay, provider.KindCapture, provider.KindVoid, provider.KindRefund, provider.KindSearch},
		"LINE_PAY": {
			provider.KindPay, provider.KindConfirm, provider.KindCapture, provider.KindVoid, provider.KindRefund, provider.KindSearch,
		},
		"LINE_PREAPPROVED_PAY": {
			provider.KindPay, provider.KindCapture, provider.KindVoid, provider.KindRefund, provider.KindSearch,
			provider.KindCheckMandate, provider.KindExpireMandate,
		},
	}
	got := map[string][]provider.Kind{}
	for _, each := range d.Types {
		for _, op := range each.Operations {
			got[each.Name] = append(got[each.Name], op.Kind)
		}
		wantMoney := []provider.Currency{{Code: "TWD"}, {Code: "THB", Exponent: 2}, {Code: "USD", Exponent: 2}, {Code: "JPY"}}
		if diff := cmp.Diff(wantMoney, each.Currencies); diff != "" {
			t.Errorf("currencies of %s (-want +got):\n%s", each.Name, diff)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || d.MessageFrom != "LINE_PAY" {
		t.Errorf("message from %q, types (-want +got):\n%s", d.MessageFrom, diff)
	}
	schema(t, d.Settings)
	for _, each := range d.Types {
		schema(t, each.Credential)
		for _, op := range each.Operations {
			schema(t, op.Columns)
			schema(t, op.Answer)
			if op.MaxDuration <= 0 || op.MaxDuration > 65*time.Second {
				t.Errorf("%s %s: longest call %s", each.Name, op.Kind, op.MaxDuration)
			}
			moves := op.Kind != provider.KindSearch && op.Kind != provider.KindCheckMandate && op.Kind != provider.KindExpireMandate
			if moves && each.Name == "LINE_PAY" && op.Kind == provider.KindPay {
				moves = false // the payer is only asked
			}
			if op.MovesMoney != moves {
				t.Errorf("%s %s: moves money %v", each.Name, op.Kind, op.MovesMoney)
			}
			if moves {
				checkBodies(t, op)
			}
		}
	}
}

func checkBodies(t *testing.T, op provider.Operation) {
	t.Helper()
	for _, s := range []provider.Situation{provider.SituationDuplicateOrder, provider.SituationInProgress, provider.SituationReversing} {
		var body struct {
			ReturnCode    string `json:"returnCode"`
			ReturnMessage string `json:"returnMessage"`
		}
		if err := json.Unmarshal(op.Bodies[s], &body); err != nil || body.ReturnCode == "" || body.ReturnMessage == "" {
			t.Errorf("%s, situation %d: %s, %v", op.Kind, s, op.Bodies[s], err)
		}
	}
}

// operation finds the columns of an operation.
func operation(t *testing.T, paymentType string, kind provider.Kind) provider.Operation {
	t.Helper()
	for _, each := range describe(t).Types {
		for _, op := range each.Operations {
			if each.Name == paymentType && op.Kind == kind {
				return op
			}
		}
	}
	t.Fatalf("%s has no %s", paymentType, kind)
	return provider.Operation{}
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
	pay := schema(t, operation(t, linepay.TypeQRCode, provider.KindPay).Columns)
	search := schema(t, operation(t, linepay.TypeQRCode, provider.KindSearch).Columns)
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
		`{"timeouts":{"request":"1s","confirm":"1s","capture":"65s","void":"1s","refund":"1s","mandate":"25s"}}`:               "",
		`{"timeouts":{"capture":"66s"}}`:                                                                                       "timeouts.capture must be more than 0s and at most 1m5s",
		`{"timeouts":{"mandate":"26s"}}`:                                                                                       "timeouts.mandate must be",
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
