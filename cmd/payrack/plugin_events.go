package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// pluginEvent is one transition of a provider's channel.
type pluginEvent struct {
	N     int64           `json:"n"`
	At    time.Time       `json:"at"`
	Event string          `json:"event"`
	Body  json.RawMessage `json:"body"`
	Prev  string          `json:"prev"`
	Hash  string          `json:"hash"`
}

// eventsPage is the size of a page that is asked for.
const eventsPage = 200

func (c *cli) pluginEventsCommand() *cobra.Command {
	var at adminFlags
	var follow bool
	var after int64
	cmd := &cobra.Command{
		Use: "events NAME", Short: "Show every transition of a provider: who, why, and the evidence of an automatic rollback",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			plane, err := at.plane()
			if err != nil {
				return err
			}
			if follow {
				return c.followEvents(cmd.Context(), plane, args[0], after)
			}
			all, _, err := eventsAfter(cmd.Context(), plane, args[0], after)
			if err != nil {
				return err
			}
			t := table{head: eventHead()}
			for _, e := range all {
				t.add(e.cells()...)
			}
			return c.print(all, t)
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on and print each event as it comes; Ctrl-C ends it")
	cmd.Flags().Int64Var(&after, "after", 0, "only events behind this number")
	at.add(cmd)
	return cmd
}

// eventsAfter reads all events behind a number and returns the number of the last one.
func eventsAfter(ctx context.Context, plane *caller, name string, after int64) ([]pluginEvent, int64, error) {
	all := []pluginEvent{}
	for {
		var page struct {
			Data []pluginEvent `json:"data"`
			Next *string       `json:"next_cursor"`
		}
		path := fmt.Sprintf("%s?after=%d&limit=%d", pluginPath(name, "events"), after, eventsPage)
		if err := plane.ask(ctx, http.MethodGet, path, nil, &page); err != nil {
			return nil, after, err
		}
		all = append(all, page.Data...)
		if n := len(page.Data); n > 0 {
			after = page.Data[n-1].N
		}
		if page.Next == nil {
			return all, after, nil
		}
	}
}

// followEvents prints events as they come: a line each, with --output json a document each.
func (c *cli) followEvents(ctx context.Context, plane *caller, name string, after int64) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	away := false
	for first := true; ; first = false {
		all, last, err := eventsAfter(ctx, plane, name, after)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && (first || exitCode(err) == exitRefused):
			return err
		case err != nil && !away:
			away = true
			_, _ = fmt.Fprintf(c.errOut, "payrack: %s; still watching\n", explain(err))
		case err == nil:
			away, after = false, last
			if err := c.printEvents(all); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (c *cli) printEvents(all []pluginEvent) error {
	if c.output == "json" {
		e := json.NewEncoder(c.out)
		e.SetEscapeHTML(false)
		for _, one := range all {
			if err := e.Encode(one); err != nil {
				return fmt.Errorf("print: %w", err)
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(c.out, 0, 8, 2, ' ', 0)
	for _, one := range all {
		_, _ = fmt.Fprintln(w, strings.Join(one.cells(), "\t"))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

func eventHead() []string {
	return []string{"n", "at", "event", "generation", "by", "stable", "candidate", "details"}
}

// cells is an event as a row of a table.
func (e pluginEvent) cells() []string {
	var body map[string]any
	decoder := json.NewDecoder(bytes.NewReader(e.Body))
	decoder.UseNumber()
	if err := decoder.Decode(&body); err != nil {
		body = nil // shown without its facts
	}
	var details []string
	for _, name := range []string{"version", "weight", "stores", "reason", "why", "replicas", "evidence"} {
		value := cell(body[name])
		switch {
		case value == "-", name == "weight" && value == "0", name == "version" && (value == cell(body["stable"]) || value == cell(body["candidate"])):
		case name == "version", name == "weight", name == "stores":
			details = append(details, name+" "+value)
		default:
			details = append(details, name+": "+value)
		}
	}
	return []string{
		strconv.FormatInt(e.N, 10), e.At.Format(time.RFC3339), e.Event, cell(body["generation"]), cell(body["actor"]),
		cell(body["stable"]), cell(body["candidate"]), dash(strings.Join(details, "; ")),
	}
}
