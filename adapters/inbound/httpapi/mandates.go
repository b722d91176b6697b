package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/payrack/payrack/adapters/inbound/internal/httpkit"
	"github.com/payrack/payrack/core/access"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/mandate"
)

// mandateReply is a stored approval. Its token has no member: whoever has it can charge.
type mandateReply struct {
	ID        string     `json:"id"`
	State     string     `json:"state"`
	Type      string     `json:"type"`
	Provider  string     `json:"provider"`
	StoreID   string     `json:"store_id"`
	Label     string     `json:"label,omitempty"`
	IsTest    bool       `json:"is_test"`
	PaymentID string     `json:"payment_id,omitempty"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	CreatedAt time.Time  `json:"created_at"`
	UpdatedAt time.Time  `json:"updated_at"`
}

func mandateOf(m mandate.Mandate) mandateReply {
	return mandateReply{
		ID: string(m.ID), State: string(m.State), Type: m.Type, Provider: m.Provider, StoreID: storeText(m.Store), Label: m.Label,
		IsTest: m.Environment == company.Test, PaymentID: m.Payment, ExpiresAt: moment(m.Expires),
		CreatedAt: instant(m.CreatedAt), UpdatedAt: instant(m.UpdatedAt),
	}
}

func noSuchMandate() error {
	return fault.New(fault.NotFound, "mandate_not_found", "There is no such mandate.")
}

// mandate answers GET /v2/mandates/{id}: what is known here, or with check=true what the provider says.
func (a *api) mandate(c echo.Context, p access.Principal) error {
	var q columns
	values, err := q.query(httpkit.Of(c.Request().Context()).Query(), "check", "authorize_card")
	if err != nil {
		return err
	}
	check, card := q.flag("check", values), q.flag("authorize_card", values)
	if card && !check {
		q.wrong("/authorize_card", "conflicting_members", "authorize_card asks the provider: send check=true with it.")
	}
	if err := q.err(); err != nil {
		return err
	}
	return a.showMandate(c, func(ctx context.Context, id mandate.ID) (mandate.Mandate, error) {
		if check {
			return a.Mandates.Check(ctx, p, id, card)
		}
		return a.Mandates.Get(ctx, p, id)
	})
}

// endMandate answers DELETE /v2/mandates/{id}. One that has ended already is answered in the same way.
func (a *api) endMandate(c echo.Context, p access.Principal) error {
	var q columns
	if _, err := q.query(httpkit.Of(c.Request().Context()).Query()); err != nil {
		return err
	}
	if err := q.err(); err != nil {
		return err
	}
	if _, err := requiredKey(c.Request().Header); err != nil {
		return err
	}
	return a.showMandate(c, func(ctx context.Context, id mandate.ID) (mandate.Mandate, error) {
		return a.Mandates.Expire(ctx, p, id)
	})
}

func (a *api) showMandate(c echo.Context, ask func(context.Context, mandate.ID) (mandate.Mandate, error)) error {
	id := c.Param("id")
	if !uuidText.MatchString(id) {
		return noSuchMandate()
	}
	m, err := ask(c.Request().Context(), mandate.ID(id))
	if fault.KindOf(err) == fault.NotFound {
		return noSuchMandate()
	}
	if err != nil {
		return err
	}
	httpkit.WriteJSON(c.Response(), http.StatusOK, mandateOf(m))
	return nil
}

// flag reads true or false, false if absent.
func (c *columns) flag(name string, values map[string]string) bool {
	value, given := values[name]
	if given && value != "true" && value != "false" {
		c.wrong("/"+name, "invalid_format", name+" is true or false.")
	}
	return value == "true"
}
