package native_test

import (
	"testing"

	"github.com/payrack/payrack/core/native"
)

func TestHas(t *testing.T) {
	t.Parallel()
	for object, want := range map[string]bool{
		`{"message":"m"}`: true, `{"a":1, "message" : null}`: true, `{"a":{"message":1}}`: false, `{"a":"message"}`: false,
		`{}`: false, ``: false, `[1]`: false,
	} {
		if got := native.Has([]byte(object), "message"); got != want {
			t.Errorf("Has(%s) = %v", object, got)
		}
	}
}

func TestAppendKeepsTheProvidersBytes(t *testing.T) {
	t.Parallel()
	label := native.Member{Name: "message_from", Value: "X<Y>"}
	for _, c := range []struct{ in, want string }{
		{`{"id":2019049910005496810,"n":1.50}`, `{"id":2019049910005496810,"n":1.50,"message_from":"X<Y>"}`},
		{` { "a" : 1 } `, `{"a" : 1,"message_from":"X<Y>"}`},
		{`{}`, `{"message_from":"X<Y>"}`},
		{``, `{"message_from":"X<Y>"}`},
		{`[1]`, `{"message_from":"X<Y>"}`},
		{`{"message_from":"EVIL","id":2019049910005496810}`, `{"id":2019049910005496810,"message_from":"X<Y>"}`},
		{`{"id":1.50, "message\u005ffrom" : {"a":[1,"}"]}, "b":"x, y"}`, `{"id":1.50,"b":"x, y","message_from":"X<Y>"}`},
		{`{"info":{"message_from":"inside"}}`, `{"info":{"message_from":"inside"},"message_from":"X<Y>"}`},
		{`{"a":"a\\b"}`, `{"a":"a\\b","message_from":"X<Y>"}`},
	} {
		if got := string(native.Append([]byte(c.in), label)); got != c.want {
			t.Errorf("Append(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}
