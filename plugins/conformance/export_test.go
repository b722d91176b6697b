package conformance

import (
	"encoding/json"
	"time"
)

// ExpandJSON is expandJSON with the words that every subject has.
func ExpandJSON(raw string) (string, error) {
	out, err := expandJSON(json.RawMessage(raw), nil)
	return string(out), err
}

// FindSecrets says which of the values stand in a log line.
func FindSecrets(text string, values ...string) []string {
	c := &collected{}
	c.add(fromLog, text)
	all := make([]secret, len(values))
	for i, v := range values {
		all[i] = secret{"value", v}
	}
	var found []string
	for _, s := range c.find(fromLog, all) {
		found = append(found, s.value)
	}
	return found
}

// Amounts writes charge units as a script does, and reads them back.
func Amounts(form string, units int64, exponent int) (text string, back int64, ok bool) {
	g := &scriptGateway{script: Script{Amounts: form}, exponents: map[string]int{"XTS": exponent}}
	text = g.spell(units, "XTS")
	back, ok = g.units(text, "XTS", nil)
	return text, back, ok
}

// ReadAmount reads an amount as a script does.
func ReadAmount(form, text string, exponent int) (int64, bool) {
	g := &scriptGateway{script: Script{Amounts: form}, exponents: map[string]int{"XTS": exponent}}
	return g.units(text, "XTS", nil)
}

// FixedZone is fixedZone.
func FixedZone(offset time.Duration) []byte { return fixedZone(offset) }

// StackLines is stackLines.
func StackLines(log ...string) (int, bool) { return stackLines(log) }
