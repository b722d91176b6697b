package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"time"
)

// watchEvery is how often a watch looks.
const watchEvery = 500 * time.Millisecond

// statusLook reads and shows the status of providers.
type statusLook struct {
	c     *cli
	plane *caller
	// name of one provider, empty for all.
	name    string
	verbose bool
}

func (l statusLook) read(ctx context.Context) ([]pluginStatus, error) {
	if l.name != "" {
		p, err := onePlugin(ctx, l.plane, l.name)
		return []pluginStatus{p}, err
	}
	return pluginsOf(ctx, l.plane)
}

func (l statusLook) show(all []pluginStatus) error {
	for i, t := range statusTables(all, l.verbose) {
		if i > 0 {
			_, _ = fmt.Fprintln(l.c.out)
		}
		if err := l.c.print(nil, t); err != nil {
			return err
		}
	}
	return nil
}

// watch shows every change until the context ends. The first look must succeed; a server that is away later is told of
// once, and the watch goes on.
func (l statusLook) watch(ctx context.Context) error {
	all, err := l.read(ctx)
	if err != nil {
		return err
	}
	live := isTerminal(l.c.out) && l.c.output != "json"
	var shown []byte
	away := false
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		switch {
		case err == nil:
			away = false
			if now := changeable(all, live); !bytes.Equal(now, shown) {
				if err := l.next(all, live, shown == nil); err != nil {
					return err
				}
				shown = now
			}
		case ctx.Err() == nil && !away:
			away = true
			_, _ = fmt.Fprintf(l.c.errOut, "payrack: %s; still watching\n", explain(err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		all, err = l.read(ctx)
	}
}

// changeable is what counts as a change. How busy a process is, and when a replica was seen, changes all the time and is
// shown on a terminal only.
func changeable(all []pluginStatus, live bool) []byte {
	if !live {
		all = slices.Clone(all)
		for i, p := range all {
			all[i].Instances, all[i].Replicas = slices.Clone(p.Instances), slices.Clone(p.Replicas)
			for j := range p.Instances {
				all[i].Instances[j].Inflight = 0
			}
			for j := range p.Replicas {
				all[i].Replicas[j].SeenAt, all[i].Replicas[j].Tallies = nil, nil
			}
		}
	}
	text, err := json.Marshal(all)
	if err != nil {
		return nil // plain data of ours has a JSON form
	}
	return text
}

// The controls of a terminal: to the upper left corner, and clear what is below.
const (
	clearScreen = "\x1b[2J"
	redraw      = "\x1b[H\x1b[J"
)

// next shows the status after a change.
func (l statusLook) next(all []pluginStatus, live, first bool) error {
	switch {
	case l.c.output == "json":
		e := json.NewEncoder(l.c.out)
		e.SetEscapeHTML(false)
		if err := e.Encode(all); err != nil {
			return fmt.Errorf("print: %w", err)
		}
		return nil
	case live && first:
		_, _ = io.WriteString(l.c.out, clearScreen+redraw)
	case live:
		_, _ = io.WriteString(l.c.out, redraw)
	case !first:
		_, _ = fmt.Fprintln(l.c.out)
	}
	_, _ = fmt.Fprintf(l.c.out, "%s  payrack plugin status --watch; Ctrl-C ends it\n\n", time.Now().Format(time.TimeOnly))
	return l.show(all)
}

// isTerminal reports whether a person reads.
func isTerminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	if !ok {
		return false
	}
	_, is := terminalOf(f, out)
	return is
}
