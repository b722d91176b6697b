package tokens

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// audience is one text or a list of them (RFC 7519).
type audience []string

// MarshalJSON writes one audience as a text.
func (a audience) MarshalJSON() ([]byte, error) {
	var v any = []string(a)
	if len(a) == 1 {
		v = a[0]
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("write the audience: %w", err)
	}
	return b, nil
}

// UnmarshalJSON reads a text or a list of texts.
func (a *audience) UnmarshalJSON(b []byte) error {
	var one string
	if err := json.Unmarshal(b, &one); err == nil {
		*a = audience{one}
		return nil
	}
	var many []string
	if err := json.Unmarshal(b, &many); err != nil {
		return errors.New("an audience is a text or a list of texts")
	}
	*a = many
	return nil
}

func (a audience) has(name string) bool { return slices.Contains(a, name) }
