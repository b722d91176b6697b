package app

import (
	"time"

	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/ports/outbound"
)

const (
	// reportEvery is how often a replica reports the calls of a release on trial while all is well.
	reportEvery = time.Second
	// crashesWithin is the time in which a second crash of a release on trial counts against it.
	crashesWithin = time.Minute
	// baseline is how many calls of a release that serves alone are the measure of the next one; older ones fade.
	baseline = 4000
)

// count adds a call that ended to the tally of its release.
func (a *App) count(s outbound.Session, answer outbound.Answer, took time.Duration) {
	t := s.Type()
	l := a.fleet.line(t.Provider)
	bad := false
	l.mu.Lock()
	y := l.tally(t.Version)
	if watched, _ := trial(l.channel); watched == "" && y.Calls >= baseline {
		*y = y.Halve()
	}
	y.Calls++
	y.Latency[release.Class(took)]++
	switch answer.Known {
	case payment.KnownDeclined:
		y.Declined++
	case payment.KnownNotSent:
		if answer.Reason == "invalid" {
			y.Declined++ // a rule of the provider that the plugin knows
			y.Refused++
			break
		}
		y.Technical++
		bad = true
	case payment.KnownNothing:
		y.Technical++
		y.Unknown++
		bad = true
	case payment.KnownApproved, payment.KnownAction:
	}
	a.mind(l, t.Version, bad)
	l.mu.Unlock()
}

// countAsk adds a search that ended.
func (a *App) countAsk(s outbound.Session, found outbound.Findings) {
	t := s.Type()
	l := a.fleet.line(t.Provider)
	l.mu.Lock()
	y := l.tally(t.Version)
	y.Asks++
	bad := found.Failed && (!found.NotSent || found.Reason != "invalid")
	if bad {
		y.AsksFailed++
	}
	a.mind(l, t.Version, bad)
	l.mu.Unlock()
}

// mind wakes the minder for a release on trial: at once when something went wrong, else from time to time. The line is
// locked.
func (a *App) mind(l *line, version string, bad bool) {
	if watched, _ := trial(l.channel); watched != version || version == "" {
		return
	}
	if bad || a.Clock.Now().Sub(l.reported) >= reportEvery {
		l.urgent = true
		a.fleet.nudge()
	}
}

// breach counts what must never happen against a release on trial: another amount, order or currency came back, or the other
// release contradicts it.
func (a *App) breach(provider, version, evidence string) {
	l := a.fleet.line(provider)
	l.mu.Lock()
	defer l.mu.Unlock()
	y := l.tally(version)
	y.Breaches++
	if y.Evidence == "" {
		y.Evidence = clip(evidence) // a plugin may have made up the words, and every report carries them
	}
	a.mind(l, version, true)
}

// observed takes a fact about a process.
func (a *App) observed(f release.Fact) {
	l, ok := a.fleet.known(f.Name)
	if !ok {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	counts := false
	switch f.Kind {
	case release.FactMemory:
		l.memory[f.Version] = max(l.memory[f.Version], f.Value)
	case release.FactCrashed, release.FactWedged:
		delete(l.unready, f.Version)
		delete(l.ready, f.Version)
		// One crash of the release that has all payments may be an accident; one of a candidate is enough.
		before, again := l.crashed[f.Version]
		counts = l.channel.Shares() || again && f.At.Sub(before) <= crashesWithin
		l.crashed[f.Version] = f.At
	case release.FactQuarantined:
		delete(l.ready, f.Version)
		counts = true
	case release.FactOverran:
		l.tally(f.Version).Overran += f.Value
		a.mind(l, f.Version, true)
		return
	case release.FactUnready:
		// It takes no payments. Where the other one is not ready either, the cause is neither's: it would change nothing.
		watched, against := trial(l.channel)
		counts = watched == f.Version && !l.unready[against] && !l.unready[watched]
		l.unready[f.Version] = true
	case release.FactReady:
		delete(l.unready, f.Version)
	case release.FactRestarted, release.FactOverdrawn:
	}
	if counts {
		y := l.tally(f.Version)
		y.Crashes++
		if y.Evidence == "" {
			y.Evidence = "its process " + string(f.Kind) + ": " + f.Detail
		}
	}
	a.mind(l, f.Version, counts)
}
