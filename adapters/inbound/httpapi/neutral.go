package httpapi

import (
	"bytes"
	"errors"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/payrack/payrack/adapters/inbound/internal/httpkit"
	"github.com/payrack/payrack/core/access"
	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/inbound"
)

const (
	ours          = httpkit.Ours
	problemPrefix = "urn:payrack:problem:"
)

func title(status int) string { return http.StatusText(status) }

// neutralRoute is a route of the neutral API that moves money.
type neutralRoute struct {
	// kind is the operation; a cancellation is a void or a promise.
	kind   catalogue.Kind
	cancel bool
	do     action
	// members of the body.
	members []string
}

// neutralRoutes adds the routes of the neutral API that change something.
func (a *api) neutralRoutes(e *echo.Echo) {
	a.add(e, http.MethodGet, listPath, a.authorized(access.Search, a.payments))
	a.add(e, http.MethodPost, listPath, a.authorized(access.Pay, a.start(false)))
	a.add(e, http.MethodGet, paymentPath, a.authorized(access.Search, a.payment))
	a.add(e, http.MethodGet, eventsPath, a.authorized(access.Search, a.events))
	for path, route := range map[string]neutralRoute{
		"/confirm": {kind: catalogue.Confirm, do: a.Payments.Confirm, members: []string{memberData}},
		"/capture": {kind: catalogue.Capture, do: a.Payments.Capture, members: []string{memberAmount, memberData}},
		"/void":    {kind: catalogue.Void, do: a.Payments.Void, members: []string{memberReason, memberData}},
		"/cancel":  {kind: catalogue.Void, cancel: true, do: a.Payments.Cancel, members: []string{memberReason}},
		"/refunds": {kind: catalogue.Refund, do: a.Payments.Refund, members: []string{memberAmount, memberReason, memberData}},
	} {
		scope, _ := a.operation(route.kind)
		a.add(e, http.MethodPost, paymentPath+path, a.authorized(scope, a.follow(route)))
	}
	a.add(e, http.MethodGet, mandatePath, a.authorized(access.Search, a.mandate))
	a.add(e, http.MethodDelete, mandatePath, a.authorized(access.Refund, a.endMandate))
	a.add(e, http.MethodPost, chargePath, a.authorized(access.Pay, a.start(true)))
}

// start answers the routes that start a payment; charge is the one of a stored approval.
func (a *api) start(charge bool) principalHandler {
	return func(c echo.Context, p access.Principal) error {
		route := neutralRoute{kind: catalogue.Pay, do: a.Payments.Pay}
		var body newPayment
		if charge {
			id := c.Param("id")
			if !uuidText.MatchString(id) {
				return noSuchMandate()
			}
			body.mandate = id
		}
		text, err := a.neutralBody(c)
		if err != nil {
			return err
		}
		err = body.read(text, charge)
		x := httpkit.Of(c.Request().Context())
		if plainType(body.kind) {
			x.Type = body.kind
		}
		if err != nil {
			return err
		}
		n := inbound.Native{Principal: p, Type: body.kind, Store: body.store, Environment: a.DefaultEnvironment, Neutral: body.neutral()}
		if body.test != nil {
			n.Environment = company.Live
			if *body.test {
				n.Environment = company.Test
			}
		}
		return a.neutral(c, n, route)
	}
}

// follow answers the routes of an operation on a payment that exists.
func (a *api) follow(route neutralRoute) principalHandler {
	return func(c echo.Context, p access.Principal) error {
		id := c.Param("id")
		if !uuidText.MatchString(id) {
			return noSuchPayment()
		}
		text, err := a.neutralBody(c)
		if err != nil {
			return err
		}
		n, err := followUp(text, route.members)
		if err != nil {
			return err
		}
		n.Payment = payment.ID(id)
		return a.neutral(c, inbound.Native{Principal: p, Neutral: n}, route)
	}
}

// neutralBody reads the JSON of a request. No body at all is an empty object.
func (a *api) neutralBody(c echo.Context) ([]byte, error) {
	r := c.Request()
	if r.ContentLength == 0 && len(r.Header["Content-Type"]) == 0 {
		return []byte("{}"), nil
	}
	if err := httpkit.JSONMedia(r); err != nil {
		return nil, err //nolint:wrapcheck // a refusal goes to the client as it is
	}
	body, err := httpkit.ReadBody(c.Response(), r, a.MaxBody)
	if err == nil && len(body) == 0 {
		body = []byte("{}")
	}
	return body, err //nolint:wrapcheck // a refusal goes to the client as it is
}

// neutral hands a request to the core and answers.
func (a *api) neutral(c echo.Context, n inbound.Native, route neutralRoute) error {
	r, w := c.Request(), c.Response()
	key, err := requiredKey(r.Header)
	if err != nil {
		return err
	}
	n.IdempotencyKey, n.TraceID = key, httpkit.Of(r.Context()).TraceID(r.Context())
	n.Wait, n.Render = patience(r.Header, w.Header()), route.render
	reply, err := route.do(r.Context(), n)
	if err == nil {
		return route.answer(w, r, reply)
	}
	f, ok := errors.AsType[*fault.Error](err)
	switch {
	case !ok:
		return err
	case f.Kind == fault.NotFound && n.Neutral.Payment != "":
		return noSuchPayment()
	case f.Kind == fault.NotFound && n.Neutral.Mandate != "":
		return noSuchMandate()
	case f.Kind == fault.Unknown && f.Payment != "":
		httpkit.Of(r.Context()).Err = err
		return route.answer(w, r, inbound.Reply{Class: inbound.ReplyPending, Payment: payment.ID(f.Payment), RetryAfter: f.RetryAfter})
	}
	return inOurWords(f)
}

