package form

import (
	"errors"
	"strings"
	"time"
	"unicode"
)

// The formats of the agreement.
const (
	formatLocalDatetime = "payrack-local-datetime"
	formatUUID          = "payrack-uuid"
)

// cleanText reports whether a text may be passed on. Identifiers hold nothing that is invisible or turns
// the reading direction, so that what a person compares is what a machine compares. Free text may have
// lines, tabs and the joiners that scripts and emoji need.
func cleanText(s string, free bool) bool {
	for _, r := range s {
		switch {
		case r == '\n' || r == '\t':
			if !free {
				return false
			}
		case unicode.IsControl(r):
			return false
		case r == 0x2028 || r == 0x2029 || r == 0xFEFF:
			return false
		case r >= 0x202A && r <= 0x202E, r >= 0x2066 && r <= 0x2069: // bidirectional overrides and isolates
			return false
		case r >= 0x200B && r <= 0x200F, r == 0x2060, r == 0x061C: // zero-width characters and marks
			if !free {
				return false
			}
		}
	}
	return true
}

// trim drops ASCII space and tab only: other blanks in an identifier are a mistake that must be seen.
func trim(s string) string { return strings.Trim(s, " \t") }

func localDatetime(v any) error {
	s, ok := v.(string)
	if !ok {
		return nil
	}
	const layout = "2006-01-02 15:04:05"
	if len(s) != len(layout) {
		return errors.New("not YYYY-MM-DD HH:mm:ss")
	}
	for i := range len(layout) {
		if c, digit := s[i], layout[i] >= '0' && layout[i] <= '9'; digit != (c >= '0' && c <= '9') {
			return errors.New("not YYYY-MM-DD HH:mm:ss")
		}
	}
	if _, err := time.Parse(layout, s); err != nil || s[:4] == "0000" {
		return errors.New("no such date or time")
	}
	return nil
}

func uuid(v any) error {
	s, ok := v.(string)
	if !ok {
		return nil
	}
	if len(s) != 36 {
		return errors.New("not 36 characters")
	}
	zero := true
	for i := range len(s) {
		c := s[i]
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return errors.New("hyphens at other places")
			}
			continue
		}
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return errors.New("not hexadecimal")
		}
		zero = zero && c == '0'
	}
	if zero {
		return errors.New("the nil UUID")
	}
	return nil
}
