// Package httpkit is what the HTTP planes have in common: the first handler that takes secrets out of the
// URL, the problem documents, the strict readers of JSON and of queries, the bearer check, the token buckets
// and the server with its limits. It knows neither routes nor payments, and no web framework.
package httpkit
