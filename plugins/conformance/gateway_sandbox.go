package conformance

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/payrack/payrack/plugins/sandbox"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

// SandboxSpec takes a dialect of the sandbox as the gateway.
type SandboxSpec struct {
	// Dialect is its name.
	Dialect string `json:"dialect"`
	// Behaviours say which fault of the dialect plays a behaviour, such as "code:1142" for declined.
	// wrong_amount, wrong_order and delivered_twice need no word.
	Behaviours map[Behaviour]string `json:"behaviours"`
	// Approve is the control route with which the payer of an order approves, below /_sandbox/, such as
	// "acme/{{transaction_id}}/approve". Empty if nobody has to.
	Approve string `json:"approve,omitempty"`
	// Account holds switches for all accounts.
	Account json.RawMessage `json:"account,omitempty"`
}

// sandboxGateway is the sandbox with one dialect, in a folder that goes away with it.
type sandboxGateway struct {
	spec    SandboxSpec
	dir     string
	server  *sandbox.Server
	handler http.Handler
	dialect sandbox.Dialect
}

func newSandboxGateway(spec SandboxSpec, dialects []sandbox.Dialect) (*sandboxGateway, error) {
	i := slices.IndexFunc(dialects, func(d sandbox.Dialect) bool { return d.Name == spec.Dialect })
	if i < 0 {
		return nil, fmt.Errorf("gateway: the sandbox has no dialect %q", spec.Dialect)
	}
	dir, err := os.MkdirTemp("", "payrack-conformance-")
	if err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	server, err := sandbox.New(sandbox.Options{Dir: dir, Dialects: dialects[i : i+1], HangLimit: time.Minute})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("gateway: %w", err), os.RemoveAll(dir))
	}
	spec.Behaviours = maps.Clone(spec.Behaviours)
	if spec.Behaviours == nil {
		spec.Behaviours = map[Behaviour]string{}
	}
	for b, fault := range map[Behaviour]string{
		BehaviourWrongAmount: sandbox.FaultWrongAmount, BehaviourWrongOrder: sandbox.FaultWrongOrder,
		BehaviourDeliveredTwice: sandbox.FaultDuplicateDelivery,
	} {
		if spec.Behaviours[b] == "" {
			spec.Behaviours[b] = fault
		}
	}
	return &sandboxGateway{spec: spec, dir: dir, server: server, handler: server.Handler(), dialect: dialects[i]}, nil
}

// ServeHTTP is the dialect.
func (g *sandboxGateway) ServeHTTP(w http.ResponseWriter, r *http.Request) { g.handler.ServeHTTP(w, r) }

// NewCredential makes a fresh development account of the dialect.
func (g *sandboxGateway) NewCredential(paymentType string) (json.RawMessage, error) {
	for _, a := range g.dialect.Accounts(rand.Reader) {
		if slices.Contains(a.Types, paymentType) {
			return a.Credential, nil
		}
	}
	return nil, fmt.Errorf("the sandbox has no account for %s", paymentType)
}

// Enrol registers an account.
func (g *sandboxGateway) Enrol(_ string, credential json.RawMessage) error {
	body := map[string]any{"provider": g.spec.Dialect, "credential": credential}
	if len(g.spec.Account) > 0 {
		body["options"] = g.spec.Account
	}
	return g.control(http.MethodPost, "accounts", body, nil)
}

// Offer issues a code.
func (g *sandboxGateway) Offer(_, code string) error {
	return g.control(http.MethodPost, "codes", map[string]any{"provider": g.spec.Dialect, "code": code}, nil)
}

// Approve acts for the payer.
func (g *sandboxGateway) Approve(order, transactionID string) error {
	if g.spec.Approve == "" {
		return fmt.Errorf("approve: %w", ErrNotPlayed)
	}
	path, err := expandText(g.spec.Approve, template.FuncMap{
		"transaction_id": func() string { return url.PathEscape(transactionID) },
		"order_id":       func() string { return url.PathEscape(order) },
	})
	if err != nil {
		return err
	}
	return g.control(http.MethodPost, path, nil, nil)
}

