// Package httpapi is the public plane: the HTTP API that tills, shops and order systems call. It reads
// requests strictly, asks the inbound ports, and writes the answers; README.md tells clients how to use it.
//
// It knows no provider. Payment types, their columns and their own routes come from the catalogue, the
// messages about columns from the core.
//
// Where to start: api.go has the routes and the options, native.go the requests in a provider's columns,
// envelope.go the members around them, reply.go what goes back. neutral.go has the routes in neutral words and what HTTP says
// about an outcome, neutralbody.go reads their bodies, rendering.go writes what is stored and replayed. What the planes share, above all the first
// handler that takes secrets out of URLs, is in ../internal/httpkit.
package httpapi
