package provider_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

type keys struct {
	Shop   string          `json:"shop" payrack:"required,role=account" pattern:"^[0-9]{10}$" doc:"The shop's number."`
	Secret provider.Secret `json:"secret" payrack:"required"`
}

type line struct {
	Name  string          `json:"name" payrack:"required,text" max:"10"`
	Price provider.Number `json:"price" min:"0"`
}

type columns struct {
	keys

	Amount   provider.Number   `json:"amount" payrack:"required,role=amount" above:"0"`
	Order    string            `json:"order" payrack:"required,role=order,trim,alias=order_no|orderNo" min:"1" max:"20"`
	Channel  string            `json:"channel" enum:"pos|app" default:"pos" example:"app"`
	Count    int64             `json:"count" enum:"1|2"`
	Code     string            `json:"code" payrack:"role=code,secret,nofingerprint"`
	At       string            `json:"at" payrack:"role=time,format=payrack-local-datetime"`
	Lines    []line            `json:"lines" min:"1" max:"2"`
	Raw      json.RawMessage   `json:"raw"`
	Wait     provider.Duration `json:"wait"`
	Gift     *bool             `json:"gift"`
	Skipped  string            `json:"-"`
	internal string
}

func ExampleSchema() {
	type credential struct {
		Shop   string          `json:"shop" payrack:"required,role=account" pattern:"^[0-9]{10}$"`
		Secret provider.Secret `json:"secret" payrack:"required"`
	}
	var out bytes.Buffer
	_ = json.Indent(&out, provider.Schema[credential](), "", "  ")
	fmt.Println(out.String())
	// Output:
	// {
	//   "type": "object",
	//   "required": [
	//     "shop",
	//     "secret"
	//   ],
	//   "additionalProperties": false,
	//   "properties": {
	//     "shop": {
	//       "type": "string",
	//       "pattern": "^[0-9]{10}$",
	//       "x-payrack-role": "account"
	//     },
	//     "secret": {
	//       "type": "string",
	//       "x-payrack-secret": true
	//     }
	//   }
	// }
}

func TestSchemaAcceptsWhatTheTagsSay(t *testing.T) {
	t.Parallel()
	_ = columns{internal: ""}.internal
	raw := provider.Schema[columns]("order", "channel")
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("mem://columns.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("mem://columns.json")
	if err != nil {
		t.Fatal(err)
	}
	const good = `"shop":"0123456789","secret":"s","amount":9.5,"order":"A-1"`
	for text, want := range map[string]bool{
		`{` + good + `}`: true,
		`{` + good + `,"channel":"app","count":2,"lines":[{"name":"a","price":1}],"raw":[1],"wait":"5s","gift":true}`: true,
		`{"shop":"0123456789","secret":"s","order":"A-1"}`:                                                            false,
		`{"shop":"1","secret":"s","amount":1,"order":"A-1"}`:                                                          false,
		`{"shop":"0123456789","secret":"s","amount":0,"order":"A-1"}`:                                                 false,
		`{` + good + `,"channel":"web"}`:                                                                              false,
		`{` + good + `,"count":3}`:                                                                                    false,
		`{` + good + `,"lines":[]}`:                                                                                   false,
		`{` + good + `,"lines":[{"price":1}]}`:                                                                        false,
		`{` + good + `,"lines":[{"name":"` + strings.Repeat("a", 11) + `"}]}`:                                         false,
		`{` + good + `,"lines":[{"name":"a","more":1}]}`:                                                              false,
		`{` + good + `,"gift":"yes"}`:                                                                                 false,
		`{` + good + `,"Skipped":"x"}`:                                                                                false,
		`{` + good + `,"internal":"x"}`:                                                                               false,
	} {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if got := schema.Validate(v) == nil; got != want {
			t.Errorf("%s: valid %v, want %v", text, got, want)
		}
	}
}

func TestSchemaAnnotations(t *testing.T) {
	t.Parallel()
	var got struct {
		Required   []string                   `json:"required"`
		AnyOf      []map[string][]string      `json:"anyOf"` //nolint:tagliatelle // JSON Schema's own word
		Properties map[string]json.RawMessage `json:"properties"`
	}
	if err := json.Unmarshal(provider.Schema[columns]("order", "channel"), &got); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(got.Required) != "[shop secret amount order]" || fmt.Sprint(got.AnyOf) != "[map[required:[order]] map[required:[channel]]]" {
		t.Errorf("got %v, %v", got.Required, got.AnyOf)
	}
	for name, want := range map[string]string{
		"shop":    `{"description":"The shop's number.","type":"string","pattern":"^[0-9]{10}$","x-payrack-role":"account"}`,
		"secret":  `{"type":"string","x-payrack-secret":true}`,
		"order":   `{"type":"string","minLength":1,"maxLength":20,"x-payrack-role":"order","x-payrack-trim":true,"x-payrack-alias":["order_no","orderNo"]}`,
		"channel": `{"type":"string","enum":["pos","app"],"default":"pos","examples":["app"]}`,
		"count":   `{"type":"integer","enum":[1,2]}`,
		"code":    `{"type":"string","x-payrack-role":"code","x-payrack-secret":true,"x-payrack-fingerprint":false}`,
		"at":      `{"type":"string","x-payrack-role":"time","format":"payrack-local-datetime"}`,
		"raw":     `{}`,
		"wait":    `{"type":"string"}`,
	} {
		if string(got.Properties[name]) != want {
			t.Errorf("%s: got %s, want %s", name, got.Properties[name], want)
		}
	}
}

func TestSchemaPanicsAtMistakes(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]func() json.RawMessage{
		"no struct": func() json.RawMessage { return provider.Schema[string]() },
		"no tag":    func() json.RawMessage { return provider.Schema[struct{ A string }]() },
		"unknown word": func() json.RawMessage {
			return provider.Schema[struct {
				A string `json:"a" payrack:"requierd"`
			}]()
		},
		"float": func() json.RawMessage {
			return provider.Schema[struct {
				A float64 `json:"a"`
			}]()
		},
		"map": func() json.RawMessage {
			return provider.Schema[struct {
				A map[string]string `json:"a"`
			}]()
		},
		"bound of a bool": func() json.RawMessage {
			return provider.Schema[struct {
				A bool `json:"a" max:"1"`
			}]()
		},
		"bound in words": func() json.RawMessage {
			return provider.Schema[struct {
				A string `json:"a" max:"many"`
			}]()
		},
		"any of what is not there": func() json.RawMessage {
			return provider.Schema[struct {
				A string `json:"a"`
			}]("b")
		},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}
