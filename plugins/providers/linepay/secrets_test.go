package linepay_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// Whatever goes wrong, no secret and no one-time code stands in an answer, an error or a log line.
func TestSecretsStayInside(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var printed strings.Builder
	for _, c := range []reply{
		{body: "<html>" + channelSecret}, {status: http.StatusInternalServerError, body: channelSecret}, {body: `{"returnCode":"` + channelSecret + `!"}`}, {body: ""},
	} {
		g := newGateway(t, map[string]reply{"POST /v2/payments/oneTimeKeys/pay": c, "GET /v2/payments": c, "GET /v2/payments/orders/PMX-0001/check": c})
		p := openLogging(t, g.URL, logger, nil)
		r := payRequest(t, "v2", `{"extras":"x"}`)
		fmt.Fprintf(&printed, "%+v %v\n", p.Pay(t.Context(), r).Failure(), r)
		for _, purpose := range []provider.Purpose{provider.PurposeClient, provider.PurposeResolve} {
			s := searchRequest(t, purpose, provider.Reference{OrderID: "PMX-0001"})
			s.Call.Wire = "v2"
			fmt.Fprintf(&printed, "%+v %v\n", p.Search(t.Context(), s), s)
		}
		if len(g.requests()) == 0 || g.requests()[0].header.Get("X-LINE-ChannelSecret") != channelSecret {
			t.Error("the secret was not even used")
		}
		g.Close()
		fmt.Fprintf(&printed, "%+v\n", p.Pay(t.Context(), payRequest(t, "v2", `{}`)).Failure())
	}
	printApprovals(t, &printed)
	for _, secret := range []string{channelSecret, oneTimeKey, regKey} {
		if strings.Contains(printed.String(), secret) || strings.Contains(log.String(), secret) {
			t.Errorf("a secret is in\n%s\n%s", printed.String(), log.String())
		}
	}
	if !strings.Contains(printed.String(), "PMX-0001") {
		t.Error("the search looks in the wrong place: not even the order number was found")
	}
}

// printApprovals prints what comes of a stored approval when everything goes wrong, and when all goes well.
func printApprovals(t *testing.T, printed *strings.Builder) {
	t.Helper()
	const path = "/v2/payments/preapprovedPay/" + regKey
	for _, c := range []reply{
		{body: "<html>" + regKey},
		{status: http.StatusNotFound, body: path},
		{body: `{"returnCode":"` + regKey + `!"}`},
		{body: ""},
		{body: approvedAnswer},
		{body: `{"returnCode":"1190","returnMessage":"-"}`},
	} {
		g := newGateway(t, map[string]reply{"POST " + path + "/payment": c, "GET " + path + "/check": c, "POST " + path + "/expire": c})
		p := open(t, g.URL, nil)
		r := approvedRequest(t, "v2", nil)
		paid := p.Pay(t.Context(), r)
		fmt.Fprintf(printed, "%+v %+v %v\n", paid.Failure(), paid.Result(), r)
		check := provider.CheckMandateRequest{Call: r.Call, MandateToken: r.MandateToken}
		fmt.Fprintf(printed, "%+v %v\n", p.CheckMandate(t.Context(), check).Failure, check)
		end := provider.ExpireMandateRequest{Call: r.Call, MandateToken: r.MandateToken}
		fmt.Fprintf(printed, "%+v %v\n", p.ExpireMandate(t.Context(), end).Failure, end)
		if len(g.requests()) < 3 {
			t.Error("the regKey was not even used")
		}
	}
}
