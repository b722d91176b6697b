package ipass_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// Whatever goes wrong, no key, no IV of the client and no code stands in an answer, an error or a log line.
func TestSecretsStayInside(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var printed strings.Builder
	const iv = "a1b2c3d4e5f60718293a4b5c6d7e8f90"
	own := map[string]string{"iv": iv}
	for _, r := range []reply{
		{raw: key + iv + tradeCode},
		{status: 500, raw: key + iv + tradeCode},
		{clear: `{"returnCode":"` + tradeCode + `!"}`},
		{clear: success(orderID, "OTHER")},
		{clear: success(reqID, "another")},
		{clear: success("229", `"`+key+`"`)},
		{clear: success(), key: strings.Repeat("k", 32)},
	} {
		g := newGateway(t, always(r))
		p := openLogging(t, g.URL, logger, nil)
		request := payRequest(t, own, seedColumns)
		fmt.Fprintf(&printed, "%+v %v\n", p.Pay(t.Context(), request).Failure(), request)
		search := searchRequest(t, provider.PurposeResolve, own)
		fmt.Fprintf(&printed, "%+v %v\n", p.Search(t.Context(), search).Failure, search)
		void, refund := voidRequest(t), refundRequest(t, 29)
		void.Call, refund.Call = call(t, own, `{}`), call(t, own, `{}`)
		fmt.Fprintf(&printed, "%+v %+v %v %v\n", p.Void(t.Context(), void).Failure(), p.Refund(t.Context(), refund).Failure(), void, refund)
		g.Close()
		fmt.Fprintf(&printed, "%+v\n", p.Pay(t.Context(), request).Failure())
	}
	bad := payRequest(t, map[string]string{"key": key + "x"}, seedColumns)
	fmt.Fprintf(&printed, "%+v\n", open(t, "http://127.0.0.1:1", nil).Pay(t.Context(), bad).Failure())
	for _, secret := range []string{key, iv, tradeCode} {
		if strings.Contains(printed.String(), secret) || strings.Contains(log.String(), secret) {
			t.Errorf("a secret is in\n%s\n%s", printed.String(), log.String())
		}
	}
	if !strings.Contains(printed.String(), orderID) || !strings.Contains(log.String(), "op-1") {
		t.Error("the search looks in the wrong place: not even the order number or a log line was found")
	}
}
