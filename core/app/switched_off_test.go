package app_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/credential"
	"github.com/payrack/payrack/core/directory"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/inbound"
)

// setAt is the stored set of a store, or of the company, in the test environment.
func (w *world) setAt(store company.StoreID) credential.Credential {
	w.t.Helper()
	s, err := w.Directory().Snapshot(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	c, ok := directory.NewIndex(s).Credential(directory.CredentialKey{Company: "co", Store: store, Type: "TILL_PAY", Environment: company.Test})
	if !ok {
		w.t.Fatalf("no set at %q", store)
	}
	return c
}

// A set that is switched off takes no new payment, not even to the company's account. What was paid with it stays in hand: it is
// asked about, a repeated request hears its own outcome, money goes back, and a search is answered.
func TestASetThatIsSwitchedOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := resolving(t)
		put := func(store company.StoreID, set string) credential.Credential {
			c, err := w.Directory().PutCredential(t.Context(), inbound.PutCredential{
				Company: "co", Store: store, Type: "TILL_PAY", Environment: company.Test, Set: []byte(set),
			})
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		put(company.OwnStore, `{"account":"company-account"}`)
		must(t)(w.Payments().Pay(t.Context(), w.order("PAID")))
		w.till.answers = w.till.bank.silently
		if reply, err := w.Payments().Pay(t.Context(), w.order("OPEN")); err != nil || reply.Class != inbound.ReplyPending {
			t.Fatalf("%+v, %v", reply, err)
		}
		w.till.answers = w.till.bank.do

		off, err := w.Directory().SaveCredential(t.Context(), inbound.SaveCredential{ID: w.setAt("s1").ID, Disabled: new(true)})
		if err != nil || !off.Disabled || off.Sealed != nil {
			t.Fatalf("%+v, %v", off, err)
		}
		refused := func(order string) {
			t.Helper()
			if _, err := w.Payments().Pay(t.Context(), w.order(order)); codeOf(err) != "config_missing" || w.till.transmissions(order) != 0 {
				t.Errorf("%s: %v after %d transmissions", order, err, w.till.transmissions(order))
			}
		}
		refused("NEW")
		w.till.down.Store(true)
		refused("NEW-WHILE-DOWN")
		w.till.down.Store(false)

		if again, err := w.Payments().Pay(t.Context(), w.order("OPEN")); err != nil || again.Class != inbound.ReplyPending {
			t.Errorf("who repeats what is in doubt heard %+v, %v", again, err)
		}
		time.Sleep(5 * time.Second)
		if r := w.record(t.Context(), "OPEN"); r.Payment.State != payment.Succeeded || w.till.transmissions("OPEN") != 1 {
			t.Errorf("the open one: %s after %d transmissions", r.Payment.State, w.till.transmissions("OPEN"))
		}
		if again, err := w.Payments().Pay(t.Context(), w.order("OPEN")); err != nil || !strings.Contains(string(again.Body), "0000") {
			t.Errorf("who repeats what was paid heard %+v, %v", again, err)
		}
		if _, err := w.Payments().Search(t.Context(), w.followUp("PAID", 0, "")); err != nil {
			t.Errorf("search: %v", err)
		}
		if back, err := w.Payments().Refund(t.Context(), w.followUp("PAID", 40, "r1")); err != nil || back.State != payment.PartiallyRefunded {
			t.Errorf("refund: %+v, %v", back, err)
		}

		// New secrets do not switch it on; that is said on its own.
		if rotated := put("s1", `{"account":"store-account","key":"new"}`); !rotated.Disabled || rotated.Revision != 2 {
			t.Errorf("rotated: %+v", rotated)
		}
		refused("NEW-AFTER-ROTATION")
		must(t)(w.Directory().SaveCredential(t.Context(), inbound.SaveCredential{ID: off.ID, Disabled: new(false)}))
		must(t)(w.Payments().Pay(t.Context(), w.order("NEW")))
		if r := w.record(t.Context(), "NEW"); r.Payment.Account != "store-account" || r.Payment.CredentialRef != string(off.ID)+"/2" {
			t.Errorf("paid with %s of %s", r.Payment.CredentialRef, r.Payment.Account)
		}
		if _, err := w.Directory().SaveCredential(t.Context(), inbound.SaveCredential{ID: "none", Disabled: new(true)}); codeOf(err) != "credential_not_found" {
			t.Errorf("%v", err)
		}
	})
}

// A replica that has not looked yet rotates a set that another one has just switched off: it stays off.
func TestARotationElsewhereSwitchesNothingOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := w.otherLife("boot-2")
	must(t)(nil, other.Directory().Reload(t.Context()))
	must(t)(w.Directory().SaveCredential(t.Context(), inbound.SaveCredential{ID: w.setAt("s1").ID, Disabled: new(true)}))
	rotated, err := other.Directory().PutCredential(t.Context(), inbound.PutCredential{
		Company: "co", Store: "s1", Type: "TILL_PAY", Environment: company.Test, Set: []byte(`{"account":"store-account","key":"new"}`),
	})
	if err != nil || !rotated.Disabled {
		t.Errorf("%+v, %v", rotated, err)
	}
}
