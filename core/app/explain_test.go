package app_test

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/payrack/payrack/core/app"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/ports/inbound"
	"github.com/payrack/payrack/ports/outbound"
)

var update = flag.Bool("update-stories", false, "write the golden stories anew")

// hidden are ids that differ from run to run.
var hidden = regexp.MustCompile(`(id-\d{8}|cl_[a-z2-7]{26})`)

func auditOf(t *testing.T, w *world) *app.Audit {
	t.Helper()
	a, err := app.NewAudit(app.AuditOptions{
		Journal: w.Journal, SealKey: &sealKey{}, Ledger: w.ledger, Holdings: w.store.Holdings(), Releases: w.Options.Releases, Clock: w.clock,
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// written is a story as text.
func written(s inbound.Story) string {
	var b strings.Builder
	for _, line := range s.Summary {
		b.WriteString(line + "\n")
	}
	for _, step := range s.Steps {
		b.WriteString("\n" + string(step.State) + " (" + step.Event + ")\n  " + step.Text + "\n")
		for _, d := range step.Details {
			b.WriteString("  " + d + "\n")
		}
	}
	b.WriteString("\n" + s.Promise + "\n" + s.Next + "\n")
	return hidden.ReplaceAllString(b.String(), "ID")
}

func TestStories(t *testing.T) {
	t.Parallel()
	declines := func(context.Context, outbound.Instruction) outbound.Answer {
		return outbound.Answer{
			Known: payment.KnownDeclined, Native: []byte(`{"code":"51"}`),
			Evidence: payment.Evidence{Code: "51", DeclineCode: "insufficient_funds"},
		}
	}
	for name, play := range map[string]func(t *testing.T, w *world){
		"paid": func(t *testing.T, w *world) { t.Helper(); must(t)(w.Payments().Pay(t.Context(), w.order("A"))) },
		"declined": func(t *testing.T, w *world) {
			t.Helper()
			w.till.answers = declines
			must(t)(w.Payments().Pay(t.Context(), w.order("A")))
		},
		"found": func(t *testing.T, w *world) {
			t.Helper()
			w.till.answers = w.till.bank.silently
			must(t)(w.Payments().Pay(t.Context(), w.order("A")))
			time.Sleep(5 * time.Second)
		},
		"reversed": func(t *testing.T, w *world) {
			t.Helper()
			w.policy(company.Reverse)
			var healed atomic.Bool
			w.till.finds = func(q outbound.Question) outbound.Findings {
				if !healed.Load() {
					return outbound.Findings{}
				}
				return w.till.bank.find(q)
			}
			w.till.answers = func(ctx context.Context, i outbound.Instruction) outbound.Answer {
				if !healed.Load() {
					return w.till.bank.silently(ctx, i)
				}
				return w.till.bank.do(ctx, i)
			}
			must(t)(w.Payments().Pay(t.Context(), w.order("A")))
			time.Sleep(3*time.Minute - 500*time.Millisecond) // between two rounds of the recovery
			healed.Store(true)
			time.Sleep(time.Hour)
		},
		"refund-in-doubt": func(t *testing.T, w *world) {
			t.Helper()
			must(t)(w.Payments().Pay(t.Context(), w.order("A")))
			w.till.finds = func(outbound.Question) outbound.Findings { return outbound.Findings{} }
			w.till.answers = w.till.bank.silently
			c := w.order("A")
			c.IdempotencyKey = "refund-1"
			must(t)(w.Payments().Refund(t.Context(), c))
			time.Sleep(4500 * time.Millisecond) // between two checks
		},
		"review": func(t *testing.T, w *world) {
			t.Helper()
			w.policy(company.ToReview)
			w.till.finds = func(outbound.Question) outbound.Findings { return outbound.Findings{} }
			w.till.answers = w.till.bank.silently
			must(t)(w.Payments().Pay(t.Context(), w.order("A")))
			time.Sleep(8 * 24 * time.Hour)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := resolving(t)
				must(t)(nil, w.Options.Releases.Add(t.Context(), release.Release{
					Name: "till", Version: "1.0.0", SHA256: strings.Repeat("ab", 32), Path: "/p", Size: 1, Status: release.Installed,
				}))
				play(t, w)
				for _, language := range []string{"en", "zh-TW"} {
					story, err := auditOf(t, w).Explain(t.Context(), w.record(t.Context(), "A").Payment.ID, language)
					if err != nil {
						t.Fatal(err)
					}
					golden(t, filepath.Join("testdata", "stories", name+"."+language+".txt"), written(story))
				}
			})
		})
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; run with -update-stories", err)
	}
	if string(want) != got {
		t.Errorf("%s is not what is told any more; it is\n%s", file, got)
	}
}

func TestAStoryNeedsALanguageAndAPayment(t *testing.T) {
	t.Parallel()
	a := auditOf(t, newWorld(t))
	if _, err := a.Explain(t.Context(), "x", "fr"); fault.CodeOf(err) != "unknown_language" {
		t.Errorf("%v", err)
	}
	if _, err := a.Explain(t.Context(), "x", "en"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("%v", err)
	}
}

func TestAuditOfWhatTheCoreWrites(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, order := range []string{"A", "B", "C"} {
		must(t)(w.Payments().Pay(t.Context(), w.order(order)))
	}
	if _, err := w.Recovery().Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	must(t)(w.Payments().Pay(t.Context(), w.order("D")))
	report, err := auditOf(t, w).Verify(t.Context(), inbound.VerifyAudit{})
	if err != nil || len(report.Findings) != 0 || report.Entries != 8 || report.Unsealed != 2 || report.Seals != 1 || report.Streams != 4 {
		t.Errorf("%+v, %v", report, err)
	}
	report, err = auditOf(t, w).Verify(t.Context(), inbound.VerifyAudit{Seals: []inbound.KeptSeal{{Number: 1}, {Number: 9}}})
	if err != nil || len(report.Findings) != 2 || report.Findings[0].Code != "kept_seal_differs" || report.Findings[1].Code != "kept_seal_missing" {
		t.Errorf("%+v, %v", report, err)
	}
}
