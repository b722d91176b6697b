package adminapi

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/payrack/payrack/adapters/inbound/internal/httpkit"
	"github.com/payrack/payrack/core/access"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/core/webhook"
	"github.com/payrack/payrack/ports/inbound"
)

// endpointReply has no member for the secret but in the replies that make one.
type endpointReply struct {
	ID            string     `json:"id"`
	CompanyID     string     `json:"company_id"`
	URL           string     `json:"url"`
	Events        []string   `json:"events"`
	Enabled       bool       `json:"enabled"`
	PreviousUntil *time.Time `json:"previous_secret_until,omitempty"`
	CreatedAt     time.Time  `json:"created_at"`
	UpdatedAt     time.Time  `json:"updated_at"`
	Secret        string     `json:"secret,omitempty"`
}

type deliveryReply struct {
	ID        string     `json:"id"`
	WebhookID string     `json:"webhook_id"`
	CompanyID string     `json:"company_id"`
	PaymentID string     `json:"payment_id"`
	Event     string     `json:"event"`
	At        time.Time  `json:"at"`
	State     string     `json:"state"`
	Attempts  int        `json:"attempts"`
	Status    int        `json:"last_status,omitempty"`
	Trouble   string     `json:"last_trouble,omitempty"`
	NextAt    *time.Time `json:"next_at,omitempty"`
	EndedAt   *time.Time `json:"ended_at,omitempty"`
}

func endpointOf(e webhook.Endpoint, secret string) endpointReply {
	return endpointReply{
		ID: string(e.ID), CompanyID: string(e.Company), URL: e.URL, Events: append([]string{}, e.Types...), Enabled: e.Enabled,
		PreviousUntil: given(e.PreviousUntil), CreatedAt: e.CreatedAt.UTC(), UpdatedAt: e.UpdatedAt.UTC(), Secret: secret,
	}
}

func deliveryOf(d webhook.Delivery) deliveryReply {
	return deliveryReply{
		ID: string(d.ID), WebhookID: string(d.Endpoint), CompanyID: string(d.Company), PaymentID: string(d.Payment), Event: d.Type,
		At: d.At.UTC(), State: string(d.State), Attempts: d.Attempts, Status: d.Status, Trouble: d.Trouble,
		NextAt: given(d.NextAt), EndedAt: given(d.EndedAt),
	}
}

// given is a time that may be missing.
func given(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return new(t.UTC())
}

// webhookRoutes are there if the platform tells companies of their payments.
func (a *api) webhookRoutes(e *echo.Echo) {
	if a.Webhooks == nil || a.Deliveries == nil {
		return
	}
	a.add(e, http.MethodGet, prefix+"/webhooks", a.admin(a.webhooks))
	a.add(e, http.MethodPost, prefix+"/webhooks", a.admin(a.addWebhook))
	a.add(e, http.MethodPatch, prefix+"/webhooks/:id", a.admin(a.saveWebhook))
	a.add(e, http.MethodDelete, prefix+"/webhooks/:id", a.admin(a.removeWebhook))
	a.add(e, http.MethodPost, prefix+"/webhooks/:id/rotate", a.admin(a.rotateWebhook))
	a.add(e, http.MethodPost, prefix+"/webhooks/:id/test", a.admin(a.testWebhook))
	a.add(e, http.MethodPost, prefix+"/webhooks/:id/replay", a.admin(a.replayWebhook))
	a.add(e, http.MethodGet, prefix+"/webhooks/deliveries", a.admin(a.deliveries))
}

func (a *api) webhooks(c echo.Context, _ access.Principal) error {
	values, err := httpkit.ParseQuery(httpkit.Of(c.Request().Context()).Query(), httpkit.Parameter{Name: "company_id"})
	if err != nil {
		return err //nolint:wrapcheck // a fault goes to the client as it is
	}
	all, err := a.Webhooks.List(c.Request().Context(), company.ID(values["company_id"]))
	if err != nil {
		return err //nolint:wrapcheck // a fault of the core goes to the client as it is
	}
	replies := make([]endpointReply, 0, len(all))
	for _, one := range all {
		replies = append(replies, endpointOf(one, ""))
	}
	httpkit.WriteJSON(c.Response(), http.StatusOK, map[string]any{"webhooks": replies})
	return nil
}

func (a *api) addWebhook(c echo.Context, _ access.Principal) error {
	var body struct {
		CompanyID string   `json:"company_id"`
		URL       string   `json:"url"`
		Events    []string `json:"events"`
	}
	if err := read(c, []string{"company_id", "url", "events"}, &body); err != nil {
		return err
	}
	if err := require([2]string{"company_id", body.CompanyID}, [2]string{"url", body.URL}); err != nil {
		return err
	}
	made, secret, err := a.Webhooks.Add(c.Request().Context(), inbound.AddWebhook{
		Company: company.ID(body.CompanyID), URL: body.URL, Types: body.Events,
	})
	if err != nil {
		return err //nolint:wrapcheck // a fault of the core goes to the client as it is
	}
	httpkit.WriteJSON(c.Response(), http.StatusCreated, endpointOf(made, secret))
	return nil
}

