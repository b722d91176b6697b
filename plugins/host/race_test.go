//go:build race

package host_test

// cycles is smaller here: certificates cost ten times as much under the race detector.
const cycles = 10
