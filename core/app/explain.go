package app

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/journal"
	"github.com/payrack/payrack/core/money"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/ports/inbound"
)

// Explain tells the story of a payment from its journal, with the digests of the releases that were called.
func (a *Audit) Explain(ctx context.Context, id payment.ID, language string) (inbound.Story, error) {
	var s speaker
	switch language {
	case "", "en":
	case "zh-TW", "zh-tw", "zh":
		s.chinese = true
	default:
		return inbound.Story{}, fault.New(fault.Invalid, "unknown_language", "a story is told in en or zh-TW")
	}
	r, err := a.Ledger.Load(ctx, "", id)
	if err != nil {
		return inbound.Story{}, err
	}
	story := inbound.Story{Payment: id, Company: r.Payment.Company, State: r.Payment.State}
	var all, before told
	for after := int64(0); ; {
		page, err := a.Journal.Entries(ctx, r.Payment.Stream(), after, 200)
		if err != nil {
			return inbound.Story{}, err
		}
		for _, e := range page {
			t, err := read(e)
			if err != nil {
				return inbound.Story{}, err
			}
			if e.N == 1 {
				all = t
			}
			story.Steps = append(story.Steps, s.step(e, t, before))
			before = t
		}
		if len(page) < 200 {
			break
		}
		after = page[len(page)-1].N
	}
	digests, err := a.digests(ctx, r.Payment.Provider)
	if err != nil {
		return inbound.Story{}, err
	}
	story.Summary = s.summary(r.Payment, all, digests)
	story.Promise = s.promise(r.Payment)
	story.Next = s.next(r)
	return story, nil
}

// digests are the releases of a provider by name@version.
func (a *Audit) digests(ctx context.Context, provider string) (map[string]release.Release, error) {
	all, err := a.Releases.List(ctx, provider)
	if err != nil {
		return nil, err
	}
	known := make(map[string]release.Release, len(all))
	for _, r := range all {
		known[r.Name+"@"+r.Version] = r
	}
	return known, nil
}

// speaker puts facts into words.
type speaker struct{ chinese bool }

// say chooses the language. Both texts take the same arguments in the same order.
func (s speaker) say(english, chinese string, args ...any) string {
	if s.chinese {
		return fmt.Sprintf(chinese, args...)
	}
	return fmt.Sprintf(english, args...)
}

// pick chooses a text without arguments.
func (s speaker) pick(english, chinese string) string {
	if s.chinese {
		return chinese
	}
	return english
}

// amount is an amount as people write it.
func amount(units int64, c money.Currency) string {
	return money.Amount{Units: units, Currency: c}.String()
}

// summary says what was asked for, by whom, and what it has come to.
func (s speaker) summary(p payment.Payment, first told, digests map[string]release.Release) []string {
	who := first.Client
	if who == "" {
		who = s.say("a client that was not recorded", "未記錄的用戶端")
	}
	store := string(p.Store)
	if store == "" {
		store = s.say("the company itself", "公司本身")
	}
	lines := []string{
		s.say("Order %s of company %s: %s by %s (%s).", "公司 %[2]s 的訂單 %[1]s:以 %[4]s 付款 %[3]s(%[5]s)。",
			p.OrderNumber, p.Company, amount(p.Amount.Units, p.Amount.Currency), p.Type, s.environment(string(p.Environment))),
		s.say("Asked for by %s for store %s at %s.", "由 %s 為門市 %s 於 %s 提出。", who, store, moment(first.At)),
	}
	if known, ok := digests[p.Release]; ok {
		lines = append(lines, s.say("First sent by plugin %s version %s, sha256 %s.", "第一次由外掛 %s 版本 %s 送出,sha256 %s。",
			known.Name, known.Version, known.SHA256))
	} else if p.Release != "" {
		lines = append(lines, s.say("First sent by plugin %s, whose release is not here any more.", "第一次由外掛 %s 送出,該版本已不在此處。", p.Release))
	}
	lines = append(lines, s.say("It is %s now: authorized %d, captured %d, refunded %d (%s).",
		"目前狀態 %s:已授權 %d、已請款 %d、已退款 %d(%s)。", p.State, p.Authorized, p.Captured, p.Refunded, p.Amount.Currency))
	return lines
}

func (s speaker) environment(e string) string {
	if e == "test" {
		return s.say("test", "測試")
	}
	return s.say("live", "正式")
}

