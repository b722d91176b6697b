package adminapi

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/payrack/payrack/adapters/inbound/internal/httpkit"
	"github.com/payrack/payrack/core/access"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/inbound"
)

// paymentReply is a payment as an operator sees it. Amounts are whole charge units of the currency.
type paymentReply struct {
	ID                    string          `json:"id"`
	CompanyID             string          `json:"company_id"`
	State                 string          `json:"state"`
	Failure               string          `json:"failure,omitempty"`
	Type                  string          `json:"type"`
	Provider              string          `json:"provider"`
	Account               string          `json:"account"`
	Environment           string          `json:"environment"`
	StoreID               string          `json:"store_id"`
	OrderNumber           string          `json:"order_number"`
	Attempt               int             `json:"attempt"`
	Currency              string          `json:"currency"`
	Amount                int64           `json:"amount"`
	Capture               bool            `json:"capture"`
	Authorized            int64           `json:"authorized"`
	Captured              int64           `json:"captured"`
	Refunded              int64           `json:"refunded"`
	RefundReserved        int64           `json:"refund_reserved"`
	ProviderCode          string          `json:"provider_code,omitempty"`
	DeclineCode           string          `json:"decline_code,omitempty"`
	ProviderTransactionID string          `json:"provider_transaction_id,omitempty"`
	MandateID             string          `json:"mandate_id,omitempty"`
	Release               string          `json:"release,omitempty"`
	Version               int64           `json:"version"`
	CreatedAt             time.Time       `json:"created_at"`
	UpdatedAt             time.Time       `json:"updated_at"`
	Operation             *operationReply `json:"operation,omitempty"`
}

// operationReply is the open operation of a payment, else its last one.
type operationReply struct {
	ID           string     `json:"id"`
	Kind         string     `json:"kind"`
	State        string     `json:"state"`
	Failure      string     `json:"failure,omitempty"`
	Amount       int64      `json:"amount"`
	OrderID      string     `json:"order_id"`
	Reversal     bool       `json:"reversal"`
	Checks       int        `json:"checks"`
	Epoch        int64      `json:"epoch"`
	ProviderCode string     `json:"provider_code,omitempty"`
	Release      string     `json:"release,omitempty"`
	TraceID      string     `json:"trace_id,omitempty"`
	SendDeadline *time.Time `json:"send_deadline,omitempty"`
	NextCheckAt  *time.Time `json:"next_check_at,omitempty"`
}

type paymentsReply struct {
	Data       []paymentReply `json:"data"`
	NextCursor *string        `json:"next_cursor"`
}

func paymentOf(p payment.Payment) paymentReply {
	store := string(p.Store)
	if p.Store == company.OwnStore {
		store = "0"
	}
	return paymentReply{
		ID: string(p.ID), CompanyID: string(p.Company), State: string(p.State), Failure: string(p.Failure), Type: p.Type,
		Provider: p.Provider, Account: p.Account, Environment: string(p.Environment), StoreID: store,
		OrderNumber: p.OrderNumber, Attempt: p.Attempt, Currency: string(p.Amount.Currency), Amount: p.Amount.Units, Capture: p.Capture,
		Authorized: p.Authorized, Captured: p.Captured, Refunded: p.Refunded, RefundReserved: p.RefundReserved,
		ProviderCode: p.Code, DeclineCode: p.DeclineCode, ProviderTransactionID: p.ProviderTransaction, MandateID: p.Mandate,
		Release: p.Release, Version: p.Version, CreatedAt: p.CreatedAt.UTC(), UpdatedAt: p.UpdatedAt.UTC(),
	}
}

func recordOf(r payment.Record) paymentReply {
	reply, o := paymentOf(r.Payment), r.Operation
	reply.Operation = &operationReply{
		ID: string(o.ID), Kind: string(o.Kind), State: string(o.State), Failure: string(o.Failure), Amount: o.Amount.Units,
		OrderID: o.OrderID, Reversal: o.Reversal, Checks: o.Checks, Epoch: o.Epoch, ProviderCode: o.Code, Release: o.Release,
		TraceID: o.TraceID, SendDeadline: moment(o.SendDeadline), NextCheckAt: moment(o.NextCheckAt),
	}
	return reply
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return new(t.UTC())
}

