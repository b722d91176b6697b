package memory_test

import (
	"testing"

	"github.com/payrack/payrack/adapters/outbound/memory"
	"github.com/payrack/payrack/ports/outbound/outboundtest"
)

func TestRetention(t *testing.T) {
	t.Parallel()
	outboundtest.Retention(t, func(*testing.T) outboundtest.RetentionStores {
		s := memory.New()
		return outboundtest.RetentionStores{Stores: stores(s), Retention: s.Retention()}
	})
}
