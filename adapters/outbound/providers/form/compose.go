package form

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/money"
)

// Where the neutral values stand in the public API's own requests.
const (
	pointerAmount      = "/amount"
	pointerCurrency    = "/amount/currency"
	pointerOrder       = "/order_number"
	pointerCapture     = "/capture"
	pointerCode        = "/source/code"
	pointerMandate     = "/source/mandate_id"
	pointerReturnURL   = "/return_url"
	pointerCancelURL   = "/cancel_url"
	pointerDescription = "/description"
	pointerCredentials = "/credentials"
)

const (
	codeUnsupported  = "unsupported_value"
	codeCaptureFalse = "capture_false_unsupported"
)

// Compose writes neutral values into the columns: the native request that a client would have sent. It fails with
// fault.Invalid if a value has no column, or is not one that its column takes, and names the value as the public
// API's own requests do; columns that were given beside the values keep the pointers of Read. It does not look for
// what is missing: Read does.
func (c *Columns) Compose(v catalogue.Values) ([]byte, error) {
	if v.Capture != nil && !*v.Capture && len(c.places[roleCapture]) == 0 {
		f := fault.New(fault.Unsupported, codeCaptureFalse, "this payment type takes the money at once: a payment cannot be authorized only")
		f.Fields = []fault.Field{{Pointer: pointerCapture, Code: codeCaptureFalse, Detail: f.Message}}
		return nil, f
	}
	w := &composer{columns: c, written: map[string]string{}, out: value{kind: '{'}}
	if len(v.Columns) > 0 {
		given, err := parseObject(v.Columns, RequestPointer)
		if err != nil {
			return nil, err
		}
		w.out = c.canonical(given)
	}
	w.values(v)
	if err := w.credential(v.Credential); err != nil {
		return nil, err
	}
	if err := w.fault(); err != nil {
		return nil, err
	}
	slices.SortStableFunc(w.out.members, func(a, b member) int { return cmp.Compare(c.order(a.name), c.order(b.name)) })
	native := w.out.appendCompact(make([]byte, 0, 512))
	if w.doubtful {
		return native, w.refused(native)
	}
	return native, nil
}

// canonical spells the given columns as the schema does; two spellings of one column are left to Read.
func (c *Columns) canonical(given value) value {
	out := given
	out.members = slices.Clone(given.members)
	for i, m := range out.members {
		n := c.schema.root.canonical(m.name)
		if n == nil {
			continue
		}
		if _, both := given.get(n.name); !both {
			out.members[i].name = n.name
		}
	}
	return out
}

// order of a column in the schema; what is not in it comes last.
func (c *Columns) order(name string) int {
	if n := c.schema.root.property(name); n != nil {
		return n.order
	}
	return len(c.schema.root.properties)
}

// composer writes one request.
type composer struct {
	columns *Columns
	out     value
	// written are the pointers of the values by the pointers of the columns that they were written into.
	written map[string]string
	fields  []fault.Field
	// doubtful is set when a written value may not be one that its column takes.
	doubtful bool
}

func (w *composer) values(v catalogue.Values) {
	w.amount(v.Amount)
	w.id(roleOrder, v.OrderNumber, pointerOrder)
	w.id(roleTransaction, v.Transaction, "")
	if places := w.columns.places[roleRequestID]; len(places) > 0 && w.given(places) == nil {
		w.id(roleRequestID, v.RequestID, "") // a client's own is the better one
	}
	if v.Capture != nil && len(w.columns.places[roleCapture]) > 0 {
		raw := "false"
		if *v.Capture {
			raw = "true"
		}
		w.write(roleCapture, value{kind: 't', raw: raw}, pointerCapture)
	}
	for _, x := range []struct{ role, text, pointer string }{
		{roleCode, v.Code, pointerCode},
		{roleMandate, v.Mandate, pointerMandate},
		{roleReturnURL, v.ReturnURL, pointerReturnURL},
		{roleCancelURL, v.CancelURL, pointerCancelURL},
		{roleDescription, v.Description, pointerDescription},
	} {
		if x.text != "" {
			w.write(x.role, textValue(x.text), x.pointer)
		}
	}
}