func endpointID(c echo.Context) webhook.EndpointID { return webhook.EndpointID(c.Param("id")) }

func (a *api) saveWebhook(c echo.Context, _ access.Principal) error {
	var body struct {
		URL     *string   `json:"url"`
		Events  *[]string `json:"events"`
		Enabled *bool     `json:"enabled"`
	}
	if err := read(c, []string{"url", "events", "enabled"}, &body); err != nil {
		return err
	}
	saved, err := a.Webhooks.Save(c.Request().Context(), inbound.SaveWebhook{
		ID: endpointID(c), URL: body.URL, Types: body.Events, Enabled: body.Enabled,
	})
	if err != nil {
		return err //nolint:wrapcheck // a fault of the core goes to the client as it is
	}
	httpkit.WriteJSON(c.Response(), http.StatusOK, endpointOf(saved, ""))
	return nil
}

func (a *api) removeWebhook(c echo.Context, _ access.Principal) error {
	if err := a.Webhooks.Remove(c.Request().Context(), endpointID(c)); err != nil {
		return err //nolint:wrapcheck // a fault of the core goes to the client as it is
	}
	c.Response().WriteHeader(http.StatusNoContent)
	return nil
}

func (a *api) rotateWebhook(c echo.Context, _ access.Principal) error {
	rotated, secret, err := a.Webhooks.Rotate(c.Request().Context(), endpointID(c))
	if err != nil {
		return err //nolint:wrapcheck // a fault of the core goes to the client as it is
	}
	httpkit.WriteJSON(c.Response(), http.StatusOK, endpointOf(rotated, secret))
	return nil
}

// testWebhook sends a test. What the endpoint thinks of it stands in the reply: it is no error of this request.
func (a *api) testWebhook(c echo.Context, _ access.Principal) error {
	o, err := a.Webhooks.Test(c.Request().Context(), endpointID(c))
	if err != nil {
		return err //nolint:wrapcheck // a fault of the core goes to the client as it is
	}
	httpkit.WriteJSON(c.Response(), http.StatusOK, map[string]any{
		"delivered": o.Delivered(), "status": o.Status, "trouble": o.Trouble, "took_ms": o.Took.Milliseconds(),
	})
	return nil
}

func (a *api) replayWebhook(c echo.Context, _ access.Principal) error {
	var body struct {
		DeliveryID string    `json:"delivery_id"`
		PaymentID  string    `json:"payment_id"`
		Since      time.Time `json:"since"`
	}
	if err := read(c, []string{"delivery_id", "payment_id", "since"}, &body); err != nil {
		return err
	}
	n, err := a.Deliveries.Replay(c.Request().Context(), inbound.ReplayWebhook{
		Endpoint: endpointID(c), Delivery: webhook.ID(body.DeliveryID), Payment: payment.ID(body.PaymentID), Since: body.Since,
	})
	if err != nil {
		return err //nolint:wrapcheck // a fault of the core goes to the client as it is
	}
	httpkit.WriteJSON(c.Response(), http.StatusAccepted, map[string]int{"queued": n})
	return nil
}

func (a *api) deliveries(c echo.Context, _ access.Principal) error {
	values, err := httpkit.ParseQuery(httpkit.Of(c.Request().Context()).Query(), httpkit.Parameter{Name: "webhook_id"},
		httpkit.Parameter{Name: "payment_id"}, httpkit.Parameter{Name: "state"}, httpkit.Parameter{Name: "cursor"},
		httpkit.Parameter{Name: "limit"})
	if err != nil {
		return err //nolint:wrapcheck // a fault goes to the client as it is
	}
	state := webhook.State(values["state"])
	if state != "" && !slices.Contains([]webhook.State{webhook.Pending, webhook.Delivered, webhook.GivenUp}, state) {
		return invalid("/state", "invalid_format", "state is PENDING, DELIVERED or GIVEN_UP.")
	}
	limit, err := pageSize(values)
	if err != nil {
		return err
	}
	page, err := a.Deliveries.List(c.Request().Context(), inbound.DeliveriesQuery{
		Endpoint: webhook.EndpointID(values["webhook_id"]), Payment: payment.ID(values["payment_id"]), State: state,
		Cursor: values["cursor"], Limit: limit,
	})
	if err != nil {
		return err //nolint:wrapcheck // a fault of the core goes to the client as it is
	}
	replies := make([]deliveryReply, 0, len(page.Deliveries))
	for _, d := range page.Deliveries {
		replies = append(replies, deliveryOf(d))
	}
	httpkit.WriteJSON(c.Response(), http.StatusOK, map[string]any{"deliveries": replies, "next_cursor": optional(page.Next)})
	return nil
}

// pageSize is the limit of a page, 50 without.
func pageSize(values map[string]string) (int, error) {
	text, ok := values["limit"]
	if !ok {
		return 50, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 200 {
		return 0, invalid("/limit", "out_of_range", "limit is a number from 1 to 200.")
	}
	return n, nil
}

// optional is a text that is null if there is none.
func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
