package provider

import (
	"encoding/json"
	"fmt"
	"log/slog"
)

// Secret is text that cannot be printed: every verb of fmt, slog and both JSON directions outwards show
// "***". The value sits in a closure, because an unexported string member would be shown by %v.
type Secret struct{ reveal func() string }

const masked = "***"

// NewSecret hides s.
func NewSecret(s string) Secret { return Secret{reveal: func() string { return s }} }

// Reveal returns the text; call it only where the value leaves for the provider.
func (s Secret) Reveal() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

// Empty reports whether there is no text.
func (s Secret) Empty() bool { return s.Reveal() == "" }

// Format prints *** for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(masked)) }

// LogValue logs ***.
func (Secret) LogValue() slog.Value { return slog.StringValue(masked) }

// MarshalJSON writes "***".
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + masked + `"`), nil }

// MarshalText writes ***.
func (Secret) MarshalText() ([]byte, error) { return []byte(masked), nil }

// UnmarshalJSON reads a JSON string.
func (s *Secret) UnmarshalJSON(b []byte) error {
	if text, ok := plainString(b); ok {
		*s = NewSecret(text)
		return nil
	}
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return fmt.Errorf("a secret must be a JSON string")
	}
	*s = NewSecret(text)
	return nil
}

// plainString reads a JSON string of printable ASCII without escapes, which nearly every secret is.
func plainString(b []byte) (string, bool) {
	if len(b) < 2 || b[0] != '"' || b[len(b)-1] != '"' {
		return "", false
	}
	b = b[1 : len(b)-1]
	for _, c := range b {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			return "", false
		}
	}
	return string(b), true
}
