package memory_test

import (
	"testing"

	"github.com/payrack/payrack/adapters/outbound/memory"
	"github.com/payrack/payrack/ports/outbound"
	"github.com/payrack/payrack/ports/outbound/outboundtest"
)

func TestLedger(t *testing.T) {
	t.Parallel()
	outboundtest.Ledger(t, func(*testing.T) outbound.Ledger { return memory.New().Ledger() })
}

func TestDirectory(t *testing.T) {
	t.Parallel()
	outboundtest.Directory(t, func(*testing.T) outbound.Directory { return memory.New().Directory() })
}

func TestReleases(t *testing.T) {
	t.Parallel()
	outboundtest.Releases(t, func(*testing.T) outbound.Releases { return memory.New().Releases() })
}
