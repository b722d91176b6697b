package httpapi

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/payrack/payrack/adapters/inbound/internal/httpkit"
	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/mandate"
	"github.com/payrack/payrack/core/money"
	"github.com/payrack/payrack/ports/inbound"
)

// Members of the neutral requests.
const (
	memberAmount = "amount"
	memberReason = "reason"
	memberData   = "provider_data"
	memberSource = "source"
	memberKind   = "type"
)

// maxReason is the longest reason, in characters.
const maxReason = 200

// newPayment is the body of a request that starts a payment.
type newPayment struct {
	kind    string
	store   *string
	test    *bool
	mandate string
	values  catalogue.Values
}

func (b *newPayment) neutral() *inbound.Neutral {
	return &inbound.Neutral{Mandate: mandate.ID(b.mandate), Values: b.values}
}

// read reads a body. A charge of a stored approval has no source: it is the approval.
func (b *newPayment) read(text []byte, charge bool) error {
	known := []string{
		memberKind, "store_id", "order_number", memberAmount, "capture", memberSource, "return_url", "cancel_url", "description",
		"is_test", memberData, "credentials",
	}
	if charge {
		known = slices.DeleteFunc(known, func(name string) bool { return name == memberSource })
	}
	var c columns
	m, err := c.members(text, "", known)
	if err != nil {
		return err
	}
	b.kind = c.text(memberKind, m[memberKind])
	if s, given := c.optional("/store_id", m["store_id"]); given {
		b.store = c.store(s)
	}
	b.values.OrderNumber = c.text("order_number", m["order_number"])
	if m[memberAmount] == nil {
		c.missing(memberAmount)
	}
	b.values.Amount = c.amount(m[memberAmount])
	b.values.Capture = c.truth("capture", m["capture"])
	b.source(&c, m[memberSource])
	b.values.ReturnURL, _ = c.optional("/return_url", m["return_url"])
	b.values.CancelURL, _ = c.optional("/cancel_url", m["cancel_url"])
	b.values.Description, _ = c.optional("/description", m["description"])
	b.test = c.truth("is_test", m["is_test"])
	b.values.Columns = c.object(memberData, m[memberData])
	b.values.Credential = c.object("credentials", m["credentials"])
	return c.err()
}

// source says how the payer pays: by a code that was shown, or by a stored approval.
func (b *newPayment) source(c *columns, value jsontext.Value) {
	const at = "/" + memberSource
	text := c.object(memberSource, value)
	if text == nil {
		return
	}
	m, err := c.members(text, at, []string{"code", "mandate_id"})
	if err != nil {
		return // the body was read strictly before, and this object with it
	}
	code, coded := c.optional(at+"/code", m["code"])
	id, named := c.optional(at+"/mandate_id", m["mandate_id"])
	switch {
	case coded && named:
		c.wrong(at, "conflicting_members", "source has a code or a mandate_id, not both.")
	case len(m) == 0, coded && code == "":
		c.wrong(at+"/code", "missing_field", missing("code"))
	case named && !uuidText.MatchString(id):
		c.wrong(at+"/mandate_id", "invalid_format", "mandate_id is the id of a mandate.")
	}
	b.values.Code, b.mandate = code, id
}

// followUp reads the body of an operation on a payment that exists.
func followUp(text []byte, known []string) (*inbound.Neutral, error) {
	var c columns
	m, err := c.members(text, "", known)
	if err != nil {
		return nil, err
	}
	n := &inbound.Neutral{}
	n.Values.Amount = c.amount(m[memberAmount])
	n.Reason, _ = c.optional("/"+memberReason, m[memberReason])
	switch {
	case utf8.RuneCountInString(n.Reason) > maxReason:
		c.wrong("/"+memberReason, "too_long", "reason has at most 200 characters.")
	case strings.ContainsFunc(n.Reason, control):
		c.wrong("/"+memberReason, "control_character", "reason has a control character.")
	}
	n.Values.Columns = c.object(memberData, m[memberData])
	return n, c.err()
}

func control(r rune) bool { return r < 0x20 || (r >= 0x7f && r <= 0x9f) }

// members reads an object with these members and no others. A member that is null is absent.
func (c *columns) members(text []byte, at string, known []string) (map[string]jsontext.Value, error) {
	all, err := httpkit.ParseObject(text, httpkit.DefaultJSON(), at)
	if err != nil {
		return nil, err //nolint:wrapcheck // a fault goes to the client as it is
	}
	m := make(map[string]jsontext.Value, len(all))
	unknown := false
	for _, one := range all {
		switch {
		case !slices.Contains(known, one.Name):
			unknown = true
		case one.Value.Kind() != 'n':
			m[one.Name] = one.Value
		}
	}
	if unknown {
		c.wrong(at, "unknown_member", "There is a member that this route does not know.")
	}
	return m, nil
}

// optional reads a text that may be absent.
func (c *columns) optional(pointer string, value jsontext.Value) (text string, given bool) {
	if value == nil {
		return "", false
	}
	if value.Kind() != '"' {
		c.wrong(pointer, "invalid_type", pointer[strings.LastIndexByte(pointer, '/')+1:]+" must be a text.")
		return "", false
	}
	return plain(value), true
}

// truth reads true or false, nil if absent.
func (c *columns) truth(name string, value jsontext.Value) *bool {
	if value == nil {
		return nil
	}
	if k := value.Kind(); k != 't' && k != 'f' {
		c.wrong("/"+name, "invalid_type", name+" must be true or false.")
		return nil
	}
	return new(value.Kind() == 't')
}

// object reads an object as it stands, nil if absent.
func (c *columns) object(name string, value jsontext.Value) []byte {
	if value == nil {
		return nil
	}
	if value.Kind() != '{' {
		c.wrong("/"+name, "invalid_type", name+" must be a JSON object.")
		return nil
	}
	return value
}

// amount reads an amount in charge units: digits, and nothing that a float could have been. The zero Amount if absent.
func (c *columns) amount(value jsontext.Value) money.Amount {
	const at = "/" + memberAmount
	text := c.object(memberAmount, value)
	if text == nil {
		return money.Amount{}
	}
	m, err := c.members(text, at, []string{memberAmount, "currency"})
	if err != nil {
		return money.Amount{} // the body was read strictly before, and this object with it
	}
	units := c.units(at+"/amount", m[memberAmount])
	code, given := c.optional(at+"/currency", m["currency"])
	if m["currency"] == nil || given && code == "" {
		c.wrong(at+"/currency", "missing_field", missing("currency"))
		return money.Amount{}
	}
	amount, err := money.Of(units, money.Currency(code))
	if given && err != nil {
		c.wrong(at+"/currency", "invalid_format", "currency is TWD, JPY, THB or USD.")
	}
	return amount
}

func (c *columns) units(pointer string, value jsontext.Value) int64 {
	switch {
	case value == nil:
		c.wrong(pointer, "missing_field", missing(memberAmount))
		return 0
	case value.Kind() != '0' || strings.ContainsAny(string(value), ".eE"):
		c.wrong(pointer, "invalid_type", "amount must be a whole number of charge units.")
		return 0
	}
	n, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil || n < 1 {
		c.wrong(pointer, "out_of_range", "amount must be at least one charge unit and fit into 64 bits.")
		return 0
	}
	return n
}
