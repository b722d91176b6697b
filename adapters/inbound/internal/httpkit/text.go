package httpkit

import (
	"fmt"
	"strings"
)

func containsFold(s, part string) bool {
	return strings.Contains(strings.ToLower(s), strings.ToLower(part))
}

// typeName is the type of a value, never its text.
func typeName(v any) string { return fmt.Sprintf("%T", v) }