// amount writes the amount in major units, as it stands in a JSON document, and its currency.
func (w *composer) amount(a money.Amount) {
	if a.IsZero() {
		return
	}
	c := w.columns
	if c.amount == nil {
		w.wrong(pointerAmount, codeUnsupported, "this operation takes no amount")
		return
	}
	if _, ok := c.currencies[string(a.Currency)]; !ok {
		w.wrong(pointerCurrency, codeUnsupported, "this payment type does not take the currency")
		return
	}
	raw, _, _ := strings.Cut(a.String(), " ")
	if !c.amount.types.has(typeNumber) {
		whole, decimals, _ := strings.Cut(raw, ".")
		if strings.Trim(decimals, "0") != "" {
			w.wrong(pointerAmount, codeUnsupported, "this payment type takes whole amounts only")
			return
		}
		raw = whole
	}
	w.doubtful = w.doubtful || a.Units < 0
	w.write(roleAmount, value{kind: '0', raw: raw}, pointerAmount)
	if c.currency != nil {
		w.write(roleCurrency, textValue(string(a.Currency)), pointerCurrency)
	}
}

// id writes an id where there is a column for it, as a number where the column takes no text.
func (w *composer) id(role, text, pointer string) {
	places := w.columns.places[role]
	if text == "" || len(places) == 0 {
		return
	}
	x := textValue(text)
	if n := w.choose(places); !n.types.has(typeText) && digitsOnly(text) {
		x = value{kind: '0', raw: text}
	}
	w.write(role, x, pointer)
}

func digitsOnly(s string) bool {
	return strings.Trim(s, "0123456789") == "" && (s == "0" || !strings.HasPrefix(s, "0"))
}

// write puts a value into the column with the role.
func (w *composer) write(role string, x value, pointer string) {
	places := w.columns.places[role]
	if len(places) == 0 {
		w.wrong(pointer, codeUnsupported, "this payment type takes no "+words(pointer)+" here")
		return
	}
	if given := w.given(places); given != nil {
		w.conflict(given)
		return
	}
	if !utf8.ValidString(x.text) {
		w.wrong(pointer, codeFormat, words(pointer)+" must be text in UTF-8")
		return
	}
	n := w.choose(places)
	out, ok := w.out.with(n.at, x)
	if !ok {
		w.conflict(n)
		return
	}
	w.out = out
	if pointer != "" {
		w.written[n.at.pointer(RequestPointer)] = pointer
		w.doubtful = w.doubtful || !n.takes(x) || n.judge(x) != passes || !cleanText(x.text, n.free)
	}
}

// words names a value for people: /source/mandate_id is mandate_id.
func words(pointer string) string { return pointer[strings.LastIndexByte(pointer, '/')+1:] }

// given is the first of the columns that was given beside the values, or nil; null stands for "absent".
func (w *composer) given(places []*node) *node {
	for _, n := range places {
		if len(n.at) == 1 {
			if slices.ContainsFunc(w.out.members, func(m member) bool {
				return m.value.kind != 'n' && w.columns.schema.root.canonical(m.name) == n
			}) {
				return n
			}
			continue
		}
		if x, ok := w.out.find(n.at); ok && x.kind != 'n' {
			return n
		}
	}
	return nil
}

// choose picks the column for a value: one that must be there before the shallowest.
func (w *composer) choose(places []*node) *node {
	for _, n := range places {
		parent, needed := w.columns.schema.root, true
		for i, step := range n.at {
			if i > 0 {
				// Inside an object that was given its required members are needed, whether or not it is itself.
				_, here := w.out.find(n.at[:i])
				needed = needed || here
			}
			needed = needed && parent.requires(step)
			parent = parent.property(step)
		}
		if needed {
			return n
		}
	}
	return places[0]
}

