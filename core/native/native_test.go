package native_test

import (
	"testing"

	"github.com/payrack/payrack/core/native"
)

func TestAppendKeepsTheProvidersBytes(t *testing.T) {
	t.Parallel()
	label := native.Member{Name: "message_from", Value: "X<Y>"}
	for _, c := range []struct{ in, want string }{
		{`{"id":2019049910005496810,"n":1.50}`, `{"id":2019049910005496810,"n":1.50,"message_from":"X<Y>"}`},
		{` { "a" : 1 } `, `{"a" : 1,"message_from":"X<Y>"}`},
		{`{}`, `{"message_from":"X<Y>"}`},
		{``, `{"message_from":"X<Y>"}`},
		{`[1]`, `{"message_from":"X<Y>"}`},
	} {
		if got := string(native.Append([]byte(c.in), label)); got != c.want {
			t.Errorf("Append(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}
