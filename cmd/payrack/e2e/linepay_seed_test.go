package e2e_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func linePayFile(t *testing.T, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "linepay", name))
	if err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSpace(raw)
}

// TestSeedPreapproved sends the two requests of seed 001 and gets its two answers, token for token: the flat columns of v2,
// without a cancelUrl, whatever version the merchant's credentials name.
func TestSeedPreapproved(t *testing.T) {
	t.Parallel()
	confirmed, charged := linePayFile(t, "seed-001-confirm-answer.json"), linePayFile(t, "seed-001-charge-answer.json")
	stub := newLinePayStub(t, func(r *http.Request, _ []byte) []byte {
		switch path := r.URL.Path[strings.IndexByte(r.URL.Path[1:], '/')+1:]; {
		case path == "/payments/request":
			return []byte(`{"returnCode":"0000","returnMessage":"Success.","info":{"transactionId":2017122000021945910,` +
				`"paymentUrl":{"web":"https://web-pay.example/wait","app":"line://pay/payment/x"},"paymentAccessToken":"187568751124"}}`)
		case path == "/payments/requests/2017122000021945910/check":
			return []byte(`{"returnCode":"0110","returnMessage":"authentication is done."}`)
		case path == "/payments/2017122000021945910/confirm":
			return confirmed
		case path == "/payments/preapprovedPay/RK5C38F19XTF425/payment":
			return charged
		case path == "/payments" && r.URL.Query().Get("transactionId") == "2017122100022013310":
			return []byte(`{"returnCode":"0000","returnMessage":"Success.","info":[{"transactionId":2017122100022013310,"orderId":"20171221140956",` +
				`"transactionDate":"2017-12-21T14:09:56Z","transactionType":"PAYMENT","currency":"TWD","productName":"Auto Test",` +
				`"payInfo":[{"method":"CREDIT_CARD","amount":1680}]}]}`)
		default:
			return []byte(`{"returnCode":"1150","returnMessage":"Transaction record not found."}`)
		}
	})
	for _, version := range []string{"v2", "v3", "v4"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			p := shop{start(t, t.TempDir(), nil, "--gateway", "linepay="+stub.URL)}
			if version != "v3" {
				p = p.speak(version, typeOnline, typePreapproved)
			}
			a := p.native("pay", typeOnline, json.RawMessage(linePayFile(t, "seed-001-request.json")))
			if a.status != http.StatusOK || a.at("info", "transactionId") != "2017122000021945910" {
				t.Fatalf("the printed request: %s", a)
			}
			a = p.native("confirm", typeOnline, json.RawMessage(`{"transactionId":2017122000021945910,"amount":168,"currency":"TWD"}`))
			if diff := cmp.Diff(tokensOf(t, confirmed), tokensOf(t, a.body)); a.status != http.StatusOK || diff != "" {
				t.Errorf("the confirm: %d (-want +got):\n%s", a.status, diff)
			}
			request := strings.TrimSuffix(string(linePayFile(t, "seed-001-charge-request.json")), "}") + `,"regKey":"RK5C38F19XTF425"}`
			a = p.native("pay", typePreapproved, json.RawMessage(request))
			if diff := cmp.Diff(tokensOf(t, charged), tokensOf(t, a.body)); a.status != http.StatusOK || diff != "" {
				t.Errorf("the charge: %d (-want +got):\n%s", a.status, diff)
			}
			if !strings.Contains(stub.log(), "POST /"+version+"/payments/2017122000021945910/confirm") {
				t.Errorf("nothing was spoken in %s:\n%s", version, stub.log())
			}
		})
	}
}

// TestSeedPreapprovedLived sends the same two requests, with the sandbox's customer between them: every member that the seed
// prints is there, in the seed's type.
func TestSeedPreapprovedLived(t *testing.T) {
	t.Parallel()
	p := shop{start(t, t.TempDir(), nil)}
	a := p.native("pay", typeOnline, json.RawMessage(linePayFile(t, "seed-001-request.json")))
	transaction := a.at("info", "transactionId")
	if a.status != http.StatusOK || len(transaction) != 19 {
		t.Fatalf("the printed request: %s", a)
	}
	p.approve(transaction, fields{"method": "CREDIT_CARD"})
	confirm := json.RawMessage(`{"transactionId":` + transaction + `,"amount":168,"currency":"TWD"}`)
	a = p.native("confirm", typeOnline, confirm)
	likeSeed(t, "the confirm", linePayFile(t, "seed-001-confirm-answer.json"), a)
	regKey := a.at("info", "regKey")
	if a.at("info", "transactionId") != transaction || !regexp.MustCompile(`^RK[0-9A-Z]{13}$`).MatchString(regKey) {
		t.Fatalf("the confirm: %s", a)
	}
	again := p.native("confirm", typeOnline, confirm)
	if !bytes.Equal(again.body, a.body) || again.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("the confirm again: %s %v, want the stored bytes", again, again.header)
	}

	request := strings.TrimSuffix(string(linePayFile(t, "seed-001-charge-request.json")), "}") + `,"regKey":"` + regKey + `"}`
	charge := p.native("pay", typePreapproved, json.RawMessage(request))
	likeSeed(t, "the charge", linePayFile(t, "seed-001-charge-answer.json"), charge)
	want := []ledgerLine{
		{"charge", "20171220012539", transaction, "168", "TWD"},
		{"charge", "20171221140956", charge.at("info", "transactionId"), "1680", "TWD"},
	}
	if diff := cmp.Diff(want, p.lines()); diff != "" {
		t.Errorf("the ledger (-want +got):\n%s", diff)
	}
	if id := p.shown(paymentID(a)).Mandate; id == "" || id != p.shown(paymentID(charge)).Mandate {
		t.Errorf("the charge is not tied to the approval %q: %+v", id, p.shown(paymentID(charge)))
	}
}

// likeSeed compares which members an answer has, and of what type they are.
func likeSeed(t *testing.T, what string, seed []byte, a answer) {
	t.Helper()
	want, got := shapeOf(t, seed), shapeOf(t, a.body)
	for path, kind := range want {
		if got[path] != kind {
			t.Errorf("%s: %s is %q, want %q, in %s", what, path, got[path], kind, a)
		}
	}
	if a.status != http.StatusOK || a.member("returnCode") != "0000" || a.member("returnMessage") != "Success." {
		t.Errorf("%s: %s", what, a)
	}
}

// shapeOf lists the types of the members of a JSON text by their paths; the elements of an array share one.
func shapeOf(t *testing.T, raw []byte) map[string]string {
	t.Helper()
	all := map[string]string{}
	var walk func(path string, raw json.RawMessage)
	walk = func(path string, raw json.RawMessage) {
		var members map[string]json.RawMessage
		var elements []json.RawMessage
		switch raw[0] {
		case '{':
			decode(t, raw, &members)
			for name, value := range members {
				walk(path+"/"+name, value)
			}
		case '[':
			decode(t, raw, &elements)
			for _, value := range elements {
				walk(path+"/*", value)
			}
		case '"':
			all[path] = "text"
		default:
			all[path] = "number"
			if bytes.ContainsAny(raw, "eE.") {
				all[path] = "number with a fraction"
			}
		}
	}
	walk("", raw)
	return all
}
