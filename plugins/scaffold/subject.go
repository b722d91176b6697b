package scaffold

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// subject is conformance.json: what `payrack plugin verify` needs to know to play the gateway. It knows callers by
// the header of AuthHMAC; the other ways name no account, and their projects prove themselves in their own tests.
func (p page) subject(g Gateway) ([]byte, error) {
	script := orderedObject{}
	script.add("account", `{{header "X-Account"}}`)
	script.add("genuine", [][2]string{{
		`{{header "X-Signature"}}`,
		`{{to_hex (hmac_sha256 (secret "secret") (printf "%s%s%s%s%s" method url_path raw_query body (header "X-Nonce")))}}`,
	}})
	script.add("once", `{{header "X-Nonce"}}`)
	script.add("stranger", map[string]any{"status": 401, "body": map[string]string{"message": "who are you?"}})
	script.add("amounts", map[bool]string{true: "units", false: "major"}[g.Minor])
	routes := make([]orderedObject, 0, len(g.Operations))
	for _, o := range g.Operations {
		routes = append(routes, o.scripted())
	}
	script.add("routes", routes)

	kind := orderedObject{}
	kind.add("type", p.Type)
	kind.add("credential", json.RawMessage(`{"account": "{{digits 10}}", "secret": "{{hex 32}}"}`))
	if len(p.ConformanceColumns) > 0 {
		columns := orderedObject{}
		for _, c := range p.ConformanceColumns {
			columns.add(strings.ToLower(c.Name), json.RawMessage(c.Expr))
		}
		kind.add("columns", columns)
	}
	out := orderedObject{}
	out.add("settings", map[string]any{"endpoints": map[string]string{"live": "{{live_url}}", "test": "{{test_url}}"}})
	out.add("gateway", map[string]any{"script": script})
	out.add("types", []orderedObject{kind})
	return indented(out)
}

// scripted is an operation as the conformance kit's scripts have it.
func (o *Operation) scripted() orderedObject {
	out := orderedObject{}
	out.add("kind", string(o.Kind))
	out.add("method", o.Method)
	out.add("path", o.muxPath())
	for _, role := range []string{roleOrder, roleTransaction, roleAmount, roleCurrency, roleCode} {
		if m, ok := o.member(role); ok {
			out.add(role, m.scripted())
		}
	}
	answers := orderedObject{}
	answer := func(name, code string, done bool) {
		if code != "" {
			body := orderedObject{}
			body.add("body", json.RawMessage(o.scriptedBody(code, done)))
			answers.add(name, body)
		}
	}
	if o.Kind == provider.KindSearch {
		answer("found", o.Paid, true)
		answer("not_found", o.Missing, false)
	} else {
		answer("approved", o.Paid, true)
		answer("declined", o.Refused, false)
	}
	if l, ok := o.leaf(roleReturn); ok && l.Type != "boolean" {
		answer("undocumented_code", "4711", false)
		if o.Kind == provider.KindPay {
			answer("duplicate", "9172", false)
		}
	}
	out.add("answers", answers)
	return out
}

// scripted reads a member of a request.
func (m Member) scripted() string {
	switch m.In {
	case inPath:
		return fmt.Sprintf("{{path %q}}", muxName(m.Name))
	case inQuery:
		return fmt.Sprintf("{{query %q}}", m.Name)
	default:
		return fmt.Sprintf("{{json %q}}", "/"+m.Name)
	}
}

func (o *Operation) scriptedBody(code string, done bool) string {
	values := map[string]string{roleReturn: code}
	if done {
		values[roleOrder], values[roleTransaction], values[roleCurrency] = "{{order_id}}", "{{transaction_id}}", "{{currency}}"
		values[roleAmount], values[roleRefunded] = "{{amount}}", "{{refunded}}"
		if o.Kind == provider.KindRefund {
			// The books of the kit give a refund no id of its own, and know the payment's amount only.
			delete(values, roleTransaction)
			m, _ := o.member(roleAmount)
			values[roleAmount] = cmp.Or(m.scripted(), "{{amount}}")
		}
	}
	all := slices.Clone(o.Answer)
	for i, l := range all {
		if value, ok := values[l.Role]; ok && l.Role != "" && l.Type != "string" {
			all[i].Type, all[i].Role, all[i].Example = "string", "", "="+value // becomes the bare value
		}
	}
	return answerBody(all, values)
}
