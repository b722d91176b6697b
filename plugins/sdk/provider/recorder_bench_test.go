package provider_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/payrack/payrack/plugins/internal/wire/providerv1"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

// A payment through the SDK to a gateway on this machine: without a recorder, with one that nobody listens to, and with
// a listener. The last two are what recording costs.
func BenchmarkRecording(b *testing.B) {
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"code":"OK","id":"T-1"}`)
	}))
	b.Cleanup(gateway.Close)
	s, err := provider.NewTestService(b.Context(), "acme", openAcme, provider.Host{
		Log: slog.New(slog.DiscardHandler), Now: time.Now, HTTP: provider.NewClient(provider.ClientOptions{}),
	})
	if err != nil {
		b.Fatal(err)
	}
	answer, err := s.Configure(b.Context(), &providerv1.ConfigureRequest{Revision: 1, SettingsJson: []byte(`{"endpoint":"` + gateway.URL + `"}`)})
	if err != nil || len(answer.GetProblems()) > 0 {
		b.Fatal(err, answer)
	}
	r := vaultPay()
	r.Call.PaymentType = "ACME_PAY"
	call := func(ctx context.Context, r any) (any, error) {
		return s.Pay(ctx, r.(*providerv1.PayRequest)) //nolint:forcetypeassert // as gRPC does
	}
	run := func(b *testing.B, around func(context.Context) (any, error)) {
		b.Helper()
		b.ReportAllocs()
		ctx, cancel := context.WithTimeout(b.Context(), time.Hour)
		defer cancel()
		for b.Loop() {
			if out, err := around(ctx); err != nil || out.(*providerv1.PayResponse).GetAnswer().GetResult() == nil { //nolint:forcetypeassert // see above
				b.Fatal(err, out)
			}
		}
	}
	r.Call.NotAfter.Seconds += 3600
	b.Run("none", func(b *testing.B) {
		run(b, func(ctx context.Context) (any, error) { return call(ctx, r) })
	})
	b.Run("off", func(b *testing.B) {
		e := provider.NewTestExchanges(s)
		run(b, func(ctx context.Context) (any, error) { return e.Around(ctx, r, call) })
	})
	b.Run("on", func(b *testing.B) {
		e := provider.NewTestExchanges(s)
		_, ended := listen(b.Context(), e)
		run(b, func(ctx context.Context) (any, error) { return e.Around(ctx, r, call) })
		e.Finish()
		<-ended
	})
}
