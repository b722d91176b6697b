// Package memory keeps payments, the directory and the releases in maps: the ports outbound.Ledger,
// outbound.Directory and outbound.Releases, for tests and simulation.
//
// It keeps the same contract as a database, constraints and transition table included, and forgets everything
// with the process. It is never slow and never down; a change that breaks a rule fails with fault.Internal,
// code ledger_refused, as it does in a database.
package memory
