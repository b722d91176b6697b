// Package record is what a chaos run writes down and what the verifier reads: a folder with one file for each kind of
// evidence, so that an old run can be judged again when the verifier has become better.
package record

import (
	"encoding/json"
	"time"
)

// Told is what an answer says to somebody who believes it.
type Told string

// What can be told. Only Held, Paid, NotPaid, Done and NotDone are promises.
const (
	Nothing Told = ""         // no answer, or one that says nothing about the money: ask again
	Pending Told = "pending"  // nobody knows yet, or the customer has to act
	Held    Told = "held"     // the money was authorized and can be captured
	Paid    Told = "paid"     // the money was taken
	NotPaid Told = "not_paid" // it was not taken, or is given back
	Done    Told = "done"     // the refund, or the capture, was made
	NotDone Told = "not_done" // it had no effect
	Refused Told = "refused"  // the request is wrong and stays wrong
)

// The kinds of calls.
const (
	Pay     = "pay"
	Confirm = "confirm"
	Capture = "capture"
	Refund  = "refund"
	Cancel  = "cancel"
	Read    = "read"
)

// Call is one request of a client and what it heard. Begin and End are nanoseconds on the harness's monotonic clock.
type Call struct {
	Client   int    `json:"client"`
	Kind     string `json:"kind"`
	Order    string `json:"order"`
	Provider string `json:"provider"`
	// Key is the same for each try of one request.
	Key    string `json:"key,omitempty"`
	Amount int64  `json:"amount,omitempty"`
	// Online is a sale whose customer was sent to the provider, Holds one that authorizes first.
	// Stored is one that charges a stored approval.
	Online  bool  `json:"online,omitempty"`
	Holds   bool  `json:"holds,omitempty"`
	Stored  bool  `json:"stored,omitempty"`
	Replica int   `json:"replica"`
	Begin   int64 `json:"begin"`
	End     int64 `json:"end"`
	// Status is 0 where no answer came.
	Status  int    `json:"status"`
	Code    string `json:"code,omitempty"`
	State   string `json:"state,omitempty"`
	Payment string `json:"payment,omitempty"`
	Told    Told   `json:"told,omitempty"`
	Error   string `json:"error,omitempty"`
}

// The kinds of blows.
const (
	Kill  = "kill"
	Stop  = "stop"
	Cut   = "cut"
	Stall = "stall"
	Fault = "fault"
	Swap  = "swap"
	Heal  = "heal"
)

// Blow is something that the nemesis did.
type Blow struct {
	At     int64  `json:"at"`
	Kind   string `json:"kind"`
	Target string `json:"target"`
	Detail string `json:"detail,omitempty"`
	// InFlight is how many requests that move money were unanswered at the target.
	InFlight int `json:"in_flight"`
	// Point is the failpoint, or the place of research 1.7, that the blow hit.
	Point string `json:"point,omitempty"`
	// Error says why it did not work.
	Error string `json:"error,omitempty"`
}

// Entry is a line of the sandbox's ledger.
type Entry struct {
	Seq           uint64 `json:"seq"`
	Provider      string `json:"provider"`
	Account       string `json:"account"`
	OrderID       string `json:"order_id"`
	BaseOrderID   string `json:"base_order_id"`
	TransactionID string `json:"transaction_id"`
	Original      string `json:"original_transaction_id"`
	Kind          string `json:"kind"`
	Amount        int64  `json:"amount"`
	Currency      string `json:"currency"`
}

// Request is a transmission that arrived at the sandbox.
type Request struct {
	Seq         uint64 `json:"seq"`
	Provider    string `json:"provider"`
	Operation   string `json:"operation"`
	OrderID     string `json:"order_id"`
	BaseOrderID string `json:"base_order_id"`
	Redelivered bool   `json:"redelivered"`
}

// Fired is a fault of the sandbox with how often it took effect.
type Fired struct {
	Fault     string `json:"fault"`
	Operation string `json:"operation"`
	Fired     int    `json:"fired"`
}