// step tells one entry.
func (s speaker) step(e journal.Entry, t, before told) inbound.StoryStep {
	step := inbound.StoryStep{N: e.N, At: t.At, Event: e.Event, State: t.State, Text: s.text(e.Event, t, before)}
	detail := func(english, chinese, value string) {
		if value != "" && value != "0" {
			step.Details = append(step.Details, s.pick(english, chinese)+": "+value)
		}
	}
	detail("code", "代碼", t.OperationCode)
	if t.OperationCode == "" && t.OperationState != payment.OperationSending && t.OperationState != payment.OperationUnknown {
		detail("code", "代碼", t.Code)
	}
	detail("decline code", "拒絕代碼", t.DeclineCode)
	detail("provider's transaction", "金流交易編號", t.ProviderTransaction)
	detail("order id at the provider", "金流端訂單編號", t.OrderID)
	detail("searches so far", "已查詢次數", fmt.Sprint(t.Checks))
	detail("plugin", "外掛", t.Release)
	detail("trace", "追蹤編號", t.TraceID)
	return step
}

// kind names an operation.
func (s speaker) kind(k payment.Kind) string {
	switch k {
	case payment.KindPay:
		return s.say("the charge", "付款")
	case payment.KindConfirm:
		return s.say("the confirmation", "確認付款")
	case payment.KindCapture:
		return s.say("the capture", "請款")
	case payment.KindVoid:
		return s.say("the void", "取消授權")
	case payment.KindRefund:
		return s.say("the refund", "退款")
	}
	return string(k)
}

// text is the sentence of an entry.
func (s speaker) text(event string, t, before told) string {
	what, sum := s.kind(t.Kind), amount(t.OperationAmount, t.Currency)
	if event == "payment.reviewed" {
		return s.say("%s and %s decided that the payment is %s. Their evidence: %s", "%s 與 %s 判定此筆付款為 %s。依據:%s",
			t.Actor, t.Approver, t.State, t.Evidence)
	}
	if t.OperationState == payment.OperationSending {
		return s.sending(t, what, sum)
	}
	closed := t.Operation != before.Operation || before.OperationState == payment.OperationSending ||
		before.OperationState == payment.OperationUnknown
	found := before.OperationState == payment.OperationUnknown && before.Operation == t.Operation
	if closed && t.OperationState == payment.OperationSucceeded && t.State != payment.Mismatch && t.State != payment.Review {
		return s.succeeded(t, what, sum, found)
	}
	if closed && t.OperationState == payment.OperationFailed && t.State != payment.Mismatch && t.State != payment.Review {
		return s.failed(t, what, found)
	}
	return s.state(t, before, what)
}

func (s speaker) sending(t told, what, sum string) string {
	if t.Reversal != nil {
		return s.say("payrack began to give the money back: %s of %s, attempt %d, was recorded before it was sent.",
			"payrack 開始退回款項:%s %s,第 %d 次,送出前已記錄。", what, sum, *t.Reversal)
	}
	if t.Client == "" {
		return s.say("payrack began %s of %s by itself; it was recorded before it was sent.",
			"payrack 自行開始%s %s;送出前已記錄。", what, sum)
	}
	return s.say("%s asked for %s of %s; it was recorded before it was sent.", "%s 要求%s %s;送出前已記錄。", t.Client, what, sum)
}

func (s speaker) succeeded(t told, what, sum string, found bool) string {
	if t.State == payment.RequiresAction {
		return s.say("The provider waits for the payer to approve.", "金流等待付款人同意。")
	}
	if found {
		return s.say("A search showed that %s of %s had gone through.", "查詢得知%s %s 已成立。", what, sum)
	}
	return s.say("The provider approved %s of %s.", "金流核准%s %s。", what, sum)
}

func (s speaker) failed(t told, what string, found bool) string {
	switch {
	case t.OperationFailure == payment.NotSent:
		return s.say("%s was never sent, so nothing can have happened; the same request may be repeated.",
			"%s從未送出,不會有任何扣款;可以重送相同請求。", capital(what))
	case t.OperationFailure == payment.Declined:
		return s.say("The provider declined %s.", "金流拒絕%s。", what)
	case found:
		return s.say("Searches proved that %s had not taken place and cannot any more.", "多次查詢證實%s沒有成立,也不會再成立。", what)
	}
	return s.say("%s did not take place.", "%s沒有成立。", capital(what))
}

