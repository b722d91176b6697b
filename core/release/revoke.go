package release

import "time"

// revoked takes a version out of the channel: afterwards it is neither stable nor candidate nor the one before.
func revoked(c Channel, e Event) (Channel, bool, error) {
	r := e.(Revoke) //nolint:forcetypeassert // the table leads here by the event's kind
	if c.Candidate == r.Version {
		if c.Shares() {
			c, _, _ = dropped(c, e)
		} else {
			c = putBack(c)
		}
	}
	if c.Previous == r.Version {
		c.Previous = ""
		if c.Phase == Baking {
			c.Phase, c.Until = Idle, time.Time{}
		}
		if c.Before == Baking {
			c.Before, c.BakesUntil = Idle, time.Time{}
		}
	}
	if c.Stable == r.Version {
		c = beheaded(c, r)
	}
	return c, false, nil
}

// beheaded is the channel without its stable release. The release before takes its place: at once if it is warm, else when
// it is ready. What an operator is about to activate goes on. Without any of these the provider does not serve.
func beheaded(c Channel, r Revoke) Channel {
	rolled := c.Phase == RolledBack // then the one before is what was rolled back from: nobody wants it unasked
	switch {
	case c.Shares():
		c, _, _ = dropped(c, r)
	case c.Phase == Preparing && c.Goal == ToCanary:
		c = putBack(c)
	}
	warm := c.Bakes()
	c.Stable = ""
	switch {
	case c.Phase == Preparing && warm && c.Candidate != c.Previous:
		c.Stable, c.Previous, c.Before, c.BakesUntil = c.Previous, "", RolledBack, time.Time{}
	case c.Phase == Preparing:
		if c.Candidate == c.Previous {
			c.Previous = ""
		}
		c.Before, c.BakesUntil = Idle, time.Time{}
	case warm:
		c.Stable, c.Previous, c.Phase, c.Until = c.Previous, "", RolledBack, time.Time{}
	case c.Previous != "" && !rolled:
		before := c.Previous
		c.Previous, c.Phase = "", Idle
		c = preparation(c, before, ToRollBack, 0, nil, r.Until)
	default:
		c.Phase, c.Until = Idle, time.Time{}
	}
	return c
}
