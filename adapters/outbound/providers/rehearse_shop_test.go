package providers_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/payrack/payrack/plugins/sdk/provider"
	"github.com/payrack/payrack/plugins/sdk/seal"
)

// The shop is a provider with a gateway, whose versions differ in one thing each: the behaviour of its role.

type shopCredential struct {
	Shop string          `json:"shop" payrack:"required,role=account"`
	Key  provider.Secret `json:"key" payrack:"required"`
}

type shopColumns struct {
	Order string          `json:"order" payrack:"required,role=order"`
	Total int64           `json:"total" payrack:"required,role=amount" min:"1"`
	Code  provider.Secret `json:"code" payrack:"required,role=code"`
	Note  string          `json:"note" payrack:"text"`
}

type shopSearch struct {
	Order string `json:"order" payrack:"required,role=order"`
}

type shop struct {
	does    string
	gateway provider.JSONGateway
}

func playShop(r role) {
	does := strings.TrimPrefix(strings.TrimPrefix(r.Behaviour, "shop"), " ")
	provider.Serve(r.Name, func(_ context.Context, s provider.GatewaySettings, h provider.Host) (provider.Provider, error) {
		v := &shop{does: does, gateway: provider.JSONGateway{Endpoints: s.Endpoints, HTTP: h.HTTP, Statuses: []int{http.StatusPaymentRequired}}}
		v.gateway.Sign = v.sign
		return v, nil
	})
}

func (s *shop) Describe() provider.Description {
	return provider.Description{MessageFrom: "SHOP", Settings: provider.Schema[provider.GatewaySettings](), Types: []provider.Type{{
		Name: "SHOP_PAY", Credential: provider.Schema[shopCredential](), Currencies: []provider.Currency{{Code: "TWD"}},
		Operations: []provider.Operation{
			{Kind: provider.KindPay, Columns: provider.Schema[shopColumns](), MovesMoney: true, FoundByOrderID: true, MaxDuration: 5 * time.Second},
			{Kind: provider.KindSearch, Columns: provider.Schema[shopSearch](), FoundByOrderID: true, MaxDuration: 5 * time.Second},
		},
	}}}
}

func (s *shop) sign(call provider.Call, u provider.Unsigned) (http.Header, error) {
	c, err := provider.CredentialOf[shopCredential](call)
	h := http.Header{
		"X-Shop": {c.Shop}, "X-Nonce": {rand.Text()},
		"X-Mac": {base64.StdEncoding.EncodeToString(seal.MAC(c.Key.Reveal(), u.Path, u.Query, string(u.Body)))},
	}
	if s.does == "header" {
		h.Del("X-Nonce")
	}
	return h, err
}

var shopCodes = provider.Codes{"OK": provider.Paid(), "NO_FUNDS": provider.Refused("insufficient_funds")}

func (s *shop) Pay(ctx context.Context, r provider.PayRequest) provider.Answer {
	s.misbehave(ctx, r.Reference.OrderID)
	var answer struct {
		Code string          `json:"code"`
		ID   string          `json:"id"`
		Paid provider.Number `json:"paid"`
	}
	message := map[string]any{"order": r.Reference.OrderID, "amount": r.Amount.Units, "code": r.Code.Reveal(), "sent": time.Now().UnixNano()}
	request := provider.JSONRequest{Method: http.MethodPost, Path: "/pay", Answer: &answer, Message: message}
	switch s.does {
	case "path":
		request.Path = "/v2/pay"
	case "method":
		request.Method = http.MethodPut
	case "body":
		message["total"] = message["amount"]
		delete(message, "amount")
	case "value":
		message["amount"] = r.Amount.Units * 100
	case "query":
		request.Query = url.Values{"lang": {"zh"}}
	case "extra":
		_, _ = s.gateway.Ask(ctx, r.Call, provider.JSONRequest{Method: http.MethodGet, Path: "/hello", Answer: new(map[string]any)})
	}
	native, failure := s.gateway.Ask(ctx, r.Call, request)
	if failure != nil {
		return failure.Answer()
	}
	result := provider.Result{Code: answer.Code, Reference: provider.Reference{TransactionID: answer.ID}}
	if paid, err := answer.Paid.Money("TWD", 0); err == nil && answer.Code == "OK" {
		result.Captured = &paid
		if s.does == "amount" {
			result.Captured.Units--
		}
	}
	switch {
	case s.does == "native":
		native.Body = json.RawMessage(strings.Replace(string(native.Body), `"code"`, `"returnCode"`, 1))
	case s.does == "outcome" && answer.Code == "NO_FUNDS":
		return provider.Undecided(result, native)
	}
	return shopCodes.Answer(result, native)
}

// misbehave is for versions that do what no provider should.
func (s *shop) misbehave(ctx context.Context, order string) {
	switch {
	case s.does == "crash" && order == "A-1":
		os.Exit(7)
	case s.does == "dials":
		var d net.Dialer
		if conn, err := d.DialContext(ctx, "tcp", os.Getenv("SHOP_TRAP")); err == nil {
			_ = conn.Close()
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+os.Getenv("SHOP_TRAP"), nil)
		if err != nil {
			return
		}
		if res, err := http.DefaultClient.Do(req); err == nil {
			_ = res.Body.Close()
		}
	}
}

func (s *shop) Search(ctx context.Context, r provider.SearchRequest) provider.SearchAnswer {
	var answer struct {
		Code string `json:"code"`
		ID   string `json:"id"`
	}
	native, failure := s.gateway.Ask(ctx, r.Call, provider.JSONRequest{
		Method: http.MethodGet, Path: "/orders", Query: url.Values{"order": {r.Reference.OrderID}}, Answer: &answer,
	})
	if failure != nil {
		return provider.SearchAnswer{Failure: failure}
	}
	found := provider.Findings{Finding: provider.FindingFound, Complete: true, Reference: provider.Reference{TransactionID: answer.ID}}
	if answer.Code == "NONE" {
		found = provider.Findings{Finding: provider.FindingNotFound, Complete: s.does != "complete"}
	}
	return provider.SearchAnswer{Findings: &found, Native: native}
}

// The secrets of the shop's calls.
const (
	shopKey   = "Z9yX8wV7uT6sR5qP"
	shopCode  = "281234567890123456"
	shopOwner = "owner@shop.example"
)

// shopGateway answers as the order's number says, and repeats what it should not. seen counts what reached it.
func shopGateway(tb testing.TB) (base string, seen *atomic.Int32) {
	tb.Helper()
	seen = new(atomic.Int32)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen.Add(1)
		var m struct {
			Order  string `json:"order"`
			Amount int64  `json:"amount"`
			Code   string `json:"code"`
		}
		_ = json.NewDecoder(r.Body).Decode(&m)
		answer := map[string]any{"code": "OK", "id": "T-" + m.Order, "paid": m.Amount, "echo": "paid with " + m.Code, "owner": shopOwner}
		switch {
		case m.Order == "A-2":
			w.WriteHeader(http.StatusPaymentRequired)
			answer = map[string]any{"code": "NO_FUNDS"}
		case m.Order == "A-3":
			w.WriteHeader(http.StatusServiceUnavailable)
		case r.URL.Query().Get("order") == "A-4":
			answer = map[string]any{"code": "NONE"}
		case m.Order == "":
			answer["id"] = "T-found"
		}
		_ = json.NewEncoder(w).Encode(answer)
	}))
	tb.Cleanup(server.Close)
	return server.URL, seen
}
