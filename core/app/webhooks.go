package app

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/credential"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/journal"
	"github.com/payrack/payrack/core/webhook"
	"github.com/payrack/payrack/ports/inbound"
	"github.com/payrack/payrack/ports/outbound"
)

// webhooks implements inbound.Webhooks.
type webhooks struct{ *Notifier }

// maxURL bounds the address of an endpoint, in bytes.
const maxURL = 500

// Add makes an endpoint.
func (w webhooks) Add(ctx context.Context, c inbound.AddWebhook) (webhook.Endpoint, string, error) {
	now := w.Clock.Now()
	e := webhook.Endpoint{
		ID: webhook.EndpointID(w.IDs.New()), Company: c.Company, URL: c.URL, Types: sortedTypes(c.Types), Enabled: true,
		Version: 1, CreatedAt: now, UpdatedAt: now,
	}
	if err := w.checked(e); err != nil {
		return webhook.Endpoint{}, "", err
	}
	if err := w.skip(ctx); err != nil {
		return webhook.Endpoint{}, "", err
	}
	sealed, text, err := w.secret(ctx, e)
	if err != nil {
		return webhook.Endpoint{}, "", err
	}
	e.Sealed = sealed
	if err := w.Endpoints.AddEndpoint(ctx, e); err != nil {
		return webhook.Endpoint{}, "", err
	}
	return e, text, nil
}

// List returns endpoints, oldest first.
func (w webhooks) List(ctx context.Context, co company.ID) ([]webhook.Endpoint, error) {
	return w.Endpoints.Endpoints(ctx, co)
}

// Save changes an endpoint.
func (w webhooks) Save(ctx context.Context, c inbound.SaveWebhook) (webhook.Endpoint, error) {
	e, err := w.Endpoints.Endpoint(ctx, c.ID)
	if err != nil {
		return webhook.Endpoint{}, err
	}
	if c.URL != nil {
		e.URL = *c.URL
	}
	if c.Types != nil {
		e.Types = sortedTypes(*c.Types)
	}
	if c.Enabled != nil {
		e.Enabled = *c.Enabled
	}
	if err := w.checked(e); err != nil {
		return webhook.Endpoint{}, err
	}
	if e.Enabled {
		if err := w.skip(ctx); err != nil {
			return webhook.Endpoint{}, err
		}
	}
	return w.save(ctx, e)
}

func (w webhooks) save(ctx context.Context, e webhook.Endpoint) (webhook.Endpoint, error) {
	e.Version++
	e.UpdatedAt = w.Clock.Now()
	return e, w.Endpoints.SaveEndpoint(ctx, e)
}

// Rotate makes a new secret.
func (w webhooks) Rotate(ctx context.Context, id webhook.EndpointID) (webhook.Endpoint, string, error) {
	e, err := w.Endpoints.Endpoint(ctx, id)
	if err != nil {
		return webhook.Endpoint{}, "", err
	}
	sealed, text, err := w.secret(ctx, e)
	if err != nil {
		return webhook.Endpoint{}, "", err
	}
	e, err = w.save(ctx, e.Rotated(sealed, w.Clock.Now()))
	if err != nil {
		return webhook.Endpoint{}, "", err
	}
	return e, text, nil
}

// Remove forgets an endpoint with what is queued for it.
func (w webhooks) Remove(ctx context.Context, id webhook.EndpointID) error {
	return w.Endpoints.RemoveEndpoint(ctx, id)
}

// Test sends a webhook.test event now.
func (w webhooks) Test(ctx context.Context, id webhook.EndpointID) (webhook.Outcome, error) {
	e, err := w.Endpoints.Endpoint(ctx, id)
	if err != nil {
		return webhook.Outcome{}, err
	}
	now := w.Clock.Now()
	key := webhook.ID("msg_test_" + w.IDs.New())
	body, err := webhook.TestBody(key, e, now)
	if err != nil {
		return webhook.Outcome{}, err
	}
	m, err := w.message(ctx, e, key, body)
	if err != nil {
		return webhook.Outcome{}, err
	}
	return w.Poster.Post(ctx, m), nil
}

