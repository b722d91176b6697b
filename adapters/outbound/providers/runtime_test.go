package providers_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/ports/outbound"
)

func TestDescribeKeepActivate(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	made := binary(t, alpha())
	r, err := p.Describe(t.Context(), made.Path, "")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(made, r); diff != "" {
		t.Error(diff)
	}
	if len(p.Types()) != 0 {
		t.Error("a release that was only described is served")
	}
	kept, err := p.Keep(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if want := p.dir + "/sha256/" + r.SHA256; kept.Path != want {
		t.Errorf("kept at %s, want %s", kept.Path, want)
	}
	stat, err := os.Stat(kept.Path)
	if err != nil || stat.Mode().Perm() != 0o555 || stat.Size() != r.Size {
		t.Errorf("%v, %v", stat.Mode(), err)
	}
	if _, err := p.Keep(t.Context(), r); err != nil {
		t.Errorf("again: %v", err)
	}
	p.activate(t, kept)
	instances := p.Instances("alpha")
	if len(instances) != 1 || instances[0].Version != "1.0.0" || instances[0].SHA256 != r.SHA256 || instances[0].PID == 0 || instances[0].State != "serving" {
		t.Errorf("%+v", instances)
	}
	if p.Instances("beta") != nil {
		t.Error("instances of a provider that is not there")
	}

	o, ok := p.Types()[0].Find(catalogue.Pay)
	want := catalogue.Operation{
		Kind: catalogue.Pay, Columns: []byte(payColumns), Answer: []byte(`{"type":"object"}`),
		Aliases:  []catalogue.Route{{Method: "POST", Path: "/v1/payment/alpha/offline/pay"}},
		Attended: true, Redirects: true, MovesMoney: true, OrderIDUnique: true, IdempotentReplay: true, FoundByOrderID: true, CancelsUnlanded: true, CarriesReference: true,
		SearchLagMax: 3 * time.Second, LandingMax: 5 * time.Second, MaxDuration: 2 * time.Second,
		Bodies: map[catalogue.Situation][]byte{catalogue.DuplicateOrder: []byte(`{"c":1}`), catalogue.InProgress: []byte(`{"c":2}`), catalogue.Reversing: []byte(`{"c":3}`)},
	}
	if diff := cmp.Diff(want, o); !ok || diff != "" {
		t.Error(diff)
	}
}

// A damaged copy in the store is replaced, a binary that has changed since it was described is not taken.
func TestKeepKeepsTheBytes(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	r := binary(t, alpha())
	kept, err := p.Keep(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(kept.Path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(kept.Path, 10); err != nil {
		t.Fatal(err)
	}
	again, err := p.Keep(t.Context(), r)
	if err != nil || again.Size != r.Size {
		t.Fatalf("%+v, %v", again, err)
	}
	p.activate(t, again)

	other := r
	other.SHA256 = strings.Repeat("0", 64)
	for _, digest := range []string{other.SHA256, "", "../../etc/passwd", strings.ToUpper(r.SHA256)} {
		other.SHA256 = digest
		if _, err := p.Keep(t.Context(), other); fault.CodeOf(err) != "digest_mismatch" || fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q: %v", digest, err)
		}
	}
	left, err := os.ReadDir(p.dir + "/sha256")
	if err != nil || len(left) != 2 || left[0].Name() != r.SHA256 || left[1].Name() != r.SHA256+".json" {
		t.Errorf("%v, %v", left, err)
	}
}

// A process that is killed while it keeps a binary leaves half of one. The next one to be kept clears up, and takes nothing away
// from a process that is keeping one now.
func TestKeepClearsUpAfterKilledProcesses(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	if err := os.MkdirAll(p.dir+"/sha256", 0o700); err != nil {
		t.Fatal(err)
	}
	yesterday := time.Now().Add(-25 * time.Hour)
	for name, at := range map[string]time.Time{".new-1": yesterday, ".new-2": time.Now(), strings.Repeat("0", 64): yesterday} {
		if err := errors.Join(os.WriteFile(p.dir+"/sha256/"+name, []byte("half"), 0o600), os.Chtimes(p.dir+"/sha256/"+name, at, at)); err != nil {
			t.Fatal(err)
		}
	}
	r := binary(t, alpha())
	if _, err := p.Keep(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(p.dir + "/sha256")
	var names []string
	for _, e := range left {
		names = append(names, e.Name())
	}
	slices.Sort(names)
	want := []string{".new-2", strings.Repeat("0", 64), r.SHA256, r.SHA256 + ".json"}
	if err != nil || !slices.Equal(names, want) {
		t.Errorf("%v, %v; want %v", names, err, want)
	}
}

func digestOf(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

func TestRefusedReleases(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.activate(t, binary(t, alpha()))
	good := binary(t, alpha())
	with := func(change func(*release.Release)) release.Release {
		r := good
		change(&r)
		return r
	}
	variant := func(change func(*role)) release.Release {
		r := alpha()
		r.Version = "2.0.0"
		change(&r)
		return binary(t, r)
	}
	for _, c := range []struct {
		name    string
		release release.Release
		kind    fault.Kind
		code    string
		words   string
	}{
		{"another digest", with(func(r *release.Release) { r.SHA256 = strings.Repeat("0", 64) }), fault.Invalid, "digest_mismatch", "install it again"},
		{"another name", with(func(r *release.Release) { r.Name = "gamma" }), fault.Invalid, "info_mismatch", "alpha 1.0.0"},
		{"another version", with(func(r *release.Release) { r.Version = "9.9.9" }), fault.Invalid, "info_mismatch", "9.9.9"},
		{"no plugin", with(func(r *release.Release) { r.Path, r.SHA256 = "/bin/true", digestOf(t, "/bin/true") }), fault.Invalid, "protocol_unsupported", ""},
		{"no plugin, and not run", with(func(r *release.Release) { r.Path, r.SHA256 = "/bin/true", strings.Repeat("1", 64) }), fault.Invalid, "digest_mismatch", "was not run"},
		{"no file", with(func(r *release.Release) { r.Path, r.SHA256 = "/no/such/file", strings.Repeat("2", 64) }), fault.Invalid, "binary_missing", ""},
		{"crashes", variant(func(r *role) { r.Behaviour = "crash" }), fault.Invalid, "start_crashed", ""},
		{"a schema that cannot be read", variant(func(r *role) { r.Behaviour = "broken schema" }), fault.Invalid, "info_mismatch", "$ref"},
		{"a type of another provider", variant(func(r *role) { r.Name = "beta" }), fault.Conflict, "conflict", "ALPHA_PAY belongs to provider alpha"},
		{"one route for two types", variant(func(r *role) { r.Name, r.Type, r.Behaviour = "beta", "BETA_PAY", "two types, one route" }), fault.Conflict, "conflict", "/v1/payment/beta/offline/pay"},
	} {
		err := p.Activate(t.Context(), c.release)
		if fault.KindOf(err) != c.kind || fault.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	// The old release goes on, and a refused plugin leaves its name and types free.
	if a := session(t, p).Send(within(t, 10*time.Second), instruction(payment.KindPay, "ok")); a.Known != payment.KnownApproved {
		t.Errorf("%+v", a)
	}
	if v := p.Types()[0].Version; len(p.Types()) != 1 || v != "1.0.0" {
		t.Errorf("%d types, version %s", len(p.Types()), v)
	}
	p.activate(t, variant(func(r *role) { r.Name, r.Type = "beta", "BETA_PAY" }))
	if len(p.Types()) != 2 {
		t.Errorf("%d types", len(p.Types()))
	}
}

// A release that was refused at the very first start is known all the same: its clients are told to come back.
func TestRefusedFirstStartIsUnavailable(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	r := alpha()
	r.Behaviour = "crash"
	if err := p.Activate(t.Context(), binary(t, r)); fault.CodeOf(err) != "start_crashed" {
		t.Fatal(err)
	}
	_, err := p.Open(t.Context(), outbound.Route{Type: "ALPHA_PAY"})
	if fault.KindOf(err) != fault.Unavailable || fault.CodeOf(err) != "provider_unavailable" {
		t.Error(err)
	}
}

// A binary that is lost or damaged on the disk does not make its payment types unknown at the next start.
func TestLostBinaryIsUnavailable(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(path string) error{
		"lost": os.Remove,
		"damaged": func(path string) error {
			return errors.Join(os.Chmod(path, 0o700), os.Truncate(path, 10))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlatform(t)
			r := alpha()
			r.Version = "1.0.0-" + name
			kept, err := p.Keep(t.Context(), binary(t, r))
			if err != nil {
				t.Fatal(err)
			}
			p.activate(t, kept)
			want := p.Types()
			if err := damage(kept.Path); err != nil {
				t.Fatal(err)
			}

			next := p.again(t)
			if err := next.Activate(t.Context(), kept); fault.KindOf(err) != fault.Invalid {
				t.Fatalf("a binary that is %s was activated: %v", name, err)
			}
			if diff := cmp.Diff(want, next.Types(), asJSON()); diff != "" {
				t.Errorf("the types are not what they were:\n%s", diff)
			}
			_, err = next.Open(t.Context(), outbound.Route{Type: "ALPHA_PAY"})
			if fault.KindOf(err) != fault.Unavailable || fault.CodeOf(err) != "provider_unavailable" {
				t.Errorf("Open: %v", err)
			}
			if _, err := next.Read("ALPHA_PAY", catalogue.Pay, []byte(`{}`)); fault.CodeOf(err) != "missing_field" {
				t.Errorf("Read: %v", err)
			}

			forged := kept
			forged.Version = "9.9.9"
			if other := p.again(t); other.Activate(t.Context(), forged) == nil || len(other.Types()) != 0 {
				t.Error("the description of another release was taken")
			}
		})
	}
}

// asJSON compares documents by what they say.
func asJSON() cmp.Option {
	return cmp.Transformer("json", func(doc []byte) any {
		var v any
		if err := json.Unmarshal(doc, &v); err != nil {
			return string(doc)
		}
		return v
	})
}

// During a swap every session sees one release, whole; the held one serves until it is closed.
func TestSwap(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.activate(t, binary(t, alpha()))
	held := session(t, p)
	next := alpha()
	next.Version, next.Alias = "1.1.0", "offline/charge"
	p.activate(t, binary(t, next))
	fresh := session(t, p)
	for s, version := range map[outbound.Session]string{held: "1.0.0", fresh: "1.1.0"} {
		if got := s.Type().Version; got != version {
			t.Errorf("version %s, want %s", got, version)
		}
		if a := s.Send(within(t, 10*time.Second), instruction(payment.KindPay, "ok")); a.Known != payment.KnownApproved {
			t.Errorf("%s: %+v", version, a)
		}
	}
	if got := p.Types()[0].Version; got != "1.1.0" {
		t.Errorf("listed version %s", got)
	}
}

// Two plugins with one type, activated at the same moment: one of them is refused.
func TestActivatedAtOnce(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	twin := alpha()
	twin.Name = "beta"
	releases := []release.Release{binary(t, alpha()), binary(t, twin)}
	errs := make(chan error, len(releases))
	for _, r := range releases {
		go func() { errs <- p.Activate(t.Context(), r) }()
	}
	a, b := <-errs, <-errs
	if (a == nil) == (b == nil) {
		t.Fatalf("%v; %v", a, b)
	}
	if refused := errOr(a, b); fault.CodeOf(refused) != "conflict" {
		t.Error(refused)
	}
	if len(p.Types()) != 1 {
		t.Errorf("%d types", len(p.Types()))
	}
}

func errOr(a, b error) error {
	if a != nil {
		return a
	}
	return b
}
