package scaffold

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// plain is a name without case and separators, as the lists below have it.
func plain(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			return r
		default:
			return -1
		}
	}, name)
}

// roleNames are the names of a role, without case and separators.
type roleNames struct {
	role  string
	names []string
}

// requestNames are the names under which gateways ask for a role; the more particular ones come first.
var requestNames = []roleNames{
	{roleOrder, []string{
		"orderid", "orderno", "ordernumber", "merchantorderid", "merchantorderno", "merchanttradeno", "outtradeno", "ordercode",
		"merchantreference", "orderreference", "reference", "externalid",
	}},
	{roleAmount, []string{"amount", "totalamount", "orderamount", "paymentamount", "refundamount", "tradeamount", "totalfee", "amt", "total", "price"}},
	{roleCurrency, []string{"currency", "currencycode"}},
	{roleCode, []string{
		"onetimekey", "onetimecode", "paymentcode", "paycode", "authcode", "scancode", "barcode", "qrcode", "tradecode", "buyercode",
		"customercode", "usercode", "code", "token", "source",
	}},
	{roleDescription, []string{"productname", "description", "itemname", "subject", "goodsname", "desc", "title"}},
	{roleTransaction, []string{"transactionid", "txnid", "paymentid", "chargeid", "tradeno", "tradeid", "transactionno", "id"}},
	{roleAccount, []string{"merchantid", "mid", "shopid", "channelid", "merchantno", "accountid", "appid", "clientid"}},
	{roleReference, []string{"refundno", "refundid", "refundreference", "merchantrefundno", "outrefundno", "requestid"}},
}

// answerNames are the names under which gateways answer a role.
var answerNames = []roleNames{
	{roleReturn, []string{
		"returncode", "resultcode", "rtncode", "responsecode", "respcode", "statuscode", "errorcode", "code", "status", "state", "result", "success", "paid",
	}},
	{roleOrder, requestNames[0].names},
	{roleTransaction, []string{"transactionid", "txnid", "refundid", "refundtransactionid", "paymentid", "chargeid", "tradeno", "tradeid", "transactionno", "id"}},
	{roleAmount, requestNames[1].names},
	{roleCurrency, requestNames[2].names},
	{roleRefunded, []string{"refundedamount", "amountrefunded", "totalrefunded", "refundamount", "refunded"}},
}

// good, bad and missing are return codes that need no document to be understood.
var (
	good    = []string{"0000", "00", "0", "ok", "success", "succeeded", "successful", "paid", "approved", "captured", "completed", "complete", "done", "true", "1", "200"}
	bad     = []string{"declined", "failed", "failure", "rejected", "refused", "denied", "error", "false", "insufficientfunds"}
	missing = []string{"notfound", "missing", "none", "unknown"}
)

// complete gives roles to members and values, and return codes to operations. named are roles that the author gave,
// from role to name. It fails if a payment cannot be written with what is there.
func (g *Gateway) complete(named map[string]string) error {
	g.Title = oneLine(g.Title)
	for i := range g.Operations {
		o := &g.Operations[i]
		if err := o.writable(); err != nil {
			return err
		}
		o.nameRequest(named)
		o.nameAnswer(named)
		o.guessCodes(g)
	}
	pay, ok := g.Operation(provider.KindPay)
	if !ok {
		return errors.New("nothing in the file looks like a payment: a POST whose path or name says pay, payment, charge or order")
	}
	for _, role := range []string{roleOrder, roleAmount} {
		if _, ok := pay.member(role); !ok {
			return fmt.Errorf("%s %s has no member that looks like the %s; name it with --role %s=MEMBER", pay.Method, pay.Path, role, role)
		}
	}
	if _, ok := pay.leaf(roleTransaction); !ok {
		return fmt.Errorf("the answer of %s %s has no member that looks like the gateway's id of the payment; name it with --role %s=MEMBER",
			pay.Method, pay.Path, roleTransaction)
	}
	if _, ok := pay.member(roleCode); !ok {
		g.note("No member of the payment looks like the code that the payer shows. If the payer comes back by a redirect, read RequiresAction and Confirmer in the SDK's documentation.")
	}
	search, ok := g.Operation(provider.KindSearch)
	if !ok {
		return errors.New("nothing in the file looks like a search for one payment: without one no unknown outcome can be settled")
	}
	if _, ok := search.member(roleOrder); !ok {
		if _, ok := search.member(roleTransaction); !ok {
			return fmt.Errorf("%s %s takes neither an order number nor the gateway's id; name it with --role %s=MEMBER", search.Method, search.Path, roleOrder)
		}
		g.note("The search takes the gateway's own id only. A payment whose answer was lost has none: ask the gateway how to find it by the order number.")
	}
	g.Operations = slices.DeleteFunc(g.Operations, func(o Operation) bool {
		if o.usable() {
			return false
		}
		g.note(fmt.Sprintf("%s (%s %s) was left out: it names neither an order nor a payment, or its answer has no return code.", o.Kind, o.Method, o.Path))
		return true
	})
	slices.SortStableFunc(g.Operations, func(a, b Operation) int { return slices.Index(order, a.Kind) - slices.Index(order, b.Kind) })
	g.guessCurrencies()
	g.guessUnits(pay)
	if _, ok := g.Operation(provider.KindRefund); ok {
		if _, ok := search.leaf(roleRefunded); !ok {
			g.note("The answer of the search has no member for what was given back: a refund whose answer was lost cannot be settled until Search reports Refunded.")
		}
	}
	g.note("Which return codes are a definite no is for the gateway's documents to say: compare codes.go. A code that is not in the table is unknown, which is safe.")
	return nil
}

