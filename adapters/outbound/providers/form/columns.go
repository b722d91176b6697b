package form

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/money"
	"github.com/payrack/payrack/ports/outbound"
)

// RequestPointer is where the columns stand in the public API's envelope.
const RequestPointer = "/request"

// Spec is what Columns needs to know besides the schema.
type Spec struct {
	// Schema is the annotated JSON Schema of the native request.
	Schema []byte
	// Currencies that the payment type takes.
	Currencies []catalogue.Currency
	// Credential is the payment type's credential schema; it names the members to pin.
	Credential *Credential
}

// Columns checks native requests of one operation. It is safe for concurrent use.
type Columns struct {
	schema     *schema
	spec       Spec
	currencies map[string]money.Currency
	// places are the members with each role, the shallowest first.
	places map[string][]*node
	// gathered are the roles whose member stands inside an object or at one of several places.
	gathered []gathered
	// flat is the schema's root after gathering: every role but time has one member, at the top.
	flat       *node
	amount     *node
	currency   *node
	mandate    *node
	mandateID  *node
	credential []*node
	// sorted are all properties by name, as the meaning of a request names them.
	sorted []*node
}

// CompileColumns compiles the columns of an operation. The errors tell a provider's author what to change.
func CompileColumns(spec Spec) (*Columns, error) {
	s, err := compile(spec.Schema)
	if err != nil {
		return nil, err
	}
	c := &Columns{schema: s, spec: spec, currencies: map[string]money.Currency{}, credential: s.root.byRole(roleCredential)}
	for _, x := range spec.Currencies {
		exponent, err := money.Currency(x.Code).Exponent()
		if err != nil {
			return nil, fmt.Errorf("currency %q: %w", x.Code, err)
		}
		if exponent != x.Exponent {
			return nil, fmt.Errorf("currency %s is charged with %d decimals here, not %d", x.Code, exponent, x.Exponent)
		}
		c.currencies[x.Code] = money.Currency(x.Code)
	}
	if err := c.placeRoles(); err != nil {
		return nil, err
	}
	if err := c.flatten(); err != nil {
		return nil, err
	}
	c.sorted = slices.SortedFunc(slices.Values(c.flat.properties), func(a, b *node) int { return strings.Compare(a.name, b.name) })
	for role, to := range map[string]**node{
		roleAmount: &c.amount, roleCurrency: &c.currency, roleMandate: &c.mandate, roleMandateID: &c.mandateID,
	} {
		if found := c.flat.byRole(role); len(found) > 0 {
			*to = found[0]
		}
	}
	return c, c.checkMoney()
}

// TakesAmount reports whether there is a column for the amount.
func (c *Columns) TakesAmount() bool { return c.amount != nil }

// TakesCode reports whether there is a column for the one-time code that a payer shows.
func (c *Columns) TakesCode() bool { return len(c.places[roleCode]) > 0 }

// TakesReturnURL reports whether there is a column for the address to which a payer comes back.
func (c *Columns) TakesReturnURL() bool { return len(c.places[roleReturnURL]) > 0 }

// checkMoney: an amount must have a currency, a credential set its account.
func (c *Columns) checkMoney() error {
	if c.amount != nil && c.currency == nil && len(c.currencies) != 1 {
		return errors.New("an amount needs a column with the role currency, or a payment type of one currency")
	}
	if len(c.credential) > 0 {
		account := c.spec.Credential.AccountMember()
		if n := c.schema.root.property(account); n == nil || n.role != roleCredential {
			return fmt.Errorf("the credential columns lack %q, the account that is pinned on payments", account)
		}
	}
	return nil
}

// Read checks a native request and takes the role-bound members out of it. It fails with fault.Invalid.
func (c *Columns) Read(native []byte) (outbound.Form, error) {
	v, err := parseObject(native, RequestPointer)
	if err != nil {
		return outbound.Form{}, err
	}
	p := &problems{root: c.schema.root, base: RequestPointer}
	v = c.schema.tidyTop(v, p)
	c.schema.validate(v, p)
	v = c.gather(v, p)
	c.oneMandate(v, p)

	var f outbound.Form
	f.Amount = c.readAmount(v, p)
	c.readCredential(v, &f, p)
	if err := p.fault(); err != nil {
		return outbound.Form{}, err
	}
	c.extract(v, &f)
	f.Meaning = c.meaning(v, f.Amount)
	return f, nil
}

