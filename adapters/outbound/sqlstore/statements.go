package sqlstore

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/payrack/payrack/ports/outbound"
)

// statements are the texts of the hot writer. They are prepared once per connection: building them anew costs
// twice the time of running them.
type statements struct {
	findClaim     string
	insertClaim   string
	deleteClaim   string
	insertPayment string
	updatePayment string
	// keepLive is updatePayment for a payment that holds its order number and goes on to do so, on SQLite alone: a statement
	// that names a column writes its indexes anew, whether the value changes or not.
	keepLive        string
	lockPayment     string
	insertOperation string
	beginOperation  string
	updateOperation string
	// retireOperations ends the checks of the operations before a new one, forgetCredentials what requests brought.
	retireOperations  string
	forgetCredentials string
	keepMandate       string
	insertJournal     string
	committed         string
}

// orderIsFree is true if no other payment holds the order number of row p.
const orderIsFree = `NOT EXISTS (SELECT 1 FROM payment x WHERE x.company_id = p.company_id
 AND x.environment = p.environment AND x.provider = p.provider AND x.account = p.account
 AND x.order_number = p.order_number AND x.live AND x.id <> p.id)`

// attemptsOf counts the ended payments of an order number that a provider may have seen: all but those that were never
// sent. A late charge that is given back without its order number has ended before.
const attemptsOf = `(SELECT count(*) FROM payment x WHERE x.company_id = %s AND x.order_number = %s AND NOT x.live
 AND x.environment = %s AND x.provider = %s AND x.account = %s AND (x.state <> 'FAILED' OR x.failure <> 'not_sent'))`

// attemptsBefore counts them for row p, which is not sent itself if it is not live.
var attemptsBefore = fmt.Sprintf(attemptsOf, "p.company_id", "p.order_number", "p.environment", "p.provider", "p.account")

// paymentStands is true if the payment is as the change was decided on, and may hold its order number, and be sent
// under it, if it must.
var paymentStands = `p.id = ? AND p.company_id = ? AND p.version = ? AND p.chain = ?
 AND (? = 0 OR p.live OR (` + orderIsFree + ` AND ` + attemptsBefore + ` = p.attempt - 1))`

// updatedBesideLive is what a change writes beside state, failure and live.
const updatedBesideLive = ` authorized = ?, captured = ?, refunded = ?, refund_reserved = ?, code = ?, decline_code = ?,
 provider_transaction = ?, authorization_ends = ?, mandate = ?, credential_ref = ?, plugin_release = ?, version = ?,
 chain = ?, updated_at = ?`

const openStates = `('SENDING', 'UNKNOWN')`

