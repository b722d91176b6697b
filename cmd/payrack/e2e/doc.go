// Package e2e tests the program as it is delivered: real processes, the public HTTP API, the sandbox's ledger
// as the referee. Nothing in here reaches into the program.
package e2e
