package sqlstore

import "github.com/payrack/payrack/ports/outbound"

// wonBefore are the claims of earlier changes of the group that hold keys of a change. If they hold all of them, no
// statement is needed to see that it has lost.
func wonBefore(c *change, won map[outbound.ClaimKey]outbound.Claim) []outbound.Claim {
	var winners []outbound.Claim
	for _, claim := range c.Claims {
		if winner, taken := won[claim.ClaimKey]; taken {
			winners = append(winners, winner)
		}
	}
	return winners
}

// writeRest stores what few changes have.
func (w *sqliteWriter) writeRest(c *change) error {
	if c.NewOperation && c.Version > 0 {
		o := &c.Record.Operation
		if err := w.hot.run(w.ctx, w.hot.retire, append(w.hot.args, string(o.Payment), string(o.ID))); err != nil {
			return err
		}
	}
	if c.Settled {
		if err := w.hot.run(w.ctx, w.hot.forget, append(w.hot.args, string(c.Record.Payment.ID))); err != nil {
			return err
		}
	}
	if c.Mandate == nil {
		return nil
	}
	_, err := keepMandate(w.ctx, w.conn, c)
	return err
}

// nameMandate lets the payment name the mandate that will be kept. The mandate itself is written when the change has won.
func (w *sqliteWriter) nameMandate(c *change) error {
	if c.Mandate == nil {
		return nil
	}
	kept, known, err := knownMandate(w.ctx, w.conn, c)
	if !known {
		kept = string(c.Mandate.ID)
	}
	c.nameMandate(kept)
	return err
}
