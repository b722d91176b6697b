package adminapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/journal"
	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/ports/inbound"
)

// rack is a set of plugins in memory. It takes every order and remembers it.
type rack struct {
	mu        sync.Mutex
	installed []inbound.InstallPlugin
	activated []inbound.ActivatePlugin
	canaries  []inbound.CanaryPlugin
	rehearsed []inbound.RehearsePlugin
	// orders are the others, by their word.
	orders map[string][]any
	fails  error
	// taken is called with each installation while its file is there; may be nil.
	taken func(inbound.InstallPlugin)
}

func (k *rack) note(word string, order any) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fails != nil {
		return k.fails
	}
	if k.orders == nil {
		k.orders = map[string][]any{}
	}
	k.orders[word] = append(k.orders[word], order)
	switch o := order.(type) {
	case inbound.InstallPlugin:
		k.installed = append(k.installed, o)
	case inbound.ActivatePlugin:
		k.activated = append(k.activated, o)
	case inbound.CanaryPlugin:
		k.canaries = append(k.canaries, o)
	case inbound.RehearsePlugin:
		k.rehearsed = append(k.rehearsed, o)
	}
	return nil
}

func (k *rack) Install(_ context.Context, c inbound.InstallPlugin) (release.Release, error) {
	if k.taken != nil {
		k.taken(c)
	}
	return release.Release{
		Name: "demo", Version: "1.2.3", SHA256: "ab12", Path: "/store/ab12", Size: 42, Status: release.Installed,
		Source: c.Path, SignedBy: "RWQkey", InstalledAt: moment, InstalledBy: c.Actor,
	}, k.note("install", c)
}

func (k *rack) Revoke(_ context.Context, c inbound.ReleaseOrder) (release.Release, error) {
	return release.Release{Name: c.Name, Version: c.Version, SHA256: "ab12", Status: release.Revoked, InstalledAt: moment}, k.note("revoke", c)
}

func (k *rack) Remove(_ context.Context, c inbound.ReleaseOrder) error { return k.note("remove", c) }

func done(name, version string) release.Activation {
	return release.Activation{Name: name, Version: version, Previous: "1.2.2", Generation: 7, Took: 1234567 * time.Microsecond}
}

func (k *rack) Activate(_ context.Context, c inbound.ActivatePlugin) (release.Activation, error) {
	return done(c.Name, c.Version), k.note("activate", c)
}

func (k *rack) Canary(_ context.Context, c inbound.CanaryPlugin) (release.Activation, error) {
	return done(c.Name, c.Version), k.note("canary", c)
}

func (k *rack) Promote(_ context.Context, c inbound.PluginOrder) (release.Activation, error) {
	return done(c.Name, "1.2.3"), k.note("promote", c)
}

func (k *rack) Rollback(_ context.Context, c inbound.PluginOrder) (release.Activation, error) {
	return done(c.Name, "1.2.2"), k.note("rollback", c)
}

func (k *rack) SetEnabled(_ context.Context, c inbound.PluginOrder, enabled bool) (release.Channel, error) {
	return release.Channel{
		Name: c.Name, Stable: "1.2.3", Enabled: enabled, Generation: 8, UpdatedAt: moment, UpdatedBy: c.Actor, Reason: c.Reason,
	}, k.note(fmt.Sprintf("enabled=%v", enabled), c)
}

func (k *rack) Diff(_ context.Context, c inbound.RehearsePlugin) (release.Rehearsal, error) {
	return release.Rehearsal{
		Name: c.Name, Old: c.Old, New: c.New, Replayed: 3, More: 4, Operations: map[string]int{"pay": 3}, Silent: 1,
		Differences: []release.Difference{{
			Operation: "pay", PaymentType: "DEMO_PAY", Aspect: release.AspectBody, Member: "/amount", Count: 2, Exchange: "e1", Old: "229", New: "22900",
		}},
	}, k.note("diff", c)
}

// Events are five, of a provider called demo.
func (k *rack) Events(_ context.Context, name string, after int64, limit int) ([]journal.Entry, error) {
	if name != "demo" {
		return nil, fault.New(fault.NotFound, "plugin_not_found", "There is no such plugin.")
	}
	var all []journal.Entry
	for n := after + 1; n <= 5 && len(all) < limit; n++ {
		all = append(all, journal.Link(journal.Hash{}, "plugin/demo", n, moment, "plugin.activated", []byte(`{"actor":"ops","reason":"fix"}`)))
	}
	return all, nil
}

