// Package providers is outbound.Providers and outbound.Runtime over plugins/host: it turns the platform's
// words into calls of plugin processes and their answers into what is known about a payment.
//
// What providers say about themselves is read once per release and stays known while a process is down, so
// that a request of a known type is answered with "unavailable" and never with "unknown type". Requests are
// checked here, in this process, by the schemas of the release that is held (package form).
//
// A provider has a lane: its releases that are ready here, and the channel that says which of them serves which
// payment. Open looks at it by one load and takes a reference; Route replaces it. A release that cannot take a call
// now is stood in for by one that can, where the rules allow it (open.go). While a provider does not answer, its new
// payments are refused before anything is recorded (breaker.go).
//
// When a plugin is slow its call ends at the deadline of the context and the outcome is not known. When it is
// down Open waits up to a second for its restart and then fails with provider_unavailable: nothing was
// sent. When it answers what cannot be read (a body that is no JSON object, an amount in another unit) the
// outcome is not known either; nothing but a typed "nothing was sent" is ever read as that.
package providers
