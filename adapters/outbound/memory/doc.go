// Package memory keeps payments, the directory and the releases in maps: the ports outbound.Ledger, outbound.Journal,
// outbound.Mandates, outbound.Directory and outbound.Releases, for tests and simulation.
//
// It keeps the same contract as a database, constraints and transition table included, and forgets everything
// with the process. It is never slow and never down; a change that breaks a rule fails with fault.Internal,
// code ledger_refused, as it does in a database. It starts no goroutine and takes its time from time.Now alone, and what
// it returns is in an order of its own: in a bubble of testing/synctest the same calls have the same answers.
package memory
