package provider

import (
	"encoding/json"

	"github.com/payrack/payrack/plugins/internal/wire/providerv1"
)

// hiding says what of a document is hidden, by its JSON Schema.
type hiding struct {
	// hidden members are replaced; secret ones must not be found anywhere afterwards.
	hidden, secret bool

	members map[string]*hiding
	items   *hiding
	// others hides members that the schema does not have.
	others *hiding
}

// of is what the schema says about a member; nil is nothing.
func (h *hiding) of(name string) *hiding {
	if h == nil {
		return nil
	}
	m, known := h.members[name]
	if !known {
		return h.others
	}
	return m
}

func (h *hiding) item() *hiding {
	if h == nil {
		return nil
	}
	if h.hidden {
		return h
	}
	return h.items
}

// schemaNode is what of a JSON Schema matters here.
type schemaNode struct {
	Secret     bool                   `json:"x-payrack-secret"` //nolint:tagliatelle // the schema's own name
	Text       bool                   `json:"x-payrack-text"`   //nolint:tagliatelle // see above
	Alias      []string               `json:"x-payrack-alias"`  //nolint:tagliatelle // see above
	Properties map[string]*schemaNode `json:"properties"`
	Items      json.RawMessage        `json:"items"`
}

// hidingOf reads a schema. texts hides free text, too: nobody knows what a person writes into it.
func hidingOf(schema []byte, texts bool) *hiding {
	var n schemaNode
	if json.Unmarshal(schema, &n) != nil {
		return nil
	}
	return n.hiding(texts)
}

// orAll also hides what the schema does not have: nobody knows what it is.
func (h *hiding) orAll(secret bool) *hiding {
	if h == nil {
		h = &hiding{}
	}
	h.others = &hiding{hidden: true, secret: secret}
	return h
}

func (n *schemaNode) hiding(texts bool) *hiding {
	if n == nil {
		return nil
	}
	h := &hiding{hidden: n.Secret || texts && n.Text, secret: n.Secret, members: map[string]*hiding{}}
	for name, p := range n.Properties {
		inner := p.hiding(texts)
		h.members[name] = inner
		if p != nil {
			for _, alias := range p.Alias {
				h.members[alias] = inner
			}
		}
	}
	if len(n.Items) > 0 {
		h.items = hidingOf(n.Items, texts) // an array of schemas or a boolean hides nothing
	}
	return h
}

// schemas are those of one operation of one type.
type schemas struct {
	credential, columns, answer *hiding
}

type operationKey struct {
	paymentType string
	kind        Kind
}

// schemasOf reads all schemas of a plugin's description.
func schemasOf(info *providerv1.GetInfoResponse) map[operationKey]schemas {
	out := map[operationKey]schemas{}
	for _, t := range info.GetTypes() {
		credential := hidingOf(t.GetCredentialSchema(), false).orAll(true)
		for _, o := range t.GetOperations() {
			out[operationKey{t.GetName(), kindFromWire(o.GetKind())}] = schemas{
				credential: credential, columns: hidingOf(o.GetColumnsSchema(), true).orAll(false), answer: hidingOf(o.GetAnswerSchema(), false),
			}
		}
	}
	return out
}
