//go:build race

package host_test

// cycles is smaller here: certificates cost ten times as much under the race detector.
const cycles = 10

// swaps is how often TestSwapsLeaveNothing moves the traffic.
const swaps = 10
