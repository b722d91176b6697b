package scaffold

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// Gateway is what is known about a payment service.
type Gateway struct {
	// Title for people.
	Title string
	// Live is the base URL of its gateway, or empty.
	Live string
	// Auth is how requests prove who sends them.
	Auth Auth
	// AuthHeader is the header of AuthHeaderKey.
	AuthHeader string
	// Operations, at most one of each kind, with pay and search among them.
	Operations []Operation
	// Currencies that it charges.
	Currencies []string
	// Minor: amounts count the currency's smallest units.
	Minor bool
	// Notes say what was guessed or left out, for the author.
	Notes []string
}

// Auth is a way to prove who sends a request.
type Auth string

// The ways that the scaffold writes code for.
const (
	// AuthHMAC: an HMAC-SHA256 over the request, in hex, beside the shop's number and a nonce.
	AuthHMAC Auth = "hmac"
	// AuthBearer: Authorization: Bearer SECRET.
	AuthBearer Auth = "bearer"
	// AuthBasic: Authorization: Basic base64(ACCOUNT:SECRET).
	AuthBasic Auth = "basic"
	// AuthHeaderKey: the secret in a header of its own.
	AuthHeaderKey Auth = "header"
)

// Operation is one request of the gateway and what it answers.
type Operation struct {
	Kind   provider.Kind
	Method string
	// Path with parameters in braces.
	Path string
	// Request are the parameters and the members of the body.
	Request []Member
	// Answer are the values of the answer that mean something.
	Answer []Leaf
	// Statuses other than 2xx whose body is an answer.
	Statuses []int
	// Paid, Refused and Missing are return codes: done, a definite no, and no such payment (search only).
	Paid, Refused, Missing string
}

// Where a member of a request travels.
const (
	inPath  = "path"
	inQuery = "query"
	inBody  = "body"
)

// The roles of members, beside those of the SDK's columns.
const (
	roleOrder       = "order"
	roleAmount      = "amount"
	roleCurrency    = "currency"
	roleCode        = "code"
	roleDescription = "description"
	roleTransaction = "transaction"
	// roleAccount is who we are; it comes from the credential set.
	roleAccount = "account"
	// roleReference is our own name of a refund.
	roleReference = "reference"
	// roleRefunded is the sum given back, in the answer of a search.
	roleRefunded = "refunded"
	// roleReturn is the return code of an answer.
	roleReturn = "return_code"
)

// Member is one parameter, or one member of a request's body.
type Member struct {
	Name, In string
	// Type of JSON: string, integer, number, boolean, object, array.
	Type     string
	Required bool
	Doc      string
	// Role is what the member means, or empty: it is passed on as the client sent it.
	Role string
	// Schema is the member's JSON Schema, with everything that the document says.
	Schema map[string]any
}

// Leaf is one value of an answer.
type Leaf struct {
	Path []Step
	Type string
	Role string
	// Example of the value, or nil.
	Example any
	// Enum lists the values of the document, or is nil.
	Enum []string
}

// Step leads into an object's member; List says that the member is a list of objects.
type Step struct {
	Name string
	List bool
}

func (l Leaf) String() string {
	var names []string
	for _, s := range l.Path {
		name := s.Name
		if s.List {
			name += "[]"
		}
		names = append(names, name)
	}
	return strings.Join(names, ".")
}

// Operation returns the operation of a kind.
func (g *Gateway) Operation(k provider.Kind) (Operation, bool) {
	i := slices.IndexFunc(g.Operations, func(o Operation) bool { return o.Kind == k })
	if i < 0 {
		return Operation{}, false
	}
	return g.Operations[i], true
}

func (g *Gateway) note(text string) {
	if !slices.Contains(g.Notes, text) {
		g.Notes = append(g.Notes, text)
	}
}

func (o *Operation) member(role string) (Member, bool) {
	i := slices.IndexFunc(o.Request, func(m Member) bool { return m.Role == role })
	if i < 0 {
		return Member{}, false
	}
	return o.Request[i], true
}

