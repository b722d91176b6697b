package memory_test

import (
	"testing"
	"time"

	"github.com/payrack/payrack/adapters/outbound/memory"
	"github.com/payrack/payrack/ports/outbound"
	"github.com/payrack/payrack/ports/outbound/outboundtest"
)

func TestLedger(t *testing.T) {
	t.Parallel()
	outboundtest.Ledger(t, func(*testing.T) outboundtest.Stores { return stores(memory.New()) })
}

func TestSharedLedger(t *testing.T) {
	t.Parallel()
	outboundtest.SharedLedger(t, func(*testing.T) outboundtest.Stores {
		s := memory.New(memory.Replicas())
		all := stores(s)
		all.Age = func(_ *testing.T, boot string, by time.Duration) { s.Age(boot, by) }
		return all
	})
}

func TestJournal(t *testing.T) {
	t.Parallel()
	outboundtest.Journal(t, func(*testing.T) outboundtest.Stores { return stores(memory.New()) })
}

func TestHoldings(t *testing.T) {
	t.Parallel()
	outboundtest.Holdings(t, func(*testing.T) outboundtest.HoldingsStores {
		s := memory.New()
		return outboundtest.HoldingsStores{Stores: stores(s), Holdings: s.Holdings()}
	})
}

func TestMandates(t *testing.T) {
	t.Parallel()
	outboundtest.Mandates(t, func(*testing.T) outboundtest.Stores { return stores(memory.New()) })
}

func stores(s *memory.Store) outboundtest.Stores {
	return outboundtest.Stores{Ledger: s.Ledger(), Journal: s.Journal(), Mandates: s.Mandates()}
}

func TestDirectory(t *testing.T) {
	t.Parallel()
	outboundtest.Directory(t, func(*testing.T) outbound.Directory { return memory.New().Directory() })
}

func TestReleases(t *testing.T) {
	t.Parallel()
	outboundtest.Releases(t, func(*testing.T) outboundtest.FleetStores { return fleetStores() })
}

func TestReplicas(t *testing.T) {
	t.Parallel()
	outboundtest.SharedReplicas(t, func(*testing.T) outboundtest.FleetStores { return fleetStores() })
}

func fleetStores() outboundtest.FleetStores {
	s := memory.New()
	return outboundtest.FleetStores{
		Releases: s.Releases(), Replicas: s.Replicas(), Journal: s.Journal(), Peer: s.Replicas(),
		Age: func(_ *testing.T, replica string, by time.Duration) { s.AgeReports(replica, by) },
	}
}
