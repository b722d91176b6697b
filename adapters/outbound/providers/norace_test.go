//go:build !race

package providers_test

// raced says that the race detector watches.
const raced = false
