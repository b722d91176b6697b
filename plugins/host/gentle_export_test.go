//go:build linux

package host

// OwnNice is the priority of this process, and whether one that was lowered may be raised to it again.
func OwnNice() (nice int, may bool) { return ownNice() }
