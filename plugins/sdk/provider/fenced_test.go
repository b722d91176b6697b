package provider_test

import (
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// A platform that fences its plugins in answers a connection to another port with "permission denied". Whoever reads that in a
// log must learn what to set, and must not look for trouble at the gateway.
func TestAFencedPortIsNamedAsSuch(t *testing.T) {
	t.Parallel()
	dialled := func(e syscall.Errno) error {
		return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", e)}
	}
	if got := provider.Classify(t.Context(), dialled(syscall.EACCES)); !strings.Contains(got, "plugins.sandbox.ports") {
		t.Errorf("permission denied is told as %q", got)
	}
	if got := provider.Classify(t.Context(), dialled(syscall.ECONNREFUSED)); got != "the gateway could not be reached" {
		t.Errorf("a refused connection is told as %q", got)
	}
}