// Payment is a row of the database.
type Payment struct {
	ID          string `json:"id"`
	Environment string `json:"environment"`
	Provider    string `json:"provider"`
	Account     string `json:"account"`
	OrderNumber string `json:"order_number"`
	Currency    string `json:"currency"`
	Amount      int64  `json:"amount"`
	Authorized  int64  `json:"authorized"`
	Captured    int64  `json:"captured"`
	Refunded    int64  `json:"refunded"`
	Reserved    int64  `json:"refund_reserved"`
	State       string `json:"state"`
	Failure     string `json:"failure"`
	Version     int64  `json:"version"`
	Chain       []byte `json:"chain"`
}

// Operation is a row of the database.
type Operation struct {
	ID       string `json:"id"`
	Payment  string `json:"payment_id"`
	Kind     string `json:"kind"`
	State    string `json:"state"`
	Failure  string `json:"failure"`
	OrderID  string `json:"order_id"`
	Amount   int64  `json:"amount"`
	Reversal bool   `json:"reversal"`
}

// Fact is a row of the journal.
type Fact struct {
	Stream string          `json:"stream"`
	N      int64           `json:"n"`
	AtUS   int64           `json:"at"`
	Event  string          `json:"event"`
	Body   json.RawMessage `json:"body"`
	Prev   []byte          `json:"prev"`
	Hash   []byte          `json:"hash"`
}

// AuditFailed begins what About.Audit says when the program found its journal damaged, or could not check it.
const AuditFailed = "failed: "

// Message is a webhook that reached the company's server.
type Message struct {
	ID      string `json:"id"`
	Type    string `json:"type"`
	Payment string `json:"payment"`
	// State of the payment as the message shows it, and AtUS when the event happened.
	State string `json:"state"`
	AtUS  int64  `json:"at"`
	// Answer is the status that the server gave; 0 if it hung up, although it had read the message.
	Answer int `json:"answer"`
	// Signed is true if the signature is good.
	Signed bool `json:"signed"`
}

// Taken reports that the server has the message: it may also come again.
func (m Message) Taken() bool { return m.Answer == 0 || m.Answer/100 == 2 }

// Secret is a text that must stand in no log and no database.
type Secret struct {
	Name string `json:"name"`
	// Found are the files that hold it; for the control they must not be empty.
	Found []string `json:"found"`
	// Control is a text that is no secret and must be found, or the search proves nothing.
	Control bool `json:"control"`
}

// About says what a run was.
type About struct {
	Layout  string    `json:"layout"`
	Program string    `json:"program"`
	Date    time.Time `json:"date"`
	// Seed of the clients and of the nemesis; the machine's own timing is not in it.
	Seed uint64 `json:"seed"`
	// Asked is how many payments there should be, Repeats how often each crash point should be hit.
	Asked    int `json:"asked"`
	Repeats  int `json:"repeats,omitempty"`
	Replicas int `json:"replicas"`
	// The times that the plugins were given, in seconds.
	MaxDuration   float64 `json:"max_duration_s"`
	LandingMax    float64 `json:"landing_max_s"`
	SearchLagMax  float64 `json:"search_lag_max_s"`
	SendMargin    float64 `json:"send_margin_s"`
	FinalMargin   float64 `json:"final_margin_s"`
	DecisionAfter float64 `json:"decision_after_s"`
	// Healed are the moments, in microseconds since 1970, from which nothing was broken any more, and Ended the end.
	HealedUS int64    `json:"healed_us"`
	EndedUS  int64    `json:"ended_us"`
	Secrets  []Secret `json:"secrets"`
	// Audit is what the program's own check of its journal said; empty in reports that are older than the check.
	Audit string `json:"audit,omitempty"`
	// Hooked is true if a company's server listened for webhooks.
	Hooked bool `json:"hooked,omitempty"`
	// Unfit are troubles of the harness itself: a run with any proves nothing.
	Unfit []string `json:"unfit,omitempty"`
}
