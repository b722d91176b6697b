// Package tunnel carries unary gRPC calls as frames of one bidirectional stream, payrack.transport.v1.
//
// A unary call costs gRPC a stream of its own: headers both ways, flow control, and several wake-ups. A payment
// platform makes one such call for each payment, to a process on the same machine, so that this cost shows. In a
// tunnel a call is two frames, and frames that queue up travel as one message.
//
// Client is a grpc.ClientConnInterface and Server a grpc.ServiceRegistrar: the generated code on both sides is the
// same as for plain calls, and so are deadline, cancellation, trace, status and the limits on size. What differs:
// call options have no effect, and no metadata travels but the trace.
//
// The end of the stream is the end of all its calls. Each of them then has the status UNAVAILABLE, which says
// nothing about whether it was carried out, and none is sent again.
package tunnel

import (
	"time"

	"github.com/payrack/payrack/plugins/internal/handshake"
)

// Feature is what a plugin that serves the tunnel names in its description.
const Feature = "mux/1"

const (
	// frameHead is room for what a frame holds beside its payload.
	frameHead = 1024
	// maxPayload is the largest encoded request or answer. With the head of its frame it is within MaxMessage, so
	// that a message of one frame always fits.
	maxPayload = handshake.MaxMessage - frameHead
	// maxMethod, maxParent and maxState bound the texts of a frame. A traceparent has 55 bytes today, and W3C Trace
	// Context asks to pass on a tracestate of 512.
	maxMethod = 128
	maxParent = 64
	maxState  = 512
	// maxReason bounds the text of a status.
	maxReason = 512
	// batchBytes ends a message: what comes behind it travels in the next one. A longer frame travels alone.
	batchBytes = 256 << 10
	// maxTimeout is more than any call may take; it keeps a foreign number from overflowing a duration.
	maxTimeout = 24 * time.Hour
	// fewCalls are so few that a frame is not likely to meet another one: it is sent by whoever has it, because
	// waking somebody else would cost more than sending. With more, frames are collected first.
	fewCalls = 4
)
