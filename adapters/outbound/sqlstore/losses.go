package sqlstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/uptrace/bun"

	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
)

// errVanished says that what a change lost against is gone: it runs again.
var errVanished = errors.New("what the change lost against is gone")

// diagnose says against what a change that stored nothing has lost. A key counts first, then
// the order number, then its attempts, then the version.
func diagnose(ctx context.Context, db bun.IDB, m *months, c *change) (outbound.Committed, error) {
	taken, err := storedClaims(ctx, db, m, c.Claims)
	if err != nil {
		return outbound.Committed{}, err
	}
	if len(taken) > 0 {
		return outbound.Committed{Loss: outbound.LostClaim, Claims: taken}, nil
	}
	if c.wantsOrder() {
		lost, err := loseOrder(ctx, db, c)
		if err != nil || lost.Loss != outbound.NoLoss {
			return lost, err
		}
	}
	if c.Version > 0 {
		return outbound.Committed{Loss: outbound.LostVersion}, nil
	}
	exists, err := db.NewSelect().TableExpr("payment").Where("id = ?", string(c.Record.Payment.ID)).Exists(ctx)
	if err != nil {
		return outbound.Committed{}, readFault(err)
	}
	if exists {
		return outbound.Committed{Loss: outbound.LostVersion}, nil
	}
	return outbound.Committed{}, errVanished
}

// storedClaims are the stored claims that hold keys of a change.
func storedClaims(ctx context.Context, db bun.IDB, m *months, wanted []outbound.Claim) (taken []outbound.Claim, err error) {
	for _, w := range wanted {
		generations, err := m.others(ctx, db, w.At)
		if err != nil {
			return nil, err
		}
		stored, ok, err := findClaim(ctx, db, w.ClaimKey, append(generations, month(w.At)))
		if err != nil {
			return nil, err
		}
		if ok {
			taken = append(taken, stored)
		}
	}
	return taken, nil
}

// loseOrder says whether a payment that is about to be sent has lost its order number, or its count of attempts.
func loseOrder(ctx context.Context, db bun.IDB, c *change) (outbound.Committed, error) {
	holder, held, err := orderHolder(ctx, db, c)
	if err != nil {
		return outbound.Committed{}, err
	}
	if held {
		return outbound.Committed{Loss: outbound.LostOrder, Payment: holder}, nil
	}
	p := &c.Record.Payment
	stands := db.NewSelect().TableExpr("payment").Where("id = ?", string(p.ID))
	if c.Version > 0 {
		stands = stands.Where("version = ?", c.Version).Where("NOT live")
	}
	exists, err := stands.Exists(ctx)
	if err != nil {
		return outbound.Committed{}, readFault(err)
	}
	if exists != (c.Version > 0) {
		// A new payment whose id is taken, or one that has moved or holds its number: something else was lost.
		return outbound.Committed{}, nil
	}
	var sent int
	q := "SELECT " + fmt.Sprintf(attemptsOf, "?", "?", "?", "?", "?")
	args := c.attemptsArgs(nil)
	if err := db.NewRaw(q, args[:5]...).Scan(ctx, &sent); err != nil {
		return outbound.Committed{}, readFault(err)
	}
	if sent != p.Attempt-1 {
		return outbound.Committed{Loss: outbound.LostAttempt, Attempts: sent}, nil
	}
	return outbound.Committed{}, nil
}

// orderHolder finds the other payment that holds the order number.
func orderHolder(ctx context.Context, db bun.IDB, c *change) (payment.ID, bool, error) {
	k := c.order()
	var id string
	err := db.NewSelect().TableExpr("payment").Column("id").
		Where("company_id = ?", string(k.company)).Where("environment = ?", k.environment).
		Where("provider = ?", k.provider).Where("account = ?", k.account).Where("order_number = ?", k.number).
		Where("live").Where("id <> ?", string(c.Record.Payment.ID)).Limit(1).Scan(ctx, &id)
	if isNoRows(err) {
		return "", false, nil
	}
	if err != nil {
		return "", false, readFault(err)
	}
	return payment.ID(id), true, nil
}
