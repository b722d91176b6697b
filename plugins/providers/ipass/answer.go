package ipass

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// answer is what is read from a gateway's answer, by the platform's names.
type answer struct {
	ReturnCode            string `json:"return_code"`
	ReqID                 text   `json:"req_id"`
	TransactionID         text   `json:"transaction_id"`
	OriginalTransactionID text   `json:"original_transactionId"`
	TransactionDateTime   text   `json:"transaction_date_time"`
	OrderNumber           text   `json:"order_number"`
	Carrier               text   `json:"electronic_invoice_carrier"`
	Amount                text   `json:"amount"`
	RefundedAmount        text   `json:"refunded_amount"`
	PayStatus             text   `json:"pay_status"`
	CancelTransactionID   text   `json:"cancel_transaction_id"`
	// CancelList holds the refunds of a payment; nil if the gateway has no such list.
	CancelList []cancel `json:"cancel_list"`

	// members are the answer by the platform's names, in the published order.
	members []member
	// native is the whole answer by the platform's names, with every value as it came.
	native []byte
}

// cancel is one refund in the record of a payment.
type cancel struct {
	CancelTransactionID text `json:"cancel_transaction_id"`
	ReqID               text `json:"req_id"`
	Amount              text `json:"amount"`
	CancelDateTime      text `json:"cancel_date_time"`
}

// text is a JSON string without blanks around it, or the digits of a JSON number: the gateway's numbers may
// come quoted and its texts unquoted. Nothing passes through a float.
type text string

// UnmarshalJSON keeps the token.
func (t *text) UnmarshalJSON(raw []byte) error {
	switch jsontext.Value(raw).Kind() {
	case 'n':
		*t = ""
	case '"':
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return errAnswer
		}
		*t = text(strings.TrimSpace(s))
	case '0':
		*t = text(raw)
	default:
		return errAnswer
	}
	return nil
}

// units reads an amount of whole dollars, nil if there is none.
func (t text) units() (*provider.Money, error) {
	if t == "" {
		return nil, nil //nolint:nilnil // an answer may leave the amount away; that is not an error
	}
	v, err := strconv.ParseInt(string(t), 10, 64)
	if err != nil || v < 0 || strconv.FormatInt(v, 10) != string(t) {
		return nil, errors.New("an amount is not a whole number of dollars")
	}
	return &provider.Money{Units: v, Currency: currency}, nil
}

var errAnswer = errors.New("the answer cannot be read")

// read takes the clear text of an answer apart. What two readers could read differently is unreadable:
// duplicate members, also after renaming, and invalid UTF-8.
func (w Wire) read(clear []byte) (answer, error) {
	members, err := w.rename(clear)
	if err != nil {
		return answer{}, errAnswer
	}
	native, err := object(members)
	if err != nil {
		return answer{}, errAnswer
	}
	a := answer{members: members, native: native}
	if err := json.Unmarshal(native, &a); err != nil {
		return answer{}, errAnswer
	}
	if !plainCode(a.ReturnCode) {
		return answer{}, errors.New("the answer has no return code that can be read")
	}
	return a, nil
}

// plainCode accepts what may go into records as a code.
func plainCode(code string) bool {
	for _, c := range code {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '_' && c != '-' {
			return false
		}
	}
	return code != "" && len(code) <= 32
}

func (a answer) body() provider.Native {
	return provider.Native{Body: a.native, Sensitive: a.Carrier != ""}
}

// The published order of the members in the platform's answers. The others follow as the gateway sent them.
var (
	payOrder = []string{
		"transaction_id", "transaction_date_time", "electronic_invoice_carrier", "payment_type", "amount",
		"order_number", "return_code", "return_msg", "req_id",
	}
	refundOrder = []string{
		"return_code", "return_msg", "req_id", "cancel_transaction_id", "cancel_date_time", "payment_type", "amount",
		"order_number",
	}
	voidOrder   = []string{"return_code", "return_msg", "req_id", "void_date_time", "order_number"}
	searchOrder = []string{
		"return_code", "return_msg", "req_id", "transaction_date_time", "original_transactionId", "pay_status",
		"product_desc", "payment_type",
	}
)

type member struct {
	name  string
	value jsontext.Value
}

// rename turns an answer's names into the platform's, whatever their case; values and unknown members stay.
func (w Wire) rename(raw []byte) ([]member, error) {
	members, err := w.members(raw)
	if err != nil {
		return nil, err
	}
	order := orderOf(members)
	slices.SortStableFunc(members, func(a, b member) int { return rank(order, a.name) - rank(order, b.name) })
	return members, nil
}

// orderOf tells an operation's answer by the member that only it has.
func orderOf(members []member) []string {
	for _, m := range members {
		switch m.name {
		case "pay_status":
			return searchOrder
		case "cancel_transaction_id":
			return refundOrder
		case "void_date_time":
			return voidOrder
		}
	}
	return payOrder
}

func rank(order []string, name string) int {
	if i := slices.Index(order, name); i >= 0 {
		return i
	}
	return len(order)
}

func (w Wire) members(raw []byte) ([]member, error) {
	in := jsontext.NewDecoder(bytes.NewReader(raw))
	if in.PeekKind() != '{' {
		return nil, errAnswer
	}
	if _, err := in.ReadToken(); err != nil {
		return nil, errAnswer
	}
	var members []member
	for in.PeekKind() != '}' {
		name, err := in.ReadToken()
		if err != nil {
			return nil, errAnswer
		}
		m := member{name: name.String()}
		if ours, ok := w.platform[strings.ToLower(m.name)]; ok {
			m.name = ours
		}
		value, err := in.ReadValue()
		if err != nil {
			return nil, errAnswer
		}
		if m.value, err = w.value(value); err != nil {
			return nil, err
		}
		members = append(members, m)
	}
	if _, err := in.ReadToken(); err != nil {
		return nil, errAnswer
	}
	if _, err := in.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, errAnswer
	}
	return members, nil
}

// value renames inside objects and lists of objects.
func (w Wire) value(raw jsontext.Value) (jsontext.Value, error) {
	switch raw.Kind() {
	case '{':
		members, err := w.members(raw)
		if err != nil {
			return nil, err
		}
		return object(members)
	case '[':
		var entries []jsontext.Value
		if err := json.Unmarshal(raw, &entries); err != nil {
			return nil, errAnswer
		}
		for i := range entries {
			var err error
			if entries[i], err = w.value(entries[i]); err != nil {
				return nil, err
			}
		}
		return list(entries), nil
	default:
		return raw.Clone(), nil
	}
}

func object(members []member) (jsontext.Value, error) {
	var out bytes.Buffer
	out.WriteByte('{')
	for i, m := range members {
		if i > 0 {
			out.WriteByte(',')
		}
		name, err := jsontext.AppendQuote(nil, m.name)
		if err != nil {
			return nil, errAnswer
		}
		out.Write(name)
		out.WriteByte(':')
		out.Write(m.value)
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

func list(entries []jsontext.Value) jsontext.Value {
	var out bytes.Buffer
	out.WriteByte('[')
	for i, e := range entries {
		if i > 0 {
			out.WriteByte(',')
		}
		out.Write(e)
	}
	out.WriteByte(']')
	return out.Bytes()
}
