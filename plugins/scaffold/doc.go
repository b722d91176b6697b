// Package scaffold writes the project of a new provider plugin: a Go module that builds and passes its tests at
// once, outside this repository.
//
// What it writes depends on a [Gateway], a small model of the payment service: which requests it takes, which
// member of them is the order number, which return code means paid. The model comes from three places: [Example]
// (a gateway that the scaffold makes up), [FromOpenAPI] (the service's own document) and [FromCurl] (recorded
// exchanges). What had to be guessed stands in Gateway.Notes and in the project's README: a guess about money is
// worth nothing until somebody has compared it with the service's documents.
//
// Files to read first: model.go, guess.go, project.go, templates/.
package scaffold
