package app_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/payrack/payrack/core/app"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/ports/inbound"
	"github.com/payrack/payrack/ports/outbound"
)

// shelfOf is a runtime that finds one release at every path and counts what it keeps.
type shelfOf struct {
	noRuntime

	found release.Release
	kept  int
}

func (s *shelfOf) Describe(context.Context, string, string) (release.Release, error) {
	return s.found, nil
}

func (s *shelfOf) Keep(_ context.Context, r release.Release) (release.Release, error) {
	s.kept++
	return r, nil
}

// judge demands the report "good".
type judge struct{}

func (judge) Judge(_ context.Context, _ release.Release, report []byte) (string, error) {
	switch {
	case report == nil:
		return "", fault.New(fault.Invalid, "report_missing", "no report")
	case !bytes.Equal(report, []byte("good")):
		return "", fault.New(fault.Invalid, "report_invalid", "a bad report")
	}
	return "key", nil
}

func TestInstallDemandsAReport(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.Options
	shelf := &shelfOf{found: release.Release{Name: "acme", Version: "1.0.0", SHA256: "aa"}}
	o.Runtime, o.Boot = shelf, "boot-2"
	before, err := app.New(o)
	if err != nil {
		t.Fatal(err)
	}
	install := func(a *app.App, report []byte) (release.Release, error) {
		return a.Releases().Install(t.Context(), inbound.InstallPlugin{Path: "/p", Actor: "ops", Report: report})
	}
	if r, err := install(before, nil); err != nil || r.Status != release.Installed {
		t.Errorf("nothing is demanded: %v, %v", r.Status, err)
	}

	o.Reports = judge{}
	now, err := app.New(o)
	if err != nil {
		t.Fatal(err)
	}
	shelf.kept = 0
	if r, err := install(now, nil); err != nil || r.Status != release.Installed {
		t.Errorf("what was installed before stays: %v, %v", r.Status, err)
	}
	if _, err := install(now, []byte("bad")); fault.CodeOf(err) != "report_invalid" {
		t.Errorf("a bad report of what is installed: %v", err)
	}
	shelf.found.Version, shelf.kept = "1.1.0", 0
	for code, report := range map[string][]byte{"report_missing": nil, "report_invalid": []byte("bad")} {
		if _, err := install(now, report); fault.CodeOf(err) != code || fault.KindOf(err) != fault.Invalid {
			t.Errorf("got %v, want %s", err, code)
		}
	}
	if rows, err := o.Releases.List(t.Context(), "acme"); err != nil || len(rows) != 1 || shelf.kept != 0 {
		t.Errorf("a refused release left %d rows and %d files (%v)", len(rows)-1, shelf.kept, err)
	}
	if r, err := install(now, []byte("good")); err != nil || r.Status != release.Verified {
		t.Errorf("a good report: %v, %v", r.Status, err)
	}
}

func TestARevokedReleaseStopsEverywhere(t *testing.T) {
	t.Parallel()
	y := newYard(t, "r1", "r2")
	r := y.replicas[0]
	y.install(r, "1.0.0", "1.1.0")
	y.activate(r, "1.0.0")
	y.activate(r, "1.1.0")
	order := inbound.ReleaseOrder{Name: "till", Version: "1.1.0", Actor: "ops", Reason: "a hole"}
	revoked, err := r.Releases().Revoke(t.Context(), order)
	if err != nil || revoked.Status != release.Revoked {
		t.Fatalf("%+v, %v", revoked, err)
	}
	for _, x := range y.replicas {
		if x.serves() != "1.0.0" {
			t.Errorf("%s serves %q", x.boot, x.serves())
		}
		if ready, _ := x.has("1.1.0"); ready {
			t.Errorf("it still runs on %s", x.boot)
		}
	}
	if c := y.channel(); c.Stable != "1.0.0" || c.Previous != "" {
		t.Errorf("%+v", c)
	}
	if _, err := r.Channels().Activate(t.Context(), inbound.ActivatePlugin{Name: "till", Version: "1.1.0"}); fault.CodeOf(err) != "revoked" {
		t.Errorf("%v", err)
	}
	if _, err := r.Releases().Install(t.Context(), inbound.InstallPlugin{Path: "till@1.1.0"}); fault.CodeOf(err) != "revoked" {
		t.Errorf("%v", err)
	}
	if err := r.Releases().Remove(t.Context(), order); fault.KindOf(err) != fault.Conflict {
		t.Errorf("a revoked digest was forgotten: %v", err)
	}
	// The last one: nothing serves any more.
	order.Version = "1.0.0"
	if _, err := r.Releases().Revoke(t.Context(), order); err != nil {
		t.Fatal(err)
	}
	for _, x := range y.replicas {
		if x.serves() != "" {
			t.Errorf("%s serves %q", x.boot, x.serves())
		}
	}
}

