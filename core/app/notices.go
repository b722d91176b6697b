package app

import (
	"context"
	"net/url"
	"time"

	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/inbound"
	"github.com/payrack/payrack/ports/outbound"
)

// notices implements inbound.Notices.
type notices struct{ *App }

// returnTime bounds how long a payer who came back waits for us.
const returnTime = 45 * time.Second

// Return is the payer who comes back from a wallet. That proves nothing: anybody can call an address. The provider is
// asked, and only its word lets a confirm begin, once, under the payment's version.
func (a notices) Return(ctx context.Context, id payment.ID) (inbound.ReturnTo, error) {
	r, err := a.Ledger.Load(ctx, "", id)
	if err != nil {
		return inbound.ReturnTo{}, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), returnTime)
	defer cancel()
	for pause := 100 * time.Millisecond; waits(r); pause = min(2*pause, time.Second) {
		claimed, err := a.Ledger.Due(ctx, outbound.DueQuery{Boot: a.Boot, Payment: id, Limit: 1, Lease: claimLease})
		if err != nil {
			break
		}
		for _, one := range claimed {
			a.resolve(ctx, one, true)
		}
		if r, err = a.Ledger.Load(ctx, "", id); err != nil {
			return inbound.ReturnTo{}, err
		}
		if len(claimed) > 0 || !waits(r) {
			break
		}
		// Another request or replica asks at this moment: its answer is this one's.
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		if ctx.Err() != nil {
			break
		}
	}
	return inbound.ReturnTo{URL: backTo(r), Payment: r.Payment.ID, State: r.Payment.State}, nil
}

// waits reports whether the payment still waits for its payer, or for its confirm.
func waits(r payment.Record) bool {
	return r.Payment.State == payment.RequiresAction || r.Payment.State == payment.Sending
}

// backTo is the client's own address with the ids appended that the wallet would have appended.
func backTo(r payment.Record) string {
	u, err := url.Parse(r.Payment.ReturnURL)
	if err != nil || r.Payment.ReturnURL == "" {
		return ""
	}
	q := url.Values{}
	if r.Payment.ProviderTransaction != "" {
		q.Set("transactionId", r.Payment.ProviderTransaction)
	}
	q.Set("orderId", r.Operation.OrderID)
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += q.Encode()
	return u.String()
}
