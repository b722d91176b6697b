package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/payrack/payrack/core/money"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/core/settlement"
)

func (c *cli) settlementCommand() *cobra.Command {
	group := &cobra.Command{Use: "settlement", Short: "What providers say that they moved", Args: cobra.ArbitraryArgs, RunE: needsSubcommand}
	group.AddCommand(c.settlementMatchCommand())
	return group
}

// matchOptions are the flags of settlement match.
type matchOptions struct {
	at                             adminFlags
	company, environment, provider string
	account                        string
	from, to                       string
	edge                           time.Duration
	format                         reportFormat
	recheck                        bool
}

func (c *cli) settlementMatchCommand() *cobra.Command {
	o := matchOptions{format: defaultReportFormat()}
	cmd := &cobra.Command{
		Use: "match FILE", Short: "Compare a provider's settlement report with the payments of a company",
		Long: `Compare a provider's settlement report with the payments of a company.

FILE is a CSV file in UTF-8 whose first row names its columns, or - for standard input. A row is a charge or a refund. It
finds its payment by the order id that the provider was told, or by the provider's transaction id of the charge.
A payment that was made in the period, told as paid, and is not in the report is found, too. A payment that was made before it
is compared if a row has its order id: a row with nothing but a transaction finds payments of the period only.
With --recheck the provider is asked about each payment in FAILED that stands in the report as charged, and what is there is
given back. Nothing else is changed, and no row of the report is believed. Of REVERSED, VOIDED and EXPIRED payments nothing is
asked: they have ended, and what the provider took for them all the same is for people to give back.
The exit code is 1 if anything does not agree.`,
		Example: `  payrack settlement match report.csv --company acme --provider linepay --from 2026-11-22 --to 2026-11-23 \
    --order "Order No" --transaction "Transaction ID" --kind Type --amount Amount`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return c.matchSettlement(cmd.Context(), o, args[0]) },
	}
	f := cmd.Flags()
	f.StringVar(&o.company, "company", "", "the company whose account the report is of")
	f.StringVar(&o.environment, "environment", "live", "live or test")
	f.StringVar(&o.provider, "provider", "", "the provider whose report it is, such as linepay")
	f.StringVar(&o.account, "account", "", "the account whose report it is, where stores have accounts of their own with the provider")
	f.StringVar(&o.from, "from", "", "when the report begins: a day (as this machine's clock has it), or a time such as 2026-11-22T00:00:00+08:00")
	f.StringVar(&o.to, "to", "", "when it ends, that moment not included; a day is its beginning on this machine")
	f.DurationVar(&o.edge, "edge", time.Hour, "what happened so shortly before the end may be in the next report")
	o.format.add(f)
	f.BoolVar(&o.recheck, "recheck", false, "ask the provider about charges behind a FAILED, and give back what is there")
	o.at.add(cmd)
	return cmd
}

// period reads the flags that say what the report covers.
func (o matchOptions) period() (settlement.Period, error) {
	if err := required([2]string{"company", o.company}, [2]string{"provider", o.provider}, [2]string{"from", o.from}, [2]string{"to", o.to}); err != nil {
		return settlement.Period{}, err
	}
	if o.environment != "live" && o.environment != "test" {
		return settlement.Period{}, usagef("--environment is %q: choose live or test", o.environment)
	}
	from, err := dayOrTime("from", o.from)
	if err != nil {
		return settlement.Period{}, err
	}
	to, err := dayOrTime("to", o.to)
	if err != nil {
		return settlement.Period{}, err
	}
	if !from.Before(to) || o.edge < 0 {
		return settlement.Period{}, usagef("the report ends before it begins: --from must be before --to, and --edge not negative")
	}
	return settlement.Period{From: from, To: to, Edge: o.edge}, nil
}

func dayOrTime(flag, text string) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	if t, err := time.ParseInLocation(time.DateOnly, text, time.Local); err == nil {
		return t, nil
	}
	return time.Time{}, usagef("--%s is %q: write a day as 2026-11-22, or a time as 2026-11-22T00:00:00+08:00", flag, text)
}

func (c *cli) matchSettlement(ctx context.Context, o matchOptions, path string) error {
	period, err := o.period()
	if err != nil {
		return err
	}
	lines, err := o.format.readFile(path)
	if err != nil {
		return err
	}
	plane, err := o.at.plane()
	if err != nil {
		return err
	}
	plane.connections = &http.Transport{Proxy: nil}
	match := settlement.New(period, lines)
	b := books{plane: plane, options: o, match: match, added: map[string]bool{}, accounts: map[string]bool{}}
	if err := b.add(ctx, period); err != nil {
		return err
	}
	report := match.Report()
	rechecked := map[string]string{}
	if o.recheck {
		rechecked = recheckCharged(ctx, plane, report.Findings)
	}
	err = c.printMatch(period, report, rechecked)
	if len(b.accounts) > 1 {
		c.say("The payments are of the accounts %s. If the report is of one of them, name it with --account.",
			harmless(strings.Join(slices.Sorted(maps.Keys(b.accounts)), ", ")))
	}
	return err
}

