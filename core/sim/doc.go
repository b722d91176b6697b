// Package sim is a deterministic simulation of the platform: the core of two replicas with its resolver, over the ledger in
// memory, against a provider that loses, delays, repeats and garbles, with clients that retry, cancel and refund. One seed
// is one history, and the same seed is the same history.
//
// Everything happens in a bubble of testing/synctest: time is virtual. Every call of a port parks its goroutine, and a
// scheduler picks by the seed who goes on; so exactly one works at a time. A kill is a mark that makes every later call of
// a process end its goroutine; what it had sent lives on at the provider.
//
//	go test ./core/sim -seeds=20000            this many seeds from -first
//	go test ./core/sim -first=123 -seeds=1 -v  one seed again, with its history
//
// At the end of a seed all faults stop, hours pass, and the provider's own book is held against what the clients were told,
// what the ledger says, and what the journal says (research/reliability section 3.1, I1 to I10). Seeds that ever failed stand
// in testdata/seeds.txt and run first. deployments/ci/sim-mutants.sh plants bugs in the production code and expects each of
// them to be caught.
package sim
