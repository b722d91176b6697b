package form_test

import (
	"fmt"
	"testing"

	"github.com/payrack/payrack/adapters/outbound/providers/form"
)

// TestRulesNeverPassWhatTheLibraryRefuses compares the rules with the schema library: every keyword, on values
// of every kind at its edges. A rule may be unsure; it must never let through what the library would not.
func TestRulesNeverPassWhatTheLibraryRefuses(t *testing.T) {
	t.Parallel()
	keywords := []string{
		`"pattern":"^[0-9]+$"`, `"pattern":"b"`, `"minLength":2`, `"maxLength":2`, `"enum":["ab","茶茶"]`, `"enum":["ab",true,null]`,
		`"enum":[1,"ab"]`, `"const":"ab"`, `"const":true`, `"const":1`, `"not":{"const":"ab"}`, `"not":{"pattern":"^a"}`,
		`"not":{"enum":["1",true]}`, `"not":{"const":1}`, `"not":{"const":"ab","pattern":"b$"}`, `"format":"payrack-uuid"`,
		`"format":"payrack-local-datetime"`, `"format":"date"`, `"minimum":1`, `"maximum":1`, `"exclusiveMinimum":1`,
		`"exclusiveMaximum":1`, `"minimum":1.5`, `"maximum":-0.5`, `"exclusiveMinimum":9223372036854775806`, `"maximum":1e2`,
		`"multipleOf":2`, `"minItems":2`, `"maxItems":1`, `"uniqueItems":true`, `"minProperties":2`, `"maxProperties":1`,
		`"dependentRequired":{"a":["b"]}`, `"minLength":2.0`, `"minLength":1,"maxLength":3,"pattern":"a"`,
	}
	values := []string{
		`"ab"`, `"1"`, `"12"`, `"茶"`, `"茶茶"`, `"茶茶茶"`, `"\u0061b"`, `"👩‍👧"`, `" "`, `"ab\nab"`, `"2026-11-22"`, `"2026-11-22 10:00:00"`,
		`"2026-02-30 10:00:00"`, `"00000000-0000-0000-0000-000000000000"`, `"6BA7B810-9dad-11d1-80b4-00c04fd430c8"`,
		`0`, `-0`, `1`, `1.0`, `1.00001`, `0.99999`, `2`, `-1`, `-0.5`, `-0.49`, `100`, `100.01`, `9223372036854775806`, `9223372036854775807`,
		`9223372036854775808`, `true`, `false`, `null`, `[]`, `["a"]`, `["a","a"]`, `[1,2,3]`, `{}`, `{"a":1}`, `{"b":1}`, `{"a":1,"b":2}`,
	}
	const shape = `"type":["string","number","integer","boolean","null","array","object"],"x-payrack-text":true`
	decided := 0
	for _, keyword := range keywords {
		for place, schema := range map[string]string{
			"column": `{"type":"object","additionalProperties":false,"properties":{"x":{` + shape + `,` + keyword + `}}}`,
			"item": `{"type":"object","additionalProperties":false,"properties":{"x":{"type":["array"],"items":{` +
				shape + `,` + keyword + `}}}}`,
			"member": `{"type":"object","additionalProperties":false,"properties":{"x":{"type":["object"],"properties":{"y":{` +
				shape + `,` + keyword + `}}}}}`,
		} {
			for _, v := range values {
				request := map[string]string{"column": v, "item": "[" + v + "]", "member": `{"y":` + v + `}`}[place]
				rules, library, err := form.Judge([]byte(schema), []byte(`{"x":`+request+`}`))
				if err != nil {
					t.Fatal(fmt.Errorf("%s: %w", schema, err))
				}
				if rules && !library {
					t.Errorf("%s %s: %s passes, and the library refuses it", place, keyword, v)
				}
				if rules {
					decided++
				}
			}
		}
	}
	if decided < 1000 {
		t.Errorf("the rules decided %d requests only: the library would be asked for nearly all", decided)
	}
}
