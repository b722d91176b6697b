package httpapi

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/payrack/payrack/adapters/inbound/internal/httpkit"
	"github.com/payrack/payrack/core/fault"
)

// envelope is what stands around a native request.
type envelope struct {
	// Type is the payment type, empty on the routes that stand for one.
	Type string
	// Request is the native request, a JSON object that was read strictly.
	Request []byte
	// Members of a request that came in a query, for the look-out for secrets.
	Members []httpkit.Member
	// Store is nil if there was no store_id.
	Store *string
	// Test is nil if there was no is_test.
	Test *bool
}

// columns collects what is wrong with the envelope, in the order of the columns.
type columns struct{ fields []fault.Field }

func (c *columns) wrong(pointer, code, detail string) {
	c.fields = append(c.fields, fault.Field{Pointer: pointer, Code: code, Detail: detail})
}

func (c *columns) missing(name string) { c.wrong("/"+name, "missing_field", missing(name)) }

// missing is the sentence of the platform's first API.
func missing(name string) string { return name + " 不可為空" }

func (c *columns) err() error {
	if len(c.fields) == 0 {
		return nil
	}
	f := fault.New(fault.Invalid, c.fields[0].Code, c.fields[0].Detail)
	f.Fields = c.fields
	return f
}

// storeCode reports whether a store_id is spelt as one: up to 64 letters, digits and ._- (no dot in front), or nothing for
// the company itself.
func storeCode(value string) bool {
	for i := range len(value) {
		if c := value[i]; !alphanumeric(c) && c != '_' && c != '-' && (c != '.' || i == 0) {
			return false
		}
	}
	return len(value) <= 64
}

func (c *columns) store(value string) *string {
	if !storeCode(value) {
		c.wrong("/store_id", "invalid_format", "store_id has at most 64 letters, digits, dots, hyphens and underscores.")
		return nil
	}
	return &value
}

// fromQuery reads the envelope of a GET.
func fromQuery(raw string, typed bool, limits httpkit.JSONLimits) (envelope, error) {
	known := []httpkit.Parameter{{Name: "request", Lines: true}, {Name: "store_id"}, {Name: "is_test"}}
	if typed {
		known = append(known, httpkit.Parameter{Name: "type"})
	}
	values, err := httpkit.ParseQuery(raw, known...)
	if err != nil {
		return envelope{}, err //nolint:wrapcheck // a fault goes to the client as it is
	}
	var e envelope
	if text := values["request"]; text != "" {
		// The object stands one level deep in a body, and may nest as deep here as there.
		limits.Depth--
		if e.Members, err = httpkit.ParseObject([]byte(text), limits, "/request"); err != nil {
			return envelope{}, err //nolint:wrapcheck // a fault goes to the client as it is
		}
		e.Request = []byte(text)
	}
	var c columns
	if e.Type = values["type"]; typed && e.Type == "" {
		c.missing("type")
	}
	if e.Request == nil {
		c.missing("request")
	}
	if value, given := values["store_id"]; given {
		e.Store = c.store(value)
	}
	if value, given := values["is_test"]; given {
		switch lower(value) {
		case "true":
			e.Test = new(true)
		case "false":
			e.Test = new(false)
		default:
			c.wrong("/is_test", "invalid_format", "is_test is TRUE or FALSE.")
		}
	}
	return e, c.err()
}

// lower folds ASCII letters only: other scripts have letters that fold to ASCII ones.
func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + ('a' - 'A')
		}
		return r
	}, s)
}

// fromBody reads the envelope of a JSON body.
func fromBody(body []byte, typed bool, limits httpkit.JSONLimits) (envelope, error) {
	members, err := httpkit.ParseObject(body, limits, "")
	if err != nil {
		return envelope{}, err //nolint:wrapcheck // a fault goes to the client as it is
	}
	values := make(map[string]jsontext.Value, len(members))
	unknown := false
	for _, m := range members {
		switch m.Name {
		case "request", "store_id", "is_test":
			values[m.Name] = m.Value
		case "type":
			values[m.Name] = m.Value
			unknown = unknown || !typed
		default:
			unknown = true
		}
	}
	var (
		e envelope
		c columns
	)
	if typed {
		e.Type = c.text("type", values["type"])
	}
	e.request(&c, values["request"])
	if value, given := values["store_id"]; given && value.Kind() != 'n' {
		if value.Kind() != '"' {
			c.wrong("/store_id", "invalid_type", "store_id must be a text.")
		} else {
			e.Store = c.store(plain(value))
		}
	}
	if value, given := values["is_test"]; given {
		switch value.Kind() {
		case 't', 'f':
			e.Test = new(value.Kind() == 't')
		default:
			c.wrong("/is_test", "invalid_type", "is_test must be true or false.")
		}
	}
	if unknown {
		c.wrong("", "unknown_member", "The body has a member that this route does not know.")
	}
	return e, c.err()
}

// text reads a required text; null and "" are missing.
func (c *columns) text(name string, value jsontext.Value) string {
	switch value.Kind() {
	case 0, 'n':
		c.missing(name)
		return ""
	case '"':
		s := plain(value)
		if s == "" {
			c.missing(name)
		}
		return s
	}
	c.wrong("/"+name, "invalid_type", name+" must be a text.")
	return ""
}

func (e *envelope) request(c *columns, value jsontext.Value) {
	switch value.Kind() {
	case 0:
		c.missing("request")
	case '{':
		// The body was read strictly, and this object with it.
		e.Request = value
	default:
		c.wrong("/request", "invalid_type", "request must be a JSON object.")
	}
}

// plain unquotes a text that the strict reader has accepted.
func plain(value jsontext.Value) string {
	s, err := jsontext.AppendUnquote(nil, value)
	if err != nil {
		return ""
	}
	return string(s)
}
