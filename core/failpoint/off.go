//go:build !failpoint

package failpoint

// Hit does nothing in this build.
func Hit(string) {}

// During does nothing in this build.
func During(string) {}
