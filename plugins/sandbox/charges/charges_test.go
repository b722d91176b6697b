package charges_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/payrack/payrack/plugins/sandbox"
	"github.com/payrack/payrack/plugins/sandbox/charges"
	"github.com/payrack/payrack/plugins/sandbox/sandboxtest"
)

// shop is the smallest wallet: every request is a query, every answer a verdict and what can be seen.
func shop() sandbox.Dialect {
	return sandbox.Dialect{
		Name: "shop", Prefix: "/shop",
		Mount: func(env *sandbox.Env) http.Handler {
			book := charges.Open(env, "TWD", func(tx *sandbox.Tx) string { return "t" + strconv.FormatUint(tx.Serial(), 10) })
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				q := r.URL.Query()
				env.Serve(w, r, q.Get("do"), q.Get("order"), func(x *sandbox.Exchange) sandbox.Answer {
					var text string
					x.Do(func(tx *sandbox.Tx) { text = decide(tx, x, book, q.Get) })
					return sandbox.Answer{Body: []byte(text)}
				})
			})
		},
		Accounts: func(io.Reader) []sandbox.Account {
			return []sandbox.Account{{Label: "store", Types: []string{"SHOP"}, Credential: json.RawMessage(`{}`), Public: map[string]string{"a": "b"}}}
		},
		Identify: func(json.RawMessage) (string, error) { return "a", nil },
		NewCode:  func(rand io.Reader) string { return sandbox.RandomDigits(rand, 8) },
	}
}

func decide(tx *sandbox.Tx, x *sandbox.Exchange, book *charges.Book, q func(string) string) string {
	amount, _ := strconv.ParseInt(q("amount"), 10, 64)
	switch q("do") {
	case sandbox.OpPay:
		_, verdict, decline := book.Pay(tx, x, charges.Payment{
			Account: "a", Number: q("order"), Code: q("code"), Amount: amount, CodeLife: time.Minute, DeclineBurns: q("burns") != "",
		})
		return fmt.Sprint(verdict, decline)
	case sandbox.OpRefund:
		_, _, verdict := book.Refund(tx, x, "a", q("order"), q("number"), amount)
		return fmt.Sprint(verdict)
	case sandbox.OpVoid:
		_, verdict := book.Void(tx, x, "a", q("order"))
		return fmt.Sprint(verdict)
	}
	o, found := book.Seen(tx, x, "a", q("order"))
	_, refund, refunded := book.SeenRefund(tx, x, "a", q("number"))
	return fmt.Sprintf("%t %s %d %d %t %d", found, o.State, o.Amount, o.Refunded(), refunded, refund.Amount)
}

type client struct {
	t   *testing.T
	box *sandboxtest.Sandbox
}

func (c client) ask(query string) string {
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, c.box.URL+"/shop/?"+query, http.NoBody)
	if err != nil {
		c.t.Error(err)
		return ""
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Error(err)
		return ""
	}
	defer func() { _ = resp.Body.Close() }() // a test client
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Error(err)
	}
	return string(text)
}

func (c client) want(query, want string) {
	c.t.Helper()
	if got := c.ask(query); got != want {
		c.t.Errorf("%s: got %s, want %s", query, got, want)
	}
}

func (c client) verdict(query string, want charges.Verdict) {
	c.t.Helper()
	c.want(query, fmt.Sprint(want))
}

func start(t *testing.T) client {
	t.Helper()
	return client{t, sandboxtest.Start(t, sandbox.Options{Dialects: []sandbox.Dialect{shop()}})}
}

