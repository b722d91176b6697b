package sqlstore

import (
	"context"
	"errors"

	"github.com/uptrace/bun"

	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
)

// errVanished says that what a change lost against is gone: it runs again.
var errVanished = errors.New("what the change lost against is gone")

// diagnose says against what a change that stored nothing has lost. The order is that of outbound.Loss: a key
// first, then the order number, then the version.
func diagnose(ctx context.Context, db bun.IDB, m *months, c *change) (outbound.Committed, error) {
	for _, wanted := range c.Claims {
		own := month(wanted.At)
		generations, err := m.others(ctx, db, own)
		if err != nil {
			return outbound.Committed{}, err
		}
		stored, taken, err := findClaim(ctx, db, wanted.ClaimKey, append(generations, own))
		if err != nil {
			return outbound.Committed{}, err
		}
		if taken {
			return outbound.Committed{Loss: outbound.LostClaim, Claim: stored}, nil
		}
	}
	if c.wantsOrder() {
		holder, held, err := orderHolder(ctx, db, c)
		if err != nil {
			return outbound.Committed{}, err
		}
		if held {
			return outbound.Committed{Loss: outbound.LostOrder, Payment: holder}, nil
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

// orderHolder finds the other payment that holds the order number.
func orderHolder(ctx context.Context, db bun.IDB, c *change) (payment.ID, bool, error) {
	k := c.order()
	var id string
	err := db.NewSelect().TableExpr("payment").Column("id").
		Where("company_id = ?", string(k.Company)).Where("environment = ?", string(k.Environment)).
		Where("provider = ?", k.Provider).Where("account = ?", k.Account).Where("order_number = ?", k.OrderNumber).
		Where("live").Where("id <> ?", string(c.Record.Payment.ID)).Limit(1).Scan(ctx, &id)
	if isNoRows(err) {
		return "", false, nil
	}
	if err != nil {
		return "", false, readFault(err)
	}
	return payment.ID(id), true, nil
}
