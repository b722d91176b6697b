package httpapi

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/payrack/payrack/adapters/inbound/internal/httpkit"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/payment"
)

// callback takes the payer who comes back from a wallet. Whoever calls it proves nothing: it makes the platform ask the
// provider, and then sends the payer to the client's own address. What stands in the query is not read at all.
func (a *api) callback(c echo.Context) error {
	r := c.Request()
	x := httpkit.Of(r.Context())
	if wait, ok := a.returns.Take(x.Source(r)); !ok {
		return &httpkit.RefusalError{
			Status: http.StatusTooManyRequests, Code: "rate_limited", RetryAfter: wait,
			Message: "Too many requests come from this address; try again in a moment.",
		}
	}
	id := c.Param("id")
	if !uuidText.MatchString(id) {
		return noSuchPayment()
	}
	to, err := a.Notices.Return(r.Context(), payment.ID(id))
	if fault.KindOf(err) == fault.NotFound {
		return noSuchPayment()
	}
	if err != nil {
		return err //nolint:wrapcheck // a fault of the core goes to the client as it is
	}
	x.Payment = id
	w := c.Response()
	if to.URL == "" {
		received(w, r)
		return nil
	}
	// Not http.Redirect: that would write a body which repeats the address.
	w.Header().Set("Location", to.URL)
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// The page for a payer whose shop gave no address to come back to. It says nothing about the payment: only the shop does.
const receivedPage = `<!doctype html>
<html lang="zh-Hant"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>payrack</title></head>
<body><p>已收到。請回到商店確認付款結果，此頁可以關閉。</p><p lang="en">Received. Return to the shop to see the result; you can close this page.</p></body></html>
`

// receivedReply is the same for programs.
type receivedReply struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

func received(w http.ResponseWriter, r *http.Request) {
	if strings.Contains(r.Header.Get("Accept"), "text/html") {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		httpkit.WriteBytes(w, http.StatusOK, "text/html; charset=utf-8", []byte(receivedPage))
		return
	}
	httpkit.WriteJSON(w, http.StatusOK, receivedReply{
		Status: "received", Message: "已收到。請回到商店確認付款結果。 Return to the shop to see the result.",
	})
}
