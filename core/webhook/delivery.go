package webhook

import (
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"time"

	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/payment"
)

// ID names a delivery: one event for one endpoint. It is the same for every attempt, so that a receiver can tell a
// repetition from news.
type ID string

// IDOf is the id of the delivery of entry n of a payment's journal to an endpoint.
func IDOf(e EndpointID, p payment.ID, n int64) ID {
	sum := sha256.Sum256([]byte(string(e) + "/" + string(p) + "/" + strconv.FormatInt(n, 10)))
	return ID("msg_" + base64.RawURLEncoding.EncodeToString(sum[:18]))
}

// State of a delivery.
type State string

// The states.
const (
	Pending   State = "PENDING"
	Delivered State = "DELIVERED"
	// GivenUp: the endpoint did not take it in GiveUp. A replay sends it again.
	GivenUp State = "GIVEN_UP"
)

// Delivery is one event on its way to one endpoint. The deliveries of one payment to one endpoint go out in the order
// of N: a later one waits until the earlier one was delivered or given up.
type Delivery struct {
	ID       ID
	Endpoint EndpointID
	Company  company.ID
	Payment  payment.ID
	// N is the number of the entry in the payment's journal that is the event, At when it happened.
	N    int64
	Type string
	At   time.Time

	State State
	// Attempts counts since the delivery was queued or replayed; Since is when that was.
	Attempts int
	Since    time.Time
	// NextAt is when it is tried next, with PENDING.
	NextAt time.Time
	// Epoch grows with each claim: the outcome of an older claim is not recorded.
	Epoch int64
	// Status is the last answer's HTTP status, 0 if there was none, and Trouble why it did not count as delivered.
	Status  int
	Trouble string
	EndedAt time.Time
}

// GiveUp is how long an endpoint is tried.
const GiveUp = 3 * 24 * time.Hour

// Outcome is what became of one attempt.
type Outcome struct {
	// Status of the answer, 0 without one.
	Status int
	// Trouble is why the message was not delivered, empty if it was. It holds nothing that the receiver sent.
	Trouble string
	// RetryAfter is how long the receiver wants to be left alone, zero if it did not say.
	RetryAfter time.Duration
	// Took is how long it took.
	Took time.Duration
}

// Delivered reports whether the receiver took the message.
func (o Outcome) Delivered() bool { return o.Trouble == "" }

// After is the delivery after an attempt that ended then.
func (d Delivery) After(o Outcome, at time.Time) Delivery {
	d.Attempts++
	d.Status, d.Trouble = o.Status, o.Trouble
	delay := max(backOff(d.ID, d.Attempts), min(o.RetryAfter, longestWish))
	switch {
	case o.Delivered():
		d.State, d.EndedAt, d.NextAt = Delivered, at, time.Time{}
	case at.Add(delay).Sub(d.Since) > GiveUp:
		d.State, d.EndedAt, d.NextAt = GivenUp, at, time.Time{}
	default:
		d.NextAt = at.Add(delay)
	}
	return d
}

// longestWish bounds what a receiver's Retry-After can put off.
const longestWish = time.Hour

// backOff is how long after attempt number n, from 1, the next one follows: the schedule of the Standard Webhooks
// specification and then every six hours, up to a tenth earlier or later, so that what failed together does not come
// back together. The same delivery always gets the same delay.
func backOff(id ID, n int) time.Duration {
	schedule := []time.Duration{
		5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour,
		4 * time.Hour, 6 * time.Hour,
	}
	delay := schedule[min(n, len(schedule))-1]
	sum := sha256.Sum256([]byte(string(id) + strconv.Itoa(n)))
	return delay + delay*time.Duration(int(sum[0])-128)/1280
}
