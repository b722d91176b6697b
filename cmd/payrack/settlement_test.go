package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/payrack/payrack/core/money"
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
		if nextOf(code) == "" {
			t.Errorf("%s: nobody is told what to do", code)
		}
	}
}
