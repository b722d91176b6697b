package sqlstore

import (
	"context"
	"time"

	"github.com/payrack/payrack/core/payment"
)

// Unsettled are the payments of a state in which money is neither where it was nor where it shall be.
type Unsettled struct {
	State    payment.State
	Payments int64
	// Oldest is when the first of them came into it: when the operation that is open began, or when people were asked.
	Oldest time.Time
}

// Unsettled counts the payments, of all companies, whose outcome recovery or people have to find out. States without one are
// left out. It reads an index, a place of it for each company and state, and the payments that it counts.
func (s *Store) Unsettled(ctx context.Context) (all []Unsettled, err error) {
	end := s.span(ctx, "store.unsettled", "SELECT payment BY state")
	defer func() { end(SpanEnd{Err: err}) }()
	var rows []struct {
		State    string `bun:"state"`
		Payments int64  `bun:"payments"`
		Oldest   *int64 `bun:"oldest"`
	}
	if err := s.read.NewRaw(s.unsettledSQL()).Scan(ctx, &rows); err != nil {
		return nil, readFault(err)
	}
	for _, r := range rows {
		all = append(all, Unsettled{State: payment.State(r.State), Payments: r.Payments, Oldest: instant(r.Oldest)})
	}
	return all, nil
}

// unsettledSQL names the states that the index leaves out once more: without that a database does not see that it may use it.
func (s *Store) unsettledSQL() string {
	from := "company c JOIN payment p"
	if s.dialect == sqlite {
		from = "company c CROSS JOIN payment p INDEXED BY payment_state"
	}
	return `SELECT p.state, count(*) AS payments, min(coalesce((SELECT o.created_at FROM operation o
  WHERE o.payment_id = p.id AND o.state IN ` + openStates + `), p.updated_at)) AS oldest
 FROM ` + from + ` ON p.company_id = c.id
 WHERE p.state IN ('UNKNOWN', 'CAPTURING', 'VOIDING', 'REFUNDING', 'REVERSING', 'MISMATCH', 'REVIEW')
  AND p.state <> 'SENDING' AND p.state <> 'SUCCEEDED'
 GROUP BY p.state`
}
