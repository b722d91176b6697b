package conformance

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// KitVersion is the version of the list of checks. It grows with every check that is added or made
// stricter, so that an old report is known as old.
const KitVersion = 1

// Status of a result.
type Status string

// The statuses.
const (
	StatusPassed        Status = "passed"
	StatusFailed        Status = "failed"
	StatusNotApplicable Status = "not_applicable"
	StatusWaived        Status = "waived"
)

// Result is what one check found about one payment type, or about the plugin as a whole.
type Result struct {
	// Check is the id, as in Checks.
	Check string `json:"check"`
	// Type is the payment type; empty for checks of the plugin as a whole.
	Type   string `json:"type,omitempty"`
	Title  string `json:"title"`
	Status Status `json:"status"`
	// Reason says why a check was not applicable or waived.
	Reason string `json:"reason,omitempty"`
	// Problems are what was found, if it failed.
	Problems []string `json:"problems,omitempty"`
	// Why the check exists, if it failed.
	Why    string `json:"why,omitempty"`
	TookMS int64  `json:"took_ms"`
}

func (r Result) name() string {
	if r.Type == "" {
		return r.Check
	}
	return r.Check + "/" + r.Type
}

func (r Result) problems() string { return "  - " + strings.Join(r.Problems, "\n  - ") }

// Report is what the kit found about one binary.
type Report struct {
	// KitVersion is that of the kit that wrote the report.
	KitVersion int `json:"kit_version"`
	// Name, Version and SHA256 name the release: the digest is that of the bytes that ran.
	Name    string `json:"name"`
	Version string `json:"version"`
	SHA256  string `json:"sha256"`
	// Types are the payment types that were proven.
	Types []string `json:"types"`
	// SubjectSHA256 is the digest of the subject in its compact JSON form.
	SubjectSHA256 string    `json:"subject_sha256"`
	At            time.Time `json:"at"`
	TookMS        int64     `json:"took_ms"`
	// Complete is false if only some checks were asked for.
	Complete bool     `json:"complete"`
	Results  []Result `json:"results"`
}

// Passed reports whether all checks ran, none failed and at least one passed. Waived ones are for the
// reader to judge.
func (r Report) Passed() bool {
	return r.Complete && r.Count(StatusFailed) == 0 && r.Count(StatusPassed) > 0
}

// Count counts the results with a status.
func (r Report) Count(s Status) int {
	n := 0
	for _, result := range r.Results {
		if result.Status == s {
			n++
		}
	}
	return n
}

// WriteText writes the report for people: what failed in full, what was not looked at with the reason,
// and a count of the rest.
func (r Report) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s (sha256 %.12s…), payment types %s\n", r.Name, r.Version, r.SHA256, strings.Join(r.Types, ", "))
	for _, result := range r.Results {
		switch result.Status {
		case StatusFailed:
			fmt.Fprintf(&b, "\nFAILED  %s: %s\n%s\n  why it matters: %s\n", result.name(), result.Title, result.problems(), result.Why)
		case StatusWaived, StatusNotApplicable, StatusPassed:
		}
	}
	for _, s := range []Status{StatusWaived, StatusNotApplicable} {
		r.writeReasons(&b, s)
	}
	fmt.Fprintf(&b, "\n%d passed, %d failed, %d not applicable, %d waived in %.1f s\n",
		r.Count(StatusPassed), r.Count(StatusFailed), r.Count(StatusNotApplicable), r.Count(StatusWaived), float64(r.TookMS)/1000)
	if !r.Complete {
		b.WriteString("only some checks ran: this report proves nothing to others\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeReasons groups by reason: a plugin without refunds has one line, not six.
func (r Report) writeReasons(b *strings.Builder, s Status) {
	var reasons []string
	checks := map[string][]string{}
	for _, result := range r.Results {
		if result.Status != s {
			continue
		}
		if checks[result.Reason] == nil {
			reasons = append(reasons, result.Reason)
		}
		checks[result.Reason] = append(checks[result.Reason], result.name())
	}
	if len(reasons) > 0 {
		fmt.Fprintf(b, "\n%s:\n", strings.ReplaceAll(string(s), "_", " "))
	}
	for _, reason := range reasons {
		fmt.Fprintf(b, "  %s\n    %s\n", reason, strings.Join(checks[reason], " "))
	}
}
