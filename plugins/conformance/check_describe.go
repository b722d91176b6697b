package conformance

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

func describeChecks() []Check {
	const silent = "The platform reads requests by the schema alone. What the schema gets wrong is wrong for every client, without an error anywhere."
	return group(
		"Description",
		Check{
			ID: "describe-stable", Title: "The plugin says the same about itself every time",
			Proves: "--payrack-info twice and the running plugin before and after Configure: equal.",
			Why:    "What is installed is what was read from the file; a plugin that says something else later is another one.", whole: true, run: checkStable,
		},
		Check{
			ID: "describe-quiet", Title: "Describing, configuring and health ask the gateway nothing",
			Proves: "The gateway got no request until the first call.",
			Why:    "Releases are swapped while the gateway is down, too.", whole: true, run: checkQuiet,
		},
		Check{
			ID: "describe-covered", Title: "Every declared payment type is proven, or the subject says why not",
			Proves: "The subject names all types that the plugin declares, and no others.",
			Why:    "A report is read as being about the whole plugin.", whole: true, run: checkCovered,
		},
		Check{
			ID: "schema-columns", Title: "The columns are closed objects with their required members",
			Proves: "type, properties, required within properties, additionalProperties false, in every operation.", Why: silent, run: checkColumns,
		},
		Check{
			ID: "schema-roles", Title: "The columns say which members are the amount, the order and the means to pay",
			Proves: "Known roles only, each once in an object; amount and order in pay, a reference in follow-ups and searches, a currency where there are several.",
			Why:    silent, run: checkRoles,
		},
		Check{
			ID: "schema-secrets", Title: "Secret members are marked",
			Proves: "Codes and mandates in the columns, and at least one credential member, carry x-payrack-secret; no secret credential column makes a request a different one.",
			Why:    "Marked members are sealed and redacted; unmarked ones stand in the database in clear.", run: checkSecretMarks,
		},
		Check{
			ID: "schema-credential", Title: "The credential set is a closed object that names its account",
			Proves: "type, additionalProperties false, required within properties, one member with the role account that is required, a default for the role wire.",
			Why:    "The account is pinned on every payment, so that a rotation cannot move it to another.", run: checkCredentialSchema,
		},
		Check{
			ID: "schema-settings", Title: "The settings have a closed schema",
			Proves: "The settings schema is an object with additionalProperties false.",
			Why:    "It is the form that the operator fills in.", whole: true, run: checkSettingsSchema,
		},
		Check{
			ID: "native-bodies", Title: "There is a body in the provider's own shape for what the platform answers by itself",
			Proves: "Operations that start a payment and move money have one for a duplicate order, for a payment in progress and for one that is being given back.",
			Why:    "A client that was written for the provider cannot read anything else.", run: checkBodies,
		},
		Check{
			ID: "search-declared", Title: "A type that moves money can be searched",
			Proves: "It declares search, and says how long a call takes, how late it lands and how late a search shows it.",
			Why:    "Without a search no unknown outcome ends; without the times \"not charged\" is said too early.", run: checkSearchDeclared,
		},
	)
}

func checkStable(t *trial) {
	t.expect(same(t.kit.before, t.kit.info), "--payrack-info prints something else the second time")
	t.expect(same(t.kit.info, t.main.info), "the running plugin says something else than --payrack-info")
}

func same(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y) && reflect.DeepEqual(a, b)
}

func checkQuiet(t *trial) {
	t.expect(t.activationHits == 0, "the gateway got %d requests before the first call", t.activationHits)
}

func checkCovered(t *trial) {
	declared := typeNames(t.info.Types)
	for _, name := range declared {
		t.expect(slices.ContainsFunc(t.subject.Types, func(s SubjectType) bool { return s.Type == name }),
			"the subject does not name the payment type %s", name)
	}
	for _, s := range t.subject.Types {
		t.expect(slices.Contains(declared, s.Type), "the subject names %s, which the plugin does not declare", s.Type)
		if s.Skip != "" {
			t.skip(s.Type + " is not proven: " + s.Skip)
		}
	}
}

// shape looks at what every schema of the platform has to be.
func (t *trial) shape(what string, s schema) {
	t.expect(s.Type == "object", "%s: the type is %v, not object", what, s.Type)
	t.expect(len(s.Properties) > 0, "%s: there are no properties", what)
	t.expect(s.closed(), "%s: additionalProperties is not false", what)
	for _, name := range s.Required {
		_, ok := s.Properties[name]
		t.expect(ok, "%s: %q is required and no property", what, name)
	}
	spellings := map[string]string{}
	for _, name := range s.names() {
		for _, spelling := range append([]string{name}, s.Properties[name].Alias...) {
			t.expect(spellings[spelling] == "", "%s: %q stands for %q and for %q", what, spelling, spellings[spelling], name)
			spellings[spelling] = name
		}
	}
}

func checkColumns(t *trial) {
	for _, o := range t.declared.Operations {
		if o.Kind == provider.KindCheckMandate || o.Kind == provider.KindExpireMandate || len(t.columns[o.Kind].Properties) > 0 {
			t.shape("columns of "+string(o.Kind), t.columns[o.Kind])
		}
	}
}

