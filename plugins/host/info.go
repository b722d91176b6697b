package host

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/payrack/payrack/plugins/internal/handshake"
	"github.com/payrack/payrack/plugins/internal/wire/providerv1"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

// Info is what a plugin says about itself, checked.
type Info struct {
	Name             string
	Version          string
	ContractRevision int
	// Features are optional abilities of the transport.
	Features []string
	// MessageFrom is the label that clients see on a failure that the provider answered.
	MessageFrom string
	// Settings is the JSON Schema of the plugin-wide settings, or empty.
	Settings json.RawMessage
	// MaxInflight is the largest number of calls at once that the plugin wants; 0 leaves it to the host.
	MaxInflight int
	Types       []provider.Type
}

// LongestCall is the longest time that a call of this release may take.
func (i Info) LongestCall() time.Duration {
	var longest time.Duration
	for _, t := range i.Types {
		for _, o := range t.Operations {
			longest = max(longest, o.MaxDuration)
		}
	}
	return longest
}

var (
	namePattern     = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)
	versionPattern  = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z.+-]{0,63}$`)
	typePattern     = regexp.MustCompile(`^[A-Z0-9_]{1,64}$`)
	labelPattern    = regexp.MustCompile(`^[A-Z0-9_]{1,32}$`)
	currencyPattern = regexp.MustCompile(`^[A-Z]{3}$`)
	methodPattern   = regexp.MustCompile(`^(GET|POST|PUT|PATCH|DELETE|QUERY)$`)
	routePattern    = regexp.MustCompile(`^[A-Za-z0-9/_.-]{1,200}$`)
)

// maxCall bounds max_duration: every call is also a bound for a drain.
const maxCall = 10 * time.Minute

// infoFromWire converts and checks. All complaints are reported at once.
func infoFromWire(r *providerv1.GetInfoResponse) (Info, error) {
	c := &complaints{}
	out := Info{
		Name:             r.GetName(),
		Version:          r.GetVersion(),
		ContractRevision: int(r.GetContractRevision()),
		Features:         r.GetFeatures(),
		MessageFrom:      r.GetMessageFrom(),
		Settings:         r.GetSettingsSchema(),
		MaxInflight:      int(r.GetMaxInflight()),
	}
	c.pattern("name", out.Name, namePattern)
	c.pattern("version", out.Version, versionPattern)
	c.pattern("message_from", out.MessageFrom, labelPattern)
	c.object("settings_schema", out.Settings, true)
	c.check(out.ContractRevision >= 1, "contract_revision is missing")
	c.check(len(r.GetTypes()) > 0, "there is no payment type")
	seen := map[string]bool{}
	for _, t := range r.GetTypes() {
		c.check(!seen[t.GetName()], "type %s is there twice", t.GetName())
		seen[t.GetName()] = true
		out.Types = append(out.Types, typeFromWire(c, out.Name, t))
	}
	return out, c.err()
}

func typeFromWire(c *complaints, plugin string, t *providerv1.PaymentType) provider.Type {
	out := provider.Type{Name: t.GetName(), Credential: t.GetCredentialSchema()}
	where := "type " + t.GetName()
	c.pattern("type name", out.Name, typePattern)
	c.object(where+" credential_schema", out.Credential, false)
	c.check(len(t.GetOperations()) > 0, "%s has no operation", where)
	c.check(len(t.GetCurrencies()) > 0, "%s has no currency", where)
	for _, m := range t.GetCurrencies() {
		c.pattern(where+" currency", m.GetCode(), currencyPattern)
		c.check(m.GetExponent() <= 4, "%s: currency %s has %d decimals", where, m.GetCode(), m.GetExponent())
		out.Currencies = append(out.Currencies, provider.Currency{Code: m.GetCode(), Exponent: int(m.GetExponent())})
	}
	seen := map[provider.Kind]bool{}
	for _, o := range t.GetOperations() {
		kind, known := kinds[o.GetKind()]
		if !known {
			// A newer plugin may have operations that this host cannot call; an unnamed one is a mistake.
			c.check(o.GetKind() != providerv1.OperationKind_OPERATION_KIND_UNSPECIFIED, "%s has an operation without a kind", where)
			continue
		}
		c.check(!seen[kind], "%s has the operation %s twice", where, kind)
		seen[kind] = true
		out.Operations = append(out.Operations, operationFromWire(c, plugin, where+" "+string(kind), kind, o))
	}
	return out
}

func operationFromWire(c *complaints, plugin, where string, kind provider.Kind, o *providerv1.Operation) provider.Operation {
	out := provider.Operation{
		Kind:             kind,
		Columns:          o.GetColumnsSchema(),
		Answer:           o.GetAnswerSchema(),
		MovesMoney:       o.GetMovesMoney(),
		OrderIDUnique:    o.GetOrderIdUnique(),
		IdempotentReplay: o.GetIdempotentReplay(),
		FoundByOrderID:   o.GetFoundByOrderId(),
		CancelsUnlanded:  o.GetCancelsUnlanded(),
		CarriesReference: o.GetCarriesReference(),
		SearchLagMax:     duration(c, where+" search_lag_max", o.GetSearchLagMax()),
		LandingMax:       duration(c, where+" landing_max", o.GetLandingMax()),
		MaxDuration:      duration(c, where+" max_duration", o.GetMaxDuration()),
	}
	c.object(where+" columns_schema", out.Columns, false)
	c.object(where+" answer_schema", out.Answer, true)
	c.check(out.MaxDuration > 0 && out.MaxDuration <= maxCall, "%s max_duration must be above 0 and at most %s", where, maxCall)
	for _, r := range o.GetAliases() {
		c.pattern(where+" alias method", r.GetMethod(), methodPattern)
		c.check(strings.HasPrefix(r.GetPath(), "/v1/payment/"+plugin+"/") && path.Clean(r.GetPath()) == r.GetPath() &&
			routePattern.MatchString(r.GetPath()), "%s: the alias %q is not below /v1/payment/%s/", where, r.GetPath(), plugin)
		out.Aliases = append(out.Aliases, provider.Route{Method: r.GetMethod(), Path: r.GetPath()})
	}
	for _, b := range o.GetNativeBodies() {
		situation, known := situations[b.GetSituation()]
		if !known {
			continue
		}
		c.object(where+" native body", b.GetBody(), false)
		c.check(len(b.GetBody()) <= handshake.MaxNative, "%s: a native body is longer than 64 KiB", where)
		if out.Bodies == nil {
			out.Bodies = map[provider.Situation]json.RawMessage{}
		}
		out.Bodies[situation] = b.GetBody()
	}
	return out
}

func duration(c *complaints, where string, d *durationpb.Duration) time.Duration {
	if d == nil {
		return 0
	}
	c.check(d.CheckValid() == nil && d.AsDuration() >= 0, "%s is no positive duration", where)
	return d.AsDuration()
}

var kinds = map[providerv1.OperationKind]provider.Kind{
	providerv1.OperationKind_OPERATION_KIND_PAY:            provider.KindPay,
	providerv1.OperationKind_OPERATION_KIND_CONFIRM:        provider.KindConfirm,
	providerv1.OperationKind_OPERATION_KIND_CAPTURE:        provider.KindCapture,
	providerv1.OperationKind_OPERATION_KIND_VOID:           provider.KindVoid,
	providerv1.OperationKind_OPERATION_KIND_REFUND:         provider.KindRefund,
	providerv1.OperationKind_OPERATION_KIND_SEARCH:         provider.KindSearch,
	providerv1.OperationKind_OPERATION_KIND_CHECK_MANDATE:  provider.KindCheckMandate,
	providerv1.OperationKind_OPERATION_KIND_EXPIRE_MANDATE: provider.KindExpireMandate,
}

var situations = map[providerv1.Situation]provider.Situation{
	providerv1.Situation_SITUATION_DUPLICATE_ORDER: provider.SituationDuplicateOrder,
	providerv1.Situation_SITUATION_IN_PROGRESS:     provider.SituationInProgress,
	providerv1.Situation_SITUATION_REVERSING:       provider.SituationReversing,
}

// complaints collects what is wrong with a description.
type complaints struct{ list []error }

func (c *complaints) check(ok bool, format string, args ...any) {
	if !ok {
		c.list = append(c.list, fmt.Errorf(format, args...))
	}
}

func (c *complaints) pattern(what, value string, p *regexp.Regexp) {
	c.check(p.MatchString(value), "%s %.80q does not match %s", what, value, p)
}

func (c *complaints) object(what string, raw json.RawMessage, mayMiss bool) {
	if len(raw) == 0 && mayMiss {
		return
	}
	c.check(isObject(raw), "%s is no JSON object", what)
}

func (c *complaints) err() error { return errors.Join(c.list...) }

// isObject reports whether the bytes are one complete JSON object.
func isObject(raw []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(raw, " \t\r\n"), []byte("{")) && json.Valid(raw)
}