// order of the operations in a project.
var order = []provider.Kind{provider.KindPay, provider.KindSearch, provider.KindVoid, provider.KindRefund}

var (
	pathPattern = regexp.MustCompile(`^/[A-Za-z0-9._~!$&'()*+,;=:@%{}/-]*$`)
	// Names become parts of Go source: tags, raw texts, comments.
	memberPattern = regexp.MustCompile("^[^`\\x00-\\x1f\\x7f\\\\\"]{1,200}$")
)

// writable refuses names that could end a text or a comment of the source that is made from them.
func (o *Operation) writable() error {
	if !pathPattern.MatchString(o.Path) {
		return fmt.Errorf("the path %.80q is not written as paths are", o.Path)
	}
	for _, m := range o.Request {
		if !memberPattern.MatchString(m.Name) {
			return fmt.Errorf("%s %s has a member with the name %.80q, which cannot be written in Go", o.Method, o.Path, m.Name)
		}
	}
	for _, l := range o.Answer {
		for _, s := range l.Path {
			if !memberPattern.MatchString(s.Name) {
				return fmt.Errorf("the answer of %s %s has a member with the name %.80q, which cannot be written in Go", o.Method, o.Path, s.Name)
			}
		}
	}
	return nil
}

func (o *Operation) usable() bool {
	_, byOrder := o.member(roleOrder)
	_, byID := o.member(roleTransaction)
	_, amount := o.member(roleAmount)
	return (byOrder || byID) && (amount || o.Kind != provider.KindPay)
}

func (o *Operation) nameRequest(named map[string]string) {
	taken := map[string]bool{}
	give := func(role string, names []string) {
		for _, name := range names {
			for i := range o.Request {
				m := &o.Request[i]
				if m.Role == "" && plain(m.Name) == name && !taken[role] && m.fits(role) {
					m.Role, taken[role] = role, true
				}
			}
		}
	}
	for role, name := range named {
		give(role, []string{plain(name)})
	}
	for _, r := range requestNames {
		if !taken[r.role] && o.takes(r.role) {
			give(r.role, r.names)
		}
	}
}

// takes reports whether an operation has a use for a role.
func (o *Operation) takes(role string) bool {
	switch role {
	case roleCode, roleDescription:
		return o.Kind == provider.KindPay
	case roleTransaction:
		return o.Kind != provider.KindPay
	case roleRefunded, roleReturn:
		return false
	case roleReference:
		return o.Kind == provider.KindRefund
	case roleAmount, roleCurrency:
		return o.Kind == provider.KindPay || o.Kind == provider.KindRefund
	default:
		return true
	}
}

// fits reports whether a member's type can carry a role.
func (m Member) fits(role string) bool {
	switch m.Type {
	case "string":
		return true
	case "integer", "number":
		return role == roleAmount || role == roleTransaction
	default:
		return false
	}
}

func (o *Operation) nameAnswer(named map[string]string) {
	for _, r := range answerNames {
		names := r.names
		if name, ok := named[r.role]; ok {
			names = []string{plain(name)}
		}
		best := -1
		for i, l := range o.Answer {
			if l.Role != "" || !l.fits(r.role) || r.role == roleRefunded && o.Kind != provider.KindSearch {
				continue
			}
			rank := slices.Index(names, plain(l.Path[len(l.Path)-1].Name))
			if rank < 0 {
				continue
			}
			if best < 0 || better(l, o.Answer[best], names) {
				best = i
			}
		}
		if best >= 0 {
			o.Answer[best].Role = r.role
		}
	}
}

