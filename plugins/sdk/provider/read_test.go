package provider_test

import (
	"strings"
	"testing"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

func TestReadJSON(t *testing.T) {
	t.Parallel()
	type answer struct {
		Code string `json:"code"`
		Info struct {
			ID provider.Number `json:"id"`
		} `json:"info"`
	}
	var got answer
	if err := provider.ReadJSON([]byte(" {\"code\":\"0000\",\"more\":[{\"a\":1},{\"a\":2}],\"info\":{\"id\":7}}\r\n"), &got); err != nil || got.Code != "0000" || got.Info.ID != "7" {
		t.Fatalf("got %+v, %v", got, err)
	}
	for name, text := range map[string]string{
		"empty":             "",
		"not JSON":          "<html>",
		"no object":         `["code"]`,
		"text":              `"code"`,
		"null":              "null",
		"cut off":           `{"code":"0000"`,
		"cut in a value":    `{"code":"0000","info":{"id":`,
		"more behind":       `{"code":"0000"} {}`,
		"twice":             `{"code":"0000","code":"1142"}`,
		"twice, other case": `{"code":"0000","Code":"1142"}`,
		"twice, deeper":     `{"code":"0000","info":{"id":1,"id":2}}`,
		"twice, in a list":  `{"code":"0000","more":[{"a":1,"a":1}]}`,
		"twice, escaped":    `{"code":"0000","\u0063ode":"1142"}`,
		"not UTF-8":         "{\"code\":\"\xff\"}",
		"another type":      `{"code":0}`,
		"deep":              `{"a":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + "}",
	} {
		err := provider.ReadJSON([]byte(text), new(answer))
		if err == nil {
			t.Errorf("%s: was read", name)
			continue
		}
		if strings.Contains(err.Error(), "1142") {
			t.Errorf("%s: the error repeats the answer: %v", name, err)
		}
	}
}
