package main

import (
	"bufio"
	"encoding/csv"
	"errors"
	"io"
	"regexp"
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
	f.IntVar(&r.skip, "skip", 0, "lines above the one that names the columns")
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
	for range r.skip { // before it is read as CSV, which a title need not be
		if _, err := text.ReadString('\n'); err != nil {
			return nil, usagef("the report has no row that names its columns")
		}
	}
	rows := csv.NewReader(text)
	rows.FieldsPerRecord, rows.TrimLeadingSpace, rows.ReuseRecord = -1, true, true
	var at *places
	var lines []settlement.Line
	for {
		row, err := rows.Read()
		switch {
		case errors.Is(err, io.EOF) && at == nil:
			return nil, usagef("the report has no row that names its columns")
		case errors.Is(err, io.EOF):
			return lines, nil
		case err != nil:
			return nil, usagef("the report is no CSV: %w", r.placed(err))
		case at == nil:
			if at, err = r.head(row); err != nil {
				return nil, err
			}
		default:
			place, _ := rows.FieldPos(0)
			place += r.skip
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

// placed is a mistake in the CSV with its line in the whole file.
func (r *reportFormat) placed(err error) error {
	if wrong, ok := errors.AsType[*csv.ParseError](err); ok {
		wrong.StartLine, wrong.Line = wrong.StartLine+r.skip, wrong.Line+r.skip
	}
	return err
}

func (r *reportFormat) head(row []string) (*places, error) {
	if slices.ContainsFunc(row, notText) {
		return nil, usagef("the report is not in UTF-8; convert it, for example with iconv -f BIG5 -t UTF-8")
	}
	has := harmless(strings.Join(row, ", "))
	if len(row) == 1 && strings.ContainsAny(row[0], ";\t") {
		has += "; its columns must be separated by commas"
	}
	d := defaultReportFormat()
	at := &places{}
	for _, column := range []struct {
		to         *int
		name, flag string
		named      bool
	}{
		{&at.order, r.order, "order", r.order != d.order},
		{&at.transaction, r.transaction, "transaction", r.transaction != d.transaction},
		{&at.kind, r.kind, "kind", r.kind != d.kind},
		{&at.amount, r.amount, "amount", true},
		{&at.currency, r.currencyColumn, "currency-column", r.currencyColumn != d.currencyColumn},
	} {
		is := func(s string) bool { return strings.EqualFold(strings.TrimSpace(s), column.name) }
		*column.to = slices.IndexFunc(row, is)
		switch {
		case *column.to < 0 && column.named:
			return nil, usagef("the report has no column %q (--%s); it has: %s", column.name, column.flag, has)
		case *column.to >= 0 && slices.ContainsFunc(row[*column.to+1:], is):
			return nil, usagef("the report has more than one column %q (--%s); give them names of their own", column.name, column.flag)
		}
	}
	if at.order < 0 && at.transaction < 0 {
		return nil, usagef("the report has neither a column %q (--order) nor %q (--transaction); it has: %s", r.order, r.transaction, has)
	}
	return at, nil
}

func notText(s string) bool { return !utf8.ValidString(s) }

// line reads one row. Rows of a kind to be ignored, without an amount or with none to move do not count.
func (r *reportFormat) line(at places, row []string) (line settlement.Line, counts bool, err error) {
	if slices.ContainsFunc(row, notText) {
		return line, false, usagef("it is not in UTF-8, though the lines above it are; convert the whole report, for example with iconv -f BIG5 -t UTF-8")
	}
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

// thousands is a whole number with commas where they mean thousands. Elsewhere a comma may begin the decimals, and 229,00 is not
// 22900.
var thousands = regexp.MustCompile(`^[0-9]{1,3}(,[0-9]{3})+$`)

// wholeMoney is an amount as people write it, as the plain text that money.Parse reads: without sign, thousands' commas and
// decimals that say nothing.
func wholeMoney(text string) (plain string, negative bool) {
	text, negative = strings.CutPrefix(text, "-")
	if !negative {
		text = strings.TrimPrefix(text, "+")
	}
	whole, decimals, _ := strings.Cut(text, ".")
	if thousands.MatchString(whole) {
		whole = strings.ReplaceAll(whole, ",", "")
	}
	if decimals = strings.TrimRight(decimals, "0"); decimals != "" {
		whole += "." + decimals
	}
	return whole, negative
}
