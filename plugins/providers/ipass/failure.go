package ipass

import (
	"errors"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

var (
	errRequest = errors.New("the request cannot be formed")
	errStatus  = errors.New("iPASS answered another HTTP status than 200")
)

// notSent is a failure before anything left. The texts of this package hold no value of the client and no
// secret, so that they may reach the operator.
func notSent(reason provider.Reason, err error) *provider.Failure {
	return &provider.Failure{Effect: provider.EffectNone, Reason: reason, Detail: err.Error()}
}

// badAnswer is an answer that cannot be read or contradicts itself: nobody knows what happened.
func badAnswer(err error) *provider.Failure {
	return &provider.Failure{Effect: provider.EffectPossible, Reason: provider.ReasonBadAnswer, Detail: err.Error()}
}

func sendFailure(err error) *provider.Failure {
	if sendErr, ok := errors.AsType[*provider.SendError](err); ok {
		return sendErr.Failure()
	}
	return &provider.Failure{Effect: provider.EffectPossible, Reason: provider.ReasonInternal, Detail: "the request ended in an error without a class"}
}

// answerOf turns a failure into the answer of a money-moving call.
func answerOf(f *provider.Failure) provider.Answer {
	if f.Effect == provider.EffectNone {
		return provider.NotSent(f.Reason, f.Code, f.Detail).WithRetryAfter(f.RetryAfter)
	}
	return provider.Unknown(f.Reason, f.Code, f.Detail).WithRetryAfter(f.RetryAfter)
}
