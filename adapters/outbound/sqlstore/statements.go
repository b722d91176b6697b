package sqlstore

import (
	"strconv"
	"strings"

	"github.com/payrack/payrack/ports/outbound"
)

// statements are the texts of the hot writer. They are prepared once per connection: building them anew costs
// twice the time of running them.
type statements struct {
	insertClaim     string
	deleteClaim     string
	insertPayment   string
	updatePayment   string
	lockPayment     string
	insertOperation string
	beginOperation  string
	updateOperation string
	insertJournal   string
	committed       string
}

// orderIsFree is true if no other payment holds the order number of row p.
const orderIsFree = `NOT EXISTS (SELECT 1 FROM payment x WHERE x.company_id = p.company_id
 AND x.environment = p.environment AND x.provider = p.provider AND x.account = p.account
 AND x.order_number = p.order_number AND x.live AND x.id <> p.id)`

// paymentStands is true if the payment is as the change was decided on, and may hold its order number if it
// must.
const paymentStands = `p.id = ? AND p.company_id = ? AND p.version = ? AND p.chain = ?
 AND (? = 0 OR p.live OR ` + orderIsFree + `)`

const openStates = `('SENDING', 'UNKNOWN')`

// writerStatements returns the texts in a dialect.
func writerStatements(d dialect) statements {
	s := statements{
		insertClaim: `INSERT INTO claim (month, company_id, environment, scope, key_hash, fingerprint, payment_id,
 operation_id, claimed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		deleteClaim: `DELETE FROM claim WHERE month = ? AND company_id = ? AND environment = ? AND scope = ?
 AND key_hash = ?`,
		insertPayment: `INSERT INTO payment (id, company_id, environment, store, type, provider, account, wire,
 order_number, currency, amount, capture, authorized, captured, refunded, refund_reserved, state, failure, live,
 code, decline_code, provider_transaction, authorization_ends, credential_ref, plugin_release, version, chain,
 created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
 ?, ?) ON CONFLICT DO NOTHING`,
		// A charge that was told "not paid" and is found late is given back without the order number, if
		// another payment holds it by then.
		updatePayment: `UPDATE payment AS p SET state = ?, failure = ?, live = ? AND (live OR ` + orderIsFree + `),
 authorized = ?, captured = ?, refunded = ?, refund_reserved = ?, code = ?, decline_code = ?,
 provider_transaction = ?, authorization_ends = ?, credential_ref = ?, plugin_release = ?, version = ?, chain = ?,
 updated_at = ? WHERE ` + paymentStands,
		lockPayment: `SELECT p.id FROM payment p WHERE ` + paymentStands + ` FOR UPDATE`,
		insertOperation: `INSERT INTO operation (` + operationInsertColumns + `) VALUES
 (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		beginOperation: `INSERT INTO operation (` + operationInsertColumns + `) SELECT
 ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
 WHERE EXISTS (SELECT 1 FROM payment p WHERE ` + paymentStands + `) ON CONFLICT DO NOTHING`,
		updateOperation: `UPDATE operation SET state = ?, failure = ?, request_id = ?, provider_transaction = ?,
 refund_ids_seen = ?, epoch = ?, owner_boot = ?, send_deadline = ?, next_check_at = ?, checks = ?, watched_ms = ?,
 code = ?, decline_code = ?, plugin_release = ?, trace_id = ?, sealed_credential = ?, sealed_reply = ?,
 updated_at = ? WHERE payment_id = ? AND id = ? AND epoch = ?`,
		insertJournal: `INSERT INTO journal (stream, n, at, event, body, prev, hash) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		committed: `SELECT count(*) FROM journal j JOIN operation o ON o.payment_id = ? AND o.id = ? AND o.epoch = ?
 WHERE j.stream = ? AND j.n = ? AND j.hash = ?`,
	}
	if d == sqlite {
		return s
	}
	// PostgreSQL takes the payment's row first, so that nothing moves between the look and the write.
	s.beginOperation = s.insertOperation + ` ON CONFLICT DO NOTHING`
	s.lockPayment = strings.Replace(s.lockPayment, "? = 0 OR", "NOT ?::boolean OR", 1)
	s.updatePayment = strings.Replace(s.updatePayment, "live = ? AND", "live = ?::boolean AND", 1)
	s.updatePayment = strings.Replace(s.updatePayment, "? = 0 OR", "NOT ?::boolean OR", 1)
	for _, text := range []*string{
		&s.insertClaim, &s.deleteClaim, &s.insertPayment, &s.updatePayment, &s.lockPayment, &s.insertOperation,
		&s.beginOperation, &s.updateOperation, &s.insertJournal, &s.committed,
	} {
		*text = numbered(*text)
	}
	return s
}

const operationInsertColumns = `payment_id, id, seq, kind, state, failure, currency, amount, order_id, request_id,
 reversal, provider_transaction, refund_ids_seen, epoch, owner_boot, send_deadline, next_check_at, checks,
 watched_ms, code, decline_code, plugin_release, trace_id, sealed_credential, sealed_reply, created_at, updated_at`

// numbered turns question marks into PostgreSQL's parameters. No text of ours has one in a literal.
func numbered(text string) string {
	parts := strings.Split(text, "?")
	var b strings.Builder
	for i, part := range parts {
		if i > 0 {
			b.WriteByte('$')
			b.WriteString(strconv.Itoa(i))
		}
		b.WriteString(part)
	}
	return b.String()
}

// The arguments of each statement are appended to a slice of the caller's, which the SQLite writer uses again.

func claimArgs(to []any, c outbound.Claim) []any {
	return append(claimKeyArgs(to, c), c.Fingerprint[:], string(c.Payment), string(c.Operation), c.At.UnixMicro())
}

func claimKeyArgs(to []any, c outbound.Claim) []any {
	return append(to, month(c.At), string(c.Company), string(c.Environment), string(c.Scope), c.Hash[:])
}

func (c *change) insertPaymentArgs(to []any) []any {
	p := &c.Record.Payment
	return append(to,
		string(p.ID), string(p.Company), string(p.Environment), string(p.Store), p.Type, p.Provider, p.Account,
		p.Wire, p.OrderNumber, string(p.Amount.Currency), p.Amount.Units, p.Capture, p.Authorized, p.Captured,
		p.Refunded, p.RefundReserved, string(p.State), string(p.Failure), p.State.Live(), p.Code, p.DeclineCode,
		orNull(p.ProviderTransaction), micros(p.AuthorizationEnds), p.CredentialRef, p.Release, p.Version,
		p.Chain[:], p.CreatedAt.UnixMicro(), p.UpdatedAt.UnixMicro(),
	)
}

func (c *change) updatePaymentArgs(to []any) []any {
	p := &c.Record.Payment
	to = append(to,
		string(p.State), string(p.Failure), p.State.Live(), p.Authorized, p.Captured, p.Refunded, p.RefundReserved,
		p.Code, p.DeclineCode, orNull(p.ProviderTransaction), micros(p.AuthorizationEnds), p.CredentialRef,
		p.Release, p.Version, p.Chain[:], p.UpdatedAt.UnixMicro(),
	)
	return c.standsArgs(to)
}

func (c *change) standsArgs(to []any) []any {
	p := &c.Record.Payment
	return append(to, string(p.ID), string(p.Company), c.Version, c.Entry.Prev[:], c.wantsOrder())
}

func (c *change) insertOperationArgs(to []any) []any {
	o := &c.Record.Operation
	return append(to,
		string(o.Payment), string(o.ID), c.Record.Payment.Version, string(o.Kind), string(o.State),
		string(o.Failure), string(o.Amount.Currency), o.Amount.Units, o.OrderID, o.RequestID, o.Reversal,
		orNull(o.ProviderTransaction), c.seen, o.Epoch, o.OwnerBoot, micros(o.SendDeadline), micros(o.NextCheckAt),
		int64(o.Checks), o.WatchedMS, o.Code, o.DeclineCode, o.Release, o.TraceID, bytesOrNull(o.SealedCredential),
		bytesOrNull(o.SealedReply), o.CreatedAt.UnixMicro(), o.UpdatedAt.UnixMicro(),
	)
}

func (c *change) updateOperationArgs(to []any) []any {
	o := &c.Record.Operation
	return append(to,
		string(o.State), string(o.Failure), o.RequestID, orNull(o.ProviderTransaction), c.seen, o.Epoch,
		o.OwnerBoot, micros(o.SendDeadline), micros(o.NextCheckAt), int64(o.Checks), o.WatchedMS, o.Code,
		o.DeclineCode, o.Release, o.TraceID, bytesOrNull(o.SealedCredential), bytesOrNull(o.SealedReply),
		o.UpdatedAt.UnixMicro(), string(o.Payment), string(o.ID), c.Epoch,
	)
}

func (c *change) journalArgs(to []any) []any {
	e := &c.Entry
	body := e.Body
	if body == nil {
		body = []byte{} // an empty body is an empty body in both dialects, never NULL
	}
	return append(to, e.Stream, e.N, e.At.UnixMicro(), e.Event, body, e.Prev[:], e.Hash[:])
}

func (c *change) committedArgs(to []any) []any {
	o := &c.Record.Operation
	return append(to, string(o.Payment), string(o.ID), o.Epoch, c.stream, c.Entry.N, c.Entry.Hash[:])
}
