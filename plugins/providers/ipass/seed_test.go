package ipass_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// The published samples of the platform's page, byte for byte. Request and answers are no pairs: they are about
// different orders, so that each is a test of its own.
func seed(t *testing.T, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "seed_"+name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSpace(raw)
}

func TestSeedRequest(t *testing.T) {
	t.Parallel()
	var printed struct {
		Request struct {
			ReqID         string          `json:"req_id"`
			TradeCode     string          `json:"trade_code"`
			Amount        int64           `json:"amount"`
			OrderNumber   string          `json:"order_number"`
			StoreID       string          `json:"store_id"`
			TerminalID    string          `json:"terminal_id"`
			Capture       bool            `json:"capture"`
			POSDateTime   string          `json:"pos_date_time"`
			TradeDateTime string          `json:"trade_date_time"`
			ProductDesc   string          `json:"product_desc"`
			Remark        string          `json:"remark"`
			Redeem        json.RawMessage `json:"redeem"`
		} `json:"request"`
	}
	if err := json.Unmarshal(seed(t, "request"), &printed); err != nil {
		t.Fatal(err)
	}
	in := printed.Request
	// What the platform leaves in the columns, with the blanks of the printed times cut off.
	columns, err := json.Marshal(map[string]any{
		"store_id": in.StoreID, "terminal_id": in.TerminalID, "remark": in.Remark, "redeem": in.Redeem,
		"pos_date_time": strings.TrimSpace(in.POSDateTime), "trade_date_time": strings.TrimSpace(in.TradeDateTime),
	})
	if err != nil {
		t.Fatal(err)
	}
	r := payRequest(t, nil, string(columns))
	r.Call.RequestID, r.Reference.OrderID, r.Amount.Units, r.Capture = in.ReqID, in.OrderNumber, in.Amount, in.Capture
	r.Description, r.Code = in.ProductDesc, provider.NewSecret(in.TradeCode)
	g := newGateway(t, always(reply{clear: success()}))
	if answer := open(t, g.URL, nil).Pay(t.Context(), r); answer.Outcome() != provider.OutcomeApproved {
		t.Errorf("%+v", answer.Failure())
	}
	const want = `{"reqId":"9CC197A0-E12C-4AC5-8CC0-0052E09D3752","tradeCode":"96A1OABQAAFmIVAVRxhAgY","amount":229,` +
		`"orderNumber":"IXN20231011000001","storeId":"00681","terminalId":"AB123456","capture":true,"posDateTime":"2023-10-11 01:44:54",` +
		`"tradeDateTime":"2023-10-11 01:45:55","productDesc":"XX 防曬乳*1(149 元)、XX 菸品*1(80)","remark":"","redeem":{"nonRedeemAmout":80}}`
	if sent := g.requests(); len(sent) != 1 || sent[0].clear != want {
		t.Errorf("sent %+v\nwant %s", sent, want)
	}
}

// onWire writes a printed answer as the gateway sends it: other names, and no message_from, which is the
// platform's.
func onWire(t *testing.T, printed []byte) string {
	t.Helper()
	out := strings.NewReplacer(
		`"return_code"`, `"returnCode"`, `"return_msg"`, `"returnMsg"`, `"req_id"`, `"reqId"`, `"transaction_id"`, `"transactionId"`,
		`"transaction_date_time"`, `"transactionDateTime"`, `"electronic_invoice_carrier"`, `"electronicInvoiceCarrier"`,
		`"payment_type"`, `"paymentType"`, `"order_number"`, `"orderNumber"`, ",\n\"message_from\": \"IPASS\"", "",
	).Replace(string(printed))
	if strings.Contains(out, "_") {
		t.Fatalf("a name was overlooked: %s", out)
	}
	return out
}

func TestSeedAnswers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		reqID, order string
		amount       int64
		outcome      provider.Outcome
	}{
		"paid":       {"9CC154A0-E12C-4AC5-8CC0-1154409D3753", "IXN20240827000003", 2, provider.OutcomeApproved},
		"duplicate":  {"9CC154A0-E12C-4AC5-8CC0-1444749D3578", "IXN20240827000003", 2, provider.OutcomeUnknown},
		"unexpected": {"9CC154A0-E12C-4AC5-8CC0-1444749D3578", "IXN20240827000003", 2, provider.OutcomeUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			printed := seed(t, name)
			r := payRequest(t, nil, tillColumns)
			r.Call.RequestID, r.Reference.OrderID, r.Amount.Units = c.reqID, c.order, c.amount
			answer := payAgainst(t, reply{clear: onWire(t, printed)}, r)
			if answer.Outcome() != c.outcome {
				t.Errorf("outcome %v, failure %+v", answer.Outcome(), answer.Failure())
			}
			var want bytes.Buffer
			if err := json.Compact(&want, printed); err != nil {
				t.Fatal(err)
			}
			// The platform puts message_from before the last brace.
			body := strings.Replace(want.String(), `,"message_from":"IPASS"}`, `}`, 1)
			if diff := cmp.Diff(body, string(answer.Native().Body)); diff != "" {
				t.Errorf("native (-want +got):\n%s", diff)
			}
		})
	}
}
