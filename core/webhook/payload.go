package webhook

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/payment"
)

// payload is the body of a message. Its members and those of data are documented in the OpenAPI document.
type payload struct {
	Type      string    `json:"type"`
	ID        ID        `json:"id"`
	Timestamp time.Time `json:"timestamp"`
	Data      any       `json:"data"`
}

// paymentData is a payment as GET /v2/payments/{id} shows it, without what only a look now can tell (next_check_at) or
// only the payer's own reply holds (action).
type paymentData struct {
	ID                    string     `json:"id"`
	State                 string     `json:"state"`
	Type                  string     `json:"type"`
	StoreID               string     `json:"store_id"`
	OrderNumber           string     `json:"order_number"`
	Attempt               int        `json:"attempt,omitempty"`
	OrderID               string     `json:"order_id,omitempty"`
	Amount                amountData `json:"amount"`
	Capture               bool       `json:"capture"`
	Authorized            amountData `json:"authorized"`
	Captured              amountData `json:"captured"`
	Refunded              amountData `json:"refunded"`
	Failure               string     `json:"failure,omitempty"`
	ProviderCode          string     `json:"provider_code,omitempty"`
	DeclineCode           string     `json:"decline_code,omitempty"`
	Provider              string     `json:"provider"`
	ProviderTransactionID string     `json:"provider_transaction_id,omitempty"`
	MandateID             string     `json:"mandate_id,omitempty"`
	PluginVersion         string     `json:"plugin_version,omitempty"`
	IsTest                bool       `json:"is_test"`
	AuthorizationEndsAt   *time.Time `json:"authorization_ends_at,omitempty"`
	CreatedAt             time.Time  `json:"created_at"`
	UpdatedAt             time.Time  `json:"updated_at"`
}

type amountData struct {
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

// Body is the message about a payment as it was after the event.
func Body(d Delivery, r payment.Record) ([]byte, error) {
	p := r.Payment
	units := func(n int64) amountData { return amountData{n, string(p.Amount.Currency)} }
	_, version, _ := strings.Cut(p.Release, "@")
	data := paymentData{
		ID: string(p.ID), State: string(p.State), Type: p.Type, StoreID: string(p.Store), OrderNumber: p.OrderNumber,
		Amount: units(p.Amount.Units), Capture: p.Capture, Authorized: units(p.Authorized), Captured: units(p.Captured),
		Refunded: units(p.Refunded), Failure: string(p.Failure), ProviderCode: p.Code, DeclineCode: p.DeclineCode,
		Provider: p.Provider, ProviderTransactionID: p.ProviderTransaction, MandateID: p.Mandate, PluginVersion: version,
		IsTest: p.Environment == company.Test, CreatedAt: instant(p.CreatedAt), UpdatedAt: instant(p.UpdatedAt),
	}
	if p.Store == company.OwnStore {
		data.StoreID = "0"
	}
	if p.Attempt > 1 {
		data.Attempt = p.Attempt
	}
	if id := r.Operation.OrderID; id != p.OrderNumber {
		data.OrderID = id
	}
	if ends := p.HoldEnds(); !ends.IsZero() {
		data.AuthorizationEndsAt = new(instant(ends))
	}
	return encoded(payload{Type: d.Type, ID: d.ID, Timestamp: instant(d.At), Data: data})
}

// TestBody is the message of a test.
func TestBody(id ID, e Endpoint, at time.Time) ([]byte, error) {
	return encoded(payload{Type: Test, ID: id, Timestamp: instant(at), Data: map[string]string{"endpoint_id": string(e.ID)}})
}

func encoded(p payload) ([]byte, error) {
	body, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("write the message of an event: %w", err)
	}
	return body, nil
}

// instant is a time as the stores keep it.
func instant(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
