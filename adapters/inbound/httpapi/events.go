package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/payrack/payrack/adapters/inbound/internal/httpkit"
	"github.com/payrack/payrack/core/access"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/payment"
)

// eventReply is one entry of a payment's journal, as its company sees it.
type eventReply struct {
	N     int64      `json:"n"`
	At    time.Time  `json:"at"`
	Event string     `json:"event"`
	Data  eventFacts `json:"data"`
}

// eventFacts are the facts of an entry that are a company's business. The platform's own (the account at the provider,
// epochs, the people of a review) are not among them.
type eventFacts struct {
	State                 string `json:"state"`
	Failure               string `json:"failure,omitempty"`
	Type                  string `json:"type"`
	Provider              string `json:"provider"`
	Environment           string `json:"environment"`
	OrderNumber           string `json:"order_number"`
	OrderID               string `json:"order_id,omitempty"`
	Currency              string `json:"currency"`
	Amount                int64  `json:"amount"`
	Authorized            int64  `json:"authorized"`
	Captured              int64  `json:"captured"`
	Refunded              int64  `json:"refunded"`
	RefundReserved        int64  `json:"refund_reserved"`
	ProviderTransactionID string `json:"provider_transaction_id,omitempty"`
	Code                  string `json:"code,omitempty"`
	OperationID           string `json:"operation_id"`
	OperationKind         string `json:"operation_kind"`
	OperationState        string `json:"operation_state"`
	OperationFailure      string `json:"operation_failure,omitempty"`
	OperationAmount       int64  `json:"operation_amount"`
	OperationCode         string `json:"operation_code,omitempty"`
	Reversal              int64  `json:"reversal,omitempty"`
	Checks                int64  `json:"checks,omitempty"`
	Release               string `json:"release,omitempty"`
	TraceID               string `json:"trace_id,omitempty"`
}

type eventsReply struct {
	Data       []eventReply `json:"data"`
	NextCursor *string      `json:"next_cursor"`
}

// defaultPage is the size of a page of events.
const defaultPage = 50

// events answers GET /v2/payments/{id}/events, oldest first.
func (a *api) events(c echo.Context, p access.Principal) error {
	id := c.Param("id")
	if !uuidText.MatchString(id) {
		return noSuchPayment()
	}
	x := httpkit.Of(c.Request().Context())
	var q columns
	values, err := q.query(x.Query(), "cursor", "limit")
	if err != nil {
		return err
	}
	limit, after := q.limit(values), q.after(values)
	if err := q.err(); err != nil {
		return err
	}
	if limit == 0 {
		limit = defaultPage
	}
	// One more than fits tells whether there is another page.
	entries, err := a.Records.Events(c.Request().Context(), p, payment.ID(id), after, limit+1)
	if fault.KindOf(err) == fault.NotFound {
		return noSuchPayment()
	}
	if err != nil {
		return err //nolint:wrapcheck // a fault of the core goes to the client as it is
	}
	reply := eventsReply{Data: make([]eventReply, 0, len(entries))}
	for i, one := range entries {
		if i == limit {
			reply.NextCursor = new(strconv.FormatInt(entries[i-1].N, 10))
			break
		}
		event := eventReply{N: one.N, At: instant(one.At), Event: one.Event}
		if err := json.Unmarshal(one.Body, &event.Data); err != nil {
			return fmt.Errorf("entry %d of a payment's journal cannot be read: %w", one.N, err)
		}
		reply.Data = append(reply.Data, event)
	}
	x.Payment = id
	c.Response().Header().Set(httpkit.PaymentHeader, id)
	httpkit.WriteJSON(c.Response(), http.StatusOK, reply)
	return nil
}

// after is the number of the last event that the client has.
func (c *columns) after(values map[string]string) int64 {
	value, given := values["cursor"]
	if !given {
		return 0
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < 1 || strconv.FormatInt(n, 10) != value {
		c.wrong("/cursor", "invalid_format", "cursor is the next_cursor of the page before.")
	}
	return n
}
