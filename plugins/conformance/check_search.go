package conformance

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

const searchWhy = "\"Not found\" is what lets the platform say that nobody was charged; said without the gateway's own word it sends the payer away who has paid."

func searchChecks() []Check {
	list := []Check{
		{
			ID: "search-found", Title: "A paid order is found with its amount",
			Proves: "A search by the order number, as the platform asks to settle an outcome: found, complete, the order, the transaction and the amount of the books.",
			Why:    "Without it no unknown outcome is ever settled.", run: checkFound,
		},
		{
			ID: "search-authorized", Title: "A held amount is found as authorized, not as captured",
			Proves: "A search for a payment with capture false.",
			Why:    "Money that is only held would be booked as earned.", run: checkFoundAuthorized,
		},
		{
			ID: "search-client", Title: "A client's search answers in the provider's own shape",
			Proves: "A search for a client carries the gateway's record as a JSON object.",
			Why:    "It is what the client's integration was written for.", run: checkSearchClient,
		},
		{
			ID: "search-not-found", Title: "An order that the gateway does not know is not found",
			Proves: "A search for an order that was never sent.",
			Why:    "Otherwise a payment that never left stays unknown for ever.", run: checkNotFound,
		},
		{
			ID: "search-other-company", Title: "An order of another company is not found",
			Proves: "One company's order is searched for with the other's credentials.",
			Why:    "Order numbers repeat between companies; one would see and settle the other's payment.", run: checkStranger,
		},
		{
			ID: "search-after-lost-answer", Title: "A charge whose answer was lost is found",
			Proves: "The gateway takes the money and the answer is dropped; the search finds the amount.",
			Why:    "This is the case that searches are for.", run: checkFoundAfterLoss,
		},
		{
			ID: "search-after-lost-request", Title: "A charge that never arrived is not found",
			Proves: "The request is dropped before the gateway; the search answers not found, or that it is not settled, and never found.",
			Why:    "A found here hands over goods for nothing.", run: checkFoundAfterNothing,
		},
		{
			ID: "search-declined", Title: "A declined payment is not found as paid",
			Proves: "A search after a decline answers ended or not found.",
			Why:    "A found here hands over goods for nothing.", run: checkSearchDeclined,
		},
		{
			ID: "search-internal-error", Title: "The gateway's internal error during a search is a failure",
			Proves: "The gateway answers its own internal error to a search for a paid order.", Why: searchWhy, run: searchBehaves(BehaviourInternal),
		},
		{
			ID: "search-undocumented-code", Title: "An undocumented code during a search is a failure",
			Proves: "The gateway answers a code that no document names to a search for a paid order.", Why: searchWhy, run: searchBehaves(BehaviourUndocumented),
		},
		{
			ID: "search-undocumented-status", Title: "A state that no document names settles nothing",
			Proves: "The record of a paid order shows such a state: in progress or a failure.",
			Why:    "Providers add states; read as paid they give goods away, read as ended they lose the money.", run: searchBehaves(BehaviourUndocumentedStatus),
		},
		{
			ID: "search-wrong-order", Title: "A record of another order is not taken for this one",
			Proves: "The gateway's record names another order: a failure, or the other order is passed on.",
			Why:    "One payment would be settled by another's money.", run: checkSearchWrongOrder,
		},
		{
			ID: "search-order-characters", Title: "Order numbers may hold every character that the schema allows",
			Proves: "An order with / ? & # % + ~ is charged and found under exactly that name, if the schema allows it.",
			Why:    "An order that is cut off at a character is searched for under another name and never found.", run: checkOrderCharacters,
		},
	}
	for _, f := range []fault{
		faultDropAfter, faultHangAfter, faultTruncated, faultGarbled, faultEmpty, faultEmptyObject, faultNull, faultList, faultHTML,
		faultRedirect, fault401, fault404, fault429, fault500After, fault503,
	} {
		d := disturbances()[slices.IndexFunc(disturbances(), func(d disturbance) bool { return d.fault == f })]
		title := strings.NewReplacer(
			" after the money was taken", "", " and has taken the money", "", "takes the money and ", "").Replace(d.title)
		list = append(list, Check{
			ID: "search-" + strings.ReplaceAll(string(f), "_", "-"), Title: "Search: " + title + ": a failure, never \"not found\"",
			Proves: "A search for a paid order through that fault.", Why: searchWhy, run: searchDisturbed(d),
		})
	}
	return group("Search", list...)
}

