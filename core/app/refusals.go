package app

import (
	"errors"
	"fmt"
	"strings"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/release"
)

// failures are the releases that could not be started here.
func (l *line) failures(c release.Channel) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []error
	for _, v := range c.Wanted() {
		if no, ok := l.refused[v]; ok {
			all = append(all, fmt.Errorf("start %s %s: %w", c.Name, v, no.err))
		}
	}
	return errors.Join(all...)
}

// lags says why this replica does not route as a channel says, nil if it does.
func (l *line) lags(c release.Channel) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.applied >= c.Generation {
		return nil
	}
	for _, v := range c.Serving() {
		if no, ok := l.refused[v]; ok {
			code, words, _ := strings.Cut(no.text, ": ")
			return fault.New(fault.Invalid, code, "the order stands, and this replica cannot follow it, so what served here goes on: "+v+": "+words)
		}
	}
	return nil
}

// refusalText is a refusal as the fleet tells it: code and words.
func refusalText(err error) string {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f.Code + ": " + f.Message
	}
	return "internal: the platform could not start it"
}

// refusedWith is a refusal from its text.
func refusedWith(text string) error {
	code, words, ok := strings.Cut(text, ": ")
	if who, after, of := strings.Cut(text, " says "); of && strings.HasPrefix(text, "replica ") {
		if c, w, cut := strings.Cut(after, ": "); cut {
			return fault.New(fault.Invalid, c, who+" refused it, and the traffic stays where it was: "+w)
		}
	}
	if !ok {
		return fault.New(fault.Invalid, "unhealthy", text)
	}
	return fault.New(fault.Invalid, code, words)
}
