package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/money"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/inbound"
)

// paymentReply is a payment in the provider-neutral API. Amounts are whole charge units of the currency.
type paymentReply struct {
	ID                    string       `json:"id"`
	State                 string       `json:"state"`
	Type                  string       `json:"type"`
	StoreID               string       `json:"store_id"`
	OrderNumber           string       `json:"order_number"`
	Attempt               int          `json:"attempt,omitempty"`
	OrderID               string       `json:"order_id,omitempty"`
	Amount                amountReply  `json:"amount"`
	Capture               bool         `json:"capture"`
	Authorized            amountReply  `json:"authorized"`
	Captured              amountReply  `json:"captured"`
	Refunded              amountReply  `json:"refunded"`
	Action                *actionReply `json:"action,omitempty"`
	Failure               string       `json:"failure,omitempty"`
	ProviderCode          string       `json:"provider_code,omitempty"`
	DeclineCode           string       `json:"decline_code,omitempty"`
	Provider              string       `json:"provider"`
	ProviderTransactionID string       `json:"provider_transaction_id,omitempty"`
	MandateID             string       `json:"mandate_id,omitempty"`
	PluginVersion         string       `json:"plugin_version,omitempty"`
	IsTest                bool         `json:"is_test"`
	AuthorizationEndsAt   *time.Time   `json:"authorization_ends_at,omitempty"`
	CreatedAt             time.Time    `json:"created_at"`
	UpdatedAt             time.Time    `json:"updated_at"`
	NextCheckAt           *time.Time   `json:"next_check_at,omitempty"`
}

type amountReply struct {
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

// actionReply is what the payer does next: a page for a browser, and the address of the wallet's app.
type actionReply struct {
	WebURL    string     `json:"web_url,omitempty"`
	AppURL    string     `json:"app_url,omitempty"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
}

// refusedReply is a problem document with the payment inside. It follows from the record alone, without the ids of one
// request, so that it is replayed byte for byte.
type refusedReply struct {
	Type         string       `json:"type"`
	Title        string       `json:"title"`
	Status       int          `json:"status"`
	Detail       string       `json:"detail"`
	Code         string       `json:"code"`
	ProviderCode string       `json:"provider_code,omitempty"`
	DeclineCode  string       `json:"decline_code,omitempty"`
	PaymentID    string       `json:"payment_id"`
	Message      string       `json:"message"`
	MessageFrom  string       `json:"message_from"`
	Payment      paymentReply `json:"payment"`
}

func paymentOf(p payment.Payment) paymentReply {
	units := func(n int64) amountReply { return amountReply{Amount: n, Currency: string(p.Amount.Currency)} }
	_, version, _ := strings.Cut(p.Release, "@")
	reply := paymentReply{
		ID: string(p.ID), State: string(p.State), Type: p.Type, StoreID: storeText(p.Store), OrderNumber: p.OrderNumber,
		Amount: amountOf(p.Amount), Capture: p.Capture,
		Authorized: units(p.Authorized), Captured: units(p.Captured), Refunded: units(p.Refunded),
		Failure: string(p.Failure), ProviderCode: p.Code, DeclineCode: p.DeclineCode, Provider: p.Provider,
		ProviderTransactionID: p.ProviderTransaction, MandateID: p.Mandate, PluginVersion: version,
		IsTest: p.Environment == company.Test, AuthorizationEndsAt: moment(p.HoldEnds()),
		CreatedAt: instant(p.CreatedAt), UpdatedAt: instant(p.UpdatedAt),
	}
	if p.Attempt > 1 {
		reply.Attempt = p.Attempt
	}
	return reply
}

// recordOf is a payment with what its operation adds.
func recordOf(r payment.Record) paymentReply {
	reply := paymentOf(r.Payment)
	if id := r.Operation.OrderID; id != r.Payment.OrderNumber {
		reply.OrderID = id
	}
	if r.Operation.Open() {
		reply.NextCheckAt = moment(r.Operation.NextCheckAt)
	}
	return reply
}

// storeText is a store as clients write it: "0" is the company itself.
func storeText(s company.StoreID) string {
	if s == company.OwnStore {
		return "0"
	}
	return string(s)
}

func amountOf(a money.Amount) amountReply {
	return amountReply{Amount: a.Units, Currency: string(a.Currency)}
}

// instant is a time as the stores keep it, so that a rendered reply and one read later show the same.
func instant(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return new(instant(t))
}

// render makes the body of a final reply. It depends on nothing but its argument.
func (n neutralRoute) render(x inbound.Rendering) []byte {
	doc := recordOf(x.Record)
	if x.Record.Payment.State == payment.RequiresAction && (x.WebURL != "" || x.AppURL != "") {
		doc.Action = &actionReply{WebURL: x.WebURL, AppURL: x.AppURL, ExpiresAt: moment(x.ActionExpires)}
	}
	end := n.outcome(x.Record)
	if end.code == "" {
		return encoded(doc)
	}
	return encoded(refusedReply{
		Type: problemPrefix + end.code, Title: title(end.status), Status: end.status, Detail: end.message,
		Code: end.code, ProviderCode: x.Record.Operation.Code, DeclineCode: x.Record.Operation.DeclineCode,
		PaymentID: doc.ID, Message: end.message, MessageFrom: ours, Payment: doc,
	})
}

// encoded writes a struct of ours. Text keeps its characters: addresses hold ampersands.
func encoded(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(fmt.Errorf("encoding a reply of ours: %w", err)) // a bug: the structs above always encode
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}