// inOurWords names columns as the neutral API does, and leaves out answers in a provider's shape.
func inOurWords(f *fault.Error) error {
	told := *f
	told.Native, told.NativeOK = nil, false
	told.Fields = make([]fault.Field, len(f.Fields))
	for i, field := range f.Fields {
		if rest, native := strings.CutPrefix(field.Pointer, "/request"); native && (rest == "" || rest[0] == '/') {
			field.Pointer = "/" + memberData + rest
		}
		told.Fields[i] = field
	}
	return &told
}

// requiredKey reads the header Idempotency-Key, without which nothing is changed.
func requiredKey(h http.Header) (string, error) {
	key, err := idempotencyKey(h)
	if err == nil && key == "" {
		err = fault.New(fault.Invalid, "idempotency_key_required",
			"Send the header Idempotency-Key, the same for each try of this request, so that it is not done twice.")
	}
	return key, err
}

// outcome is how HTTP tells what became of the operation that a request started. code is empty where nothing was refused.
type outcome struct {
	status        int
	code, message string
}

// outcome follows from the record alone: a stored reply is replayed with the status that it had at first, whatever has
// become of the payment since.
func (n neutralRoute) outcome(r payment.Record) outcome {
	p, o := r.Payment, r.Operation
	switch p.State {
	case payment.Reversing, payment.Reversed:
		switch {
		case n.cancel:
			return outcome{status: http.StatusOK}
		case p.State == payment.Reversed:
			return outcome{http.StatusPaymentRequired, "payment_reversed", "The payment was not made: what was charged or held has been given back."}
		}
		return outcome{status: http.StatusAccepted}
	case payment.Failed, payment.Voided, payment.Expired:
		if n.cancel {
			return outcome{status: http.StatusOK} // nothing is charged: that is what was asked for
		}
	case payment.Sending, payment.RequiresAction, payment.Authorized, payment.Capturing, payment.Voiding, payment.Refunding,
		payment.Succeeded, payment.Unknown, payment.Refunded, payment.PartiallyRefunded, payment.Mismatch, payment.Review:
	}
	if o.State == payment.OperationFailed {
		return refused(o)
	}
	if n.kind == catalogue.Pay {
		return outcome{status: http.StatusCreated}
	}
	return outcome{status: http.StatusOK}
}

// refused is the outcome of an operation that had no effect.
func refused(o payment.Operation) outcome {
	starts := o.Kind == payment.KindPay || o.Kind == payment.KindConfirm
	switch {
	case starts && o.Failure == payment.Declined:
		return outcome{http.StatusPaymentRequired, "payment_declined", "The provider declined the payment; nothing was charged."}
	case starts:
		return outcome{http.StatusPaymentRequired, "not_charged", "The payment was not charged. A new one needs a new Idempotency-Key."}
	case o.Failure == payment.Declined:
		return outcome{http.StatusPaymentRequired, string(o.Kind) + "_declined", "The provider declined the " + string(o.Kind) + "; the payment is as it was."}
	}
	return outcome{http.StatusConflict, "not_done", "This " + string(o.Kind) + " had no effect. Send it again with a new Idempotency-Key."}
}

// answer writes what the core replied.
func (n neutralRoute) answer(w http.ResponseWriter, r *http.Request, reply inbound.Reply) error {
	x := httpkit.Of(r.Context())
	id := string(reply.Payment)
	if id == "" {
		return errors.New("the core gave a reply without a payment")
	}
	x.Payment = id
	h := w.Header()
	h.Set(httpkit.PaymentHeader, id)
	if reply.Class == inbound.ReplyPending {
		accepted(w, r, reply, stillOpen(reply))
		return nil
	}
	end := n.outcome(reply.Record)
	body := reply.Body
	if !rendered(body, id) {
		// The platform did it by itself, as when a payer comes back: the stored reply is in the provider's shape.
		body = n.render(inbound.Rendering{Record: reply.Record})
	}
	if reply.Replayed {
		h.Set("Idempotent-Replayed", "true")
	}
	switch {
	case end.status == http.StatusAccepted:
		accepted(w, r, reply, body)
	case end.code != "":
		x.Code = end.code
		httpkit.WriteBytes(w, end.status, httpkit.ProblemMedia(r), body)
	default:
		if end.status == http.StatusCreated {
			h.Set("Location", listPath+"/"+id)
		}
		httpkit.WriteBytes(w, end.status, "application/json", body)
	}
	return nil
}

// accepted tells that nothing is final yet, where to look, and when.
func accepted(w http.ResponseWriter, r *http.Request, reply inbound.Reply, body []byte) {
	h := w.Header()
	h.Set("Location", listPath+"/"+string(reply.Payment))
	if reply.RetryAfter <= 0 {
		reply.RetryAfter = defaultRetry
	}
	httpkit.SetRetryAfter(h, reply.RetryAfter)
	httpkit.Of(r.Context()).Code = "outcome_unknown"
	httpkit.WriteBytes(w, http.StatusAccepted, "application/json", body)
}

// openReply is all that is known of a payment whose record cannot be read at this moment.
type openReply struct {
	ID    string `json:"id"`
	State string `json:"state"`
}

// stillOpen is the body while nobody knows: the payment as it stands.
func stillOpen(reply inbound.Reply) []byte {
	if reply.Record.Payment.Type == "" {
		return encoded(openReply{ID: string(reply.Payment), State: string(payment.Unknown)})
	}
	return encoded(recordOf(reply.Record))
}

// rendered reports whether a body is one of ours about the payment.
func rendered(body []byte, id string) bool {
	return bytes.HasPrefix(body, []byte(`{"id":"`+id+`"`)) || bytes.HasPrefix(body, []byte(`{"type":"`+problemPrefix))
}
