package adminapi

import (
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/payrack/payrack/adapters/inbound/internal/httpkit"
	"github.com/payrack/payrack/core/access"
)

// transitionReply is one event of a provider's channel. The body holds actor, reason and evidence.
type transitionReply struct {
	N     int64           `json:"n"`
	At    time.Time       `json:"at"`
	Event string          `json:"event"`
	Body  json.RawMessage `json:"body"`
	Prev  string          `json:"prev"`
	Hash  string          `json:"hash"`
}

// events answers GET /admin/v1/plugins/{name}/events: oldest first, behind ?after=.
func (a *api) events(c echo.Context, _ access.Principal) error {
	name, err := plugin(c)
	if err != nil {
		return err
	}
	values, err := httpkit.ParseQuery(httpkit.Of(c.Request().Context()).Query(), httpkit.Parameter{Name: "after"}, httpkit.Parameter{Name: "limit"})
	if err != nil {
		return err //nolint:wrapcheck // a fault goes to the client as it is
	}
	limit, err := pageSize(values)
	if err != nil {
		return err
	}
	var after int64
	if text := values["after"]; text != "" {
		if after, err = strconv.ParseInt(text, 10, 64); err != nil || after < 0 {
			return invalid("/after", "out_of_range", "after is the number of the last event that is known already, or the next_cursor of a page.")
		}
	}
	all, err := a.Channels.Events(c.Request().Context(), name, after, limit)
	if err != nil {
		return err //nolint:wrapcheck // a fault of the core goes to the client as it is
	}
	replies := make([]transitionReply, 0, len(all))
	for _, e := range all {
		replies = append(replies, transitionReply{
			N: e.N, At: e.At.UTC(), Event: e.Event, Body: e.Body, Prev: hex.EncodeToString(e.Prev[:]), Hash: hex.EncodeToString(e.Hash[:]),
		})
	}
	next := ""
	if len(all) == limit {
		next = strconv.FormatInt(all[len(all)-1].N, 10)
	}
	httpkit.WriteJSON(c.Response(), http.StatusOK, map[string]any{"data": replies, "next_cursor": optional(next)})
	return nil
}