// columnRoles are the roles that a column may have.
var columnRoles = []string{
	"amount", "currency", "order", "request_id", "code", "credential", "time", "mandate", "mandate_id", "transaction",
	"capture", "description", "return_url", "cancel_url",
}

// severalTimes are the roles that may stand on several members.
var severalTimes = []string{"credential", "time", "return_url", "cancel_url"}

// roles adds the roles of an object and of those in it to all. Two members side by side cannot have one
// role; at different depths they are spellings of different versions.
func (t *trial) roles(what string, s schema, all map[string]string) {
	here := map[string]string{}
	for _, name := range s.names() {
		member := s.Properties[name]
		if role := member.Role; role != "" {
			t.expect(slices.Contains(columnRoles, role), "%s: %q has the unknown role %q", what, name, role)
			t.expect(here[role] == "" || slices.Contains(severalTimes, role), "%s: %q and %q both have the role %q", what, here[role], name, role)
			here[role], all[role] = name, name
		}
		t.roles(what, member, all)
	}
}

func checkRoles(t *trial) {
	for _, o := range t.declared.Operations {
		seen := map[string]string{}
		what := "columns of " + string(o.Kind)
		t.roles(what, t.columns[o.Kind], seen)
		has := func(roles ...string) bool {
			return slices.ContainsFunc(roles, func(r string) bool { return seen[r] != "" })
		}
		switch o.Kind {
		case provider.KindPay:
			t.expect(has("amount"), "%s: no member has the role amount", what)
			t.expect(has("order"), "%s: no member has the role order", what)
			t.expect(has("code", "mandate", "mandate_id", "return_url"), "%s: no member is a code, a mandate or a return URL", what)
			t.expect(has("currency") || len(t.declared.Currencies) == 1, "%s: several currencies and no member with the role currency", what)
		case provider.KindSearch, provider.KindConfirm, provider.KindCapture, provider.KindVoid, provider.KindRefund:
			t.expect(has("order", "transaction"), "%s: no member names the payment", what)
		case provider.KindCheckMandate, provider.KindExpireMandate:
			t.expect(has("mandate", "mandate_id"), "%s: no member names the mandate", what)
		}
	}
}

func checkSecretMarks(t *trial) {
	for _, o := range t.declared.Operations {
		for _, role := range []string{"code", "mandate"} {
			if name, member, ok := t.columns[o.Kind].withRole(role); ok {
				t.expect(member.Secret, "columns of %s: %q has the role %s and is not marked secret", o.Kind, name, role)
			}
		}
	}
	marked := 0
	for _, member := range t.identity.Properties {
		if member.Secret {
			marked++
		}
	}
	t.expect(marked > 0, "no member of the credential is marked secret")
}

func checkCredentialSchema(t *trial) {
	t.shape("credential", t.identity)
	accounts := 0
	for _, name := range t.identity.names() {
		member := t.identity.Properties[name]
		switch member.Role {
		case "account":
			accounts++
			t.expect(slices.Contains(t.identity.Required, name), "credential: the account %q is not required", name)
			t.expect(!member.Secret, "credential: the account %q is marked secret, and it is pinned on every payment", name)
		case "wire":
			t.expect(member.Default != nil, "credential: %q has the role wire and no default", name)
		case "":
		default:
			t.failf("credential: %q has the unknown role %q", name, member.Role)
		}
	}
	t.expect(accounts == 1, "credential: %d members have the role account, not one", accounts)
}

func checkSettingsSchema(t *trial) {
	if len(t.info.Settings) == 0 {
		t.skip("the plugin has no settings")
		return
	}
	s, err := parseSchema(t.info.Settings)
	if err != nil {
		t.failf("settings: %v", err)
		return
	}
	t.shape("settings", s)
}

func checkBodies(t *trial) {
	for _, o := range t.declared.Operations {
		if !o.MovesMoney || o.Kind != t.moneyKind() {
			continue
		}
		for situation, name := range map[provider.Situation]string{
			provider.SituationDuplicateOrder: "a duplicate order", provider.SituationInProgress: "a payment in progress",
			provider.SituationReversing: "a payment that is being given back",
		} {
			body := o.Bodies[situation]
			t.expect(strings.HasPrefix(strings.TrimSpace(string(body)), "{") && json.Valid(body), "%s has no body for %s", o.Kind, name)
		}
	}
}

func checkSearchDeclared(t *trial) {
	moves := false
	for _, o := range t.declared.Operations {
		moves = moves || o.MovesMoney
		t.expect(o.MaxDuration > 0, "%s does not say how long it takes", o.Kind)
		if o.MovesMoney && (o.Kind == provider.KindPay || o.Kind == provider.KindConfirm) {
			t.expect(o.LandingMax > 0, "%s does not say how late it lands", o.Kind)
			t.expect(o.SearchLagMax > 0, "%s does not say how late a search shows it", o.Kind)
		}
	}
	t.expect(!moves || t.has(provider.KindSearch), "%s moves money and has no search", fmt.Sprint(t.declared.Name))
}
