package e2e_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func seed(t *testing.T, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "seeds", name))
	if err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSpace(raw)
}

// raw sends a request line and body exactly as written and reads the answer.
func (p *platform) raw(requestLine string, headers []string, body []byte) answer {
	p.t.Helper()
	u, err := url.Parse(p.HTTPURL)
	if err != nil {
		p.t.Fatal(err)
	}
	conn, err := (&net.Dialer{Timeout: patience}).DialContext(p.t.Context(), "tcp", u.Host)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	head := requestLine + " HTTP/1.1\r\nHost: " + u.Host + "\r\nConnection: close\r\n" +
		fmt.Sprintf("Content-Length: %d\r\n", len(body)) + strings.Join(headers, "\r\n") + "\r\n\r\n"
	if _, err := conn.Write(append([]byte(head), body...)); err != nil {
		p.t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		p.t.Fatalf("%s: %v", requestLine, err)
	}
	defer func() { _ = res.Body.Close() }()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, got}
}

// TestSeedSearch sends seed 000's request line as it is printed, with raw braces and quotes in the query, and gets
// seed 000's answer back token for token, 19-digit ids included.
func TestSeedSearch(t *testing.T) {
	t.Parallel()
	want := seed(t, "search-answer.json")
	stub := newLinePayStub(t, func(r *http.Request, _ []byte) []byte {
		if r.URL.Query().Get("orderId") == "20190408001" {
			return want
		}
		return []byte(`{"returnCode":"1150","returnMessage":"Transaction record not found."}`)
	})
	p := start(t, t.TempDir(), nil, "--gateway", "linepay="+stub.URL)
	auth := []string{"Authorization: Bearer " + p.token}

	line := string(seed(t, "search-request.txt"))
	asPrinted := p.raw(line, auth, nil)
	if asPrinted.status != http.StatusOK || asPrinted.member("returnCode") != "1150" || asPrinted.member("message_from") != "LINE_PAY" {
		t.Errorf("the printed request: %s", asPrinted)
	}
	if !strings.Contains(stub.log(), "orderId=20140101123456789") {
		t.Errorf("the order of the printed request did not arrive at the gateway:\n%s", stub.log())
	}

	matching := strings.Replace(line, "20140101123456789", "20190408001", 1)
	found := p.raw(matching, auth, nil)
	if found.status != http.StatusOK {
		t.Fatalf("the matching request: %s", found)
	}
	if diff := cmp.Diff(tokensOf(t, want), tokensOf(t, found.body)); diff != "" {
		t.Errorf("the answer differs from the seed's (-want +got):\n%s", diff)
	}

	// The same by POST and QUERY, with the members in a body, so that no secret needs a URL.
	_, query, _ := strings.Cut(matching, "?")
	values := strings.Split(query, "&")
	body := fmt.Sprintf(`{"type":"LINE_QRCODE_PAY","request":%s,"store_id":"0","is_test":false}`, strings.TrimPrefix(values[1], "request="))
	for _, method := range []string{"POST", "QUERY"} {
		a := p.do(method, p.HTTPURL+"/v1/payment/integrate/search", []byte(body))
		if diff := cmp.Diff(tokensOf(t, want), tokensOf(t, a.body)); a.status != http.StatusOK || diff != "" {
			t.Errorf("%s: %d (-want +got):\n%s", method, a.status, diff)
		}
	}
	if strings.Contains(p.output.String(), "101c18448bf38e160757d53417287bd9") {
		t.Error("the channel secret of the query stands in the program's output")
	}
}

