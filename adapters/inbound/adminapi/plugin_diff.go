package adminapi

import (
	"maps"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/payrack/payrack/adapters/inbound/internal/httpkit"
	"github.com/payrack/payrack/core/access"
	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/ports/inbound"
)

// diffFor is how long a comparison may take: two processes, thousands of exchanges.
const diffFor = 5 * time.Minute

type rehearsalReply struct {
	Name       string         `json:"name"`
	Old        string         `json:"old"`
	New        string         `json:"new"`
	Replayed   int            `json:"replayed"`
	Operations map[string]int `json:"operations"`
	// Silent exchanges prove little: neither release sent what was sent then.
	Silent      int               `json:"silent"`
	Differences []differenceReply `json:"differences"`
	// More differences were found than are listed.
	More int `json:"more"`
	// Ignored members differ between two runs of the old release too.
	Ignored []string `json:"ignored"`
}

type differenceReply struct {
	Operation   string `json:"operation"`
	PaymentType string `json:"payment_type"`
	Aspect      string `json:"aspect"`
	Member      string `json:"member"`
	Count       int    `json:"count"`
	Exchange    string `json:"exchange"`
	Old         string `json:"old"`
	New         string `json:"new"`
}

// diff answers POST /admin/v1/plugins/{name}/diff: recorded exchanges through two releases, without a network.
func (a *api) diff(c echo.Context, p access.Principal) error {
	name, err := plugin(c)
	if err != nil {
		return err
	}
	var body struct {
		Old  string `json:"old"`
		New  string `json:"new"`
		Last int    `json:"last"`
	}
	if err := read(c, []string{"old", "new", "last"}, &body); err != nil {
		return err
	}
	if err := require([2]string{"old", body.Old}, [2]string{"new", body.New}); err != nil {
		return err
	}
	if body.Last < 0 || body.Last > inbound.MaxRehearsed {
		return invalid("/last", "out_of_range", "last is a number of exchanges, at most 5000.")
	}
	// A writer that takes no deadline has none.
	_ = http.NewResponseController(c.Response()).SetWriteDeadline(time.Now().Add(diffFor))
	r, err := a.Rehearsals.Diff(c.Request().Context(), inbound.RehearsePlugin{
		Name: name, Old: body.Old, New: body.New, Last: body.Last, Actor: p.Client,
	})
	if err != nil {
		return refused(lostBinary(err))
	}
	httpkit.WriteJSON(c.Response(), http.StatusOK, rehearsalOf(r))
	return nil
}

func rehearsalOf(r release.Rehearsal) rehearsalReply {
	reply := rehearsalReply{
		Name: r.Name, Old: r.Old, New: r.New, Replayed: r.Replayed, Operations: map[string]int{}, Silent: r.Silent,
		Differences: make([]differenceReply, 0, len(r.Differences)), More: r.More, Ignored: append([]string{}, r.Ignored...),
	}
	maps.Copy(reply.Operations, r.Operations)
	for _, d := range r.Differences {
		reply.Differences = append(reply.Differences, differenceReply{
			Operation: d.Operation, PaymentType: d.PaymentType, Aspect: string(d.Aspect), Member: d.Member, Count: d.Count,
			Exchange: d.Exchange, Old: d.Old, New: d.New,
		})
	}
	return reply
}
