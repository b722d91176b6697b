package app

import (
	"context"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
)

// orderID is the order number that the provider is told: another one for each attempt, so that a search never takes an
// earlier attempt's charge for this one's. A client may have named an order of its own in the same way ("A-2" beside the
// second attempt of "A"): whichever comes second gets an id that nobody chooses, or a search of one would find, and give
// back, the charge of the other.
func (a *App) orderID(ctx context.Context, p payment.Payment) (string, error) {
	id := p.OrderNumber
	var (
		taken bool
		err   error
	)
	if p.Attempt > 1 {
		id += "-" + strconv.Itoa(p.Attempt)
		taken, err = a.isOrder(ctx, p, id)
	} else if base, attempt, ok := attemptOf(p.OrderNumber); ok {
		taken, err = a.wasTried(ctx, p, base, attempt)
	}
	if taken {
		id += "-" + a.mark(p)
	}
	return id, err
}

// mark is a short word of a payment that no client can choose.
func (a *App) mark(p payment.Payment) string {
	sum := a.Secrets.Fingerprint([]byte("order-id\x00" + string(p.ID)))
	return hex.EncodeToString(sum[:3])
}

// attemptOf takes an order number apart that reads like the id of a later attempt.
func attemptOf(number string) (base string, attempt int, ok bool) {
	at := strings.LastIndexByte(number, '-')
	if at < 1 {
		return "", 0, false
	}
	n, err := strconv.Atoi(number[at+1:])
	return number[:at], n, err == nil && n > 1 && strconv.Itoa(n) == number[at+1:]
}

// isOrder reports whether the company itself has an order of this number with the account.
func (a *App) isOrder(ctx context.Context, p payment.Payment, number string) (bool, error) {
	_, err := a.Ledger.Find(ctx, outbound.Key{
		Company: p.Company, Environment: p.Environment, Provider: p.Provider, Account: p.Account, OrderNumber: number,
	})
	if fault.KindOf(err) == fault.NotFound {
		return false, nil
	}
	return err == nil, err
}

// wasTried reports whether an order was tried as often with the account.
func (a *App) wasTried(ctx context.Context, p payment.Payment, number string, attempt int) (bool, error) {
	page, err := a.Ledger.List(ctx, outbound.Query{Company: p.Company, OrderNumber: number, Limit: 200})
	for _, other := range page.Payments {
		if other.Attempt == attempt && other.Environment == p.Environment && other.Provider == p.Provider && other.Account == p.Account {
			return true, nil
		}
	}
	return false, err
}

// retryID is the order id of a retry. What was certainly never sent keeps its id; a redirect whose answer was lost may
// have left one at the provider under that id, which nobody can pay.
func (a *App) retryID(r payment.Record, d draft) string {
	if leadsToConfirm(d.described) {
		return r.Payment.OrderNumber + "-r" + strconv.FormatInt(r.Payment.Version, 10) + "-" + a.mark(r.Payment)
	}
	return r.Operation.OrderID
}
