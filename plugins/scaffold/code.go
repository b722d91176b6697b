package scaffold

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// view is what the template of one operation sees: Go code in pieces.
type view struct {
	Kind, Title, Method, Path string
	// PathExpr is the Go expression of the path.
	PathExpr string
	// Query are Go expressions by parameter.
	Query []field
	// Message are the members of the body that the plugin fills, Columns those that the client's are passed on.
	Message, Columns []field
	// Answer is the Go type of the answer, Reading the assignments that take it apart.
	Answer  string
	Reading []field
	// Implied: the answer has no return code.
	Implied bool
	// Credential: a member of the request comes from the credential set.
	Credential bool
	// Needs is the member of Reference without which the operation cannot be asked for, or empty.
	Needs string
	// Paid, Refused and Missing as Go strings.
	Paid, Refused, Missing string
	// HasTransaction: the answer has an id.
	HasTransaction bool
	HasRefunded    bool
	FoundByOrder   bool
}

type field struct{ Name, Type, Tag, Expr string }

var titles = map[provider.Kind]string{
	provider.KindPay: "Pay", provider.KindSearch: "Search", provider.KindVoid: "Void", provider.KindRefund: "Refund",
}

func (o *Operation) view(minor bool) view {
	v := view{
		Kind: string(o.Kind), Title: titles[o.Kind], Method: o.Method, Path: o.Path, PathExpr: o.pathExpr(minor),
		Paid: strconv.Quote(o.Paid), Refused: strconv.Quote(o.Refused), Missing: strconv.Quote(o.Missing), Answer: structOf(o.Answer),
	}
	names := uniqueNames{}
	for _, m := range o.Request {
		expr := m.expr(minor)
		v.Credential = v.Credential || m.Role == roleAccount
		switch {
		case m.In == inPath || m.Role == "" && (m.In == inQuery && !m.Required):
		case m.In == inQuery && m.Role != "":
			v.Query = append(v.Query, field{Name: strconv.Quote(m.Name), Expr: m.text(minor)})
		case m.In == inQuery:
			f := field{Name: names.of(m.Name), Type: "string", Tag: tag(m.Name, "")}
			v.Columns = append(v.Columns, f)
			v.Query = append(v.Query, field{Name: strconv.Quote(m.Name), Expr: "columns." + f.Name})
		case m.Role == "":
			v.Columns = append(v.Columns, field{Name: names.of(m.Name), Type: "json.RawMessage", Tag: tag(m.Name, ",omitempty")})
		default:
			kind, option := "string", ""
			if m.Type != "string" {
				kind = "provider.Number"
			}
			if !m.Required {
				option = ",omitempty"
			}
			v.Message = append(v.Message, field{Name: names.of(m.Name), Type: kind, Tag: tag(m.Name, option), Expr: expr})
		}
	}
	if o.Method != http.MethodGet && v.Message == nil && v.Columns != nil {
		v.Message = []field{} // the columns alone are a body
	}
	switch _, byOrder := o.member(roleOrder); {
	case o.Kind == provider.KindPay:
	case byOrder:
		v.Needs, v.FoundByOrder = "OrderID", true
	default:
		v.Needs = "TransactionID"
	}
	for _, role := range []string{roleReturn, roleOrder, roleTransaction, roleAmount, roleCurrency, roleRefunded} {
		l, ok := o.leaf(role)
		if !ok {
			continue
		}
		v.Reading = append(v.Reading, field{Name: readingNames[role], Expr: l.expr()})
	}
	_, hasCode := o.leaf(roleReturn)
	v.Implied = !hasCode
	_, v.HasTransaction = o.leaf(roleTransaction)
	_, v.HasRefunded = o.leaf(roleRefunded)
	return v
}

var readingNames = map[string]string{
	roleReturn: "code", roleOrder: "order", roleTransaction: "transaction", roleAmount: "amount", roleCurrency: "currency", roleRefunded: "refunded",
}

// expr is the Go expression that fills a member of the message.
func (m Member) expr(minor bool) string {
	text := m.text(minor)
	if m.Type == "string" || text == "" {
		return text
	}
	return "provider.Number(" + text + ")"
}

// text is the Go expression of a member's value as text.
func (m Member) text(minor bool) string {
	switch m.Role {
	case roleAmount:
		if minor || m.Type == "integer" {
			return "strconv.FormatInt(r.Amount.Units, 10)"
		}
		return "r.Amount.Decimal()"
	default:
		return map[string]string{
			roleOrder: "r.Reference.OrderID", roleTransaction: "r.Reference.TransactionID", roleReference: "r.Reference.ClientReference",
			roleCurrency: "r.Amount.Currency", roleCode: "r.Code.Reveal()", roleDescription: "r.Description", roleAccount: "set.Account",
		}[m.Role]
	}
}

func (o *Operation) pathExpr(minor bool) string {
	var parts []string
	rest := o.Path
	for rest != "" {
		fixed, after, found := strings.Cut(rest, "{")
		if fixed != "" {
			parts = append(parts, strconv.Quote(fixed))
		}
		if !found {
			break
		}
		var name string
		name, rest, _ = strings.Cut(after, "}")
		i := slices.IndexFunc(o.Request, func(m Member) bool { return m.In == inPath && m.Name == name })
		value := `""`
		if i >= 0 {
			value = cmp.Or(o.Request[i].text(minor), `""`)
		}
		parts = append(parts, "url.PathEscape("+value+")")
	}
	return strings.Join(parts, " + ")
}

