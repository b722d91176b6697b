package host_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/payrack/payrack/plugins/host"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

// request fills a request and takes out what a valid one cannot have.
func request[T any]() T {
	r := filled[T]()
	call := reflect.ValueOf(&r).Elem().FieldByName("Call")
	call.FieldByName("MustUnderstand").SetZero() // refused by design, see the SDK's own tests
	call.FieldByName("NotAfter").Set(reflect.ValueOf(time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)))
	return r
}

// Every field of every request and answer crosses the process border, there and back. The values are
// filled by reflection: a new field without a conversion fails here.
func TestEveryFieldCrossesTheBorder(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	activate(t, h, role{Version: "1.0.0"}, "")
	l := acquire(t, h)
	ctx := withTime(t, 30*time.Second)
	same := func(t *testing.T, what string, want, got any) {
		t.Helper()
		if d := cmp.Diff(string(dump(want)), string(dump(got))); d != "" {
			t.Errorf("%s differs (-want +got):\n%s", what, d)
		}
	}
	answered := func(t *testing.T, a provider.Answer, o provider.Outcome, request any, sensitive bool) {
		t.Helper()
		if a.Outcome() != o || a.Result() == nil {
			t.Fatalf("outcome %v, failure %+v", a.Outcome(), a.Failure())
		}
		same(t, "result", filled[provider.Result](), *a.Result())
		same(t, "native", provider.Native{Body: dump(request), Sensitive: sensitive}, a.Native())
	}

	pay := request[provider.PayRequest]()
	pay.Reference.OrderID = "echo"
	byCode, byMandate, byRedirect := pay, pay, pay
	byCode.MandateToken, byCode.Redirect = provider.Secret{}, nil
	byMandate.Code, byMandate.Redirect = provider.Secret{}, nil
	byRedirect.Code, byRedirect.MandateToken = provider.Secret{}, provider.Secret{}
	for _, r := range []provider.PayRequest{byCode, byMandate, byRedirect} {
		answered(t, l.Pay(ctx, r), provider.OutcomeApproved, r, true)
	}
	confirm := request[provider.ConfirmRequest]()
	answered(t, l.Confirm(ctx, confirm), provider.OutcomeDeclined, confirm, false)
	capture := request[provider.CaptureRequest]()
	answered(t, l.Capture(ctx, capture), provider.OutcomeRequiresAction, capture, false)
	void := request[provider.VoidRequest]()
	answered(t, l.Void(ctx, void), provider.OutcomeUnknown, void, false)

	refund := request[provider.RefundRequest]()
	a := l.Refund(ctx, refund)
	if a.Failure() == nil {
		t.Fatalf("refund: %+v", a)
	}
	same(t, "failure", provider.Failure{
		Effect: provider.EffectPossible, Reason: provider.ReasonRateLimited, Code: "E5", Detail: "slow down", RetryAfter: time.Minute,
	}, *a.Failure())
	same(t, "refund's native", provider.Native{Body: dump(refund)}, a.Native())

	search := request[provider.SearchRequest]()
	findings := filled[provider.Findings]()
	same(t, "search", provider.SearchAnswer{
		Findings: &findings, Native: provider.Native{Body: dump(search), Sensitive: true},
	}, l.Search(ctx, search))
	search.Reference.OrderID = "failure"
	failure := filled[provider.Failure]()
	same(t, "failed search", provider.SearchAnswer{Failure: &failure}, l.Search(ctx, search))

	check := request[provider.CheckMandateRequest]()
	mandate := filled[provider.Mandate]()
	same(t, "check mandate", provider.MandateAnswer{Mandate: &mandate, Native: provider.Native{Body: dump(check)}}, l.CheckMandate(ctx, check))
	expire := request[provider.ExpireMandateRequest]()
	same(t, "expire mandate", provider.MandateAnswer{Failure: &failure, Native: provider.Native{Body: dump(expire)}}, l.ExpireMandate(ctx, expire))

	note := filled[provider.Notification]()
	want := filled[provider.NotificationAnswer]()
	want.Reply = provider.Native{Body: dump(note)}
	got, err := l.ParseNotification(ctx, note)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "notification", want, got)
}

func TestDescriptionCrossesTheBorder(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	want := (&testProvider{}).Describe()
	for _, o := range want.Types[0].Operations {
		v := reflect.ValueOf(o)
		for i := range v.NumField() {
			if v.Field(i).IsZero() {
				t.Fatalf("the test plugin leaves Operation.%s unset", v.Type().Field(i).Name)
			}
		}
	}
	r := release(t, role{Version: "1.0.0"})
	info, digest, err := h.Describe(t.Context(), r.Path)
	if err != nil {
		t.Fatal(err)
	}
	if digest != r.SHA256 {
		t.Errorf("digest %s, want %s", digest, r.SHA256)
	}
	check := func(info host.Info) {
		t.Helper()
		if d := cmp.Diff(host.Info{
			Name: pluginName, Version: "1.0.0", ContractRevision: provider.ContractRevision,
			Features: []string{"mux/1", "exchanges/1", "rehearsal/1"}, MessageFrom: want.MessageFrom,
			Settings: want.Settings, MaxInflight: want.MaxInflight, Types: want.Types,
		}, info); d != "" {
			t.Errorf("info differs (-want +got):\n%s", d)
		}
	}
	check(info)
	activate(t, h, role{Version: "1.0.0"}, "")
	check(acquire(t, h).Info())
}
