package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/payrack/payrack/core/money"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/core/settlement"
)

// reportLine is a line without a transaction, on row 2.
func reportLine(kind settlement.Kind, units int64, c money.Currency) settlement.Line {
	return settlement.Line{Row: 2, Kind: kind, OrderID: "A", Amount: money.Amount{Units: units, Currency: c}}
}

// Reports are written by many hands. What is not understood is refused with its line, and never skipped without a word.
func TestReportRows(t *testing.T) {
	t.Parallel()
	const head = "order_id,transaction_id,kind,amount,currency\n"
	for text, want := range map[string]any{
		head + "A,,charge,229,TWD":                  reportLine(settlement.Charge, 229, money.TWD),
		head + "A,,Payment,229.00,":                 reportLine(settlement.Charge, 229, money.TWD),
		head + "A,,SALE,\"1,299\",twd":              reportLine(settlement.Charge, 1299, money.TWD),
		head + "A,,refund,-229,TWD":                 reportLine(settlement.Refund, 229, money.TWD),
		head + "A,,charge,-229,TWD":                 reportLine(settlement.Refund, 229, money.TWD),
		head + "A,,charge,9.9,USD":                  reportLine(settlement.Charge, 990, money.USD),
		"\ufeffOrder_ID,Amount\n A , +5 ":           reportLine(settlement.Charge, 5, money.TWD),
		"order_id,amount\nA,-5":                     reportLine(settlement.Refund, 5, money.TWD),
		head + "A,,charge,0,TWD":                    nil,
		head + ",,,1229,":                           nil,
		head + "A,,fee,3,TWD":                       `line 2 of the report: "fee" is no known kind: name it in --charge-words, --refund-words or --ignore-words`,
		head + "A,,charge,2 29,TWD":                 `line 2 of the report: amount "2 29" of currency "TWD": not an amount of this currency`,
		head + "A,,charge,229.5,TWD":                `line 2 of the report: amount "229.5" of currency "TWD": not an amount of this currency`,
		head + "A,,charge,,TWD":                     `line 2 of the report: amount "" of currency "TWD": not an amount of this currency`,
		head + "A,,charge,229,EUR":                  `line 2 of the report: amount "229" of currency "EUR": unknown currency: only TWD, JPY, THB and USD are charged`,
		head + ",,charge,229,TWD":                   "line 2 of the report: a row with the amount 229 TWD names neither an order nor a transaction",
		head + "A,\"x,charge,229,TWD":               "the report is no CSV: parse error on line 2",
		head + "A,,charge,\"229,00\",TWD":           `line 2 of the report: amount "229,00" of currency "TWD": not an amount of this currency`,
		head + "A,,charge,\"1,2,9\",TWD":            `line 2 of the report: amount "1,2,9" of currency "TWD": not an amount of this currency`,
		head + "A,,charge,-+229,TWD":                `line 2 of the report: amount "-+229" of currency "TWD": not an amount of this currency`,
		head + "A,,charge,\"12,299.50\",USD":        reportLine(settlement.Charge, 1229950, money.USD),
		head + "\"A\n1\",,charge,0,TWD\n\nA,,x,1,":  `line 5 of the report: "x" is no known kind`,
		head + "A,,charge,229,TWD,\xa4\xa4":         "line 2 of the report: it is not in UTF-8",
		"order_id,amount,Amount\nA,5,6":             `the report has more than one column "amount" (--amount)`,
		"order_id;amount\nA;5":                      `the report has no column "amount" (--amount); it has: order_id;amount; its columns must be separated by commas`,
		"order_id,\x1b[2Jtotal\nA,5":                "the report has no column \"amount\" (--amount); it has: order_id, \ufffd[2Jtotal",
		"":                                          "the report has no row that names its columns",
		"order_id,total\nA,5":                       `the report has no column "amount" (--amount); it has: order_id, total`,
		"order,amount\nA,5":                         `the report has neither a column "order_id" (--order) nor "transaction_id" (--transaction); it has: order, amount`,
		"\xadq\xb3\xe6\xbd\x73\xb8\xb9,amount\nA,5": "the report is not in UTF-8; convert it, for example with iconv -f BIG5 -t UTF-8",
	} {
		r := defaultReportFormat()
		got, err := r.read(strings.NewReader(text))
		switch want := want.(type) {
		case string:
			if err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("%q: got %v, want %s", text, err, want)
			}
		case settlement.Line:
			if diff := cmp.Diff([]settlement.Line{want}, got); err != nil || diff != "" {
				t.Errorf("%q: %v %s", text, err, diff)
			}
		default:
			if err != nil || len(got) != 0 {
				t.Errorf("%q: got %+v, %v", text, got, err)
			}
		}
	}
}

