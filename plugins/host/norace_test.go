//go:build !race

package host_test

const cycles = 50