func (w *composer) wrong(pointer, code, detail string) {
	w.fields = append(w.fields, fault.Field{Pointer: pointer, Code: code, Detail: detail})
}

func (w *composer) conflict(n *node) {
	w.wrong(n.at.pointer(RequestPointer), codeConflicting, n.at.column()+" is written by the request itself: leave it out of the provider's own columns")
}

// credential writes the request's own credential set.
func (w *composer) credential(set []byte) error {
	if len(set) == 0 {
		return nil
	}
	v, err := parseObject(set, pointerCredentials)
	if err != nil {
		return err
	}
	c := w.columns
	if len(c.credential) == 0 && len(v.members) > 0 {
		w.wrong(pointerCredentials, codeUnsupported, "this operation takes no credentials of its own")
		return nil
	}
	for _, m := range v.members {
		n := c.schema.root.canonical(m.name)
		if n == nil || n.role != roleCredential {
			w.wrong(pointerCredentials, codeUnknown, "credentials has a member that is not described")
			return nil
		}
		if w.given([]*node{n}) != nil {
			w.wrong(pointerCredentials+"/"+n.name, codeConflicting, n.name+" was given twice")
			continue
		}
		w.out, _ = w.out.with(n.at, m.value)
		w.doubtful = w.doubtful || !n.takes(m.value) || n.judge(m.value) != passes || m.value.emptyText()
	}
	for _, n := range c.credential {
		// Whatever is wrong with the set, or missing from it, is told as part of it.
		w.written[n.at.pointer(RequestPointer)] = pointerCredentials + n.at.pointer("")
		w.doubtful = w.doubtful || len(v.members) > 0 && w.given([]*node{n}) == nil
	}
	return nil
}

func (w *composer) fault() error {
	if len(w.fields) == 0 {
		return nil
	}
	f := fault.New(fault.Invalid, w.fields[0].Code, w.fields[0].Detail)
	f.Fields = w.fields[:min(len(w.fields), maxFields)]
	return f
}

// refused reads what was composed and, if a value is the reason why it is refused, says so in the words of the
// request that held the value. Everything else is Read's to tell.
func (w *composer) refused(native []byte) error {
	_, err := w.columns.Read(native)
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return err
	}
	ours := false
	for i, x := range f.Fields {
		pointer, ok := w.written[x.Pointer]
		if !ok {
			continue
		}
		ours = true
		if rest, named := strings.CutPrefix(x.Detail, column(x.Pointer)); named {
			x.Detail = words(pointer) + rest
		}
		if i == 0 {
			f.Message = x.Detail
		}
		x.Pointer = pointer
		f.Fields[i] = x
	}
	if !ours {
		return nil
	}
	return f
}

// column is the name that Read gives to the place of a pointer that has no list position in it.
func column(pointer string) string {
	steps := strings.TrimPrefix(pointer, RequestPointer+"/")
	return strings.NewReplacer("/", ".", "~1", "/", "~0", "~").Replace(steps)
}

// with returns the object with a member set at a place; objects on the way are made. ok is false if something else
// stands on the way. It changes nothing in place.
func (v value) with(at path, x value) (out value, ok bool) {
	out = v
	out.members = slices.Clone(v.members)
	i := slices.IndexFunc(out.members, func(m member) bool { return m.name == at[0] })
	if i < 0 {
		i = len(out.members)
		out.members = append(out.members, member{name: at[0], value: value{kind: 'n', raw: "null"}})
	}
	if len(at) == 1 {
		out.members[i].value = x
		return out, true
	}
	inner := out.members[i].value
	switch inner.kind {
	case 'n':
		inner = value{kind: '{'}
	case '{':
	default:
		return v, false
	}
	inner, ok = inner.with(at[1:], x)
	out.members[i].value = inner
	return out, ok
}
