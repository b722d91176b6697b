package conformance

import (
	"encoding/json"
	"fmt"
	"sync"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

func tenantChecks() []Check {
	const mixed = "One shop's payments would land on another shop's account."
	return group(
		"Companies and credentials",
		Check{
			ID: "companies-apart", Title: "Two companies at once never get each other's credentials",
			Proves: "Forty charges of two companies, eight at a time; each lands on its own account.", Why: mixed, run: checkApart,
		},
		Check{
			ID: "companies-in-turn", Title: "Two companies in turn never get each other's credentials",
			Proves: "Ten charges of two companies, one after the other; each lands on its own account.", Why: mixed, run: checkInTurn,
		},
		Check{
			ID: "credential-rotated", Title: "A rotated credential is used at once",
			Proves: "The secret of an account is replaced at the gateway and in the call, under the next revision: the next charges are approved.",
			Why:    "A secret that is rotated because it leaked has to be out of use, and payments have to go on.", run: checkRotation,
		},
		Check{
			ID: "rotation-under-load", Title: "A rotation under load costs no payment of another company",
			Proves: "Charges of one company run on while another's secret is rotated three times; all are approved.",
			Why:    "Rotations happen during the day.", run: checkRotationUnderLoad,
		},
		Check{
			ID: "request-credential", Title: "A credential that came with a request is not kept",
			Proves: "Two charges of one account with different secrets and no reference; the second works with the second secret.",
			Why:    "Such a credential may be used for that one payment only.", run: checkRequestCredential,
		},
		Check{
			ID: "account-pinned", Title: "A payment that is pinned to another account is not sent",
			Proves: "A charge whose pinned account is not the one of the credential: not sent, and the gateway got nothing.", Why: mixed, run: checkPinned,
		},
		Check{
			ID: "credential-incomplete", Title: "An incomplete credential is not sent",
			Proves: "Each required member of the credential is left away in turn: not sent.",
			Why:    "It costs a try at the gateway, and some gateways lock the account.", run: checkIncomplete,
		},
		Check{
			ID: "credential-broken", Title: "A credential of other types than the schema says is not sent and not repeated",
			Proves: "A credential whose members are numbers and lists: not sent, and no value stands in the answer.",
			Why:    "Errors of JSON libraries quote what they could not read.", run: checkBroken,
		},
		Check{
			ID: "wire-pinned", Title: "A payment is continued in the wire version that is pinned on it",
			Proves: "A charge and a search in every version that the credential schema names.",
			Why:    "A payment that began in one version cannot be found in another.", run: checkWire,
		},
		Check{
			ID: "environment-apart", Title: "Live and test go to their own gateways",
			Proves: "A charge in each environment; the proxy sees each at its own address.",
			Why:    "A test that goes to the live gateway takes real money.", run: checkEnvironments,
		},
		Check{
			ID: "environment-unknown", Title: "An unknown environment is not sent",
			Proves: "A charge in \"staging\": not sent, and the gateway got nothing.",
			Why:    "Whatever it falls back to is wrong.", run: checkForeignEnvironment,
		},
	)
}

// landedOn charges for a company and looks at the account in the books.
func (t *trial) landedOn(by *credential) {
	o := t.orderOf(by)
	a := t.charge(o)
	if a.Outcome() != provider.OutcomeApproved {
		t.failf("a charge was answered %s", spell(a))
		return
	}
	t.booked(o, "charge")
}

func checkApart(t *trial) {
	var workers sync.WaitGroup
	for i := range 8 {
		by := t.first
		if i%2 == 1 {
			by = t.second
		}
		workers.Go(func() {
			for range 5 {
				t.landedOn(by)
			}
		})
	}
	workers.Wait()
}

func checkInTurn(t *trial) {
	for range 5 {
		t.landedOn(t.first)
		t.landedOn(t.second)
	}
}

// company is a third one, so that its rotation does not disturb other checks.
func (t *trial) company() (*credential, bool) {
	if _, _, ok := t.identity.withRole("account"); !ok {
		t.skip("the credential has no member with the role account")
		return nil, false
	}
	c, err := t.newCredential(nil)
	if err != nil {
		t.failf("%v", err)
	}
	return c, err == nil
}

// rotate gives a company its next secret.
func (t *trial) rotate(c *credential) (*credential, bool) {
	next, err := t.newCredential(c)
	if err != nil {
		t.failf("%v", err)
	}
	return next, err == nil
}

func checkRotation(t *trial) {
	c, ok := t.company()
	for range 3 {
		if !ok {
			return
		}
		t.landedOn(c)
		t.landedOn(c) // from whatever is cached by now
		c, ok = t.rotate(c)
	}
	if ok {
		t.landedOn(c)
	}
}

func checkRotationUnderLoad(t *trial) {
	c, ok := t.company()
	if !ok {
		return
	}
	stop := make(chan struct{})
	var others sync.WaitGroup
	for range 3 {
		others.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					t.landedOn(t.second)
				}
			}
		})
	}
	for range 3 {
		t.landedOn(c)
		if c, ok = t.rotate(c); !ok {
			break
		}
	}
	if ok {
		t.landedOn(c)
	}
	close(stop)
	others.Wait()
}

