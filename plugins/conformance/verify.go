package conformance

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/payrack/payrack/plugins/host"
	"github.com/payrack/payrack/plugins/sandbox"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

// Options of Verify.
type Options struct {
	// Gateway makes a gateway in the place of the subject's.
	Gateway func() (Gateway, error)
	// Dialects are what a subject with a sandbox gateway chooses from.
	Dialects []sandbox.Dialect
	// Only runs the named checks; empty runs all.
	Only []string
	// FailFast ends at the first check that fails. Such a report is not complete.
	FailFast bool
	// AllowDynamic accepts a binary that needs a dynamic loader, which the platform does in development
	// only.
	AllowDynamic bool
	// Progress is told of each result as it comes.
	Progress func(Result)
}

// ErrSubject says that the description of the plugin does not fit the plugin: nothing was proven.
var ErrSubject = errors.New("the description of the plugin does not fit")

// Verify proves the binary. Its error says that the plugin could not be judged at all: it cannot be
// started, or the subject does not fit it. What the plugin does wrong is in the report.
func Verify(ctx context.Context, path string, s Subject, o Options) (Report, error) {
	began := time.Now()
	for _, id := range o.Only {
		if !isCheck(id) { //nolint:contextcheck // the list is data: nothing runs here
			return Report{}, fmt.Errorf("there is no check %q; --list shows them", id)
		}
	}
	if err := s.problems(o.Gateway != nil); err != nil { //nolint:contextcheck // the list is data: nothing runs here
		return Report{}, fmt.Errorf("%w: %w", ErrSubject, err)
	}
	k, err := newKit(ctx, path, s, o)
	if err != nil {
		return Report{}, err
	}
	defer k.close(ctx)
	benches, err := k.benches(ctx)
	if err != nil {
		return Report{}, err
	}
	report := k.report(began, benches)
	for _, c := range checks() { //nolint:contextcheck // the list is data: nothing runs here
		if len(o.Only) > 0 && !slices.Contains(o.Only, c.ID) {
			continue
		}
		on := benches
		if c.whole {
			on = benches[:1]
		}
		for _, b := range on {
			r := k.try(ctx, c, b)
			report.Results = append(report.Results, r)
			if o.Progress != nil {
				o.Progress(r)
			}
			if o.FailFast && r.Status == StatusFailed {
				report.Complete = false
				return report, nil
			}
		}
		if ctx.Err() != nil {
			return Report{}, fmt.Errorf("verify: %w", ctx.Err())
		}
	}
	report.TookMS = time.Since(began).Milliseconds()
	return report, nil
}

// report is the head of a report.
func (k *kit) report(began time.Time, benches []*bench) Report {
	r := Report{
		KitVersion: KitVersion, Name: k.info.Name, Version: k.info.Version, SHA256: k.digest, SubjectSHA256: digestOf(k.subject),
		At: began.UTC().Truncate(time.Second), Complete: len(k.options.Only) == 0, Results: []Result{}, Types: []string{},
	}
	for _, b := range benches {
		r.Types = append(r.Types, b.declared.Name)
	}
	return r
}

func digestOf(s Subject) string {
	raw, err := json.Marshal(s)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// kit is one verification.
type kit struct {
	subject Subject
	options Options
	path    string
	digest  string
	// before is what the binary said about itself before anything was configured.
	before  host.Info
	info    host.Info
	gateway Gateway
	proxy   *proxy
	out     *collected
	main    *process
	// secrets are all that the kit made up, with what they are.
	secrets *secrets
	// activationHits is how many requests the gateway had when the plugin was activated.
	activationHits int
	startPID       int
}

func newKit(ctx context.Context, path string, s Subject, o Options) (_ *kit, err error) {
	if path, err = filepath.Abs(path); err != nil {
		return nil, fmt.Errorf("find the plugin: %w", err)
	}
	k := &kit{subject: s, options: o, path: path, out: &collected{}, secrets: &secrets{}}
	defer func() {
		if err != nil {
			k.close(ctx)
		}
	}()
	if err := k.describe(ctx); err != nil {
		return nil, err
	}
	if k.gateway, err = k.newGateway(); err != nil {
		return nil, err
	}
	if k.proxy, err = newProxy(ctx, k.gateway); err != nil {
		return nil, err
	}
	settings, err := k.settings(nil)
	if err != nil {
		return nil, err
	}
	if k.main, err = k.start(ctx, settings); err != nil {
		return nil, err
	}
	k.activationHits, k.startPID = k.proxy.mark(), k.main.pid()
	return k, nil
}

func (k *kit) describe(ctx context.Context) error {
	h, err := host.New(hostOptions(k.out, k.options.AllowDynamic))
	if err != nil {
		return fmt.Errorf("describe the plugin: %w", err)
	}
	defer func() { _ = h.Close(ctx) }()
	if k.info, k.digest, err = h.Describe(ctx, k.path); err != nil {
		return fmt.Errorf("describe the plugin: %w", err)
	}
	if k.before, _, err = h.Describe(ctx, k.path); err != nil {
		return fmt.Errorf("describe the plugin a second time: %w", err)
	}
	return nil
}

func (k *kit) newGateway() (Gateway, error) {
	switch {
	case k.options.Gateway != nil:
		return k.options.Gateway()
	case k.subject.Gateway.Sandbox != nil:
		return newSandboxGateway(*k.subject.Gateway.Sandbox, k.options.Dialects)
	default:
		return newScriptGateway(*k.subject.Gateway.Script, k.info)
	}
}

func (k *kit) close(ctx context.Context) {
	if k.proxy != nil {
		k.proxy.close()
	}
	if k.main != nil {
		k.main.close(ctx)
	}
	if k.gateway != nil {
		_ = k.gateway.Close() // its folder is temporary
	}
}

// settings are the subject's settings with the proxy's addresses, or those given.
func (k *kit) settings(urls map[string]string) ([]byte, error) {
	if urls == nil {
		urls = k.proxy.urls
	}
	return expandSettings(k.subject.Settings, urls)
}

func expandSettings(settings json.RawMessage, urls map[string]string) ([]byte, error) {
	raw, err := expandJSON(settings, template.FuncMap{
		"url":      func() string { return urls["test"] },
		"test_url": func() string { return urls["test"] },
		"live_url": func() string { return urls["live"] },
	})
	if err != nil {
		return nil, fmt.Errorf("%w: settings: %w", ErrSubject, err)
	}
	return raw, nil
}

// separateDoors reports whether the settings lead live and test to two addresses.
func (k *kit) separateDoors() bool {
	return strings.Contains(string(k.subject.Settings), "{{live_url}}") &&
		strings.Contains(string(k.subject.Settings), "{{test_url}}")
}

// benches makes one for each payment type that is proven.
func (k *kit) benches(ctx context.Context) ([]*bench, error) {
	var list []*bench
	for _, declared := range k.info.Types {
		i := slices.IndexFunc(k.subject.Types, func(t SubjectType) bool { return t.Type == declared.Name })
		if i < 0 || k.subject.Types[i].Skip != "" {
			continue
		}
		b, err := newBench(ctx, k, k.subject.Types[i].complete(declared), declared)
		if err != nil {
			return nil, fmt.Errorf("%w: type %s: %w", ErrSubject, declared.Name, err)
		}
		list = append(list, b)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%w: it names none of the plugin's payment types (%s)", ErrSubject, strings.Join(typeNames(k.info.Types), ", "))
	}
	return list, nil
}

func typeNames(types []provider.Type) []string {
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = t.Name
	}
	return names
}
