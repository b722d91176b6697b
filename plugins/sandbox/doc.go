// Package sandbox plays payment providers on a real HTTP server, so that payrack can be run, tested
// and broken on purpose without a contract with anybody.
//
// The package knows no provider. A provider brings a [Dialect]: its wire contract, its codes and its
// state machine. What all of them need lies here: accounts, one-time codes, a clock that can be
// advanced, faults that can be armed, the list of every request that arrived, and the ledger.
//
// The ledger is the referee of every money test, so it must not lie:
//
//   - An entry is on the disk before the answer that depends on it leaves. Everything an answer was
//     read from is on the disk too, a query included.
//   - Orders, codes, accounts and ledger entries live in one append-only file; one line is one change,
//     whole or not at all. A sandbox that was killed goes on with the state that it had.
//   - A dialect is written from the provider's documents and shares no code with the plugin, so that a
//     wrong reading shows up as a disagreement.
//
// Everything under /_sandbox/ is for tests and operators; README.md beside this file lists the routes
// and the faults. The sandbox authenticates nobody there and holds no real money: bind it to a local
// address.
package sandbox