func (o *Operation) leaf(role string) (Leaf, bool) {
	i := slices.IndexFunc(o.Answer, func(l Leaf) bool { return l.Role == role })
	if i < 0 {
		return Leaf{}, false
	}
	return o.Answer[i], true
}

// Example is a gateway that nobody runs: JSON over HTTP, signed with an HMAC, whole dollars of TWD.
func Example() Gateway {
	text := func(most int) map[string]any {
		return map[string]any{"type": "string", "minLength": 1, "maxLength": most}
	}
	order := Member{Name: "order_no", In: inBody, Type: "string", Required: true, Role: roleOrder, Doc: "The shop's own order number.", Schema: text(40)}
	amount := Member{Name: "amount", In: inBody, Type: "integer", Required: true, Role: roleAmount, Doc: "Amount in whole dollars.", Schema: map[string]any{"type": "integer", "minimum": 1}}
	asked := order
	asked.In = inQuery
	answer := []Leaf{
		{Path: []Step{{Name: "code"}}, Type: "string", Role: roleReturn},
		{Path: []Step{{Name: "message"}}, Type: "string", Example: "text for people"},
		{Path: []Step{{Name: "payment"}, {Name: "order_no"}}, Type: "string", Role: roleOrder},
		{Path: []Step{{Name: "payment"}, {Name: "transaction_id"}}, Type: "integer", Role: roleTransaction},
		{Path: []Step{{Name: "payment"}, {Name: "amount"}}, Type: "integer", Role: roleAmount},
		{Path: []Step{{Name: "payment"}, {Name: "currency"}}, Type: "string", Role: roleCurrency},
	}
	found := append(slices.Clone(answer), Leaf{Path: []Step{{Name: "payment"}, {Name: "refunded"}}, Type: "integer", Role: roleRefunded})
	refund := []Leaf{
		{Path: []Step{{Name: "code"}}, Type: "string", Role: roleReturn},
		{Path: []Step{{Name: "message"}}, Type: "string", Example: "text for people"},
		{Path: []Step{{Name: "refund"}, {Name: "order_no"}}, Type: "string", Role: roleOrder},
		{Path: []Step{{Name: "refund"}, {Name: "refund_id"}}, Type: "integer", Role: roleTransaction},
		{Path: []Step{{Name: "refund"}, {Name: "amount"}}, Type: "integer", Role: roleAmount},
	}
	return Gateway{
		Title: "example gateway", Auth: AuthHMAC, Currencies: []string{"TWD"},
		Operations: []Operation{
			{
				Kind: provider.KindPay, Method: "POST", Path: "/v1/payments", Answer: answer, Paid: "0000", Refused: "1142",
				Request: []Member{
					order, amount,
					{Name: "currency", In: inBody, Type: "string", Required: true, Role: roleCurrency, Doc: "ISO 4217 code.", Schema: map[string]any{"type": "string", "enum": []any{"TWD"}}},
					{Name: "code", In: inBody, Type: "string", Required: true, Role: roleCode, Doc: "The code that the payer shows.", Schema: text(64)},
					{Name: "description", In: inBody, Type: "string", Role: roleDescription, Doc: "What is sold.", Schema: text(200)},
					{Name: "terminal", In: inBody, Type: "string", Doc: "The till.", Schema: text(20)},
				},
			},
			{Kind: provider.KindSearch, Method: "GET", Path: "/v1/payments", Answer: found, Paid: "0000", Missing: "1150", Request: []Member{asked}},
			{
				Kind: provider.KindRefund, Method: "POST", Path: "/v1/refunds", Answer: refund, Paid: "0000", Refused: "1164",
				Request: []Member{
					order, amount,
					{Name: "refund_no", In: inBody, Type: "string", Role: roleReference, Doc: "The shop's own number of the refund.", Schema: text(40)},
				},
			},
		},
	}
}

// clone copies a JSON value, so that a schema can be changed.
func clone(v map[string]any) map[string]any {
	raw, err := json.Marshal(v)
	if err != nil {
		panic("scaffold: a schema has no JSON form: " + err.Error())
	}
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		panic("scaffold: a schema cannot be read again: " + err.Error())
	}
	return out
}
