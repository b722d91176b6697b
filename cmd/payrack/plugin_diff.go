package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/payrack/payrack/ports/inbound"
)

// diffTimeout is longer than the plane may take for its longest comparison.
const diffTimeout = 6 * time.Minute

// pluginRehearsal is the answer of the admin plane to a diff.
type pluginRehearsal struct {
	Name        string             `json:"name"`
	Old         string             `json:"old"`
	New         string             `json:"new"`
	Replayed    int                `json:"replayed"`
	Operations  map[string]int     `json:"operations"`
	Silent      int                `json:"silent"`
	Differences []pluginDifference `json:"differences"`
	More        int                `json:"more,omitempty"`
	Ignored     []string           `json:"ignored"`
}

type pluginDifference struct {
	Operation   string `json:"operation"`
	PaymentType string `json:"payment_type"`
	Aspect      string `json:"aspect"`
	Member      string `json:"member"`
	Count       int    `json:"count"`
	Exchange    string `json:"exchange"`
	Old         string `json:"old"`
	New         string `json:"new"`
}

// errDiffers is the exit of two releases that differ; where, is on the terminal already.
var errDiffers = errors.New("the releases differ")

func (c *cli) pluginDiffCommand() *cobra.Command {
	var at adminFlags
	var last int
	cmd := &cobra.Command{
		Use: "diff NAME OLD NEW", Short: "Replay recorded exchanges with two releases and show where they differ; exit code 3 if they do",
		Long: "Gives the last recorded exchanges of a provider to both releases, with dummy keys and with the recorded answers in place of\n" +
			"the network, and compares what they would send and how they read what came back. Nothing leaves the server.\n" +
			"Members that differ between two runs of OLD, such as a nonce, are left out.",
		Args: cobra.ExactArgs(3),
		RunE: func(cmd *cobra.Command, args []string) error {
			if last < 1 || last > inbound.MaxRehearsed {
				return usagef("--last must be 1 to %d", inbound.MaxRehearsed)
			}
			plane, err := at.plane()
			if err != nil {
				return err
			}
			body, err := json.Marshal(map[string]any{"old": args[1], "new": args[2], "last": last})
			if err != nil {
				return fmt.Errorf("write the request: %w", err)
			}
			var r pluginRehearsal
			if err := plane.exchange(cmd.Context(), call{
				method: http.MethodPost, path: pluginPath(args[0], "diff"), body: body, timeout: diffTimeout,
			}, &r); err != nil {
				return err
			}
			return c.showRehearsal(r)
		},
	}
	cmd.Flags().IntVar(&last, "last", inbound.DefaultRehearsed, "how many of the newest exchanges to replay, a fair share of every operation and return code")
	at.add(cmd)
	return cmd
}

func (c *cli) showRehearsal(r pluginRehearsal) error {
	t := table{head: []string{"operation", "type", "aspect", "member", "times", r.Old, r.New, "example"}}
	for _, d := range r.Differences {
		t.add(d.Operation, d.PaymentType, d.Aspect, dash(inLine(d.Member)), fmt.Sprint(d.Count), inLine(d.Old), inLine(d.New), inLine(d.Exchange))
	}
	if c.output == "json" || len(r.Differences) > 0 {
		if err := c.print(r, t); err != nil {
			return err
		}
	}
	c.say("%s", r.summary())
	if len(r.Differences) > 0 {
		return &ended{exitRefused, fmt.Errorf("%w in %d ways", errDiffers, len(r.Differences)+r.More)}
	}
	return nil
}

// summary says how much the comparison is worth.
func (r pluginRehearsal) summary() string {
	var out strings.Builder
	fmt.Fprintf(&out, "%d exchanges replayed with %s and %s", r.Replayed, r.Old, r.New)
	var parts []string
	for _, operation := range slices.Sorted(maps.Keys(r.Operations)) {
		parts = append(parts, fmt.Sprintf("%s %d", operation, r.Operations[operation]))
	}
	if len(parts) > 0 {
		fmt.Fprintf(&out, " (%s)", strings.Join(parts, ", "))
	}
	if len(r.Differences) == 0 {
		out.WriteString(": no difference")
	}
	if r.More > 0 {
		fmt.Fprintf(&out, "\n%d further differences are not shown", r.More)
	}
	if r.Silent > 0 {
		fmt.Fprintf(&out, "\n%d of them prove little: neither release sent what was sent then, because dummy keys do not fit", r.Silent)
	}
	if len(r.Ignored) > 0 {
		fmt.Fprintf(&out, "\nleft out, because %s differs from itself there: %s", r.Old, strings.Join(r.Ignored, ", "))
	}
	return out.String()
}

// inLine keeps what a provider once sent from moving the cursor or the columns.
func inLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) {
			return ' '
		}
		return r
	}, s)
}
