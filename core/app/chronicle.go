package app

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/journal"
	"github.com/payrack/payrack/core/release"
)

// systemActor is who does what the platform does by itself.
const systemActor = "system"

// noteTries is how often something is written into a channel's journal that another change overtook.
const noteTries = 8

// by is who orders something now.
func (a *App) by(actor, reason string) release.By {
	return release.By{At: a.Clock.Now(), Actor: actor, Reason: reason}
}

// channel of a provider. One that has none begins: enabled, with nothing that serves.
func (a *App) channel(ctx context.Context, name string) (release.Channel, error) {
	all, err := a.shelf().Channels(ctx)
	if err != nil {
		return release.Channel{}, err
	}
	if i := slices.IndexFunc(all, func(c release.Channel) bool { return c.Name == name }); i >= 0 {
		return all[i], nil
	}
	return release.Channel{Name: name, Phase: release.Idle, Enabled: true}, nil
}

// save applies an event to a channel and makes it durable with its journal entry. An order that is fulfilled already saves
// nothing. What only wrote into the journal meanwhile, such as a contradiction that was found, does not overtake an order.
func (a *App) save(ctx context.Context, c release.Channel, e release.Event, evidence string) (release.Channel, error) {
	for range noteTries {
		next, err := a.saveOnce(ctx, c, e, evidence)
		if fault.CodeOf(err) != "generation_moved" {
			return next, err
		}
		moved, unread := a.channel(ctx, c.Name)
		if unread != nil || !c.OnlyNoted(moved) {
			return c, err
		}
		c = moved
	}
	return a.saveOnce(ctx, c, e, evidence)
}

func (a *App) saveOnce(ctx context.Context, c release.Channel, e release.Event, evidence string) (release.Channel, error) {
	next, err := release.Apply(c, e)
	if err != nil || next.Generation == c.Generation {
		return next, err
	}
	name := release.Name(e, c, next)
	entry := journal.Link(c.Chain, next.Stream(), next.Events, next.UpdatedAt, name, channelFacts(c, next, e, name, evidence))
	next.Chain = entry.Hash
	// From here it is done whole or not at all: whoever ordered it may have gone.
	if err := a.shelf().SaveChannel(context.WithoutCancel(ctx), next, entry); err != nil {
		return c, err
	}
	return next, nil
}

// note writes an event into a channel that fits any phase, however often the channel moves meanwhile.
func (a *App) note(ctx context.Context, name string, e release.Event) error {
	var err error
	for range noteTries {
		var c release.Channel
		if c, err = a.channel(ctx, name); err != nil {
			return err
		}
		if _, err = a.save(ctx, c, e, ""); fault.CodeOf(err) != "generation_moved" {
			return err
		}
	}
	return err
}

// channelFacts is the body of a channel's journal entry, as canonical JSON.
func channelFacts(before, after release.Channel, e release.Event, event, evidence string) []byte {
	b := fact{body: append(make([]byte, 0, 512), '{')}
	b.text("at", after.UpdatedAt.UTC().Format(time.RFC3339Nano))
	b.text("event", event)
	b.text("provider", after.Name)
	b.text("actor", after.UpdatedBy)
	b.some("reason", after.Reason)
	b.number("generation", after.Generation)
	b.text("phase", string(after.Phase))
	b.some("phase_before", string(before.Phase))
	b.some("goal", string(after.Goal))
	b.some("stable", after.Stable)
	b.some("candidate", after.Candidate)
	b.some("previous", after.Previous)
	b.number("weight", int64(after.Weight))
	b.some("stores", strings.Join(after.Stores, ","))
	b.flag("enabled", after.Enabled)
	if !after.Until.IsZero() {
		b.text("until", after.Until.UTC().Format(time.RFC3339Nano))
	}
	switch e := e.(type) {
	case release.Prepare:
		b.text("version", e.Version)
	case release.Refused:
		b.text("version", e.Version)
		b.text("why", e.Why)
	case release.GivenUp:
		b.some("version", before.Candidate)
	case release.Rollback:
		b.flag("automatic", e.Automatic)
		b.some("evidence", e.Evidence)
	case release.Revoke:
		b.text("version", e.Version)
	case release.Noted:
		b.some("version", e.Version)
		b.some("text", e.Text)
	case release.Ready, release.Weigh, release.Promote, release.Baked, release.SetEnabled:
	}
	b.some("replicas", evidence)
	return append(b.body, '}')
}

func (f *fact) flag(name string, value bool) {
	f.name(name)
	if value {
		f.body = append(f.body, "true"...)
		return
	}
	f.body = append(f.body, "false"...)
}
