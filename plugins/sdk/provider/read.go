package provider

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds how deep a gateway's answer may nest.
const maxDepth = 64

var (
	errNotUTF8   = errors.New("the answer is not UTF-8")
	errNoObject  = errors.New("the answer is no JSON object that can be read")
	errTwice     = errors.New("the answer has a member twice")
	errTooDeep   = errors.New("the answer nests too deep")
	errOtherType = errors.New("the answer has a member of another type than documented")
)

// ReadJSON reads a gateway's answer, one JSON object, into v. What two readers could understand in two ways is
// refused: a member that is there twice (in the same or another case), invalid UTF-8, anything behind the object.
// Unknown members are passed over, because gateways add some. The errors hold nothing of the answer.
func ReadJSON(raw []byte, v any) error {
	if !utf8.Valid(raw) {
		return errNotUTF8
	}
	if err := unambiguous(raw); err != nil {
		return err
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return errOtherType
	}
	return nil
}

// unambiguous checks that the bytes are one JSON object without duplicate names at any depth.
func unambiguous(raw []byte) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if first, err := d.Token(); err != nil || first != json.Delim('{') {
		return errNoObject
	}
	if err := members(d, 1); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errNoObject
	}
	return nil
}

// members reads to the end of an object whose opening brace was read.
func members(d *json.Decoder, depth int) error {
	seen := map[string]bool{}
	for d.More() {
		token, err := d.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return errNoObject
		}
		// encoding/json takes "Amount" for a member "amount".
		if name = strings.ToLower(name); seen[name] {
			return errTwice
		}
		seen[name] = true
		if err := value(d, depth); err != nil {
			return err
		}
	}
	return closing(d)
}

// value reads one value.
func value(d *json.Decoder, depth int) error {
	if depth >= maxDepth {
		return errTooDeep
	}
	token, err := d.Token()
	if err != nil {
		return errNoObject
	}
	switch token {
	case json.Delim('{'):
		return members(d, depth+1)
	case json.Delim('['):
		for d.More() {
			if err := value(d, depth+1); err != nil {
				return err
			}
		}
		return closing(d)
	}
	return nil
}

func closing(d *json.Decoder) error {
	if _, err := d.Token(); err != nil {
		return errNoObject
	}
	return nil
}
