package app

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/payrack/payrack/core/journal"
	"github.com/payrack/payrack/core/release"
)

// channelStream is how the name of a provider's journal begins.
const channelStream = "plugin/"

// channels holds every channel against the head of its stream.
func (v *verification) channels(ctx context.Context) error {
	all, err := v.Releases.Channels(ctx)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, c := range all {
		known[c.Stream()] = true
		if err := v.channel(ctx, c); err != nil {
			return err
		}
	}
	for _, stream := range slices.Sorted(maps.Keys(v.heads)) {
		if strings.HasPrefix(stream, channelStream) && !known[stream] {
			if err := v.lostChannel(ctx, stream); err != nil {
				return err
			}
		}
	}
	return nil
}

// channel compares a channel with its journal, which may have grown since it was read.
func (v *verification) channel(ctx context.Context, c release.Channel) error {
	stream := c.Stream()
	if err := v.catchUp(ctx, stream, c.Events); err != nil {
		return err
	}
	h := v.heads[stream]
	at := journal.Placed{Place: v.at, Entry: journal.Entry{Stream: stream, N: c.Events}}
	switch {
	case h.n < c.Events:
		at.N = h.n + 1
		v.bad(at, entryMissing, fmt.Sprintf("the entry is gone: the channel has %d events, and its journal ends at %d", c.Events, h.n))
	case h.n > c.Events:
		// It was changed between the look at the journal and the look at the channel, or set back.
		now, err := v.reread(ctx, c.Name)
		if err != nil {
			return err
		}
		if now.Events < h.n {
			v.bad(at, channelDiffers, fmt.Sprintf("the channel has %d events and its journal %d: it was set back", now.Events, h.n))
		}
	case h.hash != c.Chain:
		v.bad(at, channelDiffers, fmt.Sprintf("the channel and its journal do not agree about event %d", c.Events))
	}
	return nil
}

func (v *verification) reread(ctx context.Context, name string) (release.Channel, error) {
	all, err := v.Releases.Channels(ctx)
	if err != nil {
		return release.Channel{}, err
	}
	i := slices.IndexFunc(all, func(c release.Channel) bool { return c.Name == name })
	if i < 0 {
		return release.Channel{}, nil
	}
	return all[i], nil
}

// lostChannel is a journal whose channel is gone, unless it began only now.
func (v *verification) lostChannel(ctx context.Context, stream string) error {
	now, err := v.reread(ctx, strings.TrimPrefix(stream, channelStream))
	if err != nil || now.Events > 0 {
		return err
	}
	v.bad(journal.Placed{Place: v.at, Entry: journal.Entry{Stream: stream, N: v.heads[stream].n}}, channelMissing,
		"the channel of this journal is gone")
	return nil
}

// catchUp reads on in a stream up to entry number n.
func (v *verification) catchUp(ctx context.Context, stream string, n int64) error {
	for h := v.heads[stream]; h.n < n; {
		more, err := v.Journal.Entries(ctx, stream, h.n, 200)
		if err != nil || len(more) == 0 {
			return err
		}
		for _, e := range more {
			if e.N <= n {
				v.entry(journal.Placed{Entry: e})
				h = v.heads[stream]
			}
		}
		if more[len(more)-1].N > n {
			return nil
		}
	}
	return nil
}
