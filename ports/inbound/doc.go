// Package inbound is what may be asked of the core, in domain terms: plain structs named after verbs that
// carry every fact that decides something. The context carries the deadline, the cancellation and the trace
// and nothing else.
package inbound