func checkRequestCredential(t *trial) {
	c, ok := t.company()
	for i := range 2 {
		if !ok {
			return
		}
		o := t.orderOf(c)
		o.ref = ""
		a := t.charge(o)
		t.expect(a.Outcome() == provider.OutcomeApproved, "charge %d with a request's credential was answered %s", i+1, spell(a))
		c, ok = t.rotate(c)
	}
}

func checkPinned(t *trial) {
	if _, _, ok := t.identity.withRole("account"); !ok {
		t.skip("the credential has no member with the role account")
		return
	}
	o := t.order()
	t.ready(o)
	o.account = t.second.account
	t.notSent(o, "a credential of another account than the payment's")
}

// withCredential is the order with another credential set.
func (t *trial) withCredential(members map[string]any) (*order, bool) {
	raw, err := json.Marshal(members)
	if err != nil {
		t.failf("%v", err)
		return nil, false
	}
	o := t.order()
	t.ready(o)
	o.by = &credential{raw: raw, account: o.account}
	o.ref = ""
	return o, true
}

func (t *trial) credentialMembers() (map[string]any, bool) {
	var members map[string]any
	if err := json.Unmarshal(t.first.raw, &members); err != nil {
		t.failf("%v", err)
		return nil, false
	}
	return members, true
}

func checkIncomplete(t *trial) {
	for _, name := range t.identity.Required {
		members, ok := t.credentialMembers()
		if !ok {
			return
		}
		delete(members, name)
		if o, ok := t.withCredential(members); ok {
			t.notSent(o, "a credential without "+name)
		}
	}
}

func checkBroken(t *trial) {
	members, ok := t.credentialMembers()
	if !ok {
		return
	}
	const number = 736455190827364
	t.secrets.add("broken credential", fmt.Sprint(number))
	for name := range members {
		if t.identity.Properties[name].Secret {
			members[name] = number
		} else {
			members[name] = []any{members[name]}
		}
	}
	o, ok := t.withCredential(members)
	if !ok {
		return
	}
	t.notSent(o, "a broken credential")
}

func checkWire(t *trial) {
	_, member, ok := t.identity.withRole("wire")
	if !ok || len(member.Enum) == 0 {
		t.skip("the credential has no member with the role wire and an enum")
		return
	}
	for _, version := range member.Enum {
		o := t.order()
		o.wire = fmt.Sprint(version)
		a := t.charge(o)
		if a.Outcome() != provider.OutcomeApproved {
			t.failf("wire %v: answered %s, not approved", version, spell(a))
			continue
		}
		t.booked(o, "charge")
		if t.has(provider.KindSearch) {
			t.foundWith(o, t.ask(o))
		}
	}
}

func checkEnvironments(t *trial) {
	if !t.separateDoors() {
		t.skip("the subject's settings do not use {{live_url}} and {{test_url}}")
		return
	}
	for _, environment := range []string{provider.EnvironmentLive, provider.EnvironmentTest} {
		o := t.order()
		o.environment = environment
		from := t.proxy.mark()
		a := t.charge(o)
		t.expect(a.Outcome() == provider.OutcomeApproved, "%s: answered %s, not approved", environment, spell(a))
		for _, h := range t.proxy.since(from) {
			t.expect(h.door == environment, "a request of %s went to the %s gateway", environment, h.door)
		}
	}
}

func checkForeignEnvironment(t *trial) {
	o := t.order()
	t.ready(o)
	o.environment = "staging"
	t.notSent(o, "an unknown environment")
}
