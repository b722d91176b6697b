package release_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/release"
)

// schema reads a schema of the tree as it is used.
func schema(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "plugins", "providers", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// changed is a schema after a change.
func changed(t *testing.T, b []byte, change func(s map[string]any)) []byte {
	t.Helper()
	var s map[string]any
	if err := json.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	change(s)
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func member(s map[string]any, name string) map[string]any {
	return s["properties"].(map[string]any)[name].(map[string]any) //nolint:forcetypeassert // the schemas of the tree
}

func offered(columns []byte) []catalogue.Type {
	return []catalogue.Type{{
		Name: "TILL_PAY", AccountMember: "channel_id", ChecksMandates: true, EndsMandates: true,
		Currencies: []catalogue.Currency{{Code: "TWD"}, {Code: "USD", Exponent: 2}},
		Operations: []catalogue.Operation{
			{Kind: catalogue.Pay, Columns: columns, FoundByOrderID: true, Aliases: []catalogue.Route{{Method: "POST", Path: "/v1/payment/till/pay"}}},
			{Kind: catalogue.Search},
		},
	}}
}

func TestOnlyLooserColumnsAreCompatible(t *testing.T) {
	t.Parallel()
	capture := schema(t, "linepay/schema/capture.json")
	for name, c := range map[string]struct {
		change func(s map[string]any)
		lacks  string // empty for a change that loosens
	}{
		"nothing": {change: func(map[string]any) {}},
		"words": {change: func(s map[string]any) {
			s["title"], member(s, "amount")["description"], member(s, "orderId")["examples"] = "another", "other words", []any{"a"}
		}},
		"a new optional member": {change: func(s map[string]any) {
			s["properties"].(map[string]any)["note"] = map[string]any{"type": "string", "maxLength": 10} //nolint:forcetypeassert // as above
		}},
		"a member is not required any more": {change: func(s map[string]any) { s["required"] = []any{"amount"} }},
		"a longer text":                     {change: func(s map[string]any) { member(s, "orderId")["maxLength"] = 200 }},
		"a text without a bound":            {change: func(s map[string]any) { delete(member(s, "orderId"), "maxLength") }},
		"without a pattern":                 {change: func(s map[string]any) { delete(member(s, "orderId"), "pattern") }},
		"a smaller least number":            {change: func(s map[string]any) { member(s, "transactionId")["minimum"] = 0 }},
		"numbers for integers":              {change: func(s map[string]any) { member(s, "transactionId")["type"] = "number" }},
		"another type beside":               {change: func(s map[string]any) { member(s, "transactionId")["type"] = []any{"integer", "string"} }},
		"another alias": {change: func(s map[string]any) {
			member(s, "orderId")["x-payrack-alias"] = []any{"order_id"}
		}},
		"another way to name it": {change: func(s map[string]any) {
			s["anyOf"] = append(s["anyOf"].([]any), map[string]any{"required": []any{"amount"}}) //nolint:forcetypeassert // as above
		}},
		"no need to name it":       {change: func(s map[string]any) { delete(s, "anyOf") }},
		"everything else is taken": {change: func(s map[string]any) { s["additionalProperties"] = true }},

		"a new required member": {func(s map[string]any) { s["required"] = []any{"amount", "currency", "orderId"} }, "/orderId is required"},
		"a member is gone": {func(s map[string]any) {
			delete(s["properties"].(map[string]any), "orderId") //nolint:forcetypeassert // as above
		}, "/orderId is gone"},
		"a shorter text":        {func(s map[string]any) { member(s, "orderId")["maxLength"] = 20 }, "/orderId: maxLength is 20, was 100"},
		"a new bound":           {func(s map[string]any) { member(s, "amount")["maximum"] = 1000 }, "/amount: maximum is 1000, was nothing"},
		"a larger least number": {func(s map[string]any) { member(s, "transactionId")["minimum"] = 10 }, "/transactionId: minimum"},
		"another pattern":       {func(s map[string]any) { member(s, "channel_id")["pattern"] = "^[0-9]{9,10}$" }, "/channel_id: pattern"},
		"integers for numbers":  {func(s map[string]any) { member(s, "amount")["type"] = "integer" }, "/amount: type"},
		"another role":          {func(s map[string]any) { member(s, "orderId")["x-payrack-role"] = "request_id" }, "/orderId: x-payrack-role"},
		"no role":               {func(s map[string]any) { delete(member(s, "orderId"), "x-payrack-role") }, "/orderId: x-payrack-role"},
		"a way to name it less": {func(s map[string]any) { s["anyOf"] = s["anyOf"].([]any)[:1] }, "anyOf"}, //nolint:forcetypeassert // as above
		"an enumeration":        {func(s map[string]any) { member(s, "orderId")["enum"] = []any{"A"} }, "/orderId: enum"},
		"an unknown keyword":    {func(s map[string]any) { member(s, "orderId")["dependentRequired"] = map[string]any{} }, "dependentRequired"},
		"it takes nothing more": {func(s map[string]any) { s["properties"].(map[string]any)["orderId"] = false }, "/orderId takes nothing"}, //nolint:forcetypeassert // as above
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			missing := release.Compatible(offered(capture), offered(changed(t, capture, c.change)))
			said := strings.Join(missing, "; ")
			if (c.lacks == "") != (len(missing) == 0) || !strings.Contains(said, c.lacks) {
				t.Errorf("missing %q, want %q", said, c.lacks)
			}
		})
	}
}