// notAsked is said of a payment behind a "not paid" that a recheck asks nothing about.
const notAsked = "not asked: it has ended"

// recheckCharged asks about each payment that has failed and is charged in the report. It returns how they stand then, and of
// others behind a "not paid" that nothing is asked.
func recheckCharged(ctx context.Context, plane *caller, findings []settlement.Finding) map[string]string {
	states := map[string]string{}
	for _, f := range findings {
		switch {
		case f.Code != settlement.NotPaidHere && f.Code != settlement.ChargedTwice:
			continue
		case endedUnpaid(f):
			states[string(f.Payment)] = notAsked
			continue
		case f.State != payment.Failed:
			continue
		}
		var now struct {
			State string `json:"state"`
		}
		if err := plane.ask(ctx, http.MethodPost, "/admin/v1/payments/"+string(f.Payment)+"/recheck", nil, &now); err != nil {
			now.State = strings.Join(strings.Fields(explain(err)), " ") // one cell of a table
		}
		states[string(f.Payment)] = now.State
	}
	return states
}

// findingView is a finding as the command prints it with --output json.
type findingView struct {
	Code        settlement.Code `json:"code"`
	Row         int             `json:"row,omitempty"`
	Payment     string          `json:"payment_id,omitempty"`
	State       string          `json:"state,omitempty"`
	OrderID     string          `json:"order_id,omitempty"`
	Transaction string          `json:"provider_transaction_id,omitempty"`
	Here        *amountView     `json:"here,omitempty"`
	There       *amountView     `json:"there,omitempty"`
	// Rechecked is the state after --recheck, or why there is none.
	Rechecked string `json:"rechecked,omitempty"`
}

// amountView is an amount in whole charge units of its currency.
type amountView struct {
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

func viewAmount(a money.Amount) *amountView {
	if a.IsZero() {
		return nil
	}
	return &amountView{a.Units, string(a.Currency)}
}

// printMatch prints a report. Findings are an error with exit code 1.
func (c *cli) printMatch(period settlement.Period, r settlement.Report, rechecked map[string]string) error {
	whole := struct {
		From     time.Time     `json:"from"`
		To       time.Time     `json:"to"`
		Lines    int           `json:"lines"`
		Matched  int           `json:"matched"`
		Payments int           `json:"payments"`
		Findings []findingView `json:"findings"`
	}{period.From, period.To, r.Lines, r.Matched, r.Payments, make([]findingView, 0, len(r.Findings))}
	t := table{head: []string{"finding", "row", "payment", "state", "order", "transaction", "here", "there", "rechecked"}}
	for _, f := range r.Findings {
		v := findingView{
			Code: f.Code, Row: f.Row, Payment: string(f.Payment), State: string(f.State), OrderID: f.OrderID, Transaction: f.Transaction,
			Here: viewAmount(f.Here), There: viewAmount(f.There), Rechecked: rechecked[string(f.Payment)],
		}
		whole.Findings = append(whole.Findings, v)
		t.add(string(v.Code), rowText(f.Row), dash(v.Payment), dash(v.State), dash(v.OrderID), dash(v.Transaction),
			amountText(f.Here), amountText(f.There), dash(v.Rechecked))
	}
	if len(r.Findings) == 0 {
		t.head = nil
	}
	if err := c.print(whole, t); err != nil {
		return err
	}
	c.say("%s to %s: %d lines of the report, %d with a payment; %d payments compared",
		period.From.Format(time.RFC3339), period.To.Format(time.RFC3339), r.Lines, r.Matched, r.Payments)
	if len(r.Findings) == 0 {
		return nil
	}
	for _, next := range nextsOf(r.Findings) {
		c.say("%s: %d. Next: %s", next.code, next.count, next.text)
	}
	return &ended{exitFailure, errors.New("the report and the payments do not agree")}
}

func rowText(row int) string {
	if row == 0 {
		return "-"
	}
	return fmt.Sprint(row)
}

func amountText(a money.Amount) string {
	if a.IsZero() {
		return "-"
	}
	return a.String()
}

// open opens a file, or standard input for "-".
func open(path string) (*os.File, error) {
	if path == "-" {
		return os.Stdin, nil
	}
	file, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, usagef("the report cannot be read: %w", cmp.Or(errors.Unwrap(err), err))
	}
	return file, nil
}
