// Package providers is outbound.Providers and outbound.Runtime over plugins/host: it turns the platform's
// words into calls of plugin processes and their answers into what is known about a payment.
//
// What providers say about themselves is read once per release and stays known while a process is down, so
// that a request of a known type is answered with "unavailable" and never with "unknown type". Requests are
// checked here, in this process, by the schemas of the release that is held (package form).
//
// When a plugin is slow its call ends at the deadline of the context and the outcome is not known. When it is
// down Open waits up to a second for its restart and then fails with provider_unavailable: nothing was
// sent. When it answers what cannot be read (a body that is no JSON object, an amount in another unit) the
// outcome is not known either; nothing but a typed "nothing was sent" is ever read as that.
package providers
