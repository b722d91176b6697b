package app

import (
	"context"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
)

// orderID is the order number that the provider is told: another one for each attempt, so that a search never takes an
// earlier attempt's charge for this one's. A later attempt's id ends in a word that nobody can choose, because a client may
// have an order of its own named "A-2" beside the second attempt of "A": were they one order at the provider, a search of
// one would find, and give back, the charge of the other.
func (a *App) orderID(ctx context.Context, p payment.Payment) (string, error) {
	if p.Attempt > 1 {
		return p.OrderNumber + "-" + strconv.Itoa(p.Attempt) + "-" + a.mark(p), nil
	}
	base, word, ok := attemptOf(p.OrderNumber)
	if !ok {
		return p.OrderNumber, nil
	}
	taken, err := a.isMarked(ctx, p, base, word)
	if taken {
		return p.OrderNumber + "-" + a.mark(p), err
	}
	return p.OrderNumber, err
}

// mark is a short word of a payment that no client can choose.
func (a *App) mark(p payment.Payment) string {
	sum := a.Secrets.Fingerprint([]byte("order-id\x00" + string(p.ID)))
	return hex.EncodeToString(sum[:markBytes])
}

const markBytes = 3

// attemptOf takes an order number apart that reads like the id of a later attempt, of a retry, or of an order that read so
// itself. Few do; the others are spared a look into the ledger.
func attemptOf(number string) (base, word string, ok bool) {
	at := len(number) - 2*markBytes - 1
	if at < 1 || number[at] != '-' || strings.Trim(number[at+1:], "0123456789abcdef") != "" {
		return "", "", false
	}
	base, word = number[:at], number[at+1:]
	if _, _, again := attemptOf(base); again {
		return base, word, true
	}
	dash := strings.LastIndexByte(base, '-')
	if dash < 1 {
		return "", "", false
	}
	count := strings.TrimPrefix(base[dash+1:], "r")
	n, err := strconv.Atoi(count)
	return base[:dash], word, err == nil && n > 1 && strconv.Itoa(n) == count
}

// isMarked reports whether the account was told an id of the order that ends in the word.
// Whoever knows the word has it from a payment that is stored.
func (a *App) isMarked(ctx context.Context, p payment.Payment, number, word string) (bool, error) {
	id, err := a.ofOrder(ctx, p, number, func(other payment.Payment) (bool, error) { return a.mark(other) == word, nil })
	return id != "", err
}

// heir is the payment that was sent under the order id of r after r had not been: what was never sent leaves its id to the next
// payment of the order. Empty if there is none.
func (a *App) heir(ctx context.Context, r payment.Record) (payment.ID, error) {
	return a.ofOrder(ctx, r.Payment, r.Payment.OrderNumber, func(other payment.Payment) (bool, error) {
		if other.ID == r.Payment.ID || other.State == payment.Failed && other.Failure == payment.NotSent {
			return false, nil
		}
		its, err := a.Ledger.Load(ctx, other.Company, other.ID)
		return its.Operation.OrderID == r.Operation.OrderID, err
	})
}

// ofOrder is the newest payment of an order number, made with the same account as p, of which is says yes. Empty without one.
func (a *App) ofOrder(
	ctx context.Context, p payment.Payment, number string, is func(payment.Payment) (bool, error),
) (payment.ID, error) {
	q := outbound.Query{Company: p.Company, Environment: p.Environment, OrderNumber: number, Limit: 200}
	for {
		page, err := a.Ledger.List(ctx, q)
		if err != nil {
			return "", err
		}
		for _, other := range page.Payments {
			if other.Provider != p.Provider || other.Account != p.Account {
				continue
			}
			if yes, err := is(other); yes || err != nil {
				return other.ID, err
			}
		}
		if page.Next == "" {
			return "", nil
		}
		q.Before = page.Next
	}
}

// retryID is the order id of a retry. What was certainly never sent keeps its id; a redirect whose answer was lost may
// have left one at the provider under that id, which nobody can pay.
func (a *App) retryID(r payment.Record, d draft) string {
	if leadsToConfirm(d.described) {
		return r.Payment.OrderNumber + "-r" + strconv.FormatInt(r.Payment.Version, 10) + "-" + a.mark(r.Payment)
	}
	return r.Operation.OrderID
}