// Arm arms the fault that plays the behaviour.
func (g *sandboxGateway) Arm(b Behaviour, order string) error {
	fault := g.spec.Behaviours[b]
	if fault == "" {
		return ErrNotPlayed
	}
	return g.control(http.MethodPost, "faults", map[string]any{"provider": g.spec.Dialect, "order_id": order, "fault": fault}, nil)
}

// Disarm clears all faults.
func (g *sandboxGateway) Disarm() {
	_ = g.control(http.MethodDelete, "faults", nil, nil) // it fails only when the sandbox does, and all else then too
}

// kindOf is what a request of the sandbox is in the contract's words.
func kindOf(operation string) provider.Kind {
	switch operation {
	case sandbox.OpPay, sandbox.OpRequest, sandbox.OpMandatePay:
		return provider.KindPay
	case sandbox.OpCheck, sandbox.OpDetails, sandbox.OpAuthorizations, sandbox.OpStatus, sandbox.OpSearch:
		return provider.KindSearch
	case sandbox.OpConfirm:
		return provider.KindConfirm
	case sandbox.OpCapture:
		return provider.KindCapture
	case sandbox.OpVoid:
		return provider.KindVoid
	case sandbox.OpRefund:
		return provider.KindRefund
	case sandbox.OpMandateCheck:
		return provider.KindCheckMandate
	case sandbox.OpMandateExpire:
		return provider.KindExpireMandate
	default:
		return ""
	}
}

// Seen lists requests.
func (g *sandboxGateway) Seen(order string) []Seen {
	var out struct {
		Requests []sandbox.Request `json:"requests"`
	}
	if g.control(http.MethodGet, "requests?"+url.Values{"order_id": {order}}.Encode(), nil, &out) != nil {
		return nil
	}
	var list []Seen
	for _, r := range out.Requests {
		if !r.Redelivered {
			list = append(list, Seen{Kind: kindOf(r.Operation), Order: r.OrderID})
		}
	}
	return list
}

// Moved lists the ledger.
func (g *sandboxGateway) Moved(order string) []Moved {
	var out struct {
		Entries []sandbox.Entry `json:"entries"`
	}
	if g.control(http.MethodGet, "ledger?"+url.Values{"order_id": {order}}.Encode(), nil, &out) != nil {
		return nil
	}
	var list []Moved
	for _, e := range out.Entries {
		list = append(list, Moved{
			Kind: string(e.Kind), Account: e.Account, Order: e.OrderID, TransactionID: e.TransactionID,
			Units: e.Amount, Currency: e.Currency,
		})
	}
	return list
}

// Violations lists what the sandbox let pass and no client may do.
func (g *sandboxGateway) Violations() []string {
	var out struct {
		Violations []sandbox.Violation `json:"violations"`
	}
	if g.control(http.MethodGet, "violations", nil, &out) != nil {
		return nil
	}
	var list []string
	for _, v := range out.Violations {
		list = append(list, v.Rule+" (order "+v.OrderID+")")
	}
	return list
}

// Close ends the sandbox and removes its folder.
func (g *sandboxGateway) Close() error {
	return errors.Join(g.server.Close(), os.RemoveAll(g.dir))
}

// control calls a control route without a socket.
func (g *sandboxGateway) control(method, path string, body, into any) error {
	var payload []byte
	if body != nil {
		var err error
		if payload, err = json.Marshal(body); err != nil {
			return fmt.Errorf("sandbox: %w", err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second) //nolint:forbidigo // the sandbox is ours and in this process
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, "http://sandbox/_sandbox/"+path, bytes.NewReader(payload))
	if err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	r.RequestURI = r.URL.RequestURI()
	kept := newKept()
	g.handler.ServeHTTP(kept, r)
	if kept.status != http.StatusOK {
		return fmt.Errorf("sandbox: %s %s: HTTP %d %s", method, path, kept.status, strings.TrimSpace(kept.body.String()))
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(kept.body.Bytes(), into); err != nil {
		return fmt.Errorf("sandbox: %s: %w", path, err)
	}
	return nil
}
