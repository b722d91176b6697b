package conformance

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// Gateway plays the provider's gateway. It keeps books, and the kit believes these books and nothing else.
// Its methods may be called while requests are served.
type Gateway interface {
	http.Handler
	// Enrol makes a credential set of a payment type valid. A set of an account that is enrolled already
	// replaces the one before: that is a rotation.
	Enrol(paymentType string, credential json.RawMessage) error
	// Offer makes a one-time code valid, once.
	Offer(paymentType, code string) error
	// Approve acts for the payer of an order that waits for the payer. Types that pay by a code never need
	// it.
	Approve(order, transactionID string) error
	// Arm makes the gateway behave so for all requests about the order, until Disarm. ErrNotPlayed says
	// that this gateway cannot.
	Arm(b Behaviour, order string) error
	// Disarm ends all behaviours.
	Disarm()
	// Seen lists the requests about an order that arrived, the oldest first. Empty lists all.
	Seen(order string) []Seen
	// Moved lists the movements of money of an order, the oldest first. Empty lists all.
	Moved(order string) []Moved
	// Violations lists what a client must never do and did, in words: a nonce or an IV used twice.
	Violations() []string
	// Close ends the gateway.
	Close() error
}

// Behaviour is what a gateway does when it is not simply right.
type Behaviour string

// The behaviours. Only BehaviourDeclined has to be played by every gateway.
const (
	// BehaviourDeclined: a definite, documented no; nothing moves.
	BehaviourDeclined Behaviour = "declined"
	// BehaviourUndocumented: a well-formed answer with a return code that no document names; nothing moves.
	BehaviourUndocumented Behaviour = "undocumented_code"
	// BehaviourInternal: the gateway's own "internal error" in its own shape. Nobody knows what happened.
	BehaviourInternal Behaviour = "internal_error"
	// BehaviourDuplicate: the answer to an order number that was used before.
	BehaviourDuplicate Behaviour = "duplicate"
	// BehaviourWrongAmount: everything is done right and the answer names another amount.
	BehaviourWrongAmount Behaviour = "wrong_amount"
	// BehaviourWrongOrder: everything is done right and the answer names another order.
	BehaviourWrongOrder Behaviour = "wrong_order"
	// BehaviourExtraMember: the answer has a member that no document names.
	BehaviourExtraMember Behaviour = "extra_member"
	// BehaviourUndocumentedStatus: a search shows a state that no document names.
	BehaviourUndocumentedStatus Behaviour = "undocumented_status"
	// BehaviourDeliveredTwice: the network delivers each request twice, and the answer is the second one's.
	BehaviourDeliveredTwice Behaviour = "delivered_twice"
)

// ErrNotPlayed says that a gateway does not play a behaviour. Checks that need it are not applicable.
var ErrNotPlayed = errors.New("the gateway of this subject does not play it")

// Seen is one request as the gateway read it.
type Seen struct {
	// Kind of the operation; empty if it is none of the contract's.
	Kind provider.Kind
	// Order that the request named.
	Order string
}

// Moved is one movement of money in the gateway's books.
type Moved struct {
	// Kind is "charge", "authorize", "capture", "void" or "refund".
	Kind string
	// Account is who the gateway thinks the caller is.
	Account string
	// Order that the money belongs to.
	Order string
	// TransactionID is the movement's own id; the movement of a charge has the payment's.
	TransactionID string
	// Units in the currency's charge unit, positive.
	Units    int64
	Currency string
}
