package memory_test

import (
	"testing"

	"github.com/payrack/payrack/adapters/outbound/memory"
	"github.com/payrack/payrack/ports/outbound/outboundtest"
)

func TestWebhooks(t *testing.T) {
	t.Parallel()
	outboundtest.Webhooks(t, func(*testing.T) outboundtest.WebhookStores {
		s := memory.New()
		w := memory.NewWebhooks(s)
		return outboundtest.WebhookStores{Endpoints: w.Endpoints(), Deliveries: w.Deliveries(), Directory: s.Directory()}
	})
}