// writerStatements returns the texts in a dialect.
func writerStatements(d dialect) statements {
	s := statements{
		findClaim: `SELECT 1 FROM claim WHERE month = ? AND company_id = ? AND environment = ? AND scope = ? AND key_hash = ?`,
		insertClaim: `INSERT INTO claim (month, company_id, environment, scope, key_hash, fingerprint, payment_id,
 operation_id, claimed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		deleteClaim: `DELETE FROM claim WHERE month = ? AND company_id = ? AND environment = ? AND scope = ?
 AND key_hash = ?`,
		// On SQLite a trigger counts the attempts: a SELECT here that reads the table would copy the row first.
		insertPayment: `INSERT INTO payment (` + paymentInsertColumns + `) VALUES (` + marks(paymentInsertColumns) + `)
 ON CONFLICT DO NOTHING`,
		// A charge that was told "not paid" and is found late is given back without the order number, if
		// another payment holds it by then.
		updatePayment: `UPDATE payment AS p SET state = ?, failure = ?, live = ? AND (live OR ` + orderIsFree + `),` +
			updatedBesideLive + ` WHERE ` + paymentStands,
		keepLive:    `UPDATE payment AS p SET state = ?, failure = ?,` + updatedBesideLive + ` WHERE ` + paymentStands + ` AND p.live`,
		lockPayment: `SELECT p.id FROM payment p WHERE ` + paymentStands + ` FOR UPDATE`,
		insertOperation: `INSERT INTO operation (` + operationInsertColumns + `) VALUES
 (` + marks(operationInsertColumns) + `)`,
		beginOperation: `INSERT INTO operation (` + operationInsertColumns + `) SELECT ` + marks(operationInsertColumns) + `
 WHERE EXISTS (SELECT 1 FROM payment p WHERE ` + paymentStands + `) ON CONFLICT DO NOTHING`,
		updateOperation: `UPDATE operation SET state = ?, failure = ?, request_id = ?, provider_transaction = ?,
 refund_ids_seen = ?, epoch = ?, owner_boot = ?, send_deadline = ?, next_check_at = ?, checks = ?, watched_ms = ?,
 absences = ?, absent_ms = ?, code = ?, decline_code = ?, plugin_release = ?, trace_id = ?, claimed_until = NULL,
 sealed_credential = ?, sealed_reply = ?, updated_at = ? WHERE payment_id = ? AND id = ? AND epoch = ?`,
		retireOperations: `UPDATE operation SET next_check_at = NULL, claimed_until = NULL
 WHERE payment_id = ? AND id <> ? AND next_check_at IS NOT NULL`,
		forgetCredentials: `UPDATE operation SET sealed_credential = NULL
 WHERE payment_id = ? AND sealed_credential IS NOT NULL`,
		insertJournal: `INSERT INTO journal (stream, n, at, event, body, prev, hash) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		keepMandate:   keepMandateText,
		// The epoch tells the change of an owner from that of whoever fenced it. Recovery may have claimed the operation
		// since, which raises it too, but never while it is SENDING.
		committed: `SELECT count(*) FROM journal j JOIN operation o ON o.payment_id = ? AND o.id = ?
 AND (o.epoch = ? OR (o.epoch > ? AND o.claimed_at IS NOT NULL AND o.state <> 'SENDING'))
 WHERE j.stream = ? AND j.n = ? AND j.hash = ?`,
	}
	if d == sqlite {
		return s
	}
	// PostgreSQL takes the payment's row first, so that nothing moves between the look and the write.
	s.beginOperation = s.insertOperation + ` ON CONFLICT DO NOTHING`
	// Here a statement sees what was committed when it began. While a new payment waits for the one that holds its order
	// number, that one may end; so the attempts are counted by the statement behind it, when the number is held.
	s.insertOperation = `INSERT INTO operation (` + operationInsertColumns + `) SELECT ` + marks(operationInsertColumns) + `
 WHERE ` + attemptsKnown
	s.lockPayment = strings.Replace(s.lockPayment, "? = 0 OR", "NOT ?::boolean OR", 1)
	s.updatePayment = strings.Replace(s.updatePayment, "live = ? AND", "live = ?::boolean AND", 1)
	s.updatePayment = strings.Replace(s.updatePayment, "? = 0 OR", "NOT ?::boolean OR", 1)
	for _, text := range []*string{
		&s.findClaim, &s.insertClaim, &s.deleteClaim, &s.insertPayment, &s.updatePayment, &s.lockPayment, &s.insertOperation,
		&s.beginOperation, &s.updateOperation, &s.retireOperations, &s.forgetCredentials, &s.keepMandate,
		&s.insertJournal, &s.committed,
	} {
		*text = numbered(*text)
	}
	return s
}

const paymentInsertColumns = `id, company_id, environment, store, type, provider, account, wire, order_number, attempt,
 currency, amount, capture, authorized, captured, refunded, refund_reserved, state, failure, live, code, decline_code,
 provider_transaction, authorization_ends, return_url, cancel_url, mandate, credential_ref, plugin_release, version,
 chain, created_at, updated_at`

const operationInsertColumns = `payment_id, id, seq, kind, state, failure, currency, amount, order_id, request_id,
 reversal, attempt, retry_of, provider_transaction, refund_ids_seen, epoch, owner_boot, send_deadline, next_check_at, checks,
 watched_ms, absences, absent_ms, code, decline_code, plugin_release, trace_id, lane, sealed_credential, sealed_reply,
 created_at, updated_at`

