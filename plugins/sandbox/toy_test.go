package sandbox_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/payrack/payrack/plugins/sandbox"
)

// toy is the smallest dialect: /toy/pay?order=X&amount=N charges once, /toy/search?order=X tells.
func toy() sandbox.Dialect {
	return sandbox.Dialect{
		Name:   "toy",
		Prefix: "/toy",
		Mount: func(env *sandbox.Env) http.Handler {
			return &toyGateway{env: env, orders: sandbox.NewBook[toyOrder](env, "orders")}
		},
		Accounts: func(rand io.Reader) []sandbox.Account {
			key := sandbox.RandomHex(rand, 32)
			return []sandbox.Account{{
				Label: "store", Types: []string{"TOY"}, Credential: json.RawMessage(`{"key":"` + key + `"}`),
				Public: map[string]string{"key": key},
			}}
		},
		Identify: func(credential json.RawMessage) (string, error) {
			var c struct {
				Key string `json:"key"`
			}
			if err := json.Unmarshal(credential, &c); err != nil || c.Key == "" {
				return "", errors.New("credential: key is missing")
			}
			return c.Key, nil
		},
		NewCode: func(rand io.Reader) string { return sandbox.RandomDigits(rand, 8) },
		Faults:  map[string]string{"shout": "answers in capitals"},
	}
}

type toyOrder struct {
	Number int64     `json:"number"`
	At     time.Time `json:"at"`
}

type toyGateway struct {
	env    *sandbox.Env
	orders *sandbox.Book[toyOrder]
}

func (g *toyGateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	order := r.URL.Query().Get("order")
	if g.env.Path(r) == "/search" {
		g.env.Serve(w, r, sandbox.OpSearch, order, func(x *sandbox.Exchange) sandbox.Answer {
			return g.search(x, order)
		})
		return
	}
	g.env.Serve(w, r, sandbox.OpPay, order, func(x *sandbox.Exchange) sandbox.Answer { return g.pay(x, order) })
}

func (g *toyGateway) pay(x *sandbox.Exchange, order string) sandbox.Answer {
	if code, armed := x.FireCode(); armed {
		return sandbox.Answer{Body: []byte(`{"code":"` + code + `"}`)}
	}
	body := `{"code":"ok"}`
	x.Do(func(tx *sandbox.Tx) {
		if _, used := g.orders.Get(tx, order); used {
			body = `{"code":"duplicate"}`
			return
		}
		g.orders.Put(tx, order, toyOrder{Number: int64(tx.Serial()), At: tx.Now()})
		tx.Enter(sandbox.Entry{Account: "a", OrderID: order, TransactionID: "t", Kind: sandbox.Charge, Amount: 5, Currency: "TWD"})
	})
	if x.Fire(sandbox.FaultWrongAmount) {
		body = `{"code":"ok","amount":6}`
	}
	if x.Fire(sandbox.FaultWrongOrder) {
		body = `{"code":"ok","order":"other"}`
	}
	if x.Fire("shout") {
		body = strings.ToUpper(body)
	}
	return sandbox.Answer{Body: []byte(body)}
}

func (g *toyGateway) search(x *sandbox.Exchange, order string) sandbox.Answer {
	found := false
	x.Do(func(tx *sandbox.Tx) {
		o, there := g.orders.Get(tx, order)
		lag := x.Lag()
		found = there && (lag == 0 || tx.Now().Sub(o.At) > lag || !x.Fire(sandbox.FaultSearchLag))
	})
	if !found {
		return sandbox.Answer{Body: []byte(`{"code":"none"}`)}
	}
	return sandbox.Answer{Body: []byte(`{"code":"found"}`)}
}

// options of a sandbox that plays only the toy.
func toyOptions(t *testing.T) sandbox.Options {
	t.Helper()
	return sandbox.Options{Dir: t.TempDir(), Dialects: []sandbox.Dialect{toy()}, HangLimit: time.Second}
}
