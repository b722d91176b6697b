package form

import (
	"fmt"
	"slices"
)

// roleTypes are the types that a role may have.
var roleTypes = map[string]types{
	roleAmount: typeInteger | typeNumber, roleCurrency: typeText, roleOrder: typeText, roleRequestID: typeText,
	roleCode: typeText, roleCredential: typeText, roleTime: typeText, roleMandate: typeText, roleMandateID: typeText,
	roleTransaction: typeText | typeInteger, roleCapture: typeBoolean, roleDescription: typeText,
	roleReturnURL: typeText, roleCancelURL: typeText,
}

// placeRoles finds the members with a role, at the top and inside objects.
func (c *Columns) placeRoles() error {
	c.places = map[string][]*node{}
	bound, err := c.schema.root.bound()
	if err != nil {
		return err
	}
	for _, n := range bound {
		allowed, ok := roleTypes[n.role]
		if !ok || n.types&^allowed != 0 {
			return fmt.Errorf("property %q: the role %q does not exist or does not fit its type", n.at.column(), n.role)
		}
		if n.role == roleCredential && len(n.at) > 1 {
			return fmt.Errorf("property %q: a credential column must stand at the top", n.at.column())
		}
		if err := c.oneOfRole(n); err != nil {
			return err
		}
		c.places[n.role] = append(c.places[n.role], n)
	}
	return nil
}

// oneOfRole: a request says a thing once. Two dialects of one provider may say it at different places, such as at
// the top and inside an object; two names in one object are aliases, and money is never written at two places.
func (c *Columns) oneOfRole(n *node) error {
	others := c.places[n.role]
	switch {
	case n.role == roleCredential || n.role == roleTime || len(others) == 0:
		return nil
	case n.role == roleAmount || n.role == roleCurrency:
		return fmt.Errorf("property %q: the role %q is used twice", n.at.column(), n.role)
	}
	for _, o := range others {
		if slices.Equal(o.at[:len(o.at)-1], n.at[:len(n.at)-1]) {
			return fmt.Errorf("property %q: the role %q is used twice in one object; another name of a member is its x-payrack-alias", n.at.column(), n.role)
		}
	}
	return nil
}

// bound lists the members with a role, shallow ones first, otherwise in the order of the schema.
func (n *node) bound() ([]*node, error) {
	var found []*node
	for level := n.properties; len(level) > 0; {
		var below []*node
		for _, p := range level {
			if p.role != "" {
				found = append(found, p)
			}
			if p.items.hasRole() {
				return nil, fmt.Errorf("property %q: a role inside a list would have several values", p.at.column())
			}
			below = append(below, p.properties...)
		}
		level = below
	}
	return found, nil
}

// hasRole reports whether the node or something inside it has a role; nil-safe.
func (n *node) hasRole() bool {
	return n != nil && (n.role != "" || n.items.hasRole() || slices.ContainsFunc(n.properties, (*node).hasRole))
}

// gathered is a role whose value is brought to the top before the request is read any further, so that it means
// the same wherever it stood.
type gathered struct {
	// node stands for the member in the flat root.
	node   *node
	places []*node
}

// flatten builds the flat root.
func (c *Columns) flatten() error {
	c.flat = c.schema.root
	moved := map[*node]bool{}
	for role, places := range c.places {
		if role == roleTime || role == roleCredential || (len(places) == 1 && len(places[0].at) == 1) {
			continue
		}
		n := *places[0]
		n.name = n.at.column()
		for _, p := range places {
			moved[p] = true
			if n.fallback == nil {
				n.fallback = p.fallback
			}
		}
		c.gathered = append(c.gathered, gathered{node: &n, places: places})
	}
	if len(c.gathered) == 0 {
		return nil
	}
	// A map has no order, and the columns of a request shall come out in the same one each time.
	slices.SortFunc(c.gathered, func(a, b gathered) int { return slices.Compare(a.node.at, b.node.at) })
	flat := *c.schema.root
	flat.properties, flat.index = nil, map[string]*node{}
	for _, p := range c.schema.root.properties {
		if !moved[p] {
			flat.properties = append(flat.properties, p)
		}
	}
	for _, g := range c.gathered {
		flat.properties = append(flat.properties, g.node)
	}
	for _, p := range flat.properties {
		if flat.index[p.name] != nil {
			return fmt.Errorf("property %q: the member name is used twice", p.name)
		}
		flat.index[p.name] = p
	}
	c.flat = &flat
	return nil
}

// gather brings the members with a role that stand inside objects, or at one of several places, to the top. Objects
// that are left empty are dropped: they held nothing else.
func (c *Columns) gather(v value, p *problems) value {
	for _, g := range c.gathered {
		var said value
		var by *node
		for _, n := range g.places {
			x, ok := v.find(n.at)
			v = v.without(n.at)
			switch {
			case !ok || x.emptyText():
			case by == nil:
				said, by = x, n
			case said.words() != x.words():
				p.add(n.at, codeConflicting, n.at.column()+" and "+by.at.column()+" are the same thing and were given with different values")
			}
		}
		if by != nil {
			v.members = append(v.members, member{name: g.node.name, value: said})
		}
	}
	return v
}

// oneMandate: a stored approval is named by its token or by our id of it. Which of two was meant cannot be told.
func (c *Columns) oneMandate(v value, p *problems) {
	if c.mandate == nil || c.mandateID == nil {
		return
	}
	token, _ := v.get(c.mandate.name)
	id, _ := v.get(c.mandateID.name)
	if token.text != "" && id.text != "" {
		p.add(c.mandateID.at, codeConflicting, c.mandateID.name+" and "+c.mandate.name+" both name a stored approval: give one of them")
	}
}

// find returns the value at a place.
func (v value) find(at path) (value, bool) {
	for _, step := range at {
		next, ok := v.get(step)
		if !ok {
			return value{}, false
		}
		v = next
	}
	return v, true
}

// without returns the object without the member at a place, and without objects on the way that are left empty. It
// changes nothing in place.
func (v value) without(at path) value {
	out := v
	out.members = make([]member, 0, len(v.members)+1)
	for _, m := range v.members {
		if m.name == at[0] {
			if len(at) == 1 {
				continue
			}
			if m.value.kind == '{' {
				if m.value = m.value.without(at[1:]); len(m.value.members) == 0 {
					continue
				}
			}
		}
		out.members = append(out.members, m)
	}
	return out
}
