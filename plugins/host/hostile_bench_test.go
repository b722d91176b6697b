package host_test

import (
	"os"
	"testing"

	"github.com/payrack/payrack/plugins/host"
	"github.com/payrack/payrack/plugins/host/shim"
	"github.com/payrack/payrack/plugins/internal/handshake"
)

// BenchmarkStart is the start of a plugin's process that describes itself and ends, without and with the sandbox: the
// difference is what the sandbox costs each start. PAYRACK_TEST_SHIM names another binary to be the shim, such as a
// server's, which is larger.
func BenchmarkStart(b *testing.B) {
	for _, c := range []struct {
		name   string
		change func(*host.Options)
	}{{"plain", func(*host.Options) {}}, {"sandboxed", sandboxed}} {
		b.Run(c.name, func(b *testing.B) {
			h := newHost(b, c.change, func(o *host.Options) {
				if other := os.Getenv("PAYRACK_TEST_SHIM"); other != "" && len(o.Shim) > 0 {
					o.Shim = []string{other, shim.Argument}
				}
			})
			start := host.Starter(b, h, release(b, role{Version: "1.0.0"}).Path, handshake.InfoFlag)
			start()
			for b.Loop() {
				start()
			}
		})
	}
}
