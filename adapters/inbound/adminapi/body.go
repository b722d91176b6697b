package adminapi

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/labstack/echo/v4"

	"github.com/payrack/payrack/adapters/inbound/internal/httpkit"
	"github.com/payrack/payrack/core/fault"
)

// read reads a JSON body into a struct, strictly: the text as the public plane reads it, and no member that
// the struct does not have, in exactly its spelling.
func read(c echo.Context, known []string, into any) error {
	return readUpTo(c, maxBody, httpkit.DefaultJSON(), known, into)
}

func readUpTo(c echo.Context, limit int64, limits httpkit.JSONLimits, known []string, into any) error {
	r := c.Request()
	if err := httpkit.JSONMedia(r); err != nil {
		return err //nolint:wrapcheck // a refusal goes to the client as it is
	}
	body, err := httpkit.ReadBody(c.Response(), r, limit)
	if err != nil {
		return err //nolint:wrapcheck // a refusal goes to the client as it is
	}
	members, err := httpkit.ParseObject(body, limits, "")
	if err != nil {
		return err //nolint:wrapcheck // a fault goes to the client as it is
	}
	for _, m := range members {
		if !slices.Contains(known, m.Name) {
			return invalid("", "unknown_member", "The body has a member that this route does not know.")
		}
	}
	if holdsNUL(body) {
		// No database keeps it in a text.
		return invalid("", "control_character", "A text of the body has the control character NUL.")
	}
	if err := json.Unmarshal(body, into); err != nil {
		// The error of the decoder can repeat parts of the body.
		return invalid("", "invalid_type", "A member of the body has the wrong type.")
	}
	return nil
}

// holdsNUL reports whether a name or text of a JSON text that was read strictly holds NUL. It can only stand there escaped.
func holdsNUL(body []byte) bool {
	if !bytes.Contains(body, []byte(`\u0000`)) {
		return false
	}
	d := jsontext.NewDecoder(bytes.NewReader(body))
	for {
		token, err := d.ReadToken()
		if err != nil {
			return false
		}
		if token.Kind() == '"' && strings.ContainsRune(token.String(), 0) {
			return true
		}
	}
}

func invalid(pointer, code, message string) error {
	f := fault.New(fault.Invalid, code, message)
	f.Fields = []fault.Field{{Pointer: pointer, Code: code, Detail: message}}
	return f
}

// require fails with the first text that is missing, and names all of them.
func require(texts ...[2]string) error {
	var missing []fault.Field
	for _, t := range texts {
		if t[1] == "" {
			missing = append(missing, fault.Field{Pointer: "/" + t[0], Code: "missing_field", Detail: t[0] + " 不可為空"})
		}
	}
	if len(missing) == 0 {
		return nil
	}
	f := fault.New(fault.Invalid, "missing_field", missing[0].Detail)
	f.Fields = missing
	return f
}
