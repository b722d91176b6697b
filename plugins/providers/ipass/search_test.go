package ipass_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/payrack/payrack/plugins/providers/ipass"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

// recorded answers a search with the request's own req_id, as a gateway does.
func recorded(members string) func(map[string]any) reply {
	return func(request map[string]any) reply {
		id, _ := request["reqId"].(string)
		return reply{clear: `{"returnCode":"0000","returnMsg":"成功","reqId":"` + id + `",` + members + `}`}
	}
}

func TestSearchStates(t *testing.T) {
	t.Parallel()
	money := func(units int64) *provider.Money { return &provider.Money{Units: units, Currency: "TWD"} }
	ref := provider.Reference{OrderID: orderID, TransactionID: "e1"}
	paid := provider.Findings{Finding: provider.FindingFound, Complete: true, Reference: ref, Captured: money(229)}
	with := func(f provider.Findings, refunded *provider.Money) *provider.Findings {
		f.Refunded = refunded
		return &f
	}
	for name, c := range map[string]struct {
		members string
		want    *provider.Findings
	}{
		"under way":          {`"payStatus":"0"`, &provider.Findings{Finding: provider.FindingInProgress, Reference: ref}},
		"paid":               {`"payStatus":"1"`, with(paid, nil)},
		"paid, as a number":  {`"payStatus":1`, with(paid, nil)},
		"refunded":           {`"payStatus":"2"`, with(paid, money(229))},
		"refunded, with sum": {`"payStatus":"2","refundedAmount":"200"`, with(paid, money(200))},
		"partly refunded":    {`"payStatus":"3","refundedAmount":29`, with(paid, money(29))},
		"reversed":           {`"payStatus":"4"`, &provider.Findings{Finding: provider.FindingEnded, Complete: true, Reference: ref}},
		"failed":             {`"payStatus":"7"`, &provider.Findings{Finding: provider.FindingEnded, Complete: true, Reference: ref}},
		"a new status":       {`"payStatus":"9"`, &provider.Findings{Finding: provider.FindingInProgress, Reference: ref}},
		"no status":          {`"x":1`, &provider.Findings{Finding: provider.FindingInProgress, Reference: ref}},
	} {
		for purpose, id := range map[provider.Purpose]string{provider.PurposeClient: "transactionId", provider.PurposeResolve: "originalTransactionId"} {
			t.Run(name+" by "+id, func(t *testing.T) {
				t.Parallel()
				g := newGateway(t, recorded(`"`+id+`":"e1","amount":229,"orderNumber":"`+orderID+`",`+c.members))
				answer := open(t, g.URL, nil).Search(t.Context(), searchRequest(t, purpose, nil))
				if diff := cmp.Diff(c.want, answer.Findings); diff != "" {
					t.Errorf("findings (-want +got):\n%s\nfailure %+v", diff, answer.Failure)
				}
				if purpose == provider.PurposeResolve {
					return // see TestWhatTheOperationWouldHaveAnswered
				}
				if !strings.HasPrefix(string(answer.Native.Body), `{"`) || !strings.Contains(string(answer.Native.Body), `"order_number":"`+orderID+`"`) {
					t.Errorf("native %s", answer.Native.Body)
				}
			})
		}
	}
}

func TestSearchFindsNothing(t *testing.T) {
	t.Parallel()
	g := newGateway(t, always(reply{clear: `{"returnCode":"S404","returnMsg":"x"}`}))
	// A client sees iPASS's words; for the platform they are not the answer to the payment in doubt.
	for purpose, native := range map[provider.Purpose]string{provider.PurposeClient: `{"return_code":"S404","return_msg":"x"}`, provider.PurposeResolve: ""} {
		answer := open(t, g.URL, nil).Search(t.Context(), searchRequest(t, purpose, nil))
		want := &provider.Findings{Finding: provider.FindingNotFound, Complete: true}
		if diff := cmp.Diff(want, answer.Findings); diff != "" || string(answer.Native.Body) != native {
			t.Errorf("findings (-want +got):\n%s\nnative %s", diff, answer.Native.Body)
		}
	}
}