// better: the return code is looked for at the top first, everything else by the name first.
func better(a, b Leaf, names []string) bool {
	rank := func(l Leaf) int { return slices.Index(names, plain(l.Path[len(l.Path)-1].Name)) }
	if rank(a) != rank(b) && len(a.Path) == len(b.Path) {
		return rank(a) < rank(b)
	}
	if len(a.Path) != len(b.Path) && (names[0] == "returncode" || rank(a) == rank(b)) {
		return len(a.Path) < len(b.Path)
	}
	return rank(a) < rank(b)
}

func (l Leaf) fits(role string) bool {
	switch l.Type {
	case "string", "integer":
		return true
	case "number":
		return role == roleAmount || role == roleRefunded
	case "boolean":
		return role == roleReturn
	default:
		return false
	}
}

func countsCents(doc string) bool {
	doc = strings.ToLower(doc)
	return slices.ContainsFunc([]string{"cents", "minor unit", "smallest", "satang"}, func(w string) bool { return strings.Contains(doc, w) })
}

// guessCodes finds return codes in what the document lists, and makes up the others.
func (o *Operation) guessCodes(g *Gateway) {
	l, ok := o.leaf(roleReturn)
	if !ok {
		o.Paid = implied
		if o.Kind != provider.KindSearch {
			g.note(fmt.Sprintf("The answer of %s has no return code that was recognised: an answer with an id counts as done. Is that what the gateway documents?", o.Kind))
		}
		return
	}
	listed := slices.Clone(l.Enum)
	if l.Example != nil {
		listed = append([]string{fmt.Sprint(l.Example)}, listed...)
	}
	guess := func(known []string, otherwise string) string {
		for _, k := range known {
			for _, v := range listed {
				if plain(v) == k {
					return v
				}
			}
		}
		return otherwise
	}
	made := map[string][3]string{"integer": {"0", "9001", "9404"}, "boolean": {"true", "false", ""}}[l.Type]
	if made[0] == "" {
		made = [3]string{"0000", "DECLINED", "NOT_FOUND"}
	}
	o.Paid = guess(good, made[0])
	if o.Paid == made[0] && !slices.Contains(listed, o.Paid) {
		g.note(fmt.Sprintf("The return code %s of a %s that was done is made up: put the gateway's own into codes.go and conformance.json.", strconv.Quote(o.Paid), o.Kind))
	}
	if o.Kind != provider.KindSearch {
		o.Refused = guess(bad, made[1])
		return
	}
	o.Missing = guess(missing, made[2])
	g.note(fmt.Sprintf("The return code %s for a payment that the gateway does not know is for its documents to confirm.", strconv.Quote(o.Missing)))
}

// implied is the return code of an answer without one.
const implied = "answered"

// guessUnits finds out whether amounts count cents. Where there are none, as with TWD, it makes no difference.
func (g *Gateway) guessUnits(pay Operation) {
	amount, _ := pay.member(roleAmount)
	decimals := slices.ContainsFunc(g.Currencies, func(c string) bool { return exponents[c] > 0 })
	switch {
	case countsCents(amount.Doc):
		g.Minor = true
	case decimals && amount.Type == "integer":
		g.Minor = true
		g.note("Amounts are whole numbers and the currency has cents: they are taken to count cents.")
	case decimals:
		g.note("Amounts are taken to be in major units, such as 9.90.")
	}
}

// exponents are the charge units of the platform.
var exponents = map[string]int{"TWD": 0, "JPY": 0, "THB": 2, "USD": 2}

func (g *Gateway) guessCurrencies() {
	pay, _ := g.Operation(provider.KindPay)
	m, ok := pay.member(roleCurrency)
	if ok {
		listed, _ := m.Schema["enum"].([]any)
		for _, v := range listed {
			code, _ := v.(string)
			if _, known := exponents[code]; known && !slices.Contains(g.Currencies, code) {
				g.Currencies = append(g.Currencies, code)
			}
		}
		if len(listed) > len(g.Currencies) {
			g.note("The platform charges TWD, JPY, THB and USD; other currencies of the document were left out.")
		}
	}
	if len(g.Currencies) == 0 {
		g.Currencies = []string{"TWD"}
		g.note("The currency is taken to be TWD: the document does not list any.")
	}
	if !ok {
		g.Currencies = g.Currencies[:1]
	}
}

// KnownRole reports whether an author may give a member this role.
func KnownRole(role string) bool {
	return slices.ContainsFunc(answerNames, func(r roleNames) bool { return r.role == role }) ||
		slices.ContainsFunc(requestNames, func(r roleNames) bool { return r.role == role })
}
