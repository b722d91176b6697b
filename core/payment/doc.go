// Package payment is the state machine of a payment: a pure reducer over two levels.
//
// An Operation is one money-moving call to a provider, sent at most once in its life; it is the unit of crash
// safety. A Payment is what the company sees; its state follows from its operations and amounts. There is no
// clock, no goroutine and no map order in here, so the same events always give the same payment.
//
//	            ┌──────────────────────── not sent: same request again ───────────────────────┐
//	            ▼                                                                             │
//	start ─► SENDING ──► REQUIRES_ACTION ──► SENDING (confirm) / EXPIRED                      │
//	            │ ├────► FAILED  (declined · not_sent) ───────────────────────────────────────┘
//	            │ ├────► AUTHORIZED ──► CAPTURING ──► SUCCEEDED ──► REFUNDING ──► PARTIALLY_REFUNDED
//	            │ │          │   └────► VOIDING ──► VOIDED    │                └► REFUNDED
//	            │ │          └────────► EXPIRED               └─► VOIDING
//	            │ └────► SUCCEEDED
//	            ├──────► UNKNOWN ──► SUCCEEDED / AUTHORIZED / FAILED (not_charged)
//	            │           └──────► REVERSING ──► REVERSED / FAILED (not_charged)
//	            └──────► MISMATCH ─► REVERSING
//	            anything open ─────► REVIEW ──► a final state, by two people
//
// table.go holds every allowed change; Apply refuses all others, and so does the database.
//
// What a client may be told follows from State.Promise: once "paid" or "not paid" was promised, the other
// one never is.
package payment