func (k *rack) Status(context.Context) ([]inbound.PluginStatus, error) {
	return []inbound.PluginStatus{
		{
			Name: "demo",
			Channel: release.Channel{
				Name: "demo", Stable: "1.2.3", Candidate: "1.3.0", Previous: "1.2.2", Weight: 5, Stores: []string{"S1"}, Phase: release.InCanary,
				Until: moment, Enabled: true, Generation: 7, Reason: "try it", UpdatedAt: moment, UpdatedBy: "ops",
			},
			Releases: []release.Release{{
				Name: "demo", Version: "1.2.3", SHA256: "ab12", Status: release.Installed, Path: "/store/ab12", Source: "upload", SignedBy: "RWQkey",
				ReportedBy: "lab", Size: 42, InstalledAt: moment, InstalledBy: "ops",
			}},
			Instances: []release.Instance{{
				ID: "i1", Version: "1.2.3", SHA256: "ab12", PID: 99, State: "serving", Inflight: 2, StartedAt: moment,
				Protections: map[string]string{"no_new_privs": "on"},
			}},
			Types: []string{"DEMO_PAY"},
			Replicas: []release.Report{{
				Replica: "boot-1", Name: "demo", Generation: 7, Ready: []string{"1.2.3"}, Refused: map[string]string{"1.3.0": "unhealthy: no"},
				SeenAt: moment, Alive: true, Tallies: []release.Tally{{Version: "1.2.3", Calls: 10, Declined: 1, Latency: [release.Buckets]int64{3}}},
			}},
		},
		{Name: "idle"},
	}, nil
}

func TestPlugins(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	w := p.ask("GET", "/admin/v1/plugins", "operator", "")
	want := `{"plugins":[{"name":"demo","channel":{"stable":"1.2.3","candidate":"1.3.0","previous":"1.2.2","weight":5,"stores":["S1"],` +
		`"phase":"canary","generation":7,"until":"2026-11-22T02:00:00Z","enabled":true,"reason":"try it","updated_at":"2026-11-22T02:00:00Z","updated_by":"ops"},` +
		`"releases":[{"version":"1.2.3","sha256":"ab12","status":"installed","source":"upload","signed_by":"RWQkey","reported_by":"lab","size":42,` +
		`"installed_at":"2026-11-22T02:00:00Z","installed_by":"ops"}],` +
		`"instances":[{"id":"i1","version":"1.2.3","sha256":"ab12","pid":99,"state":"serving","inflight":2,"started_at":"2026-11-22T02:00:00Z","protections":{"no_new_privs":"on"}}],` +
		`"types":["DEMO_PAY"],` +
		`"replicas":[{"replica":"boot-1","alive":true,"generation":7,"ready":["1.2.3"],"refused":{"1.3.0":"unhealthy: no"},"seen_at":"2026-11-22T02:00:00Z",` +
		`"tallies":[{"version":"1.2.3","calls":10,"declined":1,"technical":0,"unknown":0,"breaches":0,"checked":0,"crashes":0,"rss_bytes":0}]}]},` +
		`{"name":"idle","channel":{"stable":"","candidate":"","previous":"","weight":0,"stores":[],"phase":"disabled","generation":0,"until":null,"enabled":false,` +
		`"reason":"","updated_at":null,"updated_by":""},"releases":[],"instances":[],"types":[],"replicas":[]}]}`
	if diff := cmp.Diff(want, strings.TrimSpace(w.Body.String())); diff != "" {
		t.Error(diff)
	}
}

