// Package outbound is what the core asks of the world, in domain terms. Every interface names the contract
// suite in outboundtest that its implementations pass. All methods fail with *fault.Error; anything else
// counts as fault.Internal.
package outbound
