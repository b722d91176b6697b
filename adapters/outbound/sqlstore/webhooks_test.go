package sqlstore_test

import (
	"testing"

	"github.com/payrack/payrack/adapters/outbound/sqlstore"
	"github.com/payrack/payrack/ports/outbound/outboundtest"
)

func webhookStores(s *sqlstore.Store) outboundtest.WebhookStores {
	return outboundtest.WebhookStores{Endpoints: s.Endpoints(), Deliveries: s.Deliveries(), Directory: s.Directory()}
}

func TestSQLiteWebhooks(t *testing.T) {
	t.Parallel()
	outboundtest.Webhooks(t, func(t *testing.T) outboundtest.WebhookStores {
		t.Helper()
		return webhookStores(onSQLite(t))
	})
}

func TestPostgresWebhooks(t *testing.T) {
	t.Parallel()
	outboundtest.Webhooks(t, func(t *testing.T) outboundtest.WebhookStores {
		t.Helper()
		return webhookStores(opened(t, sqlstore.Options{URL: postgresDatabase(t)}))
	})
}
