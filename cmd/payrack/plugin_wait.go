package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// waitEvery is how often plugin wait looks.
const waitEvery = 250 * time.Millisecond

// waitFor is what plugin wait waits for.
type waitFor struct {
	generation int64
	version    string
}

func (c *cli) pluginWaitCommand() *cobra.Command {
	var at adminFlags
	var want waitFor
	var timeout time.Duration
	cmd := &cobra.Command{
		Use: "wait NAME", Short: "Wait until every live replica is where the channel is; exit code 1 with what lacks if it takes too long",
		Long: "Without a flag: until every live replica has applied the channel's newest generation and nothing is being prepared.\n" +
			"--version waits until that release serves on every live replica, --generation until all have at least that generation.\n" +
			"Of a disabled provider a release that nobody is preparing is not waited for: the exit code is 1 at once.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			plane, err := at.plane()
			if err != nil {
				return err
			}
			p, err := awaitPlugin(cmd.Context(), plane, args[0], want, timeout)
			if err != nil {
				return err
			}
			t := table{head: []string{"provider", "stable", "candidate", "phase", "generation", "replicas"}}
			t.add(p.Name, dash(p.Channel.Stable), dash(p.Channel.Candidate), p.Channel.Phase, fmt.Sprint(p.Channel.Generation), p.inStep())
			return c.print(p, t)
		},
	}
	cmd.Flags().Int64Var(&want.generation, "generation", 0, "at least this generation of the channel")
	cmd.Flags().StringVar(&want.version, "version", "", "this release serves")
	cmd.Flags().DurationVar(&timeout, "timeout", time.Minute, "how long to wait")
	cmd.MarkFlagsMutuallyExclusive("generation", "version")
	at.add(cmd)
	return cmd
}

func awaitPlugin(ctx context.Context, plane *caller, name string, want waitFor, timeout time.Duration) (pluginStatus, error) {
	late := time.NewTimer(timeout)
	defer late.Stop()
	tick := time.NewTicker(waitEvery)
	defer tick.Stop()
	for {
		p, err := onePlugin(ctx, plane, name)
		if err != nil {
			return p, err
		}
		missing := want.missing(p)
		if len(missing) == 0 {
			return p, nil
		}
		if want.idle(p.Channel) {
			return p, fmt.Errorf("%s is disabled and nothing is being prepared for it, so it is not waited for (payrack plugin enable %s):\n  %s",
				name, name, strings.Join(missing, "\n  "))
		}
		select {
		case <-late.C:
			return p, fmt.Errorf("%s is not there after %s:\n  %s", name, timeout, strings.Join(missing, "\n  "))
		case <-ctx.Done():
			return p, fmt.Errorf("interrupted; %s is not there yet:\n  %s", name, strings.Join(missing, "\n  "))
		case <-tick.C:
		}
	}
}

// idle reports that nobody makes the release serve that is waited for: the provider is switched off, and no order is under way.
func (w waitFor) idle(c pluginChannel) bool {
	return w.version != "" && c.Phase == "disabled" && !c.serves(w.version) && !c.moving()
}

// moving reports that a release is being prepared or promoted. The phase of a disabled provider does not tell.
func (c pluginChannel) moving() bool { return c.Goal != "" }

// serves reports that the release has all payments, or its share of them.
func (c pluginChannel) serves(version string) bool {
	return version == c.Stable || version == c.Candidate && !c.moving()
}

// missing is what still lacks, in sentences.
func (w waitFor) missing(p pluginStatus) []string {
	var all []string
	c := p.Channel
	switch {
	case w.version != "" && !slices.Contains(p.versions(), w.version):
		all = append(all, fmt.Sprintf("%s is not installed; installed versions: %s", w.version, p.choice()))
	case w.version != "" && !c.serves(w.version):
		all = append(all, fmt.Sprintf("%s does not serve: the channel is %s, stable %s, candidate %s", w.version, c.Phase, dash(c.Stable), dash(c.Candidate)))
	case w.generation > c.Generation:
		all = append(all, fmt.Sprintf("the channel is at generation %d, not %d", c.Generation, w.generation))
	case w.version == "" && w.generation == 0 && c.moving():
		all = append(all, fmt.Sprintf("%s is on its way: the channel is %s", c.Candidate, c.Phase))
	}
	generation := w.generation
	if generation == 0 {
		generation = c.Generation
	}
	live := 0
	for _, r := range p.Replicas {
		if !r.Alive {
			continue
		}
		live++
		all = append(all, r.missing(w, c, generation)...)
	}
	if live == 0 {
		all = append(all, "no live replica reports")
	}
	return all
}

func (r pluginReplica) missing(w waitFor, c pluginChannel, generation int64) []string {
	var all []string
	if r.Generation < generation {
		all = append(all, fmt.Sprintf("replica %s is at generation %d, not %d", r.Replica, r.Generation, generation))
	}
	for _, version := range []string{c.Stable, c.Candidate, w.version} {
		if why, refused := r.Refused[version]; refused && version != "" {
			all = append(all, fmt.Sprintf("replica %s refused %s: %s", r.Replica, version, why))
			return all
		}
	}
	if w.version != "" && !slices.Contains(r.Ready, w.version) {
		all = append(all, fmt.Sprintf("replica %s has not %s ready", r.Replica, w.version))
	}
	return all
}
