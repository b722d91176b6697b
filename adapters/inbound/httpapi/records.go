package httpapi

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/payrack/payrack/adapters/inbound/internal/httpkit"
	"github.com/payrack/payrack/core/access"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/inbound"
)

type listReply struct {
	Data       []paymentReply `json:"data"`
	NextCursor *string        `json:"next_cursor"`
}

// uuidText is how ids are spelt.
var uuidText = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// payment answers GET /v2/payments/{id}. Another company's payment and one that never was look the same.
func (a *api) payment(c echo.Context, p access.Principal) error {
	id := c.Param("id")
	if !uuidText.MatchString(id) {
		return noSuchPayment()
	}
	record, err := a.Records.Get(c.Request().Context(), p, payment.ID(id))
	if fault.KindOf(err) == fault.NotFound {
		return noSuchPayment()
	}
	if err != nil {
		return err //nolint:wrapcheck // a fault of the core goes to the client as it is
	}
	x := httpkit.Of(c.Request().Context())
	x.Payment = id
	c.Response().Header().Set(httpkit.PaymentHeader, id)
	httpkit.WriteJSON(c.Response(), http.StatusOK, recordOf(record))
	return nil
}

func noSuchPayment() error {
	return fault.New(fault.NotFound, "payment_not_found", "There is no such payment.")
}

// payments answers GET /v2/payments.
func (a *api) payments(c echo.Context, p access.Principal) error {
	q, format, err := recordsQuery(httpkit.Of(c.Request().Context()).Query())
	if err != nil {
		return err
	}
	page, err := a.Records.List(c.Request().Context(), p, q)
	if err != nil {
		return err //nolint:wrapcheck // a fault of the core goes to the client as it is
	}
	if format == formatCSV {
		return writeCSV(c.Response(), page.Payments, page.Next)
	}
	reply := listReply{Data: make([]paymentReply, 0, len(page.Payments))}
	for _, one := range page.Payments {
		reply.Data = append(reply.Data, paymentOf(one))
	}
	if page.Next != "" {
		reply.NextCursor = &page.Next
	}
	httpkit.WriteJSON(c.Response(), http.StatusOK, reply)
	return nil
}

// maxPage is the largest page of a list.
const maxPage = 200

// The formats of a list; JSON without one.
const (
	formatJSON = "json"
	formatCSV  = "csv"
)

// maxFilter bounds the texts of filters, in bytes.
const maxFilter = 400

// recordsQuery reads the filters. A filter that the route does not know is refused: ignoring it would answer
// another question than the one that was asked.
func recordsQuery(raw string) (q inbound.RecordsQuery, format string, err error) {
	names := []string{"order_number", "state", "store_id", "type", "created_from", "created_to", "cursor", "limit", "format"}
	var c columns
	values, err := c.query(raw, names...)
	if err != nil {
		return inbound.RecordsQuery{}, "", err
	}
	q = inbound.RecordsQuery{
		OrderNumber: values["order_number"], Type: values["type"], Cursor: values["cursor"],
		State: payment.State(values["state"]),
	}
	for _, name := range names {
		if len(values[name]) > maxFilter {
			c.wrong("/"+name, "too_long", name+" is too long.")
		}
	}
	if q.State != "" && !slices.Contains(payment.States(), q.State) {
		c.wrong("/state", "invalid_format", "state is one of the states of a payment, in capitals.")
	}
	if value, given := values["store_id"]; given {
		if s := c.store(value); s != nil {
			store := company.StoreID(*s)
			if store == "0" {
				store = company.OwnStore
			}
			q.Store = &store
		}
	}
	q.CreatedFrom = c.time("created_from", values)
	q.CreatedTo = c.time("created_to", values)
	q.Limit = c.limit(values)
	if format = values["format"]; format != "" && format != formatJSON && format != formatCSV {
		c.wrong("/format", "invalid_format", "format is json or csv.")
	}
	return q, format, c.err()
}

// query reads a query that may hold these parameters and no others.
func (c *columns) query(raw string, names ...string) (map[string]string, error) {
	known := make([]httpkit.Parameter, len(names))
	for i, name := range names {
		known[i].Name = name
	}
	values, err := httpkit.ParseQuery(raw, known...)
	if err != nil {
		return nil, err //nolint:wrapcheck // a fault goes to the client as it is
	}
	for part := range strings.SplitSeq(raw, "&") {
		name, _, _ := strings.Cut(part, "=")
		if part != "" && !slices.Contains(names, name) {
			c.wrong("", "unknown_parameter", "The query has a parameter that this route does not know.")
			break
		}
	}
	return values, nil
}

// limit is the size of a page, 0 without.
func (c *columns) limit(values map[string]string) int {
	value, given := values["limit"]
	if !given {
		return 0
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > maxPage || strconv.Itoa(n) != value {
		c.wrong("/limit", "out_of_range", "limit is a number from 1 to 200.")
	}
	return n
}

func (c *columns) time(name string, values map[string]string) time.Time {
	value, given := values[name]
	if !given {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, value)
	if err != nil {
		c.wrong("/"+name, "invalid_format", name+" is a time such as 2026-12-01T00:00:00Z.")
	}
	return t
}