func TestLife(t *testing.T) {
	t.Parallel()
	c := start(t)
	code := c.box.Code("shop", nil)
	c.verdict("do=pay&order=A&amount=30&code="+code, charges.Done)
	c.verdict("do=pay&order=A&amount=30&code="+c.box.Code("shop", nil), charges.NumberUsed)
	c.verdict("do=pay&order=B&amount=30&code="+code, charges.CodeInvalid)
	c.want("do=pay&order=B&amount=30&code="+c.box.Code("shop", sandboxtest.Object{"decline": "77"}), fmt.Sprint(charges.Refused, "77"))
	c.verdict("do=pay&order=B&amount=30&burns=1&code="+c.box.Code("shop", sandboxtest.Object{"balance": 29}), charges.NoBalance)
	c.verdict("do=pay&order=B&amount=30&code="+c.box.Code("shop", nil), charges.NumberUsed)
	c.want("do=search&order=B", "true declined 30 0 false 0")
	c.verdict("do=refund&order=B&number=r&amount=1", charges.WrongState)
	c.verdict("do=void&order=B", charges.WrongState)
	old := c.box.Code("shop", nil)
	c.box.Advance("1m")
	c.verdict("do=pay&order=C&amount=30&code="+old, charges.CodeInvalid)

	c.verdict("do=refund&order=A&number=r1&amount=10", charges.Done)
	c.verdict("do=refund&order=A&number=r1&amount=10", charges.NumberUsed)
	c.verdict("do=refund&order=A&number=A&amount=10", charges.NumberUsed)
	c.verdict("do=refund&order=A&number=r2&amount=21", charges.TooMuch)
	c.verdict("do=refund&order=A&number=r2&amount=0", charges.TooMuch)
	c.verdict("do=refund&order=Z&number=r2&amount=1", charges.NotFound)
	c.verdict("do=void&order=A", charges.WrongState)
	c.verdict("do=void&order=Z", charges.NotFound)
	c.box.Restart()
	c.want("do=search&order=A&number=r1", "true paid 30 10 true 10")
	c.verdict("do=refund&order=A&number=r1&amount=10", charges.NumberUsed)
	c.verdict("do=refund&order=A&number=r2&amount=20", charges.Done)

	c.verdict("do=pay&order=V&amount=5&code="+c.box.Code("shop", nil), charges.Done)
	c.verdict("do=void&order=V", charges.Done)
	c.verdict("do=void&order=V", charges.Done)
	c.verdict("do=refund&order=V&number=r3&amount=1", charges.WrongState)
	var moves []string
	for _, e := range c.box.Ledger("shop", "") {
		moves = append(moves, fmt.Sprintf("%s %s %d", e.OrderID, e.Kind, e.Amount))
		if (e.OriginalTransactionID == "") != (e.Kind == sandbox.Charge) {
			t.Errorf("%+v", e)
		}
	}
	if got := strings.Join(moves, ", "); got != "A charge 30, A refund 10, A refund 20, V charge 5, V void 5" {
		t.Errorf("ledger %s", got)
	}
}

func TestHiddenChanges(t *testing.T) {
	t.Parallel()
	c := start(t)
	hide := func(operation string) {
		c.box.Arm(sandboxtest.Object{"operation": operation, "fault": "search_lag", "delay_ms": 10_000, "times": 1})
	}
	hide("pay")
	c.verdict("do=pay&order=A&amount=30&code="+c.box.Code("shop", nil), charges.Done)
	c.want("do=search&order=A", "false  0 0 false 0")
	c.box.Advance("10s")
	c.want("do=search&order=A", "true paid 30 0 false 0")
	hide("refund")
	c.verdict("do=refund&order=A&number=r&amount=10", charges.Done)
	c.want("do=search&order=A&number=r", "true paid 30 0 false 0")
	c.box.Advance("10s")
	c.want("do=search&order=A&number=r", "true paid 30 10 true 10")
	c.verdict("do=pay&order=V&amount=5&code="+c.box.Code("shop", nil), charges.Done)
	c.box.Advance("1s")
	hide("void")
	c.verdict("do=void&order=V", charges.Done)
	c.want("do=search&order=V", "true paid 5 0 false 0")
	// The same, armed on the query.
	c.box.Advance("20s")
	c.want("do=search&order=V", "true voided 5 0 false 0")
	c.box.Arm(sandboxtest.Object{"operation": "search", "fault": "search_lag", "delay_ms": 20_500, "times": 1})
	c.want("do=search&order=V", "true paid 5 0 false 0")
	if got := c.box.Fired("search_lag"); got != 4 {
		t.Errorf("fired %d times", got)
	}
}

func TestConcurrentRefunds(t *testing.T) {
	t.Parallel()
	c := start(t)
	c.verdict("do=pay&order=A&amount=30&code="+c.box.Code("shop", nil), charges.Done)
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() { c.ask(fmt.Sprintf("do=refund&order=A&amount=7&number=r%d", i%10)) })
	}
	all.Wait()
	c.want("do=search&order=A", "true paid 30 28 false 0")
}