// readAmount reads the amount in the charge unit of its currency.
func (c *Columns) readAmount(v value, p *problems) money.Amount {
	if c.amount == nil {
		return money.Amount{}
	}
	currency, known := c.currencyOf(v, p)
	x, given := v.get(c.amount.name)
	at := c.amount.at
	if !given || p.within(at[:1]) {
		return money.Amount{}
	}
	if strings.HasPrefix(x.raw, "-") {
		p.add(at, codeRange, c.amount.name+" must not be negative")
		return money.Amount{}
	}
	if !known {
		return money.Amount{}
	}
	a, err := money.Parse(x.raw, currency)
	exponent, _ := currency.Exponent()
	switch {
	case errors.Is(err, money.ErrRange):
		p.add(at, codeRange, c.amount.name+" is out of range")
	case err != nil && exponent == 0:
		p.add(at, codeType, fmt.Sprintf("%s must be a whole number: %s has no decimals", c.amount.name, currency))
	case err != nil:
		p.add(at, codeFormat, fmt.Sprintf("%s may have at most %d decimals: it is in %s", c.amount.name, exponent, currency))
	}
	return a
}

func (c *Columns) currencyOf(v value, p *problems) (money.Currency, bool) {
	if c.currency == nil {
		for _, only := range c.currencies {
			return only, true
		}
		return "", false
	}
	at := c.currency.at
	if p.within(at[:1]) {
		return "", false
	}
	x, given := v.get(c.currency.name)
	if !given && c.currency.fallback != nil {
		x, given = *c.currency.fallback, true
	}
	if !given {
		if _, amount := v.get(c.amount.name); amount {
			p.missing(at)
		}
		return "", false
	}
	currency, ok := c.currencies[x.text]
	if !ok {
		p.add(at, codeFormat, c.currency.name+" is not a currency that this payment type takes")
	}
	return currency, ok
}

// readCredential takes the request's own credential set: all of its members, or none.
func (c *Columns) readCredential(v value, f *outbound.Form, p *problems) {
	set := value{kind: '{'}
	wrong := false
	for _, n := range c.credential {
		wrong = wrong || p.within(n.at)
		if x, ok := v.get(n.name); ok {
			set.members = append(set.members, member{name: n.name, value: x})
		}
	}
	if len(set.members) == 0 && !wrong {
		return
	}
	for _, n := range c.credential {
		if _, ok := set.get(n.name); !ok {
			p.add(path{n.name}, codeCredentials, n.name+" 不可為空")
		}
	}
	account, _ := set.get(c.spec.Credential.AccountMember())
	f.Account = account.text
	f.Wire = c.spec.Credential.wire(set)
	f.Credential = set.appendCompact(nil)
}

// extract fills the typed fields; what has no role, and times, stay in the columns.
func (c *Columns) extract(v value, f *outbound.Form) {
	rest := value{kind: '{', members: make([]member, 0, len(v.members))}
	for _, m := range v.members {
		switch c.flat.property(m.name).role {
		case roleAmount, roleCurrency, roleCredential:
		case roleOrder:
			f.OrderNumber = m.value.text
		case roleRequestID:
			f.RequestID = m.value.text
		case roleCode:
			f.Code = m.value.text
		case roleMandate:
			f.Mandate = m.value.text
		case roleMandateID:
			f.MandateID = m.value.text
		case roleReturnURL:
			f.ReturnURL = m.value.text
		case roleCancelURL:
			f.CancelURL = m.value.text
		case roleDescription:
			f.Description = m.value.text
		case roleTransaction:
			f.TransactionID = m.value.words()
		case roleCapture:
			capture := m.value.raw == "true"
			f.Capture = &capture
		default:
			rest.members = append(rest.members, m)
		}
	}
	f.Columns = rest.appendCompact(make([]byte, 0, 256))
}

// meaning is the canonical text of what makes two requests the same. A column that was left out counts as
// its default, so that saying the default is not another request.
func (c *Columns) meaning(v value, amount money.Amount) []byte {
	said := value{kind: '{', members: make([]member, 0, len(v.members)+len(c.sorted)/4)}
	for _, n := range c.sorted {
		if n.role == roleCredential {
			continue
		}
		x, ok := v.get(n.name)
		switch {
		case ok && n.role == roleAmount:
			x = textValue(amount.String())
		case !ok && n.fallback != nil:
			x, ok = *n.fallback, true
		}
		if ok {
			said.members = append(said.members, member{name: n.name, value: x})
		}
	}
	return appendMeaning(make([]byte, 0, 512), c.flat, said)
}
