package provider

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/payrack/payrack/plugins/internal/handshake"
	"github.com/payrack/payrack/plugins/internal/wire/providerv1"
)

// cleaner replaces secrets by dummies of their shape.
//
// What is secret is known from three sides: the fields of the contract that are marked so, the members that the
// plugin's schemas mark, and all members of a credential set that its schema does not have. Wherever such a value
// turns up in the call, in its traffic or in its answer, the same dummy stands, so that what agreed before agrees
// still.
type cleaner struct {
	key     []byte
	schemas map[operationKey]schemas
}

func newCleaner(info *providerv1.GetInfoResponse) *cleaner {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // it never fails
	return &cleaner{key: key, schemas: schemasOf(info)}
}

// clean returns nil for what cannot be kept: too much, or something secret is left in it.
func (c *cleaner) clean(k kept) *providerv1.Exchange {
	head, kind := headOf(k.call)
	known := c.schemas[operationKey{head.GetPaymentType(), kind}]
	if known.credential == nil {
		known.credential, known.columns = known.credential.orAll(true), known.columns.orAll(false)
	}
	h := &hider{key: c.key, dummies: map[string]string{}}
	h.collectMessage(k.call.ProtoReflect())
	h.collectMessage(k.reply.ProtoReflect())
	h.collect(head.GetCredentialJson(), known.credential)
	h.collect(head.GetColumnsJson(), known.columns)
	native := nativeOf(k.reply)
	h.collect(native.GetBody(), known.answer)
	if pay := k.call.GetPay(); pay != nil {
		h.hide(pay.GetDescription(), false)
		h.hideQuery(pay.GetRedirect().GetConfirmUrl())
		h.hideQuery(pay.GetRedirect().GetCancelUrl())
	}
	if action := k.reply.GetAnswer().GetResult().GetAction(); action != nil {
		h.hideQuery(action.GetWebUrl())
		h.hideQuery(action.GetAppUrl())
	}
	h.sensitive = native.GetSensitive()
	h.plain = plainTexts(k.call.ProtoReflect(), k.reply.ProtoReflect())
	h.known(head.GetCredentialJson())
	h.known(head.GetColumnsJson())
	for _, t := range k.traffic {
		for _, text := range messageTexts(t.GetBody()) {
			h.plain[text] = true
		}
	}
	h.order()

	out := &providerv1.Exchange{At: timestamppb.New(k.at), Call: k.call, Traffic: k.traffic, Reply: k.reply, Code: h.text(k.code)}
	head.CredentialJson = h.document(head.GetCredentialJson(), known.credential)
	head.ColumnsJson = h.document(head.GetColumnsJson(), known.columns)
	if native != nil {
		native.Body = h.body(native.GetBody(), true)
	}
	h.message(k.call.ProtoReflect())
	h.message(k.reply.ProtoReflect())
	for _, t := range k.traffic {
		h.traffic(t)
	}
	return h.checked(out)
}

// hider is the cleaner of one call.
type hider struct {
	key     []byte
	dummies map[string]string
	// secrets must not be found afterwards; free text is hidden as well as can be.
	secrets []string
	// long are the values that are also looked for inside of others, the longest first.
	long []string
	// plain are the values that are ours and no secret: an answer may repeat them. sensitive answers keep less than others.
	plain     map[string]bool
	sensitive bool
}

// minInside is how long a value must be to be looked for inside of other texts: two digits are found anywhere.
const minInside = 6

func (h *hider) hide(value string, secret bool) {
	if value == "" {
		return
	}
	if _, known := h.dummies[value]; !known {
		h.dummies[value] = dummyOf(h.key, value)
	}
	if secret {
		h.secrets = append(h.secrets, value)
	}
}

// hideQuery hides what a URL carries behind its question mark: it may be a key to a page.
func (h *hider) hideQuery(text string) {
	u, err := url.Parse(text)
	if err != nil {
		return
	}
	for _, values := range u.Query() {
		for _, v := range values {
			if len(v) >= minInside {
				h.hide(v, true)
			}
		}
	}
}

func (h *hider) order() {
	for value := range h.dummies {
		if len(value) >= minInside {
			h.long = append(h.long, value)
		}
	}
	slices.SortFunc(h.long, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
}

// collectMessage hides the texts of fields that the contract marks as secret.
func (h *hider) collectMessage(m protoreflect.Message) {
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		eachMessage(f, v, h.collectMessage)
		if f.Kind() == protoreflect.StringKind && isSecret(f) {
			eachString(f, v, func(s string) string { h.hide(s, true); return s })
		}
		return true
	})
}

func isSecret(f protoreflect.FieldDescriptor) bool {
	marked, _ := proto.GetExtension(f.Options(), providerv1.E_Secret).(bool)
	return marked
}

// message replaces hidden values in all texts.
func (h *hider) message(m protoreflect.Message) {
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		eachMessage(f, v, h.message)
		if f.Kind() == protoreflect.StringKind && !f.IsList() {
			if clean := h.text(v.String()); clean != v.String() {
				m.Set(f, protoreflect.ValueOfString(clean))
			}
		}
		return true
	})
}