func TestAliasesAndEnumerationsOnlyGrow(t *testing.T) {
	t.Parallel()
	with := func(keyword string, values ...any) []catalogue.Type {
		b, err := json.Marshal(map[string]any{"properties": map[string]any{"m": map[string]any{keyword: values}}})
		if err != nil {
			t.Fatal(err)
		}
		return offered(b)
	}
	for _, keyword := range []string{"enum", "x-payrack-alias"} {
		if missing := release.Compatible(with(keyword, "a"), with(keyword, "b", "a")); len(missing) > 0 {
			t.Errorf("%s grew: %q", keyword, missing)
		}
		if missing := release.Compatible(with(keyword, "a", "b"), with(keyword, "a")); len(missing) != 1 {
			t.Errorf("%s shrank: %q", keyword, missing)
		}
	}
}

func TestMissingCapabilities(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(t *catalogue.Type)
		lacks  string
	}{
		"more": {change: func(t *catalogue.Type) {
			t.Currencies = append(t.Currencies, catalogue.Currency{Code: "JPY"})
			t.Operations = append(t.Operations, catalogue.Operation{Kind: catalogue.Void})
		}},
		"the type":          {func(t *catalogue.Type) { t.Name = "OTHER" }, "the payment type TILL_PAY"},
		"an operation":      {func(t *catalogue.Type) { t.Operations = t.Operations[:1] }, "TILL_PAY: the operation search"},
		"a currency":        {func(t *catalogue.Type) { t.Currencies = t.Currencies[:1] }, "TILL_PAY: the currency USD"},
		"a charge unit":     {func(t *catalogue.Type) { t.Currencies[0].Exponent = 2 }, "TILL_PAY: the charge unit of TWD"},
		"a route":           {func(t *catalogue.Type) { t.Operations[0].Aliases = nil }, "TILL_PAY: pay: the route POST /v1/payment/till/pay"},
		"a search":          {func(t *catalogue.Type) { t.Operations[0].FoundByOrderID = false }, "finding it by its order id"},
		"asking approvals":  {func(t *catalogue.Type) { t.ChecksMandates = false }, "asking about a stored approval"},
		"ending approvals":  {func(t *catalogue.Type) { t.EndsMandates = false }, "ending a stored approval"},
		"the account":       {func(t *catalogue.Type) { t.AccountMember = "merchant" }, "pinned on payments"},
		"a new credential":  {func(t *catalogue.Type) { t.Credential = []byte(`{"required":["key"]}`) }, "credentials: there is a schema"},
		"an unread schema":  {func(t *catalogue.Type) { t.Operations[0].Columns = []byte(`{`) }, "no JSON"},
		"columns no longer": {change: func(t *catalogue.Type) { t.Operations[0].Columns = nil }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := offered([]byte(`{"type":"object"}`))
			c.change(&now[0])
			said := strings.Join(release.Compatible(offered([]byte(`{"type":"object"}`)), now), "; ")
			if (c.lacks == "") != (said == "") || !strings.Contains(said, c.lacks) {
				t.Errorf("missing %q, want %q", said, c.lacks)
			}
		})
	}
	if missing := release.Compatible(nil, offered(nil)); len(missing) > 0 {
		t.Errorf("the first release lacks %q", missing)
	}
}
