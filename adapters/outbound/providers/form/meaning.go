package form

import (
	"slices"
	"strings"
)

func byName(x, y member) int { return strings.Compare(x.name, y.name) }

// appendMeaning writes a value so that equal meanings have equal text: members sorted, numbers without
// trailing zeros, ids without case, texts in one spelling, and nothing that may change between two tries of
// one request.
func appendMeaning(b []byte, n *node, v value) []byte {
	switch v.kind {
	case '{':
		sorted := v.members
		if !slices.IsSortedFunc(sorted, byName) {
			sorted = slices.SortedFunc(slices.Values(sorted), byName)
		}
		b = append(b, '{')
		first := true
		for _, m := range sorted {
			child := n.property(m.name)
			if child != nil && !child.fingerprint {
				continue
			}
			if !first {
				b = append(b, ',')
			}
			first = false
			b = appendName(b, m.name)
			b = appendMeaning(b, child, m.value)
		}
		return append(b, '}')
	case '[':
		b = append(b, '[')
		for i, item := range v.items {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendMeaning(b, n.item(), item)
		}
		return append(b, ']')
	case '0':
		return append(b, canonicalNumber(v.raw)...)
	case '"':
		text := v.text
		if n != nil && n.format == formatUUID {
			text = strings.ToLower(text)
		}
		return appendText(b, text)
	default:
		return append(b, v.raw...)
	}
}
