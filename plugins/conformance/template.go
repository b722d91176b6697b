package conformance

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/template"
	"time"
)

// words are the template functions that every text of a subject has.
func words() template.FuncMap {
	return template.FuncMap{
		"digits": func(n int) string { return randomOf("0123456789", n) },
		"hex":    func(n int) string { return randomOf("0123456789abcdef", n) },
		"alnum":  func(n int) string { return randomOf("0123456789abcdefghijklmnopqrstuvwxyz", n) },
		"uuid":   newUUID,
		// now is the time in an offset such as "+08:00", in Go's layout.
		"now":         formatNow,
		"hmac_sha256": func(key, text string) string { return macOf(key, text) },
		"sha256":      func(text string) string { sum := sha256.Sum256([]byte(text)); return string(sum[:]) },
		"base64":      func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) },
		"to_hex":      func(text string) string { return hex.EncodeToString([]byte(text)) },
		"lower":       strings.ToLower,
		"upper":       strings.ToUpper,
	}
}

func macOf(key, text string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(text))
	return string(mac.Sum(nil))
}

func formatNow(offset, layout string) (string, error) {
	at, err := time.Parse("-07:00", offset)
	if err != nil {
		return "", errors.New(`now: the offset is written as in "+08:00"`)
	}
	return time.Now().In(at.Location()).Format(layout), nil
}

// randomOf draws n characters. The first is not 0, so that numbers keep their length.
func randomOf(alphabet string, n int) string {
	raw := make([]byte, n)
	_, _ = rand.Read(raw) // it never fails: the program ends instead
	for i, b := range raw {
		raw[i] = alphabet[int(b)%len(alphabet)]
	}
	if n > 0 && raw[0] == '0' {
		raw[0] = '1'
	}
	return string(raw)
}

func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// expandText replaces the actions of one text.
func expandText(text string, functions template.FuncMap) (string, error) {
	if !strings.Contains(text, "{{") {
		return text, nil
	}
	t, err := template.New("").Funcs(words()).Funcs(functions).Option("missingkey=error").Parse(text)
	if err != nil {
		return "", fmt.Errorf("template %.60q: %w", text, err)
	}
	var out strings.Builder
	if err := t.Execute(&out, nil); err != nil {
		return "", fmt.Errorf("template %.60q: %w", text, err)
	}
	return out.String(), nil
}

// expandJSON replaces the actions in every text of a JSON document. A text that begins with = becomes
// what follows as a JSON token: "={{amount}}" is a number.
func expandJSON(raw json.RawMessage, functions template.FuncMap) (json.RawMessage, error) {
	if len(bytes.TrimSpace(raw)) == 0 {
		return json.RawMessage("{}"), nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	var out bytes.Buffer
	if err := expandValue(d, &out, functions); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// expandValue copies one value token by token, so that the members keep their order and numbers their
// digits.
func expandValue(d *json.Decoder, out *bytes.Buffer, functions template.FuncMap) error {
	d.UseNumber()
	token, err := d.Token()
	if err != nil {
		return fmt.Errorf("JSON: %w", err)
	}
	switch v := token.(type) {
	case json.Delim:
		return expandMembers(d, out, functions, v)
	case string:
		text, err := expandText(v, functions)
		if err != nil {
			return err
		}
		if raw, plain := strings.CutPrefix(text, "="); plain && strings.HasPrefix(v, "=") {
			if !json.Valid([]byte(raw)) {
				return fmt.Errorf("template %.60q makes %.60q, which is no JSON", v, raw)
			}
			out.WriteString(raw)
			return nil
		}
		return writeJSON(out, text)
	default:
		return writeJSON(out, v)
	}
}

func expandMembers(d *json.Decoder, out *bytes.Buffer, functions template.FuncMap, open json.Delim) error {
	out.WriteString(open.String())
	for first := true; d.More(); first = false {
		if !first {
			out.WriteByte(',')
		}
		if open == '{' {
			name, err := d.Token()
			if err != nil {
				return fmt.Errorf("JSON: %w", err)
			}
			if err := writeJSON(out, name); err != nil {
				return err
			}
			out.WriteByte(':')
		}
		if err := expandValue(d, out, functions); err != nil {
			return err
		}
	}
	end, err := d.Token()
	if err != nil {
		return fmt.Errorf("JSON: %w", err)
	}
	if delim, ok := end.(json.Delim); ok {
		out.WriteString(delim.String())
	}
	return nil
}

func writeJSON(out *bytes.Buffer, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("JSON: %w", err)
	}
	out.Write(raw)
	return nil
}
