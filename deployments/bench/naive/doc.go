// Package naive is the benchmark's rival: the payment service that a competent team writes by hand in a week. echo, bun,
// SQLite (WAL, synchronous=FULL), the provider called in process through a pooled client, and the same promises as
// far as one payment goes: the caller's token is checked, the intent is durable before the provider is called, the
// answer's order and amount are compared, the result is durable before the client hears of it, and an unknown outcome
// is stored as unknown.
//
// What it lacks is what payrack is for: providers as replaceable processes, schemas, idempotent replies, an audit
// trail, encrypted credentials, tracing, recovery. So it does less work for each payment, on purpose: the comparison
// favours it.
//
// It is written to be fast in the ordinary way: one connection for writes (SQLite has one writer; a pool of them is
// slower), one statement for one transaction, verified tokens remembered, no request log.
package naive
