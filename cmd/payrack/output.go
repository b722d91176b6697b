package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/payrack/payrack/core/fault"
)

// table is what a command prints.
type table struct {
	head []string
	rows [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// print shows value as JSON or t as a table.
func (c *cli) print(value any, t table) error {
	if c.output == "json" {
		e := json.NewEncoder(c.out)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		if err := e.Encode(value); err != nil {
			return fmt.Errorf("print: %w", err)
		}
		return nil
	}
	w := tabwriter.NewWriter(c.out, 0, 8, 2, ' ', 0)
	if len(t.head) > 0 {
		_, _ = fmt.Fprintln(w, strings.ToUpper(strings.Join(t.head, "\t")))
	}
	for _, row := range t.rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = harmless(cell)
		}
		_, _ = fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// harmless is text as a terminal may show it: what moves its cursor, changes its colours or turns its lines around is foreign
// text's way to show what is not there.
func harmless(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}

// say writes a line for people; with --output json stdout is for the machine, so it goes to stderr.
func (c *cli) say(format string, args ...any) {
	to := c.out
	if c.output == "json" {
		to = c.errOut
	}
	_, _ = fmt.Fprintf(to, format+"\n", args...)
}

// explain is an error in words for the operator. A domain error speaks for itself; its cause follows,
// because on the operator's own terminal nothing needs to be hidden but secrets, which no error holds.
func explain(err error) string {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return err.Error()
	}
	lines := []string{strings.TrimSuffix(err.Error(), f.Error()) + f.Message + " (" + f.Code + ")"}
	for _, field := range f.Fields {
		lines = append(lines, field.Pointer+": "+cmp.Or(field.Detail, field.Code))
	}
	if f.Cause != nil {
		lines = append(lines, "cause: "+f.Cause.Error())
	}
	return strings.Join(lines, "\n  ")
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// isCode reports whether err is a domain error with the code.
func isCode(err error, code string) bool { return err != nil && fault.CodeOf(err) == code }

// ignoreClosed drops the error of closing what is closed already.
func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