// searched is a paid order, or why the check is not applicable.
func (t *trial) searched() (*order, bool) {
	if !t.has(provider.KindSearch) {
		t.skip("the type has no search")
		return nil, false
	}
	return t.charged(true)
}

func (t *trial) foundWith(o *order, a provider.SearchAnswer) {
	if a.Findings == nil || a.Findings.Finding != provider.FindingFound {
		t.failf("the search was answered %s, not found", spellSearch(a))
		return
	}
	f := a.Findings
	t.expect(f.Complete, "the findings are not complete")
	t.expect(f.Reference.OrderID == "" || f.Reference.OrderID == o.id, "the search found order %q, not %q", f.Reference.OrderID, o.id)
	captured, authorized := f.Captured, f.Authorized
	if o.capture {
		t.expect(captured != nil && *captured == o.amount, "the search found %v captured, not %v", captured, o.amount)
	} else {
		t.expect(authorized != nil && *authorized == o.amount, "the search found %v authorized, not %v", authorized, o.amount)
		t.expect(captured == nil || captured.Units == 0, "the search found %v captured of money that is only held", captured)
	}
	t.expect(f.Refunded == nil || f.Refunded.Units == 0, "the search found %v refunded, and nothing was", f.Refunded)
	moved := t.gateway.Moved(o.id)
	if len(moved) == 1 && f.Reference.TransactionID != "" && moved[0].TransactionID != "" {
		t.expect(f.Reference.TransactionID == moved[0].TransactionID,
			"the search found transaction %q, and the gateway gave %q", f.Reference.TransactionID, moved[0].TransactionID)
	}
}

func checkFound(t *trial) {
	if o, ok := t.searched(); ok {
		t.foundWith(o, t.ask(o))
		byOrder := *o
		byOrder.transactionID = ""
		if kind, _ := t.operation(t.moneyKind()); kind.FoundByOrderID && !t.redirects() {
			t.foundWith(o, t.ask(&byOrder))
		}
	}
}

func checkFoundAuthorized(t *trial) {
	if !t.separates() {
		t.skip("the type has no capture")
		return
	}
	if o, ok := t.charged(false); ok {
		t.foundWith(o, t.ask(o))
	}
}

func checkSearchClient(t *trial) {
	o, ok := t.searched()
	if !ok {
		return
	}
	ctx, cancel := t.brief()
	defer cancel()
	a := t.search(ctx, o, provider.PurposeClient, t.searchReference(o))
	t.expect(a.Failure == nil, "the client's search was answered %s", spellSearch(a))
	t.expect(len(a.Native.Body) > 0, "the client's search has no native body")
}

// searchReference names an order by one id, as clients do.
func (t *trial) searchReference(o *order) provider.Reference {
	if _, _, byOrder := t.columns[provider.KindSearch].withRole("order"); byOrder {
		return provider.Reference{OrderID: o.id}
	}
	return provider.Reference{TransactionID: o.transactionID}
}

func checkNotFound(t *trial) {
	if !t.has(provider.KindSearch) {
		t.skip("the type has no search")
		return
	}
	o := t.order()
	if t.redirects() {
		t.skip("a payment of this type always has a transaction id, which nobody can invent")
		return
	}
	a := t.ask(o)
	t.expect(a.Findings != nil && a.Findings.Finding == provider.FindingNotFound, "answered %s, not \"not found\"", spellSearch(a))
}

func checkStranger(t *trial) {
	o, ok := t.searched()
	if !ok {
		return
	}
	other := *o
	other.by, other.account, other.ref = t.second, t.second.account, t.second.ref
	a := t.ask(&other)
	paid := a.Findings != nil && (a.Findings.Finding == provider.FindingFound || a.Findings.Finding == provider.FindingEnded)
	t.expect(!paid, "the other company's search was answered %s", spellSearch(a))
}

