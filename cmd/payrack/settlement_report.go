package main

import (
	"bufio"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/pflag"

	"github.com/payrack/payrack/core/money"
	"github.com/payrack/payrack/core/settlement"
)

// reportFormat says how the columns of a report are to be read. Every provider names them otherwise.
type reportFormat struct {
	order, transaction, kind, amount, currencyColumn string
	currency                                         string
	charges, refunds, ignored                        []string
	skip                                             int
}

func defaultReportFormat() reportFormat {
	return reportFormat{
		order: "order_id", transaction: "transaction_id", kind: "kind", amount: "amount", currencyColumn: "currency", currency: string(money.TWD),
		charges: []string{"charge", "pay", "payment", "capture", "sale"}, refunds: []string{"refund", "void", "reversal", "cancel"},
	}
}

func (r *reportFormat) add(f *pflag.FlagSet) {
	f.StringVar(&r.order, "order", r.order, "column of the order id that the provider was told")
	f.StringVar(&r.transaction, "transaction", r.transaction, "column of the provider's transaction id of the charge")
	f.StringVar(&r.kind, "kind", r.kind, "column that says charge or refund; without it an amount below zero is a refund")
	f.StringVar(&r.amount, "amount", r.amount, "column of the amount in whole money, such as 229 or 1,299.50")
	f.StringVar(&r.currencyColumn, "currency-column", r.currencyColumn, "column of the currency")
	f.StringVar(&r.currency, "currency", r.currency, "currency of rows that name none")
	f.StringSliceVar(&r.charges, "charge-words", r.charges, "what the kind of a charge is called, in any case")
	f.StringSliceVar(&r.refunds, "refund-words", r.refunds, "what the kind of a refund is called")
	f.StringSliceVar(&r.ignored, "ignore-words", nil, "kinds of rows that move no money of a payment, such as fees")
	f.IntVar(&r.skip, "skip", 0, "rows above the one that names the columns")
}

func (r *reportFormat) readFile(path string) ([]settlement.Line, error) {
	file, err := open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // it was only read
	return r.read(file)
}

// places are the columns of a report by what they hold, -1 for one that it does not have.
type places struct{ order, transaction, kind, amount, currency int }

func (r *reportFormat) read(from io.Reader) ([]settlement.Line, error) {
	text := bufio.NewReader(from)
	if mark, err := text.Peek(3); err == nil && string(mark) == "\ufeff" {
		_, _ = text.Discard(len(mark)) // what was peeked is there
	}
	rows := csv.NewReader(text)
	rows.FieldsPerRecord, rows.TrimLeadingSpace, rows.ReuseRecord = -1, true, true
	var at *places
	var lines []settlement.Line
	for n := 1; ; n++ {
		row, err := rows.Read()
		switch {
		case errors.Is(err, io.EOF) && at == nil:
			return nil, usagef("the report has no row that names its columns")
		case errors.Is(err, io.EOF):
			return lines, nil
		case err != nil:
			return nil, usagef("the report is no CSV: %w", err)
		case n <= r.skip:
		case at == nil:
			if at, err = r.head(row); err != nil {
				return nil, err
			}
		default:
			place, _ := rows.FieldPos(0)
			line, counts, err := r.line(*at, row)
			if err != nil {
				return nil, usagef("line %d of the report: %w", place, err)
			}
			if counts {
				line.Row = place
				lines = append(lines, line)
			}
		}
	}
}

func (r *reportFormat) head(row []string) (*places, error) {
	if slices.ContainsFunc(row, func(s string) bool { return !utf8.ValidString(s) }) {
		return nil, usagef("the report is not in UTF-8; convert it, for example with iconv -f BIG5 -t UTF-8")
	}
	find := func(name string) int {
		return slices.IndexFunc(row, func(s string) bool { return strings.EqualFold(strings.TrimSpace(s), name) })
	}
	at := &places{find(r.order), find(r.transaction), find(r.kind), find(r.amount), find(r.currencyColumn)}
	switch {
	case at.amount < 0:
		return nil, usagef("the report has no column %q (--amount); it has: %s", r.amount, strings.Join(row, ", "))
	case at.order < 0 && at.transaction < 0:
		return nil, usagef("the report has neither a column %q (--order) nor %q (--transaction); it has: %s", r.order, r.transaction, strings.Join(row, ", "))
	}
	return at, nil
}

// line reads one row. Rows of a kind to be ignored, without an amount or with none to move do not count.
func (r *reportFormat) line(at places, row []string) (line settlement.Line, counts bool, err error) {
	cell := func(n int) string {
		if n < 0 || n >= len(row) {
			return ""
		}
		return strings.TrimSpace(row[n])
	}
	line = settlement.Line{OrderID: cell(at.order), Transaction: cell(at.transaction), Kind: settlement.Charge}
	kind := cell(at.kind)
	known := func(words []string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(w, kind) })
	}
	switch {
	case known(r.ignored):
		return line, false, nil
	case kind == "" && at.kind >= 0 && line.OrderID == "" && line.Transaction == "":
		return line, false, nil // a line of sums
	case known(r.refunds):
		line.Kind = settlement.Refund
	case at.kind >= 0 && !known(r.charges):
		return line, false, usagef("%q is no known kind: name it in --charge-words, --refund-words or --ignore-words", kind)
	}
	currency := money.Currency(r.currency)
	if own := cell(at.currency); own != "" {
		currency = money.Currency(strings.ToUpper(own))
	}
	units, negative := wholeMoney(cell(at.amount))
	if line.Amount, err = money.Parse(units, currency); err != nil {
		return line, false, usagef("amount %q of currency %q: %w", cell(at.amount), currency, err)
	}
	if line.Amount.Units == 0 {
		return line, false, nil
	}
	if line.OrderID == "" && line.Transaction == "" {
		return line, false, usagef("a row with the amount %s names neither an order nor a transaction", line.Amount)
	}
	if negative {
		line.Kind = settlement.Refund
	}
	return line, true, nil
}

// wholeMoney is an amount as people write it, as the plain text that money.Parse reads: without sign, thousands' commas and
// decimals that say nothing.
func wholeMoney(text string) (plain string, negative bool) {
	text, negative = strings.CutPrefix(text, "-")
	text = strings.ReplaceAll(strings.TrimPrefix(text, "+"), ",", "")
	whole, decimals, _ := strings.Cut(text, ".")
	if decimals = strings.TrimRight(decimals, "0"); decimals != "" {
		whole += "." + decimals
	}
	return whole, negative
}
