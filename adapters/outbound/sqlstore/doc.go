// Package sqlstore keeps payments, the directory, the releases and what replicas know of each other in SQLite or
// PostgreSQL: the ports outbound.Ledger, outbound.Directory, outbound.Releases, outbound.Replicas and their neighbours,
// over one schema in two dialects.
//
// Every change of a payment is one transaction that holds its claims, the payment, its operation and the
// journal entry. On SQLite one goroutine writes, and whatever queued while the last fsync ran goes into one
// transaction (group commit). On PostgreSQL changes go out directly, and in groups once more of them wait
// than a few connections can carry.
//
// When the database is slow, changes queue in order, and a caller that gives up while its change still waits
// takes it back. When it is down, a change fails with fault.Unavailable: code store_unavailable if it was
// certainly not committed, code commit_in_doubt if the answer to COMMIT was lost and asking again did not
// settle it. When it is wrong (a constraint or trigger refuses a change), nothing of the change stays and
// the fault is internal, because the rules of the domain should have refused it first.
package sqlstore