// A column that was named and is not there is a mistake in writing: without it refunds would count as charges.
func TestNamedColumnsMustBeThere(t *testing.T) {
	t.Parallel()
	for flag, name := range map[string]func(*reportFormat){
		"--order":           func(r *reportFormat) { r.order = "Ordr" },
		"--transaction":     func(r *reportFormat) { r.transaction = "Ordr" },
		"--kind":            func(r *reportFormat) { r.kind = "Ordr" },
		"--currency-column": func(r *reportFormat) { r.currencyColumn = "Ordr" },
	} {
		r := defaultReportFormat()
		name(&r)
		const text = "order_id,transaction_id,kind,amount,currency\nA,,refund,229,TWD"
		if _, err := r.read(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), `no column "Ordr" (`+flag+")") {
			t.Errorf("%s: got %v", flag, err)
		}
	}
}

// What stands above the columns need not be CSV, and a line's place is its place in the file.
func TestSkippedLines(t *testing.T) {
	t.Parallel()
	r := defaultReportFormat()
	r.skip = 3
	const above = "\ufeff Report of \"all\", shops\n\nmade today\n"
	got, err := r.read(strings.NewReader(above + "order_id,amount\nA,5"))
	if err != nil || len(got) != 1 || got[0].Row != 5 {
		t.Errorf("got %+v, %v", got, err)
	}
	for text, want := range map[string]string{
		above + "order_id,amount\nA,\"5": "line 5", above + "order_id,amount\nA,five": "line 5 of the report", "a\nb": "no row that names its columns",
	} {
		if _, err := r.read(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v", text, err)
		}
	}
}

func TestPeriods(t *testing.T) {
	t.Parallel()
	o := matchOptions{company: "acme", environment: "live", provider: "demo", from: "2026-11-22", to: "2026-11-23T00:00:00+08:00"}
	p, err := o.period()
	if err != nil || !p.From.Equal(time.Date(2026, 11, 22, 0, 0, 0, 0, time.Local)) || !p.To.Equal(time.Date(2026, 11, 22, 16, 0, 0, 0, time.UTC)) {
		t.Errorf("%+v, %v", p, err)
	}
	for want, change := range map[string]func(*matchOptions){
		"--company":            func(o *matchOptions) { o.company = "" },
		"choose live or test":  func(o *matchOptions) { o.environment = "prod" },
		"--from is \"today\"":  func(o *matchOptions) { o.from = "today" },
		"--to is \"tomorrow\"": func(o *matchOptions) { o.to = "tomorrow" },
		"before it begins":     func(o *matchOptions) { o.from = "2026-11-24" },
	} {
		bad := o
		change(&bad)
		if _, err := bad.period(); err == nil || !strings.Contains(err.Error(), want) || exitCode(err) != exitUsage {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestEveryFindingSaysWhatToDo(t *testing.T) {
	t.Parallel()
	for _, code := range settlement.Codes() {
		for _, state := range payment.States() {
			if nextOf(settlement.Finding{Code: code, State: state}) == "" {
				t.Errorf("%s in %s: nobody is told what to do", code, state)
			}
		}
	}
}
