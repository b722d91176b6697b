package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// setMember is one member of a credential set, as its payment type describes it.
type setMember struct {
	name        string
	aliases     []string
	title       string
	description string
	// kind is string, integer, number, boolean, or empty for anything else, which is given as JSON.
	kind     string
	required bool
	secret   bool
	// long is a text that may have many lines, such as a key in PEM.
	long    bool
	choices []string
	// fallback is the default as text, empty without.
	fallback string
}

// memberSchema is what is read of the schema of one member.
type memberSchema struct {
	Title       string            `json:"title"`
	Description string            `json:"description"`
	Type        json.RawMessage   `json:"type"`
	Enum        []json.RawMessage `json:"enum"`
	Default     json.RawMessage   `json:"default"`
	Aliases     []string          `json:"x-payrack-alias"`  //nolint:tagliatelle // JSON Schema annotations
	Secret      bool              `json:"x-payrack-secret"` //nolint:tagliatelle // JSON Schema annotations
	Text        bool              `json:"x-payrack-text"`   //nolint:tagliatelle // JSON Schema annotations
}

// readCredentialSchema lists the members in the order in which they are asked for: the required ones as the schema orders
// them, then the others as they stand there.
func readCredentialSchema(text json.RawMessage) (title string, members []setMember, err error) {
	var schema struct {
		Title      string          `json:"title"`
		Required   []string        `json:"required"`
		Properties json.RawMessage `json:"properties"`
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		return "", nil, fmt.Errorf("it is no schema of an object: %w", err)
	}
	var described map[string]memberSchema
	if err := json.Unmarshal(schema.Properties, &described); err != nil {
		return "", nil, fmt.Errorf("its properties cannot be read: %w", err)
	}
	names, err := memberNames(schema.Properties)
	if err != nil {
		return "", nil, err
	}
	order := slices.Clone(schema.Required)
	for _, name := range names {
		if !slices.Contains(order, name) {
			order = append(order, name)
		}
	}
	for i, name := range order {
		p := described[name]
		members = append(members, setMember{
			name: name, aliases: p.Aliases, title: p.Title, description: p.Description, kind: kindOf(p.Type),
			required: i < len(schema.Required), secret: p.Secret, long: p.Text, choices: plain(p.Enum...), fallback: strings.Join(plain(p.Default), ""),
		})
	}
	return schema.Title, members, nil
}

// memberNames are the names of an object's members in the order of the text.
func memberNames(object json.RawMessage) ([]string, error) {
	d := json.NewDecoder(bytes.NewReader(object))
	if _, err := d.Token(); err != nil {
		return nil, fmt.Errorf("its properties cannot be read: %w", err)
	}
	var names []string
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("its properties cannot be read: %w", err)
		}
		var skipped json.RawMessage
		if err := d.Decode(&skipped); err != nil {
			return nil, fmt.Errorf("its properties cannot be read: %w", err)
		}
		names = append(names, fmt.Sprint(name))
	}
	return names, nil
}

// kindOf reads "string" and ["string", "null"].
func kindOf(schemaType json.RawMessage) string {
	var one string
	if json.Unmarshal(schemaType, &one) == nil {
		return one
	}
	var several []string
	if json.Unmarshal(schemaType, &several) != nil {
		return ""
	}
	several = slices.DeleteFunc(several, func(t string) bool { return t == "null" })
	if len(several) != 1 {
		return ""
	}
	return several[0]
}

// plain shows values as a person types them: texts without quotes.
func plain(values ...json.RawMessage) []string {
	var all []string
	for _, v := range values {
		if len(v) == 0 {
			continue
		}
		var text string
		if json.Unmarshal(v, &text) != nil {
			text = string(v)
		}
		all = append(all, text)
	}
	return all
}

func (m *setMember) called(name string) bool {
	return m.name == name || slices.Contains(m.aliases, name)
}

// value is the JSON of what a person typed. Its error never repeats it.
func (m *setMember) value(text string) (json.RawMessage, error) {
	switch m.kind {
	case "string":
		return json.Marshal(text)
	case "boolean":
		switch strings.ToLower(strings.TrimSpace(text)) {
		case "true", "yes", "y":
			return json.RawMessage("true"), nil
		case "false", "no", "n":
			return json.RawMessage("false"), nil
		}
		return nil, errors.New("is true or false")
	case "integer", "number":
		var number json.Number
		if err := json.Unmarshal([]byte(strings.TrimSpace(text)), &number); err != nil {
			return nil, errors.New("is a number")
		}
		return json.RawMessage(number), nil
	}
	if !json.Valid([]byte(text)) {
		return nil, errors.New("is given as JSON")
	}
	return json.RawMessage(text), nil
}
