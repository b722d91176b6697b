package linepay_test

import (
	"bufio"
	"net"
	"strings"
	"testing"

	"github.com/payrack/payrack/plugins/providers/linepay"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

// The values were computed with another program from LINE Pay's published rule.
func TestSignatureVectors(t *testing.T) {
	t.Parallel()
	const nonce = "6b29fc40-ca47-1067-b31d-00dd010662da"
	pay := `{"amount":250,"currency":"TWD","orderId":"PMX-0001","oneTimeKey":"380000000000000001","packages":[{"id":"1","amount":250,"products":[{"name":"拿鐵","quantity":1,"price":250}]}]}`
	for _, v := range []struct{ path, payload, want string }{
		{"/v3/payments/2026010112345678910/confirm", `{"amount":100,"currency":"TWD"}`, "zkdklVzmE+nQxbMrUfe/dqGsZvs1NavLvFiRp93Pt6w="},
		{"/v4/payments/oneTimeKeys/pay", pay, "Qka3UkWPLRzTyjzZ29+O1yoy9EYsxpqEpzffeOieMKg="},
		{"/v3/payments", "transactionId=2026010112345678910&orderId=PMX-0001", "WSsJlZ98RAX9lvcczYZJEdCvHGgIslOZ1F2g8D2gSRc="},
		{"/v4/payments/orders/PMX-0001/check", "", "YzD/rDci4PdhJz/MxpHR6B6JNZa119Qdrf7GORqBsgQ="},
		{"/v3/payments/authorizations/2026010112345678910/void", "", "SjOW5f5W417LlunTfVGNICmkKa3UafFm3Gfm3HZp0Qc="},
		{"/v3/payments/authorizations/2026010112345678910/void", "{}", "TaTq4XGHuPCWf9e5D9c3PjFLcSd38S7x2aiDBM3OAhc="},
	} {
		if got := linepay.Sign(channelSecret, v.path, v.payload, nonce); got != v.want {
			t.Errorf("signature of %s %s: got %s, want %s", v.path, v.payload, got, v.want)
		}
	}
}

func TestPayBodyIsTheSignedVector(t *testing.T) {
	t.Parallel()
	r := payRequest(t, "v4", `{}`)
	r.Code = provider.NewSecret("380000000000000001")
	got, err := linepay.PayBody("v4", r)
	want := `{"amount":250,"currency":"TWD","orderId":"PMX-0001","oneTimeKey":"380000000000000001","packages":[{"id":"1","amount":250,"products":[{"name":"拿鐵","quantity":1,"price":250}]}]}`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
}

// Some gateways compare header names by letter; the published spelling is kept on the wire.
func TestHeaderSpellingOnTheWire(t *testing.T) {
	t.Parallel()
	for version, want := range map[string][]string{
		"v4": {"X-LINE-ChannelId: " + channelID, "X-LINE-Authorization-Nonce: ", "X-LINE-Authorization: "},
		"v2": {"X-LINE-ChannelId: " + channelID, "X-LINE-ChannelSecret: " + channelSecret},
	} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			addr, head := rawListener(t)
			answer := open(t, "http://"+addr, nil).Pay(t.Context(), payRequest(t, version, `{"merchant_device_profile_id":"000030_k1"}`))
			if answer.Outcome() != provider.OutcomeApproved {
				t.Fatalf("outcome %v, failure %+v", answer.Outcome(), answer.Failure())
			}
			got := <-head
			for _, line := range append(want, "X-LINE-MerchantDeviceProfileId: 000030_k1", "X-LINE-MerchantDeviceType: POS") {
				if !strings.Contains(got, "\r\n"+line) {
					t.Errorf("no header %q in\n%s", line, got)
				}
			}
		})
	}
}

// rawListener answers one request with a success and hands back the head as it stood on the wire.
func rawListener(t *testing.T) (addr string, head <-chan string) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	heads := make(chan string, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		var text strings.Builder
		in := bufio.NewReader(conn)
		for {
			line, err := in.ReadString('\n')
			text.WriteString(line)
			if err != nil || line == "\r\n" {
				break
			}
		}
		heads <- text.String()
		body := `{"returnCode":"0000","returnMessage":"OK","info":{"transactionId":2026010112345678910,"orderId":"PMX-0001","payInfo":[{"method":"BALANCE","amount":250}]}}`
		_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body))
	}()
	return l.Addr().String(), heads
}

func TestCredentialOfAnotherAccountIsRefused(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	p := open(t, g.URL, nil)
	for name, edit := range map[string]func(*provider.Call){
		"another account": func(c *provider.Call) { c.Account = "9999999999" },
		"no credential":   func(c *provider.Call) { c.Credential = provider.Document{} },
		"no secret":       func(c *provider.Call) { c.Credential = provider.NewDocument([]byte(`{"channel_id":"1234567890"}`)) },
		"not an object":   func(c *provider.Call) { c.Credential = provider.NewDocument([]byte(`"x"`)) },
		"no such version": func(c *provider.Call) { c.Wire = "v3" },
		"no environment":  func(c *provider.Call) { c.Environment = "" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := payRequest(t, "v4", `{}`)
			edit(&r.Call)
			if f := p.Pay(t.Context(), r).Failure(); f == nil || f.Effect != provider.EffectNone {
				t.Errorf("pay: got %+v, want a failure with no effect", f)
			}
			s := searchRequest(t, provider.PurposeResolve, provider.Reference{OrderID: "PMX-0001"})
			edit(&s.Call)
			if a := p.Search(t.Context(), s); a.Failure == nil || a.Findings != nil {
				t.Errorf("search: got %+v, want a failure", a)
			}
		})
	}
	t.Cleanup(func() {
		if n := len(g.requests()); n != 0 {
			t.Errorf("%d requests were sent", n)
		}
	})
}