func tag(name, option string) string { return "`json:" + strconv.Quote(name+option) + "`" }

// uniqueNames makes Go names of members.
type uniqueNames map[string]bool

func (u uniqueNames) of(name string) string {
	out := goName(name)
	for i := 2; u[out]; i++ {
		out = goName(name) + strconv.Itoa(i)
	}
	u[out] = true
	return out
}

var initialisms = map[string]string{"Id": "ID", "Url": "URL", "Api": "API", "Ip": "IP", "Uri": "URI", "Http": "HTTP"}

// goName is the exported Go name of a member: order_no is OrderNo, transactionId is TransactionID.
func goName(name string) string {
	var words []string
	var word strings.Builder
	end := func() {
		if word.Len() > 0 {
			w := word.String()
			w = strings.ToUpper(w[:1]) + w[1:]
			words = append(words, cmp.Or(initialisms[w], w))
			word.Reset()
		}
	}
	lower := false
	for _, r := range name {
		switch {
		case r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r):
			end()
			lower = false
			continue
		case unicode.IsUpper(r) && lower:
			end()
		}
		word.WriteRune(r)
		lower = !unicode.IsUpper(r)
	}
	end()
	out := strings.Join(words, "")
	if out == "" || out[0] >= '0' && out[0] <= '9' {
		out = "Field" + out
	}
	return out
}

// node is a member of an answer's type.
type node struct {
	step     Step
	leaf     *Leaf
	children []*node
}

// treeOf hangs the values of an answer below their objects.
func treeOf(all []Leaf) *node {
	root := &node{}
	for i := range all {
		at := root
		for _, s := range all[i].Path {
			j := slices.IndexFunc(at.children, func(n *node) bool { return n.step.Name == s.Name })
			if j < 0 {
				at.children = append(at.children, &node{step: s})
				j = len(at.children) - 1
			}
			at = at.children[j]
		}
		at.leaf = &all[i]
	}
	return root
}

// structOf writes the Go type of an answer: only the members that mean something.
func structOf(all []Leaf) string {
	return treeOf(slices.DeleteFunc(slices.Clone(all), func(l Leaf) bool { return l.Role == "" })).structText()
}

func (n *node) structText() string {
	var b strings.Builder
	b.WriteString("struct {\n")
	for _, c := range n.children {
		kind := c.structText
		if c.leaf != nil {
			kind = c.leaf.goType
		}
		list := ""
		if c.leaf == nil && c.step.List {
			list = "[]"
		}
		fmt.Fprintf(&b, "%s %s%s %s\n", goName(c.step.Name), list, kind(), tag(c.step.Name, ""))
	}
	b.WriteString("}")
	return b.String()
}

func (l Leaf) goType() string {
	switch {
	case l.Role == roleAmount || l.Role == roleRefunded || l.Type == "integer" || l.Type == "number":
		return "provider.Number"
	case l.Type == "boolean":
		return "bool"
	default:
		return "string"
	}
}

// expr is the Go expression of a value in `a`, as text or as a provider.Number.
func (l Leaf) expr() string {
	out := "a"
	for _, s := range l.Path {
		out += "." + goName(s.Name)
		if s.List {
			out = "only(" + out + ")"
		}
	}
	switch {
	case l.Role == roleAmount || l.Role == roleRefunded:
		return out
	case l.goType() == "bool":
		return "strconv.FormatBool(" + out + ")"
	case l.goType() == "provider.Number":
		return "string(" + out + ")"
	default:
		return out
	}
}

// answerBody writes an answer with the given JSON text for each role; members that mean nothing get an example.
func answerBody(all []Leaf, values map[string]string) string {
	return treeOf(all).bodyText(values, "")
}

func (n *node) bodyText(values map[string]string, indent string) string {
	inner := indent + "  "
	var parts []string
	for _, c := range n.children {
		var text string
		if c.leaf != nil {
			text = c.leaf.valueText(values)
		} else if text = c.bodyText(values, inner); c.step.List {
			text = "[" + text + "]"
		}
		if text != "" {
			parts = append(parts, inner+strconv.Quote(c.step.Name)+": "+text)
		}
	}
	return "{\n" + strings.Join(parts, ",\n") + "\n" + indent + "}"
}

func (l Leaf) valueText(values map[string]string) string {
	if l.Role != "" {
		value, ok := values[l.Role]
		if !ok {
			return "" // the member is absent
		}
		if l.Type == "string" {
			return quote(value)
		}
		return value
	}
	if l.Example != nil {
		if raw, err := json.Marshal(l.Example); err == nil {
			return string(raw)
		}
	}
	switch l.Type {
	case "string":
		return `""`
	case "integer", "number":
		return "0"
	case "boolean":
		return "false"
	case "array":
		return "[]"
	case "object":
		return "{}"
	default:
		return "null"
	}
}

// quote writes a JSON text.
func quote(s string) string {
	raw, err := json.Marshal(s)
	if err != nil {
		panic("scaffold: a text has no JSON form: " + err.Error())
	}
	return string(raw)
}
