// Package outboundtest holds the contract suites of the outbound ports: what an implementation must do beyond its
// signatures. Each suite is one call from an adapter's own test, and whatever passes it may stand in for any other.
package outboundtest