// lose charges an order through a fault that leaves the outcome unknown.
func (t *trial) lose(f fault) *order {
	o := t.order()
	t.ready(o)
	t.proxy.arm(f)
	a := t.charge(o)
	t.proxy.disarm()
	t.expect(word(a) == "unknown", "the charge was answered %s, not unknown", spell(a))
	return o
}

func checkFoundAfterLoss(t *trial) {
	if !t.has(provider.KindSearch) {
		t.skip("the type has no search")
		return
	}
	o := t.lose(faultDropAfter)
	t.foundWith(o, t.ask(o))
}

func checkFoundAfterNothing(t *trial) {
	if !t.has(provider.KindSearch) {
		t.skip("the type has no search")
		return
	}
	o := t.lose(faultDropBefore)
	a := t.ask(o)
	t.expect(a.Findings == nil || a.Findings.Finding != provider.FindingFound, "a charge that never arrived is found")
	if !t.redirects() {
		t.expect(a.Findings != nil && a.Findings.Finding == provider.FindingNotFound, "answered %s, not \"not found\"", spellSearch(a))
	}
}

func checkSearchDeclined(t *trial) {
	if !t.has(provider.KindSearch) {
		t.skip("the type has no search")
		return
	}
	o := t.order()
	if _, ok := t.behave(BehaviourDeclined, o); !ok {
		return
	}
	a := t.ask(o)
	t.expect(a.Findings == nil || a.Findings.Finding != provider.FindingFound, "a declined payment is found")
}

// searchBehaves searches for a paid order while the gateway behaves so: nothing may be concluded.
func searchBehaves(b Behaviour) func(*trial) {
	return func(t *trial) {
		o, ok := t.searched()
		if !ok || !t.arm(b, o) {
			return
		}
		t.inconclusive(t.ask(o))
	}
}

func (t *trial) inconclusive(a provider.SearchAnswer) {
	t.expect(a.Failure != nil || a.Findings != nil && a.Findings.Finding == provider.FindingInProgress,
		"the search was answered %s; nothing can be concluded from what the gateway said", spellSearch(a))
}

func checkSearchWrongOrder(t *trial) {
	o, ok := t.searched()
	if !ok || !t.arm(BehaviourWrongOrder, o) {
		return
	}
	a := t.ask(o)
	if a.Findings != nil && a.Findings.Finding == provider.FindingFound {
		named := a.Findings.Reference.OrderID
		t.expect(named != "" && named != o.id, "found, and the findings do not show the other order that the record names")
	}
}

// strangeOrder has every character that has a meaning in a URL or in JSON.
const strangeOrder = `/?&#%2F+~=:;,'"\`

func checkOrderCharacters(t *trial) {
	_, member, ok := t.columns[provider.KindPay].withRole("order")
	if !ok {
		t.skip("the order is no column of the type")
		return
	}
	pattern, err := regexp.Compile(member.Pattern)
	if err != nil {
		t.skip("the pattern of the order cannot be read here")
		return
	}
	o := t.order()
	allowed := ""
	for _, c := range strangeOrder {
		if pattern.MatchString(o.id + allowed + string(c) + "z") {
			allowed += string(c)
		}
	}
	o.id += allowed + "z"
	if allowed == "" || !pattern.MatchString(o.id) || member.MaxLength > 0 && len(o.id) > member.MaxLength {
		t.skip("the schema allows letters and digits only")
		return
	}
	a := t.charge(o)
	if a.Outcome() != provider.OutcomeApproved {
		t.failf("order %q was answered %s", o.id, spell(a))
		return
	}
	t.booked(o, "charge")
	if t.has(provider.KindSearch) {
		t.foundWith(o, t.ask(o))
	}
}

// searchDisturbed searches for a paid order through a fault.
func searchDisturbed(d disturbance) func(*trial) {
	return func(t *trial) {
		o, ok := t.searched()
		if !ok {
			return
		}
		for _, purpose := range []provider.Purpose{provider.PurposeResolve, provider.PurposeClient} {
			ref := provider.Reference{OrderID: o.id, TransactionID: o.transactionID}
			if purpose == provider.PurposeClient {
				ref = t.searchReference(o)
			}
			t.through(d, func(ctx context.Context) func() {
				t.proxy.arm(d.fault)
				a := t.search(ctx, o, purpose, ref)
				return func() { t.inconclusive(a) }
			})
		}
	}
}