// TestSeedPay sends seed 002's body byte for byte, and gets each of its three answers for a request that matches.
//
//nolint:paralleltest,tparallel // the parts share one program and one stub, in order
func TestSeedPay(t *testing.T) {
	t.Parallel()
	answers := map[string]string{}
	var p *platform
	stub := newIPassStub(t, func() string { return p.companyKey(t) }, func(op string, r map[string]json.RawMessage) string {
		if a, ok := answers[text(r, "orderNumber")]; ok && op == "pay" {
			return a
		}
		if op != "pay" {
			return fmt.Sprintf(`{"returnCode":"S404","returnMsg":"查無此單","reqId":%s}`, r["reqId"])
		}
		return fmt.Sprintf(`{"returnCode":"0000","returnMsg":"成功","reqId":%s,"transactionId":"e1","transactionDateTime":"2023-10-11 01:45:56",`+
			`"electronicInvoiceCarrier":"","paymentType":"1","amount":%s,"orderNumber":%s}`, r["reqId"], r["amount"], r["orderNumber"])
	})
	p = start(t, t.TempDir(), nil, "--gateway", "ipass="+stub.URL)
	const path = "/v1/payment/ipass/offline/pay"
	post := func(body []byte) answer { return p.do(http.MethodPost, p.HTTPURL+path, body) }

	t.Run("the printed request", func(t *testing.T) {
		a := post(seed(t, "pay-request.json"))
		if a.status != http.StatusOK || a.member("return_code") != "0000" || a.member("order_number") != "IXN20231011000001" {
			t.Fatalf("the printed request: %s", a)
		}
		stub.mu.Lock()
		defer stub.mu.Unlock()
		got := stub.clear[len(stub.clear)-1]
		for name, want := range map[string]string{
			"tradeCode": `"96A1OABQAAFmIVAVRxhAgY"`, "amount": "229", "storeId": `"00681"`, "terminalId": `"AB123456"`,
			"capture": "true", "posDateTime": `"2023-10-11 01:44:54"`, "tradeDateTime": `"2023-10-11 01:45:55"`,
			"productDesc": `"XX 防曬乳*1(149 元)、XX 菸品*1(80)"`, "remark": `""`, "redeem": `{"nonRedeemAmout":80}`,
			"reqId": `"9CC197A0-E12C-4AC5-8CC0-0052E09D3752"`,
		} {
			if string(got[name]) != want {
				t.Errorf("the gateway got %s = %s, want %s", name, got[name], want)
			}
		}
	})

	// request is a body that matches an answer of the seed.
	request := func(order, reqID string, amount int) []byte {
		return fmt.Appendf(nil, `{"store_id":"0","request":{"req_id":%q,"trade_code":"96A1OABQAAFmIVAVRxhAgY","amount":%d,`+
			`"order_number":%q,"store_id":"00681","terminal_id":"AB123456"}}`, reqID, amount, order)
	}
	t.Run("paid", func(t *testing.T) {
		answers["IXN20240827000003"] = `{"transactionId":"e2458974869618","transactionDateTime":"2024-09-03 14:54:15",` +
			`"electronicInvoiceCarrier":"","paymentType":"1","amount":2,"orderNumber":"IXN20240827000003",` +
			`"returnCode":"0000","returnMsg":"成功","reqId":"9CC154A0-E12C-4AC5-8CC0-1154409D3753"}`
		body := request("IXN20240827000003", "9CC154A0-E12C-4AC5-8CC0-1154409D3753", 2)
		a := post(body)
		if diff := cmp.Diff(tokensOf(t, seed(t, "pay-answer-success.json")), tokensOf(t, a.body)); a.status != http.StatusOK || diff != "" {
			t.Errorf("%d (-want +got):\n%s", a.status, diff)
		}
		again := post(body)
		if !bytes.Equal(again.body, a.body) || again.header.Get("Idempotent-Replayed") != "true" {
			t.Errorf("the same request again: %s (%v), want the stored bytes", again, again.header)
		}
	})
	// 0006 and 9999 settle nothing: the order may have been paid by an earlier attempt, and a server fault says
	// nothing about the debit. Until a search has proven it, the client is told "pending", with every member of
	// the seed's answer beside it.
	for name, c := range map[string]struct{ order, reqID, answer string }{
		"duplicate": {
			"IXN-DUPLICATE", "9CC154A0-E12C-4AC5-8CC0-1444749D3578",
			`{"returnCode":"0006","returnMsg":"該OrderNumber重複","reqId":"9CC154A0-E12C-4AC5-8CC0-1444749D3578"}`,
		},
		"unexpected": {
			"IXN-UNEXPECTED", "9CC154A0-E12C-4AC5-8CC0-1444749D3579", `{"returnCode":"9999","returnMsg":"發生未預期錯誤"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			answers[c.order] = c.answer
			a := post(request(c.order, c.reqID, 2))
			if a.status != http.StatusGatewayTimeout || a.member("status") != "PENDING" || a.member("payment_id") == "" || a.header.Get("Retry-After") == "" {
				t.Fatalf("not pending: %s", a)
			}
			got := membersOf(t, a.body)
			for member, want := range membersOf(t, seed(t, "pay-answer-"+name+".json")) {
				if diff := cmp.Diff(want, got[member]); diff != "" {
					t.Errorf("member %s (-want +got):\n%s", member, diff)
				}
			}
		})
	}
}

// companyKey is the key of the company's own iPASS account, which store "0" uses.
func (p *platform) companyKey(t *testing.T) string {
	t.Helper()
	var account struct {
		Credential struct {
			Key string `json:"key"`
		} `json:"credential"`
	}
	decode(t, p.control(http.MethodPost, "accounts", map[string]string{"provider": "ipass", "label": "company"}).body, &account)
	return account.Credential.Key
}

// TestSeedMessages pins the three messages of seed 000 to ordinary characters: the copied document has look-alike
// radicals in two of them.
func TestSeedMessages(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), nil)
	for name, c := range map[string]struct {
		body   map[string]any
		status int
		want   string
	}{
		"missing column": {map[string]any{"type": "LINE_QRCODE_PAY", "request": map[string]any{}, "store_id": "0"}, 400, "orderId 不可為空"},
		"unknown type":   {map[string]any{"type": "NO_SUCH_PAY", "request": map[string]any{"orderId": "1"}, "store_id": "0"}, 400, "無此付款方式 NO_SUCH_PAY"},
		"no credentials": {map[string]any{"type": "LINE_QRCODE_PAY", "request": map[string]any{"orderId": "1"}, "store_id": p.EmptyStoreID}, 400, "公司/門市缺少 LINE_QRCODE_PAY 金流相關設定"},
		"unknown store":  {map[string]any{"type": "IPASS_OFFLINE_PAY", "request": map[string]any{"order_number": "1"}, "store_id": "nowhere"}, 400, "公司/門市缺少 IPASS_OFFLINE_PAY 金流相關設定"},
	} {
		a := p.post("/v1/payment/integrate/search", c.body)
		if a.status != c.status || a.member("message") != c.want || a.member("message_from") != "OMNI" {
			t.Errorf("%s: %s, want %d %s", name, a, c.status, c.want)
		}
	}
}