func TestRefusedSearchKeepsTheAnswer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		reply  reply
		code   string
		reason provider.Reason
	}{
		"unknown":   {reply{clear: `{"returnCode":"9999","returnMsg":"x"}`}, "9999", provider.ReasonUnavailable},
		"unlisted":  {reply{clear: `{"returnCode":"0042","returnMsg":"x"}`}, "0042", provider.ReasonUnavailable},
		"in clear":  {reply{status: http.StatusUnauthorized, raw: `{"returnCode":"S401","returnMsg":"x"}`}, "S401", provider.ReasonAuth},
		"404 clear": {reply{status: http.StatusNotFound, raw: `{"returnCode":"S404","returnMsg":"x"}`}, "S404", provider.ReasonAuth},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, always(c.reply))
			answer := open(t, g.URL, nil).Search(t.Context(), searchRequest(t, provider.PurposeClient, nil))
			if f := answer.Failure; f == nil || f.Code != c.code || f.Reason != c.reason || !strings.Contains(string(answer.Native.Body), c.code) {
				t.Errorf("got %+v, native %s", f, answer.Native.Body)
			}
		})
	}
}

func TestUnusableSearchAnswersAreAFailure(t *testing.T) {
	t.Parallel()
	ok := `"returnCode":"0000","payStatus":"1","transactionId":"e1"`
	for name, r := range map[string]reply{
		"no req_id":      {clear: `{` + ok + `}`},
		"other req_id":   {clear: `{` + ok + `,"reqId":"x"}`},
		"other order":    {clear: `{` + ok + `,"reqId":"` + reqID + `","orderNumber":"OTHER"}`},
		"float amount":   {clear: `{` + ok + `,"reqId":"` + reqID + `","amount":1.5}`},
		"float refunds":  {clear: `{` + ok + `,"reqId":"` + reqID + `","refundedAmount":-1}`},
		"html":           {raw: "<html>"},
		"wrong key":      {clear: `{` + ok + `}`, key: strings.Repeat("k", 32)},
		"500":            {status: http.StatusInternalServerError, raw: "x"},
		"10 MB":          {raw: strings.Repeat("x", 10<<20)},
		"not found, 500": {status: http.StatusInternalServerError, clear: `{"returnCode":"S404"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, always(r))
			answer := open(t, g.URL, nil).Search(t.Context(), searchRequest(t, provider.PurposeClient, nil))
			if answer.Failure == nil || answer.Findings != nil || len(answer.Native.Body) != 0 {
				t.Errorf("got %+v, native %s", answer.Findings, answer.Native.Body)
			}
		})
	}
}

func TestSearchRefusesBeforeSending(t *testing.T) {
	t.Parallel()
	g := newGateway(t, always(reply{clear: `{}`}))
	p := open(t, g.URL, nil)
	byID := searchRequest(t, provider.PurposeClient, nil)
	byID.Reference = provider.Reference{TransactionID: "e1"}
	for name, r := range map[string]provider.SearchRequest{
		"by transaction id": byID,
		"bad IV":            searchRequest(t, provider.PurposeClient, map[string]string{"iv": "zz"}),
		"another merchant":  searchRequest(t, provider.PurposeResolve, map[string]string{"merchantid": "X"}),
	} {
		if f := p.Search(t.Context(), r).Failure; f == nil || f.Effect != provider.EffectNone {
			t.Errorf("%s: got %+v", name, f)
		}
	}
	if n := len(g.requests()); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

func TestSearchTooSlow(t *testing.T) {
	t.Parallel()
	g := newGateway(t, always(reply{clear: `{}`, wait: time.Minute}))
	p := open(t, g.URL, func(s *ipass.Settings) { s.Timeouts.Search = provider.Duration(50 * time.Millisecond) })
	if f := p.Search(t.Context(), searchRequest(t, provider.PurposeResolve, nil)).Failure; f == nil || f.Reason != provider.ReasonTimeout {
		t.Errorf("got %+v", f)
	}
}