// Every order reaches the core as it was given, with the one who gave it, and is answered with what it did.
func TestOrders(t *testing.T) {
	t.Parallel()
	const (
		activation = `{"name":"demo","version":"1.2.3","previous":"1.2.2","generation":7,"took_ms":1234}`
		plugins    = "/admin/v1/plugins/"
		released   = `"sha256":"ab12","status":"revoked","source":"","signed_by":"","reported_by":"","size":0,"installed_at":"2026-11-22T02:00:00Z","installed_by":""}`
	)
	channel := func(phase string, enabled bool) string {
		return fmt.Sprintf(`{"name":"demo","channel":{"stable":"1.2.3","candidate":"","previous":"","weight":0,"stores":[],"phase":%q,"generation":8,`+
			`"until":null,"enabled":%v,"reason":"why","updated_at":"2026-11-22T02:00:00Z","updated_by":"ops"}}`, phase, enabled)
	}
	order := inbound.PluginOrder{Name: "demo", Actor: "ops", Reason: "why"}
	about := inbound.ReleaseOrder{Name: "demo", Version: "1.2.3", Actor: "ops", Reason: "why"}
	for _, tt := range []struct {
		method, target, body, word string
		status                     int
		reply                      string
		want                       any
	}{
		{
			"POST", "releases", `{"path":"/tmp/x"}`, "install", 201,
			`{"name":"demo","version":"1.2.3","sha256":"ab12","status":"installed","source":"/tmp/x","signed_by":"RWQkey","reported_by":"","size":42,` +
				`"installed_at":"2026-11-22T02:00:00Z","installed_by":"ops"}`,
			inbound.InstallPlugin{Path: "/tmp/x", Actor: "ops"},
		},
		{
			"POST", "releases", `{"reference":"r.example/demo@sha256:ab","signature":"sig\n","report":"{}","reason":"why"}`, "install", 201, "",
			inbound.InstallPlugin{
				Reference: "r.example/demo@sha256:ab", Signature: []byte("sig\n"), Report: []byte("{}"), Actor: "ops", Reason: "why",
			},
		},
		{
			"POST", "demo/activate", `{"version":"1.2.3","reason":"why"}`, "activate", 200, activation,
			inbound.ActivatePlugin{Name: "demo", Version: "1.2.3", Actor: "ops", Reason: "why"},
		},
		{
			"POST", "demo/activate", `{"version":"1.2.3","reason":"why","force":true}`, "activate", 200, activation,
			inbound.ActivatePlugin{Name: "demo", Version: "1.2.3", Actor: "ops", Reason: "why", Force: true},
		},
		{
			"POST", "demo/canary", `{"version":"1.2.3","weight":30,"stores":["S1","S2"],"reason":"why","force":true}`, "canary", 200, activation,
			inbound.CanaryPlugin{
				Name: "demo", Version: "1.2.3", Weight: 30, Stores: []string{"S1", "S2"}, Actor: "ops", Reason: "why", Force: true,
			},
		},
		{
			"POST", "demo/canary", `{"version":"1.2.3","weight":0}`, "canary", 200, activation,
			inbound.CanaryPlugin{Name: "demo", Version: "1.2.3", Actor: "ops"},
		},
		{"POST", "demo/promote", `{"reason":"why"}`, "promote", 200, activation, order},
		{"POST", "demo/rollback", `{"reason":"why"}`, "rollback", 200, strings.Replace(activation, "1.2.3", "1.2.2", 1), order},
		{"POST", "demo/promote", ``, "promote", 200, activation, inbound.PluginOrder{Name: "demo", Actor: "ops"}},
		{"POST", "demo/disable", `{"reason":"why"}`, "enabled=false", 200, channel("disabled", false), order},
		{"POST", "demo/enable", `{"reason":"why"}`, "enabled=true", 200, channel("idle", true), order},
		{"POST", "demo/releases/1.2.3/revoke", `{"reason":"why"}`, "revoke", 200, `{"name":"demo","version":"1.2.3",` + released, about},
		{"DELETE", "demo/releases/1.2.3", ``, "remove", 204, ``, inbound.ReleaseOrder{Name: "demo", Version: "1.2.3", Actor: "ops"}},
		{
			"POST", "demo/diff", `{"old":"1.2.2","new":"1.2.3","last":100}`, "diff", 200,
			`{"name":"demo","old":"1.2.2","new":"1.2.3","replayed":3,"operations":{"pay":3},"silent":1,"differences":[{"operation":"pay","payment_type":"DEMO_PAY",` +
				`"aspect":"body","member":"/amount","count":2,"exchange":"e1","old":"229","new":"22900"}],"more":4,"ignored":[]}`,
			inbound.RehearsePlugin{Name: "demo", Old: "1.2.2", New: "1.2.3", Last: 100, Actor: "ops"},
		},
	} {
		p := newPlane(t, nil)
		w := p.ask(tt.method, plugins+tt.target, "operator", tt.body)
		if got := strings.TrimSpace(w.Body.String()); w.Code != tt.status || tt.reply != "" && got != tt.reply {
			t.Errorf("%s %s: got %d %s\nwant %s", tt.target, tt.body, w.Code, got, tt.reply)
		}
		if diff := cmp.Diff(map[string][]any{tt.word: {tt.want}}, p.rack.orders); diff != "" {
			t.Errorf("%s %s: %s", tt.target, tt.body, diff)
		}
	}
}

