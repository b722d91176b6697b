package sandbox_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/payrack/payrack/plugins/sandbox"
	"github.com/payrack/payrack/plugins/sandbox/sandboxtest"
)

// controlled is the toy with a control route of its own.
type controlled struct {
	http.Handler

	env *sandbox.Env
}

func (c controlled) Control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{name}/greet", func(w http.ResponseWriter, r *http.Request) {
		var body struct{ Loud bool }
		switch {
		case !c.env.Decode(w, r, &body):
		case body.Loud:
			c.env.Reply(w, http.StatusConflict, errors.New("not so loud"))
		default:
			c.env.Reply(w, http.StatusOK, map[string]string{"hello": r.PathValue("name")})
		}
	})
	return mux
}

func TestControlRoutesOfADialect(t *testing.T) {
	t.Parallel()
	options := toyOptions(t)
	mount := options.Dialects[0].Mount
	options.Dialects[0].Mount = func(env *sandbox.Env) http.Handler { return controlled{mount(env), env} }
	s := sandboxtest.Start(t, options)
	for name, c := range map[string]struct {
		body   any
		status int
		want   string
	}{
		"no body":   {nil, http.StatusOK, "ann"},
		"body":      {sandboxtest.Object{"Loud": false}, http.StatusOK, "ann"},
		"misspelt":  {sandboxtest.Object{"lout": true}, http.StatusBadRequest, ""},
		"an error":  {sandboxtest.Object{"Loud": true}, http.StatusConflict, ""},
		"not a map": {[]int{1}, http.StatusBadRequest, ""},
	} {
		var out struct{ Hello, Error string }
		if status := s.Control(http.MethodPost, "toy/ann/greet", c.body, &out); status != c.status || out.Hello != c.want || (out.Error == "") != (c.want != "") {
			t.Errorf("%s: HTTP %d, %+v", name, status, out)
		}
	}
	send(t, s, "pay", "A")
	if got := len(s.Ledger("toy", "A")); got != 1 {
		t.Errorf("the gateway itself answered no more: %d entries", got)
	}
}