// everywhere is an operator in the eyes of the records: of the named company, or with none of all of them.
func everywhere(p access.Principal, co company.ID) access.Principal {
	p.Company, p.Environments = co, []company.Environment{company.Live, company.Test}
	return p
}

var uuidText = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

func noSuchPayment() error {
	return fault.New(fault.NotFound, "payment_not_found", "There is no such payment.")
}

// payment answers GET /admin/v1/payments/{id}, of any company.
func (a *api) payment(c echo.Context, p access.Principal) error {
	id := c.Param("id")
	if !uuidText.MatchString(id) {
		return noSuchPayment()
	}
	r, err := a.Records.Get(c.Request().Context(), everywhere(p, ""), payment.ID(id))
	if err != nil {
		return err //nolint:wrapcheck // a fault of the core goes to the client as it is
	}
	httpkit.Of(c.Request().Context()).Payment = id
	httpkit.WriteJSON(c.Response(), http.StatusOK, recordOf(r))
	return nil
}

// maxPage is the largest page of a list.
const maxPage = 200

// recheck answers POST /admin/v1/payments/{id}/recheck: the provider is asked now, and the answer is how the payment stands then.
func (a *api) recheck(c echo.Context, _ access.Principal) error {
	id := c.Param("id")
	if !uuidText.MatchString(id) {
		return noSuchPayment()
	}
	r, err := a.Recovery.Recheck(c.Request().Context(), payment.ID(id))
	if err != nil {
		return err //nolint:wrapcheck // a fault of the core goes to the client as it is
	}
	httpkit.Of(c.Request().Context()).Payment = id
	httpkit.WriteJSON(c.Response(), http.StatusOK, recordOf(r))
	return nil
}

// payments answers GET /admin/v1/payments: those of one company, newest first.
func (a *api) payments(c echo.Context, p access.Principal) error {
	values, err := httpkit.ParseQuery(httpkit.Of(c.Request().Context()).Query(), httpkit.Parameter{Name: "company_id"},
		httpkit.Parameter{Name: "state"}, httpkit.Parameter{Name: "order_number"}, httpkit.Parameter{Name: "type"},
		httpkit.Parameter{Name: "created_from"}, httpkit.Parameter{Name: "created_to"},
		httpkit.Parameter{Name: "cursor"}, httpkit.Parameter{Name: "limit"})
	if err != nil {
		return err //nolint:wrapcheck // a fault goes to the client as it is
	}
	if err := require([2]string{"company_id", values["company_id"]}); err != nil {
		return err
	}
	q := inbound.RecordsQuery{
		OrderNumber: values["order_number"], State: payment.State(values["state"]), Type: values["type"], Cursor: values["cursor"],
	}
	if q.State != "" && !slices.Contains(payment.States(), q.State) {
		return invalid("/state", "invalid_format", "state is one of the states of a payment, in capitals.")
	}
	for name, to := range map[string]*time.Time{"created_from": &q.CreatedFrom, "created_to": &q.CreatedTo} {
		if text, given := values[name]; given {
			if *to, err = time.Parse(time.RFC3339, text); err != nil {
				return invalid("/"+name, "invalid_format", name+" is a time such as 2026-12-01T00:00:00Z.")
			}
		}
	}
	if text, given := values["limit"]; given {
		q.Limit, err = strconv.Atoi(text)
		if err != nil || q.Limit < 1 || q.Limit > maxPage {
			return invalid("/limit", "out_of_range", "limit is a number from 1 to 200.")
		}
	}
	page, err := a.Records.List(c.Request().Context(), everywhere(p, company.ID(values["company_id"])), q)
	if err != nil {
		return err //nolint:wrapcheck // a fault of the core goes to the client as it is
	}
	reply := paymentsReply{Data: make([]paymentReply, 0, len(page.Payments))}
	for _, one := range page.Payments {
		reply.Data = append(reply.Data, paymentOf(one))
	}
	if page.Next != "" {
		reply.NextCursor = &page.Next
	}
	httpkit.WriteJSON(c.Response(), http.StatusOK, reply)
	return nil
}