// checked refuses an endpoint that could never be told anything.
func (w webhooks) checked(e webhook.Endpoint) error {
	if e.Company == "" {
		return required("company_id")
	}
	if e.URL == "" {
		return required("url")
	}
	if len(e.URL) > maxURL || strings.ContainsFunc(e.URL, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return fault.New(fault.Invalid, "webhook_url", fmt.Sprintf("a webhook URL has at most %d characters and no spaces", maxURL))
	}
	for _, t := range e.Types {
		if !webhook.Known(t) {
			return fault.New(fault.Invalid, "unknown_event_type",
				"an event type is unknown; there are: "+strings.Join(webhook.Types(), ", "))
		}
	}
	return w.Poster.Allowed(e.URL)
}

func required(member string) error {
	return &fault.Error{
		Kind: fault.Invalid, Code: "missing_field", Message: member + " 不可為空",
		Fields: []fault.Field{{Pointer: "/" + member, Code: "missing_field", Detail: member + " is required"}},
	}
}

func sortedTypes(types []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(types)))
}

// secret makes a secret for an endpoint: sealed, and as its owner is shown it.
func (n *Notifier) secret(ctx context.Context, e webhook.Endpoint) (sealed []byte, text string, err error) {
	key, err := n.Key()
	if err != nil {
		return nil, "", fault.Wrap(fault.Internal, "no_randomness", "no secret could be made", err)
	}
	sealed, err = n.Secrets.Seal(ctx, secretOf(e), key)
	return sealed, webhook.SecretText(key), err
}

// secretOf is the field of an endpoint's secret.
func secretOf(e webhook.Endpoint) credential.Field {
	return credential.Field{Company: e.Company, Name: "webhook/" + string(e.ID)}
}

// message signs a body with every secret that is valid now.
func (n *Notifier) message(ctx context.Context, e webhook.Endpoint, id webhook.ID, body []byte) (webhook.Message, error) {
	now := n.Clock.Now()
	sealed := [][]byte{e.Sealed}
	if len(e.Previous) > 0 && now.Before(e.PreviousUntil) {
		sealed = append(sealed, e.Previous)
	}
	keys := make([][]byte, 0, len(sealed))
	for _, s := range sealed {
		key, err := n.Secrets.Open(ctx, secretOf(e), s)
		if err != nil {
			return webhook.Message{}, err
		}
		keys = append(keys, key)
	}
	return webhook.Message{URL: e.URL, ID: id, At: now, Body: body, Signature: webhook.Sign(id, now, body, keys...)}, nil
}

// skip moves the feed to what was sealed last if nobody was listening: what happened before an endpoint was there is not
// read again.
func (n *Notifier) skip(ctx context.Context) error {
	all, err := n.Endpoints.Endpoints(ctx, "")
	if err != nil || slices.ContainsFunc(all, func(e webhook.Endpoint) bool { return e.Enabled }) {
		return err
	}
	last, err := n.lastSeal(ctx)
	if err != nil {
		return err
	}
	fed, err := n.NotifierOptions.Deliveries.Fed(ctx)
	if err != nil || !last.To.After(fed) {
		return err
	}
	_, err = n.NotifierOptions.Deliveries.Feed(ctx, outbound.Feed{From: fed, To: last.To})
	return err
}

// lastSeal is the newest seal, the zero seal if there is none. Their numbers have no gaps, so that it is found in a few
// steps however many there are.
func (n *Notifier) lastSeal(ctx context.Context) (journal.Seal, error) {
	n.mu.Lock()
	low := n.sealed
	n.mu.Unlock()
	var last journal.Seal
	at := func(number int64) (bool, error) {
		found, err := n.Journal.Seals(ctx, number-1, 1)
		if err != nil || len(found) == 0 || found[0].Number != number {
			return false, err
		}
		last = found[0]
		return true, nil
	}
	if low > 0 {
		if ok, err := at(low); err != nil || !ok {
			return journal.Seal{}, err
		}
	}
	for step := int64(1); step > 0; {
		ok, err := at(low + step)
		if err != nil {
			return journal.Seal{}, err
		}
		if ok {
			low, step = low+step, step*2
		} else {
			step /= 2
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sealed = max(n.sealed, low)
	return last, nil
}
