package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/payrack/payrack/adapters/outbound/seals"
	"github.com/payrack/payrack/adapters/outbound/system"
	"github.com/payrack/payrack/core/app"
	"github.com/payrack/payrack/core/fault"
)

// newAudit reads the evidence of a database.
func newAudit(store *database, key *seals.Keys) (*app.Audit, error) {
	audit, err := app.NewAudit(app.AuditOptions{
		Journal: store.Journal(), SealKey: key, Ledger: store.Ledger(), Holdings: store.Holdings(),
		Releases: store.Releases(), Clock: system.Clock{},
	})
	if err != nil {
		return nil, fmt.Errorf("set up the audit: %w", err)
	}
	return audit, nil
}

func (c *cli) auditCommand() *cobra.Command {
	group := &cobra.Command{Use: "audit", Short: "The evidence: who did what to which payment", Args: cobra.ArbitraryArgs, RunE: needsSubcommand}
	group.AddCommand(c.auditVerifyCommand())
	return group
}

// auditView is a report as the admin plane tells it.
type auditView struct {
	OK       bool       `json:"ok"`
	Entries  int64      `json:"entries"`
	Streams  int64      `json:"streams"`
	Seals    int64      `json:"seals"`
	Unsealed int64      `json:"unsealed"`
	LastSeal *time.Time `json:"last_seal_at"`
	Findings []struct {
		Code     string `json:"code"`
		What     string `json:"what"`
		Stream   string `json:"stream,omitempty"`
		N        int64  `json:"n,omitempty"`
		Position string `json:"position"`
		Seal     int64  `json:"seal,omitempty"`
	} `json:"findings"`
}

// keptSeal is a seal as the server logs it.
type keptSeal struct {
	Number    int64  `json:"number"`
	Root      string `json:"root"`
	Signature string `json:"signature"`
}

func (c *cli) auditVerifyCommand() *cobra.Command {
	var at adminFlags
	var kept string
	cmd := &cobra.Command{
		Use: "verify", Short: "Read the whole journal and name what was changed, taken out, added or moved",
		Long: `verify reads every entry of the journal, every seal over it, and every payment with its operations: their state, amounts, ids and
codes must be what the journal says.

A seal is made each second in which something was written, with a key that is not in the database. The server also writes
it to its log ("journal sealed"); keep that log where nobody who can write to the database can write. With --seals FILE
(the log, or any JSON lines with number, root and signature; - for stdin) a database that was restored from an older backup,
or written anew, is found out. What was written in the last second is not sealed yet; its count is shown.

The exit code is 1 if anything is wrong.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			body := map[string]any{}
			if kept != "" {
				all, err := readKeptSeals(cmd.InOrStdin(), kept)
				if err != nil {
					return err
				}
				body["seals"] = all
			}
			plane, err := at.plane()
			if err != nil {
				return err
			}
			var report auditView
			if err := plane.ask(cmd.Context(), http.MethodPost, "/admin/v1/audit/verify", body, &report); err != nil {
				return err
			}
			return c.printAudit(report)
		},
	}
	cmd.Flags().StringVar(&kept, "seals", "", "seals that were kept outside of the database: the server's log, or - for stdin")
	at.add(cmd)
	return cmd
}

func (c *cli) printAudit(report auditView) error {
	t := table{}
	last := "never"
	if report.LastSeal != nil {
		last = report.LastSeal.Format(time.RFC3339)
	}
	t.add("entries", fmt.Sprint(report.Entries))
	t.add("streams", fmt.Sprint(report.Streams))
	t.add("seals", fmt.Sprint(report.Seals))
	t.add("not sealed yet", fmt.Sprint(report.Unsealed))
	t.add("last seal", last)
	if err := c.print(report, t); err != nil {
		return err
	}
	if report.OK {
		c.say("the journal is whole")
		return nil
	}
	for _, f := range report.Findings {
		where := fmt.Sprintf("position %s", f.Position)
		if f.Stream != "" {
			where = fmt.Sprintf("%s entry %d, position %s", f.Stream, f.N, f.Position)
		}
		c.say("%s: %s (%s)", where, f.What, f.Code)
	}
	return &ended{exitFailure, errors.New("the journal is not what was written")}
}

// maxKeptSeals is how many seals of a file are compared. Each names the one before it, so that the newest speaks for all;
// the others only tell from where on it differs.
const maxKeptSeals = 100

// readKeptSeals reads JSON lines; other lines of a log are passed over.
func readKeptSeals(stdin io.Reader, file string) ([]keptSeal, error) {
	from := stdin
	if file != "-" {
		f, err := os.Open(file) //nolint:gosec // the operator names the file
		if err != nil {
			return nil, fmt.Errorf("read the seals: %w", err)
		}
		defer func() { _ = f.Close() }() // only read
		from = f
	}
	var all []keptSeal
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var s keptSeal
		if json.Unmarshal(lines.Bytes(), &s) == nil && s.Number > 0 && s.Root != "" && s.Signature != "" {
			all = append(all, s)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read the seals: %w", err)
	}
	if len(all) == 0 {
		return nil, fault.New(fault.Invalid, "no_seals", "the file holds no seal: it is the log of the server as JSON, or lines with number, root and signature")
	}
	return spread(all, maxKeptSeals), nil
}

// spread takes some of a list, evenly, the last one among them.
func spread[T any](all []T, most int) []T {
	if len(all) <= most {
		return all
	}
	some := make([]T, 0, most)
	for i := 1; i <= most; i++ {
		some = append(some, all[i*len(all)/most-1])
	}
	return some
}

// storyView is a story as the admin plane tells it.
type storyView struct {
	PaymentID string   `json:"payment_id"`
	CompanyID string   `json:"company_id"`
	State     string   `json:"state"`
	Summary   []string `json:"summary"`
	Steps     []struct {
		N       int64     `json:"n"`
		At      time.Time `json:"at"`
		Event   string    `json:"event"`
		State   string    `json:"state"`
		Text    string    `json:"text"`
		Details []string  `json:"details"`
	} `json:"steps"`
	Promise string `json:"promise"`
	Next    string `json:"next"`
}
