package ecpaysandbox

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"github.com/payrack/payrack/plugins/sandbox"
	"github.com/payrack/payrack/plugins/sandbox/charges"
)

const maxBody = 1 << 20

// clockSkew is how far a request's timestamp may be off.
const clockSkew = 10 * time.Minute

// codeLife is how long a customer's code is good for. The real time is not public.
const codeLife = 5 * time.Minute

// gateway is ECPay's side.
type gateway struct {
	env  *sandbox.Env
	book *charges.Book
}

func newGateway(env *sandbox.Env) *gateway {
	return &gateway{env: env, book: charges.Open(env, "TWD", func(tx *sandbox.Tx) string {
		return fmt.Sprintf("26%018d", tx.Serial()) // ECPay's own number has twenty digits
	})}
}

var operations = map[string]string{
	"/1.0.0/POS/BackAuth":   sandbox.OpPay,
	"/1.0.0/POS/QueryTrade": sandbox.OpSearch,
	"/1.0.0/POS/Refund":     sandbox.OpRefund,
}

// call is one request that was deciphered.
type call struct {
	credential

	switches switches
	request  request
}

// request are the members of all requests.
type request struct {
	MerchantID       string `json:"MerchantID"`
	MerchantTradeNo  string `json:"MerchantTradeNo"`
	MerchantRefundNo string `json:"MerchantRefundNo"`
	RefundAmount     int64  `json:"RefundAmount"`
	OrderInfo        struct {
		MerchantTradeNo   string `json:"MerchantTradeNo"`
		MerchantTradeDate string `json:"MerchantTradeDate"`
		Amount            int64  `json:"Amount"`
		ItemName          string `json:"ItemName"`
		TradeDesc         string `json:"TradeDesc"`
		ReturnURL         string `json:"ReturnURL"`
	} `json:"OrderInfo"`
	ChoosePayment string `json:"ChoosePayment"`
	TWQRInfo      struct {
		TWQRCode string `json:"TWQRCode"`
	} `json:"TWQRInfo"`
}

func (r request) order() string {
	if r.OrderInfo.MerchantTradeNo != "" {
		return r.OrderInfo.MerchantTradeNo
	}
	return r.MerchantTradeNo
}

// ServeHTTP answers one request.
func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "the body cannot be read, or is too large", http.StatusRequestEntityTooLarge)
		return
	}
	operation := operations[g.env.Path(r)]
	if operation == "" || r.Method != http.MethodPost {
		g.env.Serve(w, r, sandbox.OpOther, "", func(*sandbox.Exchange) sandbox.Answer {
			return sandbox.Answer{Status: http.StatusNotFound, Body: []byte(`{"error":"not found"}`)}
		})
		return
	}
	c, problem := g.decipher(r, body)
	g.env.Serve(w, r, operation, c.request.order(), func(x *sandbox.Exchange) sandbox.Answer {
		if problem != "" {
			return g.outside(c, 0, problem, "")
		}
		return g.seal(x, c, spoil(x, g.decide(x, operation, c)))
	})
}

// decipher finds the account and reads the clear text, or says what is wrong.
func (g *gateway) decipher(r *http.Request, body []byte) (call, string) {
	var envelope struct {
		MerchantID string `json:"MerchantID"`
		RqHeader   struct {
			Timestamp int64 `json:"Timestamp"`
		} `json:"RqHeader"`
		Data string `json:"Data"`
	}
	if json.Unmarshal(body, &envelope) != nil {
		return call{}, "資料格式錯誤"
	}
	account, known := g.env.Account(envelope.MerchantID)
	if !known {
		return call{}, "特店編號錯誤"
	}
	var c call
	var err error
	if c.credential, err = parseCredential(account.Credential); err == nil {
		c.switches, err = switchesOf(account)
	}
	if err != nil {
		g.env.Log().WarnContext(r.Context(), "an account of ECPay cannot be read", slog.String("merchant_id", envelope.MerchantID), slog.Any("error", err))
		return call{}, "特店編號錯誤"
	}
	// By the wall clock: the sandbox's may have been advanced, and a client's is judged here.
	if off := time.Since(time.Unix(envelope.RqHeader.Timestamp, 0)).Abs(); off > clockSkew {
		return c, "Timestamp 已逾時"
	}
	text, err := c.credential.decipher(envelope.Data)
	if err != nil || json.Unmarshal(text, &c.request) != nil || c.request.MerchantID != envelope.MerchantID {
		return c, "Data 解密失敗"
	}
	return c, ""
}

var number = regexp.MustCompile(`^[0-9A-Za-z]{1,20}$`)

func (g *gateway) decide(x *sandbox.Exchange, operation string, c call) reply {
	if code, armed := x.FireCode(); armed {
		return refused(code)
	}
	r, answer := c.request, reply{}
	switch operation {
	case sandbox.OpPay:
		if !r.complete() {
			return refused(codeMalformed)
		}
		x.Do(func(tx *sandbox.Tx) { answer = g.pay(tx, x, c) })
	case sandbox.OpRefund:
		if !number.MatchString(r.MerchantRefundNo) || r.RefundAmount < 1 {
			return refused(codeMalformed)
		}
		x.Do(func(tx *sandbox.Tx) { answer = g.refund(tx, x, c) })
	default:
		x.Do(func(tx *sandbox.Tx) { answer = g.query(tx, x, c) })
	}
	return answer
}

// complete checks the members that a payment must have.
func (r request) complete() bool {
	const maxDollars = 1_000_000_000
	o := r.OrderInfo
	returnURL, err := url.Parse(o.ReturnURL)
	_, dateErr := time.ParseInLocation(layout, o.MerchantTradeDate, taipei)
	return number.MatchString(o.MerchantTradeNo) && o.Amount > 0 && o.Amount <= maxDollars && o.ItemName != "" && o.TradeDesc != "" &&
		err == nil && returnURL.Host != "" && dateErr == nil && r.ChoosePayment == "TWQR" && r.TWQRInfo.TWQRCode != ""
}

func (g *gateway) pay(tx *sandbox.Tx, x *sandbox.Exchange, c call) reply {
	r := c.request
	o, verdict, decline := g.book.Pay(tx, x, charges.Payment{
		Account: c.MerchantID, Number: r.OrderInfo.MerchantTradeNo, Code: r.TWQRInfo.TWQRCode, Amount: r.OrderInfo.Amount, CodeLife: codeLife,
		DeclineBurns: c.switches.DeclineBurnsOrder,
	})
	if verdict == charges.Refused {
		return refused(decline)
	}
	if verdict != charges.Done {
		return refused(codeOf(verdict))
	}
	return succeeded(c, recordOf(o))
}

func (g *gateway) refund(tx *sandbox.Tx, x *sandbox.Exchange, c call) reply {
	o, refund, verdict := g.book.Refund(tx, x, c.MerchantID, c.request.MerchantTradeNo, c.request.MerchantRefundNo, c.request.RefundAmount)
	if verdict != charges.Done {
		return refused(codeOf(verdict))
	}
	return succeeded(c, record{MerchantTradeNo: o.Number, MerchantRefundNo: refund.Number, RefundNo: refund.ID, RefundAmount: &refund.Amount})
}

// query tells where an order stands.
func (g *gateway) query(tx *sandbox.Tx, x *sandbox.Exchange, c call) reply {
	o, found := g.book.Seen(tx, x, c.MerchantID, c.request.MerchantTradeNo)
	if !found {
		return refused(codeNotFound)
	}
	r := recordOf(o)
	if given := o.Refunded(); c.switches.RefundTotal {
		r.OrderInfo.RefundAmount = &given
	}
	return succeeded(c, r)
}
