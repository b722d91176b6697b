package adminapi

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/payrack/payrack/adapters/inbound/internal/httpkit"
	"github.com/payrack/payrack/core/access"
	"github.com/payrack/payrack/core/journal"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/inbound"
)

type entryReply struct {
	Position string          `json:"position"`
	Stream   string          `json:"stream"`
	N        int64           `json:"n"`
	At       time.Time       `json:"at"`
	Event    string          `json:"event"`
	Body     json.RawMessage `json:"body"`
	Prev     string          `json:"prev"`
	Hash     string          `json:"hash"`
}

type auditReply struct {
	OK       bool           `json:"ok"`
	Entries  int64          `json:"entries"`
	Streams  int64          `json:"streams"`
	Seals    int64          `json:"seals"`
	Unsealed int64          `json:"unsealed"`
	LastSeal *time.Time     `json:"last_seal_at"`
	Findings []findingReply `json:"findings"`
}

type findingReply struct {
	Code     string `json:"code"`
	What     string `json:"what"`
	Stream   string `json:"stream,omitempty"`
	N        int64  `json:"n,omitempty"`
	Position string `json:"position"`
	Seal     int64  `json:"seal,omitempty"`
}

type storyReply struct {
	PaymentID string      `json:"payment_id"`
	CompanyID string      `json:"company_id"`
	State     string      `json:"state"`
	Summary   []string    `json:"summary"`
	Steps     []stepReply `json:"steps"`
	Promise   string      `json:"promise"`
	Next      string      `json:"next"`
}

type stepReply struct {
	N       int64     `json:"n"`
	At      time.Time `json:"at"`
	Event   string    `json:"event"`
	State   string    `json:"state"`
	Text    string    `json:"text"`
	Details []string  `json:"details"`
}

// auditRoutes are there if the evidence can be read.
func (a *api) auditRoutes(e *echo.Echo) {
	if a.Audit == nil {
		return
	}
	a.add(e, http.MethodGet, prefix+"/audit", a.admin(a.auditEntries))
	a.add(e, http.MethodPost, prefix+"/audit/verify", a.admin(a.verifyAudit))
	a.add(e, http.MethodGet, prefix+"/payments/:id/explain", a.admin(a.explainPayment))
}

// position is a place as text.
func position(p journal.Place) string { return fmt.Sprintf("%d.%d", p.Transaction, p.Row) }

func placeOf(text string) (journal.Place, error) {
	var p journal.Place
	if n, err := fmt.Sscanf(text, "%d.%d", &p.Transaction, &p.Row); err != nil || n != 2 || position(p) != text {
		return p, invalid("/cursor", "unknown_cursor", "The cursor of the page is not one that was given out.")
	}
	return p, nil
}

func (a *api) auditEntries(c echo.Context, _ access.Principal) error {
	values, err := httpkit.ParseQuery(httpkit.Of(c.Request().Context()).Query(), httpkit.Parameter{Name: "cursor"}, httpkit.Parameter{Name: "limit"})
	if err != nil {
		return err //nolint:wrapcheck // a fault goes to the client as it is
	}
	limit, err := pageSize(values)
	if err != nil {
		return err
	}
	var after journal.Place
	if cursor := values["cursor"]; cursor != "" {
		if after, err = placeOf(cursor); err != nil {
			return err
		}
	}
	all, err := a.Audit.Entries(c.Request().Context(), after, limit)
	if err != nil {
		return err //nolint:wrapcheck // a fault of the core goes to the client as it is
	}
	replies := make([]entryReply, 0, len(all))
	for _, e := range all {
		replies = append(replies, entryReply{
			Position: position(e.Place), Stream: e.Stream, N: e.N, At: e.At.UTC(), Event: e.Event, Body: e.Body,
			Prev: hex.EncodeToString(e.Prev[:]), Hash: hex.EncodeToString(e.Hash[:]),
		})
	}
	next := ""
	if len(all) == limit {
		next = position(all[len(all)-1].Place)
	}
	httpkit.WriteJSON(c.Response(), http.StatusOK, map[string]any{"data": replies, "next_cursor": optional(next)})
	return nil
}

// verifyAudit reads the whole journal. What is wrong with it stands in the reply: it is no error of this request.
func (a *api) verifyAudit(c echo.Context, _ access.Principal) error {
	var body struct {
		Seals []struct {
			Number    int64  `json:"number"`
			Root      string `json:"root"`
			Signature string `json:"signature"`
		} `json:"seals"`
	}
	if err := read(c, []string{"seals"}, &body); err != nil {
		return err
	}
	var command inbound.VerifyAudit
	for i, s := range body.Seals {
		kept, ok := inbound.ParseKeptSeal(s.Number, s.Root, s.Signature)
		if !ok {
			return invalid(fmt.Sprintf("/seals/%d", i), "invalid_format", "A seal has a number, a root of 64 and a signature of hexadecimal digits, as they stand in the log.")
		}
		command.Seals = append(command.Seals, kept)
	}
	report, err := a.Audit.Verify(c.Request().Context(), command)
	if err != nil {
		return err //nolint:wrapcheck // a fault of the core goes to the client as it is
	}
	reply := auditReply{
		OK: len(report.Findings) == 0, Entries: report.Entries, Streams: report.Streams, Seals: report.Seals,
		Unsealed: report.Unsealed, LastSeal: given(report.LastSeal), Findings: make([]findingReply, 0, len(report.Findings)),
	}
	for _, f := range report.Findings {
		reply.Findings = append(reply.Findings, findingReply{
			Code: f.Code, What: f.What, Stream: f.Stream, N: f.N, Position: position(f.Place), Seal: f.Seal,
		})
	}
	httpkit.WriteJSON(c.Response(), http.StatusOK, reply)
	return nil
}

func (a *api) explainPayment(c echo.Context, _ access.Principal) error {
	values, err := httpkit.ParseQuery(httpkit.Of(c.Request().Context()).Query(), httpkit.Parameter{Name: "lang"})
	if err != nil {
		return err //nolint:wrapcheck // a fault goes to the client as it is
	}
	story, err := a.Audit.Explain(c.Request().Context(), payment.ID(strings.ToLower(c.Param("id"))), values["lang"])
	if err != nil {
		return err //nolint:wrapcheck // a fault of the core goes to the client as it is
	}
	reply := storyReply{
		PaymentID: string(story.Payment), CompanyID: string(story.Company), State: string(story.State), Summary: story.Summary,
		Steps: make([]stepReply, 0, len(story.Steps)), Promise: story.Promise, Next: story.Next,
	}
	for _, s := range story.Steps {
		reply.Steps = append(reply.Steps, stepReply{
			N: s.N, At: s.At.UTC(), Event: s.Event, State: string(s.State), Text: s.Text, Details: append([]string{}, s.Details...),
		})
	}
	httpkit.WriteJSON(c.Response(), http.StatusOK, reply)
	return nil
}
