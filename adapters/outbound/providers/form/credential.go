package form

import (
	"errors"
	"fmt"
)

// CredentialPointer is where the set stands in the admin plane's envelope.
const CredentialPointer = "/set"

// Credential checks stored credential sets of one payment type. It is safe for concurrent use.
type Credential struct {
	schema  *schema
	account *node
	option  *node
}

// CredentialSet is a stored set, read.
type CredentialSet struct {
	// Account and Wire are pinned on payments.
	Account string
	Wire    string
	// Set is the set in canonical spelling; secret.
	Set []byte
}

// CompileCredential compiles the credential schema of a payment type.
func CompileCredential(doc []byte) (*Credential, error) {
	s, err := compile(doc)
	if err != nil {
		return nil, err
	}
	c := &Credential{schema: s}
	for _, n := range s.root.properties {
		switch n.role {
		case "":
			continue
		case roleAccount:
			if c.account != nil {
				return nil, errors.New("two members have the role account")
			}
			c.account = n
		case roleWire:
			if c.option != nil {
				return nil, errors.New("two members have the role wire")
			}
			c.option = n
		default:
			return nil, fmt.Errorf("property %q: a credential set has only the roles account and wire", n.name)
		}
		if n.types != typeText {
			return nil, fmt.Errorf("property %q: the role %q needs a text", n.name, n.role)
		}
	}
	if c.account == nil || !s.root.requires(c.account.name) {
		return nil, errors.New("one required member of a credential set must have the role account")
	}
	return c, nil
}

// AccountMember is the member that names the provider account.
func (c *Credential) AccountMember() string {
	if c == nil {
		return ""
	}
	return c.account.name
}

// WireMember is the member with the option of the provider's dialect, or "".
func (c *Credential) WireMember() string {
	if c == nil || c.option == nil {
		return ""
	}
	return c.option.name
}

// WireDefault is used where a set does not name the option.
func (c *Credential) WireDefault() string {
	if c == nil || c.option == nil || c.option.fallback == nil {
		return ""
	}
	return c.option.fallback.text
}

func (c *Credential) wire(set value) string {
	if x, ok := set.get(c.WireMember()); ok && x.text != "" {
		return x.text
	}
	return c.WireDefault()
}

// Read checks a stored set. It fails with fault.Invalid and every wrong member in Fields.
func (c *Credential) Read(set []byte) (CredentialSet, error) {
	v, err := parseObject(set, CredentialPointer)
	if err != nil {
		return CredentialSet{}, err
	}
	p := &problems{root: c.schema.root, base: CredentialPointer}
	v = c.schema.tidyTop(v, p)
	c.schema.validate(v, p)
	if err := p.fault(); err != nil {
		return CredentialSet{}, err
	}
	account, _ := v.get(c.account.name)
	return CredentialSet{Account: account.text, Wire: c.wire(v), Set: v.appendCompact(nil)}, nil
}
