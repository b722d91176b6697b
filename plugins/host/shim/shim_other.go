//go:build !linux

package shim

import "os"

func become([]string) int {
	_, _ = os.Stderr.WriteString("payrack shim: it runs on Linux only\n")
	return ExitUsage
}
