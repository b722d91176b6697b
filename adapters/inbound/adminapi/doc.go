// Package adminapi is the admin plane: what operators, the command line and the console use. It listens on
// an address of its own, never on the public one, and every route but /healthz needs a token with the scope
// admin. Secrets go in and do not come out again: a client's secret is shown once, when it is made.
//
// Where to start: api.go has the routes and the options, plugins.go and plugin_*.go the releases of
// providers and their channels, directory.go companies, stores, credentials and clients.
package adminapi