// attemptsKnown is true if a new payment counts the attempts before it; see attemptsArgs.
var attemptsKnown = fmt.Sprintf(attemptsOf, "?", "?", "?", "?", "?") + ` = ?`

// marks are as many question marks as there are columns in a list.
func marks(columns string) string { return "?" + strings.Repeat(", ?", strings.Count(columns, ",")) }

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

func claimKeyArgs(to []any, c outbound.Claim) []any { return monthKeyArgs(to, month(c.At), c.ClaimKey) }

func monthKeyArgs(to []any, month int64, k outbound.ClaimKey) []any {
	return append(to, month, string(k.Company), string(k.Environment), string(k.Scope), k.Hash[:])
}

func (c *change) insertPaymentArgs(to []any) []any {
	p := &c.Record.Payment
	return append(to,
		string(p.ID), string(p.Company), string(p.Environment), string(p.Store), p.Type, p.Provider, p.Account,
		p.Wire, p.OrderNumber, int64(p.Attempt), string(p.Amount.Currency), p.Amount.Units, p.Capture, p.Authorized, p.Captured,
		p.Refunded, p.RefundReserved, string(p.State), string(p.Failure), p.State.Live(), p.Code, p.DeclineCode,
		orNull(p.ProviderTransaction), micros(p.AuthorizationEnds), p.ReturnURL, p.CancelURL, c.mandate, p.CredentialRef,
		p.Release, p.Version, p.Chain[:], p.CreatedAt.UnixMicro(), p.UpdatedAt.UnixMicro(),
	)
}

func (c *change) attemptsArgs(to []any) []any {
	p := &c.Record.Payment
	return append(to,
		string(p.Company), p.OrderNumber, string(p.Environment), p.Provider, p.Account, int64(p.Attempt)-1)
}

func (c *change) updatePaymentArgs(to []any) []any {
	p := &c.Record.Payment
	return c.besideLiveArgs(append(to, string(p.State), string(p.Failure), p.State.Live()))
}

func (c *change) keepLiveArgs(to []any) []any {
	p := &c.Record.Payment
	return c.besideLiveArgs(append(to, string(p.State), string(p.Failure)))
}

func (c *change) besideLiveArgs(to []any) []any {
	p := &c.Record.Payment
	to = append(to,
		p.Authorized, p.Captured, p.Refunded, p.RefundReserved,
		p.Code, p.DeclineCode, orNull(p.ProviderTransaction), micros(p.AuthorizationEnds), c.mandate, p.CredentialRef,
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
		string(o.Failure), string(o.Amount.Currency), o.Amount.Units, o.OrderID, o.RequestID, o.Reversal, int64(o.Attempt), string(o.RetryOf),
		orNull(o.ProviderTransaction), c.seen, o.Epoch, o.OwnerBoot, micros(o.SendDeadline), micros(o.NextCheckAt),
		int64(o.Checks), o.WatchedMS, int64(o.Absences), o.AbsentMS, o.Code, o.DeclineCode, o.Release, o.TraceID, c.lane(),
		bytesOrNull(o.SealedCredential), bytesOrNull(o.SealedReply), o.CreatedAt.UnixMicro(), o.UpdatedAt.UnixMicro(),
	)
}

func (c *change) updateOperationArgs(to []any) []any {
	o := &c.Record.Operation
	return append(to,
		string(o.State), string(o.Failure), o.RequestID, orNull(o.ProviderTransaction), c.seen, o.Epoch,
		o.OwnerBoot, micros(o.SendDeadline), micros(o.NextCheckAt), int64(o.Checks), o.WatchedMS,
		int64(o.Absences), o.AbsentMS, o.Code, o.DeclineCode, o.Release, o.TraceID, bytesOrNull(o.SealedCredential), bytesOrNull(o.SealedReply),
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
	return append(to, string(o.Payment), string(o.ID), o.Epoch, o.Epoch, c.stream, c.Entry.N, c.Entry.Hash[:])
}
