package webhook_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/core/webhook"
)

// TestSignature holds the scheme against the example of the Standard Webhooks specification's own libraries.
func TestSignature(t *testing.T) {
	t.Parallel()
	key, err := webhook.ParseSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Unix(1614265330, 0)
	got := webhook.Sign("msg_p5jXN8AQM9LWM0D4loKWxJek", at, []byte(`{"test": 2432232314}`), key)
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if two := strings.Fields(webhook.Sign("m", at, nil, key, key)); len(two) != 2 || two[0] != two[1] {
		t.Errorf("%v", two)
	}
}

func TestSecretText(t *testing.T) {
	t.Parallel()
	key := bytes.Repeat([]byte{7}, webhook.SecretBytes)
	got, err := webhook.ParseSecret(webhook.SecretText(key))
	if err != nil || !bytes.Equal(got, key) {
		t.Errorf("%x, %v", got, err)
	}
	for _, bad := range []string{"", "whsec_", "whsec_AAAA", "whsec_***", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"} {
		if _, err := webhook.ParseSecret(bad); err == nil {
			t.Errorf("%q is a secret", bad)
		}
	}
}

func TestEventTypes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		change webhook.Change
		want   string
	}{
		{webhook.Change{State: payment.Sending, Kind: payment.KindPay, Operation: payment.OperationSending}, ""},
		{webhook.Change{State: payment.Refunding, Kind: payment.KindRefund, Operation: payment.OperationUnknown}, ""},
		{webhook.Change{State: payment.Succeeded, Kind: payment.KindPay, Operation: payment.OperationSucceeded}, "payment.succeeded"},
		{webhook.Change{State: payment.Failed, Kind: payment.KindPay, Operation: payment.OperationFailed}, "payment.failed"},
		{webhook.Change{State: payment.Succeeded, Kind: payment.KindRefund, Operation: payment.OperationFailed}, webhook.RefundFailed},
		{webhook.Change{State: payment.PartiallyRefunded, Kind: payment.KindRefund, Operation: payment.OperationFailed}, webhook.RefundFailed},
		{webhook.Change{State: payment.PartiallyRefunded, Kind: payment.KindRefund, Operation: payment.OperationSucceeded}, "payment.partially_refunded"},
		{webhook.Change{State: payment.Authorized, Kind: payment.KindVoid, Operation: payment.OperationFailed}, webhook.VoidFailed},
		{webhook.Change{State: payment.Authorized, Kind: payment.KindCapture, Operation: payment.OperationFailed}, webhook.CaptureFailed},
		{webhook.Change{State: payment.Reversing, Kind: payment.KindRefund, Operation: payment.OperationFailed, Reversal: true}, "payment.reversing"},
	} {
		if got := c.change.Type(); got != c.want || got != "" && !webhook.Known(got) {
			t.Errorf("%+v is %q, want %q", c.change, got, c.want)
		}
	}
	if webhook.Known("payment.sending") || webhook.Known("") || webhook.Known(webhook.Test) {
		t.Error("what nobody can ask for is known")
	}
}

func TestBackOffGrowsAndEnds(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC)
	d := webhook.Delivery{ID: "msg_1", State: webhook.Pending, Since: at, NextAt: at}
	last := time.Duration(0)
	for d.State == webhook.Pending {
		at = d.NextAt
		d = d.After(webhook.Outcome{Status: 500, Trouble: "no"}, at)
		if d.State == webhook.Pending {
			delay := d.NextAt.Sub(at)
			if delay < last*8/10 || delay > 7*time.Hour {
				t.Errorf("after attempt %d: %v behind %v", d.Attempts, delay, last)
			}
			last = delay
		}
	}
	if lasted := at.Sub(d.Since); d.State != webhook.GivenUp || lasted > webhook.GiveUp || lasted < webhook.GiveUp-8*time.Hour {
		t.Errorf("%+v after %v", d, lasted)
	}
	wish := webhook.Delivery{ID: "msg_1", State: webhook.Pending, Since: at}.After(webhook.Outcome{Status: 429, Trouble: "no", RetryAfter: 90 * time.Minute}, at)
	if got := wish.NextAt.Sub(at); got != time.Hour {
		t.Errorf("a wish of 90 minutes puts it off by %v", got)
	}
}
