package ipass

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// question is what an answer has to be about.
type question struct {
	call  provider.Call
	reqID string
	order string
}

// judge says what an answer settles. The encryption has no integrity check, so that a success counts only if
// every member that can be compared with the request agrees; accept compares what is the operation's own and
// fills in the result.
func (p *Provider) judge(
	ctx context.Context, q question, a answer, refused bool, accept func(*provider.Result) error,
) provider.Answer {
	if err := a.isAbout(q); err != nil {
		return p.distrust(ctx, q.call, a, err)
	}
	code := p.wire.class(a.ReturnCode)
	result := provider.Result{Code: a.ReturnCode, DeclineCode: code.DeclineCode}
	switch {
	case code.Class == classSuccess && !refused:
		if !strings.EqualFold(string(a.ReqID), q.reqID) {
			return p.distrust(ctx, q.call, a, errors.New("success without our req_id"))
		}
		result.Reference.OrderID = string(a.OrderNumber)
		if err := accept(&result); err != nil {
			return p.distrust(ctx, q.call, a, err)
		}
		return provider.Approved(result, a.body())
	case code.Class == classDeclined, refused && code.Class == classVerify:
		return provider.Declined(result, a.body())
	default:
		return provider.Undecided(result, a.body())
	}
}

// distrust keeps an answer that contradicts the request from everybody: it may be about another payment.
func (p *Provider) distrust(ctx context.Context, call provider.Call, a answer, err error) provider.Answer {
	p.host.Log.WarnContext(ctx, "the answer does not fit the request; the outcome is unknown",
		slog.String("operation_id", call.OperationID), slog.String("return_code", a.ReturnCode), slog.String("problem", err.Error()))
	return provider.BadAnswer(err).Answer()
}

// isAbout checks what may be absent and must not differ.
func (a answer) isAbout(q question) error {
	switch {
	case a.ReqID != "" && !strings.EqualFold(string(a.ReqID), q.reqID):
		return errors.New("the answer is for another request")
	case a.OrderNumber != "" && q.order != "" && string(a.OrderNumber) != q.order:
		return errors.New("the answer is about another order")
	}
	return nil
}

// namesAmount checks an amount that may be absent and must not differ.
func (a answer) namesAmount(asked provider.Money) (*provider.Money, error) {
	amount, err := a.Amount.units()
	if err != nil {
		return nil, err
	}
	if amount != nil && amount.Units != asked.Units {
		return nil, errors.New("success with another amount than the one asked for")
	}
	return amount, nil
}
