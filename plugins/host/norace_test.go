//go:build !race

package host_test

const cycles = 50

// swaps is how often TestSwapsLeaveNothing moves the traffic.
const swaps = 100
