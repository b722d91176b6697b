package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"

	"github.com/payrack/payrack/adapters/inbound/jobs"
	"github.com/payrack/payrack/adapters/outbound/system"
	"github.com/payrack/payrack/adapters/outbound/webhooks"
	"github.com/payrack/payrack/configs"
	"github.com/payrack/payrack/core/app"
	"github.com/payrack/payrack/core/journal"
	"github.com/payrack/payrack/core/webhook"
)

// wireEvidence builds what reads the journal after the fact: what companies are told, and what auditors ask.
func (p *Platform) wireEvidence(w Wiring) error {
	poster, err := p.Telemetry.Webhooks(webhooks.New(webhooks.Options{
		UserAgent: "payrack/" + programVersion(),
		// A shop that is being written listens on the same machine. An installation speaks to itself only where a test asks for it.
		Loopback: (w.Create || w.Config.Webhooks.Loopback) && w.Config.Environment != configs.Production,
	}))
	if err != nil {
		return fmt.Errorf("set up webhooks: %w", err)
	}
	count, err := p.Telemetry.PassedOver()
	if err != nil {
		return fmt.Errorf("set up metrics: %w", err)
	}
	if p.notifier, err = app.NewNotifier(app.NotifierOptions{
		Journal: p.Store.Journal(), Ledger: p.Store.Ledger(), Endpoints: p.Store.Endpoints(), Deliveries: p.Store.Deliveries(),
		Poster: poster, Secrets: p.Keys.Secrets, Clock: system.Clock{}, IDs: system.IDs{}, Key: webhookKey,
		PassedOver: func(ctx context.Context, e journal.Entry, err error) {
			count()
			w.Log.ErrorContext(ctx, "an entry of the journal cannot be read: no webhook tells of it; look at the payment and run payrack audit verify",
				slog.String("stream", e.Stream), slog.Int64("n", e.N), slog.String("error", err.Error()))
		},
	}); err != nil {
		return fmt.Errorf("set up webhooks: %w", err)
	}
	if p.deliveries, err = jobs.NewDeliveries(jobs.DeliveryOptions{Deliveries: p.notifier.Deliveries(), Log: w.Log}); err != nil {
		return fmt.Errorf("set up webhooks: %w", err)
	}
	forgetting, err := app.NewRetention(app.RetentionOptions{Keys: p.Store.Retention(), Clock: system.Clock{}})
	if err != nil {
		return fmt.Errorf("set up retention: %w", err)
	}
	if p.retention, err = jobs.NewRetention(jobs.RetentionOptions{Retention: forgetting, Log: w.Log}); err != nil {
		return fmt.Errorf("set up retention: %w", err)
	}
	if p.audit, err = newAudit(p.Store, p.Keys.Seals); err != nil {
		return err
	}
	if err := p.Telemetry.WatchBacklog(p.notifier.Deliveries().Backlog); err != nil {
		return fmt.Errorf("set up metrics: %w", err)
	}
	return nil
}

func webhookKey() ([]byte, error) {
	key := make([]byte, webhook.SecretBytes)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("make a webhook secret: %w", err)
	}
	return key, nil
}
