package conformance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// Subject tells the kit what it cannot find out from the plugin itself. It is usually a file,
// conformance.json. Texts in it may hold template actions such as {{url}} or {{digits 10}}; README.md lists
// them.
type Subject struct {
	// Settings are the plugin-wide settings that lead both environments to the kit's gateway. {{url}} is
	// its base; {{live_url}} and {{test_url}} are two bases, which also proves that the plugin does not
	// mix the environments up.
	Settings json.RawMessage `json:"settings"`
	// Impatient are the same settings with time limits of the plugin's own of 0.3 s, if it has some. With
	// them it is proven that the plugin's own limit does not turn a payment into a decline.
	Impatient json.RawMessage `json:"impatient,omitempty"`
	// Gateway plays the provider's gateway. Not needed if [Plugin.Gateway] makes one.
	Gateway GatewaySpec `json:"gateway"`
	// Types are the payment types to prove. All that the plugin declares have to be named.
	Types []SubjectType `json:"types"`
	// Notifications are examples of what the provider pushes, for a plugin that reads them.
	Notifications []SubjectNotification `json:"notifications,omitempty"`
	// Waive names checks that this plugin need not pass, by id, each with the reason. They are reported
	// as waived.
	Waive map[string]string `json:"waive,omitempty"`
}

// GatewaySpec chooses the gateway; exactly one member is set.
type GatewaySpec struct {
	// Script describes the gateway as routes and answers.
	Script *Script `json:"script,omitempty"`
	// Sandbox takes a dialect of the platform's sandbox.
	Sandbox *SandboxSpec `json:"sandbox,omitempty"`
}

// SubjectType is one payment type.
type SubjectType struct {
	// Type is its name, as the plugin declares it.
	Type string `json:"type"`
	// Skip says why this type is not proven here, for example because the gateway cannot be played. It
	// is reported.
	Skip string `json:"skip,omitempty"`
	// Credential is the shape of a stored credential set. Give random values to its secret members
	// ({{hex 32}}), so that they can be searched for: the kit makes several sets from it. A dialect of the
	// sandbox, or any gateway with NewCredential, makes sets by itself if it is left out: keys that no
	// template can make.
	Credential json.RawMessage `json:"credential,omitempty"`
	// Code is the shape of a one-time code, for types that pay by one. Default {{digits 18}}.
	Code string `json:"code,omitempty"`
	// Order is the shape of an order number. Default CK{{digits 14}}.
	Order string `json:"order,omitempty"`
	// Amounts in charge units that the gateway takes, tried in every currency. Default 1, 10, 229, 9999.
	Amounts []int64 `json:"amounts,omitempty"`
	// Currency of all checks but those about currencies. Default: the first that the type declares.
	Currency string `json:"currency,omitempty"`
	// Description is what the payer is shown. Default "conformance".
	Description string `json:"description,omitempty"`
	// Columns are native columns beside those that travel in typed fields, by operation.
	Columns map[provider.Kind]json.RawMessage `json:"columns,omitempty"`
}

// SubjectNotification is an example of what the provider pushes.
type SubjectNotification struct {
	Method  string      `json:"method"`
	URL     string      `json:"url"`
	Headers [][2]string `json:"headers,omitempty"`
	Body    string      `json:"body"`
	// Order is the order that the plugin has to find in it.
	Order string `json:"order"`
}

// ErrNoSubject says that there is no file that describes the plugin.
var ErrNoSubject = errors.New("no conformance.json")

// LoadSubject reads a subject file. Unknown members are refused.
func LoadSubject(path string) (Subject, error) {
	raw, err := os.ReadFile(path) //nolint:gosec // the caller's own file
	if err != nil {
		return Subject{}, fmt.Errorf("read the description of the plugin: %w", err)
	}
	s, err := ParseSubject(raw)
	if err != nil {
		return Subject{}, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// ParseSubject reads a subject. Unknown members are refused.
func ParseSubject(raw []byte) (Subject, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	var s Subject
	if err := d.Decode(&s); err != nil {
		return Subject{}, fmt.Errorf("decode: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Subject{}, errors.New("decode: something follows the object")
	}
	return s, nil
}

// FindSubject returns the subject file of a binary: PATH.conformance.json or conformance.json beside it.
func FindSubject(binary string) (string, error) {
	for _, candidate := range []string{
		binary + ".conformance.json", filepath.Join(filepath.Dir(binary), "conformance.json"),
	} {
		if _, err := os.Stat(candidate); err == nil {
			return candidate, nil
		}
	}
	return "", fmt.Errorf("%w beside %s: write one, or name it with --config", ErrNoSubject, binary)
}

// problems says what is missing, before anything is started.
func (s Subject) problems(ownGateway bool) error {
	var list []error
	add := func(bad bool, format string, args ...any) {
		if bad {
			list = append(list, fmt.Errorf(format, args...))
		}
	}
	given := 0
	if s.Gateway.Script != nil {
		given++
	}
	if s.Gateway.Sandbox != nil {
		given++
	}
	add(!ownGateway && given != 1, "gateway: exactly one of script and sandbox is needed")
	add(len(s.Types) == 0, "types: at least one is needed")
	for i, t := range s.Types {
		add(t.Type == "", "types[%d]: the type is missing", i)
		add(t.Skip == "" && len(t.Credential) == 0 && s.Gateway.Sandbox == nil && !ownGateway, "types[%d]: credential is missing", i)
		for _, a := range t.Amounts {
			add(a <= 0, "types[%d]: amounts must be positive", i)
		}
	}
	for id, reason := range s.Waive {
		add(!isCheck(id), "waive: there is no check %q", id)
		add(reason == "", "waive: %s needs a reason", id)
	}
	return errors.Join(list...)
}

// complete fills what a subject may leave out.
func (t SubjectType) complete(declared provider.Type) SubjectType {
	if t.Code == "" {
		t.Code = "{{digits 18}}"
	}
	if t.Order == "" {
		t.Order = "CK{{digits 14}}"
	}
	if len(t.Amounts) == 0 {
		t.Amounts = []int64{1, 10, 229, 9999}
	}
	if t.Currency == "" && len(declared.Currencies) > 0 {
		t.Currency = declared.Currencies[0].Code
	}
	if t.Description == "" {
		t.Description = "conformance"
	}
	return t
}