func eachMessage(f protoreflect.FieldDescriptor, v protoreflect.Value, visit func(protoreflect.Message)) {
	if f.Message() == nil {
		return
	}
	if !f.IsList() {
		visit(v.Message())
		return
	}
	for i := range v.List().Len() {
		visit(v.List().Get(i).Message())
	}
}

func eachString(f protoreflect.FieldDescriptor, v protoreflect.Value, visit func(string) string) {
	if !f.IsList() {
		visit(v.String())
		return
	}
	for i := range v.List().Len() {
		visit(v.List().Get(i).String())
	}
}

// plainTexts are the values of the contract's own fields that are no secret: ids, codes and words.
func plainTexts(messages ...protoreflect.Message) map[string]bool {
	out := map[string]bool{}
	var walk func(protoreflect.Message)
	walk = func(m protoreflect.Message) {
		m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
			eachMessage(f, v, walk)
			if f.Kind() == protoreflect.StringKind && !isSecret(f) {
				eachString(f, v, func(s string) string { out[s] = true; return s })
			}
			return true
		})
	}
	for _, m := range messages {
		walk(m)
	}
	return out
}

// known adds the texts of a document of ours. Hidden ones are replaced before anybody asks whether they are plain.
func (h *hider) known(document []byte) {
	var walk func(v any)
	walk = func(v any) {
		switch x := v.(type) {
		case map[string]any:
			for _, value := range x {
				walk(value)
			}
		case []any:
			for _, value := range x {
				walk(value)
			}
		case string:
			h.plain[x] = true
		}
	}
	var v any
	if json.Unmarshal(document, &v) == nil {
		walk(v)
	}
}

func nativeOf(r *providerv1.ExchangeReply) *providerv1.Native {
	switch reply := r.GetReply().(type) {
	case *providerv1.ExchangeReply_Answer:
		return reply.Answer.GetNative()
	case *providerv1.ExchangeReply_Search:
		return reply.Search.GetNative()
	case *providerv1.ExchangeReply_CheckMandate:
		return reply.CheckMandate.GetNative()
	case *providerv1.ExchangeReply_ExpireMandate:
		return reply.ExpireMandate.GetNative()
	}
	return nil
}

// traffic cleans one request and what came back.
func (h *hider) traffic(t *providerv1.Traffic) {
	t.Path, t.Query = h.path(t.GetPath()), h.form(t.GetQuery())
	t.Body = h.body(t.GetBody(), false)
	if res := t.GetResponse(); res != nil {
		res.Body = h.body(res.GetBody(), true)
		for _, part := range res.GetOpened() {
			part.Clear = h.body(part.GetClear(), true)
		}
	}
}

// checked is the last look: a recording in which a secret can be found is none.
func (h *hider) checked(e *providerv1.Exchange) *providerv1.Exchange {
	raw, err := proto.Marshal(e)
	if err != nil || len(raw) > handshake.MaxMessage/2 {
		return nil
	}
	raw = bytes.ToLower(raw) // the names of headers change their case
	for _, secret := range h.secrets {
		if len(secret) < minInside || h.dummies[secret] == secret {
			continue
		}
		for _, form := range spellings(secret) {
			if bytes.Contains(raw, []byte(strings.ToLower(form))) {
				return nil
			}
		}
	}
	return e
}

// text replaces hidden values: the whole of it, or what is long enough inside of it.
func (h *hider) text(s string) string {
	if dummy, ok := h.dummies[s]; ok {
		return dummy
	}
	for _, value := range h.long {
		if len(value) > len(s) {
			continue
		}
		for _, form := range spellings(value) {
			if strings.Contains(s, form) {
				s = strings.ReplaceAll(s, form, h.dummies[value])
			}
		}
	}
	return s
}

func (h *hider) path(s string) string {
	parts := strings.Split(s, "/")
	for i, part := range parts {
		if plain, err := url.PathUnescape(part); err == nil {
			if dummy, ok := h.dummies[plain]; ok {
				parts[i] = url.PathEscape(dummy)
			}
		}
	}
	return h.text(strings.Join(parts, "/"))
}

func (h *hider) form(s string) string {
	pairs := strings.Split(s, "&")
	for i, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			continue
		}
		if plain, err := url.QueryUnescape(value); err == nil {
			if clean := h.text(plain); clean != plain {
				pairs[i] = name + "=" + url.QueryEscape(clean)
			}
		}
	}
	return h.text(strings.Join(pairs, "&"))
}

// body cleans a message in whatever shape it has.
func (h *hider) body(raw []byte, answer bool) []byte {
	if len(raw) == 0 {
		return raw
	}
	if utf8.Valid(raw) && json.Valid(raw) {
		return h.rewrite(raw, nil, answer)
	}
	if bytes.ContainsRune(raw, '=') && !bytes.ContainsAny(raw, "<\n ") {
		return []byte(h.form(string(raw)))
	}
	return []byte(h.text(string(raw)))
}

// document cleans a document that has a schema.
func (h *hider) document(raw []byte, s *hiding) []byte {
	if len(raw) == 0 || !utf8.Valid(raw) || !json.Valid(raw) {
		return raw // the host sends objects only; checked looks at it in any case
	}
	return h.rewrite(raw, s, false)
}
