// Package app holds the use cases, one file each. A use case reads like the sentence an operator would say:
// load, decide, write down the intent, ask the provider, write down the answer. There is no log line, span,
// SQL or HTTP in here; adapters/telemetry measures the ports from outside.
//
// Read pay.go first, then execute.go, which every money-moving operation goes through.
package app
