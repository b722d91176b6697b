//go:build race

package artifacts_test

// raced says that the race detector watches.
const raced = true
