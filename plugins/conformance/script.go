package conformance

import (
	"encoding/json"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// Script is a gateway as data: which requests it takes, how it reads them, and what it answers. It keeps
// books: an order is charged once, a search shows what was charged, and refunds add up.
//
// Texts may use, beside the words of every subject: header, query, path, form and json (each with a name;
// json takes a pointer such as "/amount"), method, url_path, raw_query and body of the request; secret with a
// member of the caller's credential set; and in answers order_id, transaction_id, amount, captured,
// authorized, refunded and currency from the books.
type Script struct {
	// Account reads who calls: the value of the credential member with the role account.
	Account string `json:"account"`
	// Genuine are pairs of texts that are equal in a genuine request, such as a signature and the same
	// computed here.
	Genuine [][2]string `json:"genuine,omitempty"`
	// Once reads what may be used once, such as a nonce.
	Once string `json:"once,omitempty"`
	// Stranger is the answer to a request that is not genuine.
	Stranger ScriptAnswer `json:"stranger"`
	// Amounts says how amounts are written: units (of the charge unit), major (decimal text in major
	// units) or hundredths (of the major unit). Default units.
	Amounts string `json:"amounts,omitempty"`
	// Approve is true if the kit may act for a payer who approves: the type sends payers to a wallet.
	Approve bool `json:"approve,omitempty"`
	// Routes are the operations.
	Routes []ScriptRoute `json:"routes"`
}

// ScriptRoute is one operation of a scripted gateway.
type ScriptRoute struct {
	// Kind of the operation.
	Kind provider.Kind `json:"kind"`
	// Method and Path, with {names} for parts, as http.ServeMux has them.
	Method string `json:"method"`
	Path   string `json:"path"`
	// Order, Transaction, Amount, Currency, Code and Hold read the request. Order or Transaction is needed.
	// Hold reads "true" in a request that only holds the money.
	Order       string `json:"order,omitempty"`
	Transaction string `json:"transaction,omitempty"`
	Amount      string `json:"amount,omitempty"`
	Currency    string `json:"currency,omitempty"`
	Code        string `json:"code,omitempty"`
	Hold        string `json:"hold,omitempty"`
	// Answers by name. To all operations but search: approved, declined, and where they exist
	// undocumented_code, internal_error, duplicate and not_found. To search: found, not_found, and where
	// they exist found_authorized, found_refunded, found_voided, undocumented_code, internal_error,
	// undocumented_status. wrong_amount, wrong_order, extra_member and delivered_twice are made from approved
	// and found.
	Answers map[string]ScriptAnswer `json:"answers"`
}

// ScriptAnswer is one answer.
type ScriptAnswer struct {
	// Status is the HTTP status; 0 is 200.
	Status int               `json:"status,omitempty"`
	Header map[string]string `json:"header,omitempty"`
	// Body is a JSON object whose texts are templates, or a text that is one template.
	Body json.RawMessage `json:"body"`
}