// The release before is not warm any more: it is prepared everywhere, and until then nothing serves.
func TestARevokedReleaseIsFollowedByTheOneBefore(t *testing.T) {
	t.Parallel()
	y := newYard(t, "r1", "r2")
	r := y.replicas[0]
	y.install(r, "1.0.0", "1.1.0")
	y.activate(r, "1.0.0")
	y.activate(r, "1.1.0")
	y.clock.offset.Add(int64(2 * time.Hour))
	y.until("it is baked", func() bool { return y.channel().Phase == release.Idle })
	if _, err := r.Releases().Revoke(t.Context(), inbound.ReleaseOrder{Name: "till", Version: "1.1.0"}); err != nil {
		t.Fatal(err)
	}
	if c := y.channel(); c.Stable != "1.0.0" || r.serves() != "1.0.0" {
		t.Errorf("%+v, %s serves", c, r.serves())
	}
}

// The process died between the two writes of a revocation.
func TestAnInterruptedRevocationGoesOn(t *testing.T) {
	t.Parallel()
	y := newYard(t, "r1", "r2")
	y.install(y.replicas[0], "1.0.0", "1.1.0")
	y.activate(y.replicas[0], "1.0.0")
	y.activate(y.replicas[0], "1.1.0")
	if err := y.Options.Releases.SetStatus(t.Context(), "till", "1.1.0", release.Revoked); err != nil {
		t.Fatal(err)
	}
	y.until("the others go on with the release before", func() bool {
		return y.replicas[0].serves() == "1.0.0" && y.replicas[1].serves() == "1.0.0"
	})
}

func TestRemove(t *testing.T) {
	t.Parallel()
	y, r := ordered(t)
	y.activate(r, "1.1.0")
	remove := func(version string) error {
		return r.Releases().Remove(t.Context(), inbound.ReleaseOrder{Name: "till", Version: version, Actor: "ops", Reason: "old"})
	}
	for version, role := range map[string]string{"1.1.0": "the stable release", "1.0.0": "the release to roll back to"} {
		if err := remove(version); fault.CodeOf(err) != "release_in_use" || !strings.Contains(err.Error(), role) {
			t.Errorf("%s: %v", version, err)
		}
	}
	if err := remove("1.2.0"); err != nil {
		t.Fatal(err)
	}
	if err := remove("1.2.0"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("%v", err)
	}
	if body := y.last("removed"); !strings.Contains(body, `"version":"1.2.0"`) || !strings.Contains(body, `"reason":"old"`) {
		t.Error(body)
	}
}

func TestTheLastReleaseStaysForOpenPayments(t *testing.T) {
	t.Parallel()
	y := newYard(t, "r1")
	r := y.replicas[0]
	y.install(r, "1.0.0")
	y.till.answers = func(context.Context, outbound.Instruction) outbound.Answer { return outbound.Answer{} }
	reply, err := y.Payments().Pay(t.Context(), y.order("open"))
	if err != nil {
		t.Fatal(err)
	}
	order := inbound.ReleaseOrder{Name: "till", Version: "1.0.0"}
	if err := r.Releases().Remove(t.Context(), order); fault.CodeOf(err) != "release_in_use" || !strings.Contains(err.Error(), string(reply.Payment)) {
		t.Errorf("%v", err)
	}
	y.install(r, "1.1.0")
	if err := r.Releases().Remove(t.Context(), order); err != nil {
		t.Errorf("another release is there: %v", err)
	}
}

// signatures are artifacts whose signature is their key's name.
type signatures struct{ discarded int }

func (s *signatures) Fetch(_ context.Context, from outbound.Source) (outbound.Artifact, error) {
	if from.Reference == "gone" {
		return outbound.Artifact{}, fault.New(fault.Invalid, "artifact_unreachable", "the registry does not answer")
	}
	a := outbound.Artifact{Path: from.Path, Signature: from.Signature, Source: "file " + from.Path, Discard: func() { s.discarded++ }}
	if from.Reference != "" {
		a.Path, a.Source, a.Report = "acme@2.0.0", from.Reference+"@sha256:aa", []byte("good")
	}
	_, version, _ := strings.Cut(a.Path, "@")
	a.SHA256 = "sha-" + version
	if string(from.Signature) == "moved" {
		a.SHA256 = "sha-other"
	}
	return a, nil
}

func (*signatures) Signer(_ context.Context, a outbound.Artifact, _ string) (string, error) {
	if string(a.Signature) == "forged" {
		return "", fault.New(fault.Invalid, "signature_invalid", "nobody's signature")
	}
	return string(a.Signature), nil
}

// curious is a runtime that remembers what it ran to ask who it is.
type curious struct {
	*bench

	described []string
}

func (c *curious) Describe(ctx context.Context, path, sha256 string) (release.Release, error) {
	c.described = append(c.described, path)
	return c.bench.Describe(ctx, path, sha256)
}

