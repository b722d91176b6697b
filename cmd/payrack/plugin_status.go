package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func (c *cli) pluginStatusCommand() *cobra.Command {
	var at adminFlags
	var watch, verbose bool
	cmd := &cobra.Command{
		Use: "status [NAME]", Short: "Show what serves: channel, replicas, processes and their protections",
		Long: "REPLICAS counts those that live and have applied the channel's generation; PROTECTIONS those of the process that are on.\n" +
			"--verbose names each replica and each protection. With --watch a terminal shows the table anew as it changes, and\n" +
			"--output json prints one document, on one line, for each change.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			plane, err := at.plane()
			if err != nil {
				return err
			}
			look := statusLook{c: c, plane: plane, verbose: verbose}
			if len(args) == 1 {
				look.name = args[0]
			}
			if watch {
				return look.watch(cmd.Context())
			}
			all, err := look.read(cmd.Context())
			if err != nil {
				return err
			}
			if c.output == "json" {
				return c.print(all, table{})
			}
			return look.show(all)
		},
	}
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "go on and show every change; Ctrl-C ends it")
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "name each replica, and each protection of each process")
	at.add(cmd)
	return cmd
}

// statusTables are the tables of a status: processes, and with verbose what stands behind them.
func statusTables(all []pluginStatus, verbose bool) []table {
	main := table{head: []string{
		"provider", "version", "role", "phase", "weight", "generation", "replicas", "state", "pid", "in flight", "since", "protections", "why",
	}}
	for _, p := range all {
		p.rows(&main)
	}
	if !verbose {
		return []table{main}
	}
	replicas := table{head: []string{"provider", "replica", "alive", "generation", "ready", "refused", "seen"}}
	counts := table{head: []string{
		"provider", "replica", "version", "calls", "declined", "technical", "unknown", "breaches", "checked", "crashes",
	}}
	protections := table{head: []string{"provider", "version", "pid", "protection", "holds"}}
	for _, p := range all {
		for _, r := range p.Replicas {
			r.rows(p.Name, &replicas, &counts)
		}
		for _, i := range p.Instances {
			for _, name := range slices.Sorted(maps.Keys(i.Protections)) {
				protections.add(p.Name, i.Version, fmt.Sprint(i.PID), name, i.Protections[name])
			}
		}
	}
	tables := []table{main, replicas}
	for _, t := range []table{counts, protections} {
		if len(t.rows) > 0 {
			tables = append(tables, t)
		}
	}
	return tables
}

// rows adds a line for each process of a provider, or one where there is none.
func (p pluginStatus) rows(t *table) {
	why := strings.Trim(p.Runtime.Detail+"; "+p.Runtime.Remedy, "; ")
	if why == "" && p.Channel.Phase != "idle" {
		why = p.Channel.Reason
	}
	if refused := p.refused(); len(p.Instances) == 0 && refused != "" {
		why = refused // "activate a release" would not help: one is chosen, and cannot be started
	}
	weight := "-"
	if p.Channel.Phase == "canary" {
		weight = fmt.Sprintf("%d%%", p.Channel.Weight)
		if n := len(p.Channel.Stores); n > 0 {
			weight += fmt.Sprintf(" +%d stores", n)
		}
	}
	generation, replicas := fmt.Sprint(p.Channel.Generation), p.inStep()
	if len(p.Instances) == 0 {
		t.add(p.Name, dash(p.Channel.Stable), "-", p.Channel.Phase, weight, generation, replicas, p.state(), "-", "-", "-", "-", dash(why))
	}
	for _, i := range p.Instances {
		t.add(p.Name, i.Version, p.Channel.role(i.Version), p.Channel.Phase, weight, generation, replicas, i.State, fmt.Sprint(i.PID),
			fmt.Sprint(i.Inflight), i.StartedAt.Format(time.RFC3339), i.protected(), dash(why))
	}
}

// refused is why a live replica cannot start the release that shall serve, and what helps.
func (p pluginStatus) refused() string {
	for _, r := range p.Replicas {
		why := r.Refused[p.Channel.Stable]
		switch {
		case !r.Alive || why == "":
		case strings.HasPrefix(why, "binary_missing"):
			return why + "; install it again: payrack plugin install"
		default:
			return why + "; it is tried again about once a minute, or activate another release"
		}
	}
	return ""
}

// inStep counts the live replicas that have applied the channel's generation, of all live ones.
func (p pluginStatus) inStep() string {
	live, there := 0, 0
	for _, r := range p.Replicas {
		if !r.Alive {
			continue
		}
		live++
		if r.Generation >= p.Channel.Generation {
			there++
		}
	}
	if live == 0 {
		return "-"
	}
	return fmt.Sprintf("%d/%d", there, live)
}

// protected counts the protections that are on.
func (i pluginInstance) protected() string {
	if len(i.Protections) == 0 {
		return "-"
	}
	on := 0
	for _, state := range i.Protections {
		if state == "on" || strings.HasPrefix(state, "on:") || strings.HasPrefix(state, "on ") {
			on++
		}
	}
	return fmt.Sprintf("%d/%d on", on, len(i.Protections))
}

func (r pluginReplica) rows(name string, replicas, counts *table) {
	alive, seen := "no", "-"
	if r.Alive {
		alive = "yes"
	}
	if r.SeenAt != nil {
		seen = r.SeenAt.Format(time.RFC3339)
	}
	refusals := make([]string, 0, len(r.Refused))
	for _, version := range slices.Sorted(maps.Keys(r.Refused)) {
		refusals = append(refusals, version+": "+r.Refused[version])
	}
	replicas.add(name, r.Replica, alive, fmt.Sprint(r.Generation), dash(strings.Join(r.Ready, " ")), dash(strings.Join(refusals, "; ")), seen)
	for _, t := range r.Tallies {
		counts.add(name, r.Replica, t.Version, fmt.Sprint(t.Calls), fmt.Sprint(t.Declined), fmt.Sprint(t.Technical), fmt.Sprint(t.Unknown),
			fmt.Sprint(t.Breaches), fmt.Sprint(t.Checked), fmt.Sprint(t.Crashes))
	}
}