// orders are the routes that give an order about a release or a channel, each with a good body.
func orders() map[string]string {
	return map[string]string{
		"POST releases": `{"path":"/x"}`, "POST demo/activate": `{"version":"1"}`, "POST demo/canary": `{"version":"1","weight":1}`,
		"POST demo/promote": `{}`, "POST demo/rollback": `{}`, "POST demo/disable": `{}`, "POST demo/enable": `{}`,
		"POST demo/releases/1/revoke": `{}`, "DELETE demo/releases/1": ``, "POST demo/diff": `{"old":"1","new":"2"}`,
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	type kinds struct {
		status int
		kind   fault.Kind
	}
	for code, want := range map[string]kinds{
		"digest_mismatch": {422, fault.Invalid}, "signature_invalid": {422, fault.Invalid}, "protocol_unsupported": {422, fault.Invalid},
		"start_crashed": {422, fault.Invalid}, "report_missing": {422, fault.Invalid}, "report_invalid": {422, fault.Invalid},
		"start_timeout": {422, fault.Invalid}, "info_mismatch": {422, fault.Invalid}, "capability_missing": {422, fault.Invalid},
		"unhealthy": {422, fault.Invalid}, "artifact_invalid": {422, fault.Invalid}, "artifact_unreachable": {422, fault.Invalid},
		"wrong_phase": {409, fault.Conflict}, "generation_moved": {409, fault.Conflict}, "release_in_use": {409, fault.Conflict},
		"version_taken": {409, fault.Conflict}, "revoked": {409, fault.Conflict}, "release_not_found": {404, fault.NotFound},
		"store_unavailable": {503, fault.Unavailable},
	} {
		p := newPlane(t, nil)
		p.rack.fails = fault.Wrap(want.kind, code, "The binary says something else.", errors.New("canary"))
		for route, body := range orders() {
			method, target, _ := strings.Cut(route, " ")
			if want.status == 422 && method == "DELETE" {
				continue // nothing is started to remove it
			}
			w := p.ask(method, "/admin/v1/plugins/"+target, "operator", body)
			if w.Code != want.status || !strings.Contains(w.Body.String(), `"code":"`+code+`"`) ||
				!strings.Contains(w.Body.String(), "The binary says something else.") || strings.Contains(w.Body.String(), "canary") {
				t.Errorf("%s, %s: got %d %s", route, code, w.Code, w.Body)
			}
		}
	}
	p := newPlane(t, nil)
	p.rack.fails = errors.New("canary")
	for route, body := range orders() {
		method, target, _ := strings.Cut(route, " ")
		if w := p.ask(method, "/admin/v1/plugins/"+target, "operator", body); w.Code != 500 || strings.Contains(w.Body.String(), "canary") {
			t.Errorf("%s: got %d %s", route, w.Code, w.Body)
		}
	}
	// A file that is gone or damaged is no mistake of the request: the stored binary is not the release.
	for _, code := range []string{"binary_missing", "binary_damaged"} {
		p.rack.fails = fault.New(fault.Invalid, code, "There is no file.")
		if w := p.ask("POST", "/admin/v1/plugins/demo/activate", "operator", `{"version":"1"}`); w.Code != 422 ||
			!strings.Contains(w.Body.String(), `"code":"digest_mismatch"`) || !strings.Contains(w.Body.String(), "install it again") {
			t.Errorf("%s: got %d %s", code, w.Code, w.Body)
		}
	}
}

func TestBadOrders(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("月", 501)
	p := newPlane(t, nil)
	for _, tt := range []struct{ target, body, code, pointer string }{
		{"releases", `{"path":""}`, "missing_field", "/path"},
		{"releases", `{"path":"/x","reference":"r.example/x@sha256:1"}`, "conflicting_members", "/reference"},
		{"releases", `{"path":"/x","reason":"` + long + `"}`, "too_long", "/reason"},
		{"releases", `{"Path":"/x"}`, "unknown_member", ""},
		{"demo/activate", `{"reason":"x"}`, "missing_field", "/version"},
		{"demo/activate", `{"version":"1","reason":"` + long + `"}`, "too_long", "/reason"},
		{"demo/activate", `{"version":"1","weight":1}`, "unknown_member", ""},
		{"demo/activate", `{"version":"1","force":"yes"}`, "invalid_type", ""},
		{"demo/canary", `{"weight":1}`, "missing_field", "/version"},
		{"demo/canary", `{"version":"1"}`, "missing_field", "/weight"},
		{"demo/canary", `{"version":"1","stores":[]}`, "missing_field", "/weight"},
		{"demo/canary", `{"version":"1","weight":101}`, "out_of_range", "/weight"},
		{"demo/canary", `{"version":"1","weight":-1}`, "out_of_range", "/weight"},
		{"demo/canary", `{"version":"1","weight":1.5}`, "invalid_type", ""},
		{"demo/canary", `{"version":"1","stores":[""]}`, "invalid_format", "/stores"},
		{"demo/canary", `{"version":"1","stores":["` + strings.Repeat(`a","`, 1000) + `b"]}`, "too_long", "/stores"},
		{"demo/canary", `{"version":"1","weight":1,"reason":"` + long + `"}`, "too_long", "/reason"},
		{"demo/disable", `{"reason":"x\u0000"}`, "control_character", ""},
		{"demo/canary", `{"version":"1","weight":1,"stores":["\\\u0000"]}`, "control_character", ""},
		{"demo/promote", `{"version":"1"}`, "unknown_member", ""},
		{"demo/rollback", `{"reason":"` + long + `"}`, "too_long", "/reason"},
		{"demo/disable", `[]`, "invalid_type", ""},
		{"demo/enable", `{"reason":1}`, "invalid_type", ""},
		{"demo/releases/1/revoke", `{"reason":"` + long + `"}`, "too_long", "/reason"},
		{"demo/diff", `{"old":"1"}`, "missing_field", "/new"},
		{"demo/diff", `{"old":"1","new":"2","last":5001}`, "out_of_range", "/last"},
		{"Demo..x/activate", `{"version":"1"}`, "plugin_not_found", ""},
		{"Demo..x/canary", `{"version":"1","weight":1}`, "plugin_not_found", ""},
		{"Demo..x/promote", `{}`, "plugin_not_found", ""},
		{"Demo..x/enable", `{}`, "plugin_not_found", ""},
		{"Demo..x/diff", `{}`, "plugin_not_found", ""},
		{"Demo..x/releases/1/revoke", `{}`, "plugin_not_found", ""},
	} {
		w := p.ask("POST", "/admin/v1/plugins/"+tt.target, "operator", tt.body)
		var got struct {
			Code   string `json:"code"`
			Errors []struct {
				Pointer string `json:"pointer"`
			} `json:"errors"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if got.Code != tt.code || w.Code >= 500 || w.Code < 400 {
			t.Errorf("%s %.80s: got %d %s", tt.target, tt.body, w.Code, w.Body)
		}
		if len(got.Errors) > 0 && got.Errors[0].Pointer != tt.pointer {
			t.Errorf("%s %.80s: got pointer %q", tt.target, tt.body, got.Errors[0].Pointer)
		}
	}
	if len(p.rack.orders) > 0 {
		t.Errorf("a bad order got through: %v", p.rack.orders)
	}
}

func TestEventsArePaged(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	var seen []int64
	target := "/admin/v1/plugins/demo/events?limit=2"
	for range 4 {
		w := p.ask("GET", target, "operator", "")
		var page struct {
			Data []struct {
				N     int64           `json:"n"`
				At    time.Time       `json:"at"`
				Event string          `json:"event"`
				Body  json.RawMessage `json:"body"`
				Hash  string          `json:"hash"`
			} `json:"data"`
			Next *string `json:"next_cursor"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		for _, e := range page.Data {
			seen = append(seen, e.N)
			if e.Event != "plugin.activated" || string(e.Body) != `{"actor":"ops","reason":"fix"}` || len(e.Hash) != 64 || !e.At.Equal(moment) {
				t.Errorf("got %+v %s", e, e.Body)
			}
		}
		if page.Next == nil {
			break
		}
		target = "/admin/v1/plugins/demo/events?limit=2&after=" + *page.Next
	}
	if !slices.Equal(seen, []int64{1, 2, 3, 4, 5}) {
		t.Errorf("got %v", seen)
	}
	for target, want := range map[string]int{
		"demo/events?after=x": 400, "demo/events?after=-1": 400, "demo/events?limit=0": 400, "demo/events?limit=201": 400,
		"demo/events?after=1&after=2": 400, "nobody/events": 404, "Demo..x/events": 404,
	} {
		if w := p.ask("GET", "/admin/v1/plugins/"+target, "operator", ""); w.Code != want {
			t.Errorf("%s: got %d %s", target, w.Code, w.Body)
		}
	}
	if w := p.ask("GET", "/admin/v1/plugins/demo/events?after=5", "operator", ""); strings.TrimSpace(w.Body.String()) != `{"data":[],"next_cursor":null}` {
		t.Errorf("behind the last one: %s", w.Body)
	}
}
