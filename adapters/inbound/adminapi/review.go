package adminapi

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"github.com/payrack/payrack/adapters/inbound/internal/httpkit"
	"github.com/payrack/payrack/core/access"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/inbound"
)

// ApprovalHeader carries the access token of the second person of a review, as "Bearer" and the token. Two people means
// two tokens: a name in the body would prove nothing.
const ApprovalHeader = "Payrack-Approval"

// maxEvidence is the longest evidence text, in characters.
const maxEvidence = 2000

// review answers POST /admin/v1/payments/{id}/review: two people end a payment that no search could settle.
func (a *api) review(c echo.Context, p access.Principal) error {
	id := c.Param("id")
	if !uuidText.MatchString(id) {
		return noSuchPayment()
	}
	var body struct {
		State    string `json:"state"`
		Captured *int64 `json:"captured"`
		Refunded *int64 `json:"refunded"`
		Evidence string `json:"evidence"`
	}
	if err := read(c, []string{"state", "captured", "refunded", "evidence"}, &body); err != nil {
		return err
	}
	if err := require([2]string{"state", body.State}, [2]string{"evidence", strings.TrimSpace(body.Evidence)}); err != nil {
		return err
	}
	switch {
	case !slices.Contains(payment.States(), payment.State(body.State)):
		return invalid("/state", "invalid_format", "state is the final state of the payment, in capitals.")
	case body.Captured != nil && *body.Captured < 0:
		return invalid("/captured", "out_of_range", "captured is a number of charge units, 0 or more.")
	case body.Refunded != nil && *body.Refunded < 0:
		return invalid("/refunded", "out_of_range", "refunded is a number of charge units, 0 or more.")
	case utf8.RuneCountInString(body.Evidence) > maxEvidence:
		return invalid("/evidence", "too_long", "evidence has at most 2000 characters.")
	}
	approver, err := a.approver(c.Request(), p)
	if err != nil {
		return err
	}
	r, err := a.Recovery.Review(c.Request().Context(), inbound.ReviewPayment{
		Payment: payment.ID(id), To: payment.State(body.State), Captured: body.Captured, Refunded: body.Refunded,
		Actor: p.Client, Approver: approver.Client, Evidence: body.Evidence,
	})
	if err != nil {
		return err //nolint:wrapcheck // a fault of the core goes to the client as it is
	}
	httpkit.Of(c.Request().Context()).Payment = id
	httpkit.WriteJSON(c.Response(), http.StatusOK, recordOf(r))
	return nil
}

// approver is the second person: another operator, by a token of their own.
func (a *api) approver(r *http.Request, actor access.Principal) (access.Principal, error) {
	second := &http.Request{Header: http.Header{"Authorization": r.Header.Values(ApprovalHeader)}}
	if len(second.Header["Authorization"]) == 0 {
		return access.Principal{}, fault.New(fault.Forbidden, "two_people",
			"A review needs a second operator: send their access token in the header "+ApprovalHeader+", as Bearer and the token.")
	}
	p, err := httpkit.Authenticate(second.WithContext(r.Context()), a.Access)
	httpkit.Of(r.Context()).Principal = actor // the log names who asked
	_, refused := errors.AsType[*httpkit.RefusalError](err)
	switch {
	case refused:
		return access.Principal{}, fault.New(fault.Forbidden, "approval_invalid", "The access token in "+ApprovalHeader+" is not valid; ask the second operator for a new one.")
	case err != nil:
		return access.Principal{}, err //nolint:wrapcheck // a fault of the core goes to the client as it is
	case !p.May(access.Admin):
		return access.Principal{}, fault.New(fault.Forbidden, "approval_invalid", "Who approves a review needs the scope admin.")
	case p.Client == actor.Client:
		return access.Principal{}, fault.New(fault.Forbidden, "two_people", "A review needs two people: this approval is by the one who asks.")
	}
	return p, nil
}