// state is the sentence of an entry that closes no operation.
func (s speaker) state(t, before told, what string) string {
	same := t.State == before.State
	switch t.State {
	case payment.Unknown, payment.Capturing, payment.Voiding, payment.Refunding:
		if same && before.OperationState == payment.OperationUnknown {
			return s.say("A search brought no certainty about %s.", "查詢仍無法確定%s的結果。", what)
		}
		return s.say("No answer to %s that settles it: nobody knows whether it took place. payrack searches for it and never sends it again.",
			"%s沒有得到確定的回覆:無法得知是否成立。payrack 會查詢,絕不重送。", what)
	case payment.Reversing:
		if same {
			return s.say("The money is still to be given back; nothing new was found.", "款項仍待退回;沒有新的發現。")
		}
		return s.say("The client was told \"not paid\"; if money was taken, it is given back.", "已告知用戶端「未付款」;若已扣款,將予退回。")
	case payment.Reversed:
		return s.say("It is proven that no money is held or taken any more.", "已證實沒有任何款項被保留或扣取。")
	case payment.RequiresAction:
		if same {
			return s.say("The payer has not acted yet.", "付款人尚未操作。")
		}
		return s.say("The provider waits for the payer to approve.", "金流等待付款人同意。")
	case payment.Authorized:
		return s.say("The authorization still stands.", "授權仍然有效。")
	case payment.Expired:
		return s.say("The provider says that it has expired or was cancelled there.", "金流表示已逾期或已在其端取消。")
	case payment.Mismatch:
		return s.say("What the provider says is not what was asked for: order, amount or currency differ.", "金流的記錄與請求不符:訂單、金額或幣別不同。")
	case payment.Review:
		return s.say("payrack cannot settle this by itself; two people must decide.", "payrack 無法自行判定;需由兩人審核。")
	case payment.Succeeded, payment.Failed, payment.Voided, payment.Refunded, payment.PartiallyRefunded, payment.Sending:
	}
	return s.say("The payment is %s.", "此筆付款為 %s。", t.State)
}

// promise is what the client may rely on.
func (s speaker) promise(p payment.Payment) string {
	switch p.State.Promise() {
	case payment.Paid:
		return s.say("The client was told \"paid\".", "已告知用戶端「已付款」。")
	case payment.NotPaid:
		return s.say("The client was told \"not paid\".", "已告知用戶端「未付款」。")
	case payment.NothingPromised:
	}
	return s.say("The client was told neither \"paid\" nor \"not paid\".", "尚未告知用戶端「已付款」或「未付款」。")
}

// next is what happens now.
func (s speaker) next(r payment.Record) string {
	when := s.say("soon", "不久後")
	if !r.Operation.NextCheckAt.IsZero() {
		when = s.say("at %s", "於 %s", moment(r.Operation.NextCheckAt))
	}
	switch r.Payment.State {
	case payment.Review:
		return s.say("Two people decide: POST /admin/v1/payments/%s/review.", "由兩人審核:POST /admin/v1/payments/%s/review。", r.Payment.ID)
	case payment.Sending, payment.Unknown, payment.Capturing, payment.Voiding, payment.Refunding, payment.Mismatch, payment.Reversing:
		return s.say("payrack asks the provider again %s.", "payrack 將%s再次詢問金流。", when)
	case payment.RequiresAction:
		return s.say("The payer approves or not; payrack looks %s.", "等待付款人同意;payrack 將%s查看。", when)
	case payment.Authorized:
		return s.say("The client captures or voids it.", "由用戶端請款或取消。")
	case payment.Failed:
		if r.Payment.Failure == payment.NotSent {
			return s.say("Nothing, unless the client repeats the request.", "無;除非用戶端重送請求。")
		}
		if !r.Operation.NextCheckAt.IsZero() {
			return s.say("payrack looks once more %s whether a charge turned up after all.", "payrack 將%s再次確認是否出現扣款。", when)
		}
	case payment.Succeeded, payment.PartiallyRefunded:
		return s.say("Nothing, unless the client asks for a refund.", "無;除非用戶端要求退款。")
	case payment.Reversed, payment.Voided, payment.Refunded, payment.Expired:
	}
	return s.say("Nothing: it has ended.", "無:已結束。")
}

// capital begins a sentence.
func capital(text string) string {
	if text == "" || text[0] < 'a' || text[0] > 'z' {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// moment is a time as it is told.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 MST") }
