package linepaysandbox

import (
	"context"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/payrack/payrack/plugins/sandbox"
)

// The page of the customer, where LINE Pay has it too.
const (
	pagePath  = "/web/payment/wait"
	pageToken = "transactionReserveId"
)

// serverCall is how long LINE Pay's servers wait for a merchant's confirmUrl of the type SERVER.
const serverCall = 25 * time.Second

// Control are the control routes of customers: what they do in the app.
func (g *gateway) Control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{transactionId}/approve", g.postApprove)
	mux.HandleFunc("POST /{transactionId}/cancel", g.postCancel)
	mux.HandleFunc("POST /mandates/{regKey}/remove", g.postRemove)
	return mux
}

// deed is what a control route answers.
type deed struct {
	TransactionID string `json:"transaction_id"`
	OrderID       string `json:"order_id"`
	// ConfirmURL and CancelURL are where the customer's browser would go now; empty without such a page.
	ConfirmURL string `json:"confirm_url,omitempty"`
	CancelURL  string `json:"cancel_url,omitempty"`
	// ConfirmStatus is what the merchant's server answered to a confirmUrl of the type SERVER.
	ConfirmStatus int `json:"confirm_status,omitempty"`
}

func (g *gateway) postApprove(w http.ResponseWriter, r *http.Request) {
	var customer sandbox.CodeOptions
	if !g.env.Decode(w, r, &customer) {
		return
	}
	find := func() string { return r.PathValue("transactionId") }
	d, status, err := g.approve(r.Context(), find, customer)
	g.answerDeed(w, d, status, err)
}

func (g *gateway) postCancel(w http.ResponseWriter, r *http.Request) {
	var none struct{}
	if !g.env.Decode(w, r, &none) {
		return
	}
	d, status, err := g.cancel(func() string { return r.PathValue("transactionId") })
	g.answerDeed(w, d, status, err)
}

func (g *gateway) answerDeed(w http.ResponseWriter, d deed, status int, err error) {
	if err != nil {
		g.env.Reply(w, status, err)
		return
	}
	g.env.Reply(w, status, d)
}

// approve: the customer chose how to pay and gave the password.
func (g *gateway) approve(ctx context.Context, find func() string, customer sandbox.CodeOptions) (deed, int, error) {
	made, problem, err := g.act(find, func(it *reservation, _ *sandbox.Tx) {
		it.Step, it.Customer = authenticated, customer
	})
	if status, err := refusedDeed(problem, err); err != nil {
		return deed{}, status, err
	}
	d := deed{TransactionID: made.key(), OrderID: made.OrderID, ConfirmURL: made.confirmURL()}
	if made.ConfirmType == "SERVER" {
		d.ConfirmStatus = g.callServer(ctx, d.ConfirmURL)
	}
	return d, http.StatusOK, nil
}

func (g *gateway) cancel(find func() string) (deed, int, error) {
	made, problem, err := g.act(find, func(it *reservation, _ *sandbox.Tx) { it.Step = cancelled })
	if status, err := refusedDeed(problem, err); err != nil {
		return deed{}, status, err
	}
	return deed{TransactionID: made.key(), OrderID: made.OrderID, CancelURL: made.CancelURL}, http.StatusOK, nil
}

func refusedDeed(problem string, err error) (int, error) {
	switch {
	case err != nil:
		return http.StatusServiceUnavailable, errors.New("the sandbox journal cannot be written; see the log and restart the sandbox")
	case problem != "":
		return http.StatusBadRequest, errors.New(problem)
	default:
		return http.StatusOK, nil
	}
}

// confirmURL is where the customer is sent after the approval. v2 appends the transaction only; later versions name the
// order too, unless the merchant's address has an orderId already.
func (r reservation) confirmURL() string {
	u, err := url.Parse(r.ConfirmURL)
	if err != nil || r.ConfirmURL == "" {
		return ""
	}
	query := u.Query()
	add := url.Values{"transactionId": {r.key()}}
	if r.Version != "v2" && !query.Has("orderId") {
		add.Set("orderId", r.OrderID)
	}
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += add.Encode()
	return u.String()
}

// callServer calls a confirmUrl of the type SERVER, as LINE Pay's servers do; 0 is no answer.
func (g *gateway) callServer(ctx context.Context, target string) int {
	ctx, cancel := context.WithTimeout(ctx, serverCall)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, http.NoBody)
	if err != nil {
		return 0
	}
	resp, err := g.servers.Do(req)
	if err != nil {
		return 0
	}
	_ = resp.Body.Close() // only the status counts
	return resp.StatusCode
}

// postRemove: the customer takes a stored approval back in the app.
func (g *gateway) postRemove(w http.ResponseWriter, r *http.Request) {
	known := false
	err := g.env.Do(func(tx *sandbox.Tx) {
		var k mandate
		if k, known = g.mandates.Get(tx, r.PathValue("regKey")); known {
			k.Removed = true
			g.mandates.Put(tx, k.RegKey, k)
		}
	})
	problem := ""
	if !known {
		problem = "no such stored approval"
	}
	status, err := refusedDeed(problem, err)
	if err != nil {
		g.env.Reply(w, status, err)
		return
	}
	g.env.Reply(w, status, map[string]string{"reg_key": r.PathValue("regKey")})
}

var page = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>LINE Pay sandbox</title></head>
<body><h1>LINE Pay sandbox</h1>
<p>{{.Product}}</p><p><strong>{{.Amount}} {{.Currency}}</strong> &middot; order {{.Order}}</p>
{{if .Open}}<form method="post"><button name="do" value="approve">Approve</button> <button name="do" value="cancel">Cancel</button></form>
{{else}}<p>This payment is {{.Step}}.</p>{{end}}</body></html>
`))

// customerPage shows the page of a payment, and does what its buttons say.
func (g *gateway) customerPage(w http.ResponseWriter, r *http.Request) {
	key := ""
	find := func() string { return g.byToken[r.URL.Query().Get(pageToken)] }
	var res reservation
	var known bool
	var at step
	err := g.env.Do(func(tx *sandbox.Tx) {
		key = find()
		res, known = g.reservations.Get(tx, key)
		at = res.now(tx.Now())
	})
	if err != nil || !known {
		http.NotFound(w, r)
		return
	}
	if r.Method == http.MethodPost && at == reserved {
		g.pressed(w, r, find)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_ = page.Execute(w, struct { // a browser that has left changes nothing
		Product, Amount, Currency, Order, Step string
		Open                                   bool
	}{res.ProductName, amount{units: res.Amount, exponent: exponents[res.Currency]}.String(), res.Currency, res.OrderID, string(at), at == reserved})
}

// pressed does what a button says and sends the browser on.
func (g *gateway) pressed(w http.ResponseWriter, r *http.Request, find func() string) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	var d deed
	var status int
	var err error
	if r.PostFormValue("do") == "approve" {
		d, status, err = g.approve(r.Context(), find, sandbox.CodeOptions{})
	} else {
		d, status, err = g.cancel(find)
	}
	if err != nil {
		http.Error(w, strconv.Itoa(status)+": "+err.Error(), status)
		return
	}
	to := first(d.ConfirmURL, d.CancelURL)
	if to == "" || d.ConfirmStatus != 0 {
		to = pagePath + "?" + url.Values{pageToken: {r.URL.Query().Get(pageToken)}}.Encode() // nobody to send the browser to
	}
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}
