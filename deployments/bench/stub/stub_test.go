package stub_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/payrack/payrack/deployments/bench/stub"
)

func call(t *testing.T, g http.Handler, method, target, body string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	g.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body)))
	return w
}

func TestPayAnswersWithTheOrderAndAmountOfTheRequest(t *testing.T) {
	t.Parallel()
	g := &stub.Gateway{}
	w := call(t, g, http.MethodPost, stub.PayPath, `{"amount":229,"orderId":"a\"b","packages":[]}`)
	var got struct {
		ReturnCode string `json:"returnCode"`
		Info       struct {
			TransactionID json.Number `json:"transactionId"`
			OrderID       string      `json:"orderId"`
			PayInfo       []struct {
				Amount json.Number `json:"amount"`
			} `json:"payInfo"`
		} `json:"info"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatalf("answer %s: %v", w.Body, err)
	}
	if got.ReturnCode != "0000" || got.Info.OrderID != `a"b` || len(got.Info.PayInfo) != 1 || got.Info.PayInfo[0].Amount != "229" {
		t.Errorf("got %s", w.Body)
	}
	if len(got.Info.TransactionID) != 19 {
		t.Errorf("transaction id %s has not 19 digits", got.Info.TransactionID)
	}
	if n := call(t, g, http.MethodGet, stub.CountPath, "").Body.String(); n != "1" {
		t.Errorf("count %s, want 1", n)
	}
}

func TestPayWaitsAsLongAsItWasTold(t *testing.T) {
	t.Parallel()
	g := &stub.Gateway{}
	if w := call(t, g, http.MethodPut, stub.DelayPath+"?ms=30", ""); w.Code != http.StatusNoContent {
		t.Fatalf("setting the delay: %d", w.Code)
	}
	begun := time.Now()
	call(t, g, http.MethodPost, stub.PayPath, `{"amount":1,"orderId":"a"}`)
	if took := time.Since(begun); took < 30*time.Millisecond {
		t.Errorf("answered after %s, want at least 30ms", took)
	}
}

func TestWrongRequestsAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ method, target, body string }{
		{http.MethodPost, stub.PayPath, `{}`},
		{http.MethodPost, stub.PayPath, `{"amount":1}`},
		{http.MethodPut, stub.DelayPath + "?ms=-1", ""},
	} {
		if w := call(t, &stub.Gateway{}, c.method, c.target, c.body); w.Code != http.StatusBadRequest {
			t.Errorf("%s %s %s: %d", c.method, c.target, c.body, w.Code)
		}
	}
}