func TestInstallKnowsWhereItCameFromAndWhoSignedIt(t *testing.T) {
	t.Parallel()
	w, signed := newWorld(t), &signatures{}
	o := w.Options
	o.Boot, o.Artifacts, o.Reports = "boot-2", signed, judge{}
	ran := &curious{bench: &bench{yard: &yard{}}}
	o.Runtime = ran
	a, err := app.New(o)
	if err != nil {
		t.Fatal(err)
	}
	good := []byte("good")
	for name, c := range map[string]struct {
		install inbound.InstallPlugin
		want    release.Release
		code    string
	}{
		"signed path":    {install: inbound.InstallPlugin{Path: "acme@1.0.0", Signature: []byte("key-a"), Report: good}, want: release.Release{Source: "file acme@1.0.0", SignedBy: "key-a", ReportedBy: "key", Status: release.Verified}},
		"upload":         {install: inbound.InstallPlugin{Path: "acme@1.1.0", Upload: true, Report: good}, want: release.Release{Source: "upload", ReportedBy: "key", Status: release.Verified}},
		"registry":       {install: inbound.InstallPlugin{Reference: "r/acme"}, want: release.Release{Source: "r/acme@sha256:aa", ReportedBy: "key", Status: release.Verified}},
		"forged":         {install: inbound.InstallPlugin{Path: "acme@1.2.0", Signature: []byte("forged"), Report: good}, code: "signature_invalid"},
		"changed":        {install: inbound.InstallPlugin{Path: "acme@1.2.0", Signature: []byte("moved"), Report: good}, code: "digest_mismatch"},
		"not reachable":  {install: inbound.InstallPlugin{Reference: "gone"}, code: "artifact_unreachable"},
		"from nowhere":   {code: "missing_field"},
		"from two sides": {install: inbound.InstallPlugin{Path: "acme@1.0.0", Reference: "r/acme"}, code: "missing_field"},
	} {
		got, err := a.Releases().Install(t.Context(), c.install)
		if c.code != "" {
			if fault.CodeOf(err) != c.code || fault.KindOf(err) != fault.Invalid {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil || got.Source != c.want.Source || got.SignedBy != c.want.SignedBy || got.ReportedBy != c.want.ReportedBy || got.Status != c.want.Status {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if rows, err := o.Releases.List(t.Context(), "acme"); err != nil || len(rows) != 3 || signed.discarded != 5 {
		t.Errorf("%d rows, %d discarded, %v", len(rows), signed.discarded, err)
	}
	// What was refused by its signature never ran; a revoked digest does not run again, whatever its file is called.
	if n := len(slices.DeleteFunc(slices.Clone(ran.described), func(p string) bool { return p != "acme@1.2.0" })); n != 1 {
		t.Errorf("a forged and a changed binary of the same path were described %d times, want the changed one alone", n)
	}
	must(t)(nil, o.Releases.SetStatus(t.Context(), "acme", "1.1.0", release.Revoked))
	before := len(ran.described)
	if _, err := a.Releases().Install(t.Context(), inbound.InstallPlugin{Path: "copy@1.1.0", Report: good}); fault.CodeOf(err) != "revoked" || len(ran.described) != before {
		t.Errorf("a revoked digest: %v, described %v", err, ran.described)
	}
	// Without the adapter there are paths only.
	o.Artifacts, o.Boot = nil, "boot-3"
	if a, err = app.New(o); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Releases().Install(t.Context(), inbound.InstallPlugin{Reference: "r/acme"}); fault.KindOf(err) != fault.Unsupported {
		t.Errorf("%v", err)
	}
}

func TestTheAuditCoversChannels(t *testing.T) {
	t.Parallel()
	y, r := ordered(t)
	y.activate(r, "1.1.0")
	audit := func() []string {
		a, err := app.NewAudit(app.AuditOptions{
			Journal: y.Journal, SealKey: &sealKey{}, Ledger: y.ledger, Holdings: y.store.Holdings(), Releases: tampered{y.Options.Releases, y}, Clock: y.clock,
		})
		if err != nil {
			t.Fatal(err)
		}
		report, err := a.Verify(t.Context(), inbound.VerifyAudit{})
		if err != nil {
			t.Fatal(err)
		}
		var codes []string
		for _, f := range report.Findings {
			codes = append(codes, f.Code+" "+f.Stream)
		}
		return codes
	}
	if found := audit(); len(found) > 0 {
		t.Errorf("a sound journal: %v", found)
	}
	for name, c := range map[string]struct {
		change func(*release.Channel)
		want   string
	}{
		"set back":     {func(c *release.Channel) { c.Events-- }, "channel_differs plugin/till"},
		"another head": {func(c *release.Channel) { c.Chain[0] ^= 1 }, "channel_differs plugin/till"},
		"a gap":        {func(c *release.Channel) { c.Events++ }, "entry_missing plugin/till"},
		"gone":         {func(c *release.Channel) { c.Name, c.Events = "other", 0 }, "channel_missing plugin/till"},
	} {
		y.tamper = c.change
		if found := audit(); !slices.Contains(found, c.want) {
			t.Errorf("%s: %v, want %s", name, found, c.want)
		}
	}
}

// tampered are channels that somebody changed past the journal.
type tampered struct {
	outbound.Releases

	yard *yard
}

func (s tampered) Channels(ctx context.Context) ([]release.Channel, error) {
	all, err := s.Releases.Channels(ctx)
	for i := range all {
		if s.yard.tamper != nil {
			s.yard.tamper(&all[i])
		}
	}
	return all, err
}
