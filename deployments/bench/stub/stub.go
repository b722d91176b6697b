// Package stub is the payment gateway of the benchmark: it answers LINE Pay's in-store payment (v4) with success, as
// fast as it can or after a set delay, and counts what arrived. It keeps nothing and checks no signature: it is the
// part of every measurement that must cost the same for all.
package stub

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// Paths of the gateway and of its control routes.
const (
	PayPath   = "/v4/payments/oneTimeKeys/pay"
	DelayPath = "/_bench/delay"
	CountPath = "/_bench/count"
)

// firstTransaction makes ids of 19 digits, as LINE Pay's are.
const firstTransaction = 2026112200000000000

// maxBody bounds what is read of a request, in bytes.
const maxBody = 64 << 10

// Gateway is the stub as an http.Handler. The zero value answers at once.
type Gateway struct {
	delay    atomic.Int64
	payments atomic.Int64
}

// ServeHTTP answers POST PayPath; PUT DelayPath?ms=N sets the delay of later payments in milliseconds; GET CountPath
// answers with the number of payments that arrived.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodPost && r.URL.Path == PayPath:
		g.pay(w, r)
	case r.Method == http.MethodPut && r.URL.Path == DelayPath:
		ms, err := strconv.ParseInt(r.URL.Query().Get("ms"), 10, 64)
		if err != nil || ms < 0 {
			http.Error(w, "ms must be a number of milliseconds", http.StatusBadRequest)
			return
		}
		g.delay.Store(int64(time.Duration(ms) * time.Millisecond))
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodGet && r.URL.Path == CountPath:
		_, _ = fmt.Fprintf(w, "%d", g.payments.Load())
	default:
		http.NotFound(w, r)
	}
}

func (g *Gateway) pay(w http.ResponseWriter, r *http.Request) {
	n := g.payments.Add(1)
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		http.Error(w, "unreadable body", http.StatusBadRequest)
		return
	}
	var in struct {
		OrderID string      `json:"orderId"`
		Amount  json.Number `json:"amount"`
	}
	if err := json.Unmarshal(raw, &in); err != nil || in.OrderID == "" || in.Amount == "" {
		http.Error(w, "orderId and amount are needed", http.StatusBadRequest)
		return
	}
	if d := g.delay.Load(); d > 0 {
		time.Sleep(time.Duration(d))
	}
	order, err := json.Marshal(in.OrderID)
	if err != nil {
		http.Error(w, "orderId cannot be written", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	_, _ = fmt.Fprintf(w,
		`{"returnCode":"0000","returnMessage":"Success.","info":{"transactionId":%d,"orderId":%s,"transactionDate":%q,"payInfo":[{"method":"BALANCE","amount":%s}]}}`,
		firstTransaction+n, order, time.Now().UTC().Format(time.RFC3339), in.Amount)
}
