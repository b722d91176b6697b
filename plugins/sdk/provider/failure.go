package provider

import "errors"

// NothingSent is the failure of a call that ended before anything left. The error's text reaches the
// operator: it must hold no secret and no value of the client.
func NothingSent(reason Reason, err error) *Failure {
	return &Failure{Effect: EffectNone, Reason: reason, Detail: err.Error()}
}

// BadAnswer is the failure of a call whose answer cannot be read or contradicts the request: nobody knows
// what happened. For the error's text see NothingSent.
func BadAnswer(err error) *Failure {
	return &Failure{Effect: EffectPossible, Reason: ReasonBadAnswer, Detail: err.Error()}
}

// FailureOf is the failure behind an error of Client.Do. An error that is no *SendError counts as sent, and
// its text is kept back, because nobody knows what it holds.
func FailureOf(err error) *Failure {
	if failed, ok := errors.AsType[*SendError](err); ok {
		return failed.Failure()
	}
	return &Failure{Effect: EffectPossible, Reason: ReasonInternal, Detail: "the request ended in an error without a class"}
}

// Answer is the answer of a money-moving call that ended so: not sent for EffectNone, unknown for all else.
func (f *Failure) Answer() Answer {
	if f == nil {
		return Answer{}
	}
	if f.Effect == EffectNone {
		return NotSent(f.Reason, f.Code, f.Detail).WithRetryAfter(f.RetryAfter)
	}
	return Unknown(f.Reason, f.Code, f.Detail).WithRetryAfter(f.RetryAfter)
}
