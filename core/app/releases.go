package app

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/ports/inbound"
	"github.com/payrack/payrack/ports/outbound"
)

// releases implements inbound.Releases.
type releases struct{ *App }

// shelf is the port behind the use cases, which have its name.
func (a *App) shelf() outbound.Releases { return a.Options.Releases }

// Install fetches, judges, describes, stores and pins a binary by digest.
func (a releases) Install(ctx context.Context, c inbound.InstallPlugin) (release.Release, error) {
	artifact, err := a.fetch(ctx, c)
	if err != nil {
		return release.Release{}, err
	}
	if artifact.Discard != nil {
		defer artifact.Discard()
	}
	if c.Report == nil {
		c.Report = artifact.Report
	}
	// Nothing of the binary runs before its signature was judged, and a revoked digest never runs again: both come before
	// it is asked who it is.
	known, err := a.digest(ctx, artifact.SHA256)
	if err != nil {
		return release.Release{}, err
	}
	signedBy, err := a.signer(ctx, artifact, known)
	if err != nil {
		return release.Release{}, err
	}
	described, err := a.asked(ctx, artifact)
	if err != nil {
		return release.Release{}, err
	}
	described.SignedBy = signedBy
	stored, err := a.shelf().Get(ctx, described.Name, described.Version)
	switch {
	case err == nil && stored.SHA256 != described.SHA256:
		return release.Release{}, fault.New(fault.Conflict, "version_taken", described.Name+" "+described.Version+
			" is installed with another digest; a release never changes: build this one under a new version")
	case err == nil && stored.Status == release.Revoked:
		return release.Release{}, revokedRelease(stored)
	case err != nil && fault.KindOf(err) != fault.NotFound:
		return release.Release{}, err
	}
	known = err == nil
	if described, err = a.judged(ctx, described, c.Report, known); err != nil {
		return release.Release{}, err
	}
	kept, err := a.Runtime.Keep(ctx, described)
	if err != nil {
		return release.Release{}, err
	}
	if known {
		return a.again(ctx, stored, described)
	}
	kept.Source, kept.InstalledAt, kept.InstalledBy = artifact.Source, a.Clock.Now(), c.Actor
	if err := a.shelf().Add(ctx, kept); err != nil {
		return release.Release{}, err
	}
	words := "sha256 " + kept.SHA256 + " from " + kept.Source
	if kept.SignedBy != "" {
		words += ", signed by " + kept.SignedBy
	}
	err = a.note(ctx, kept.Name, release.Noted{By: a.by(c.Actor, c.Reason), What: "installed", Version: kept.Version, Text: words})
	if err != nil {
		return release.Release{}, err
	}
	return a.shelf().Get(ctx, kept.Name, kept.Version)
}

// fetch brings the binary of an order here.
func (a releases) fetch(ctx context.Context, c inbound.InstallPlugin) (outbound.Artifact, error) {
	if (c.Path == "") == (c.Reference == "") {
		return outbound.Artifact{}, fault.New(fault.Invalid, "missing_field", "name the binary by a path or by a reference, one of the two")
	}
	source := c.Path
	if c.Upload {
		source = "upload"
	}
	if a.Artifacts == nil {
		if c.Reference != "" {
			return outbound.Artifact{}, fault.New(fault.Unsupported, "unsupported", "this program fetches no releases from a registry; install a path")
		}
		return outbound.Artifact{Path: c.Path, Signature: c.Signature, Source: source}, nil
	}
	artifact, err := a.Artifacts.Fetch(ctx, outbound.Source{Path: c.Path, Reference: c.Reference, Signature: c.Signature})
	if c.Upload || artifact.Source == "" {
		artifact.Source = source
	}
	return artifact, err
}

// digest reports whether a release with this digest is installed, under whatever name. A revoked one is refused.
func (a releases) digest(ctx context.Context, sha256 string) (known bool, err error) {
	if sha256 == "" {
		return false, nil
	}
	rows, err := a.shelf().List(ctx, "")
	if err != nil {
		return false, err
	}
	for _, r := range rows {
		switch {
		case r.SHA256 == sha256 && r.Status == release.Revoked:
			return true, revokedRelease(r)
		case r.SHA256 == sha256:
			known = true
		}
	}
	return known, nil
}

// signer is the key that signed the binary, if one did. A release that is installed already came in under the rules of its
// day: a demand that was made since does not take it away.
func (a releases) signer(ctx context.Context, artifact outbound.Artifact, known bool) (string, error) {
	if a.Artifacts == nil || known && artifact.Signature == nil {
		return "", nil
	}
	return a.Artifacts.Signer(ctx, artifact, artifact.SHA256)
}

// asked lets the binary say who it is. What runs must be what was judged.
func (a releases) asked(ctx context.Context, artifact outbound.Artifact) (release.Release, error) {
	r, err := a.Runtime.Describe(ctx, artifact.Path, artifact.SHA256)
	if err == nil && artifact.SHA256 != "" && r.SHA256 != artifact.SHA256 {
		return r, fault.New(fault.Invalid, "digest_mismatch",
			"the binary was changed while it was being installed: its signature was judged on other bytes; install it again from where nobody writes")
	}
	return r, err
}

// judged is a release with its status: verified by an operator's signature or by a conformance report.
func (a releases) judged(ctx context.Context, r release.Release, report []byte, known bool) (release.Release, error) {
	r.Status = release.Installed
	if a.Reports != nil && (!known || report != nil) {
		key, err := a.Reports.Judge(ctx, r, report)
		if err != nil {
			return r, err
		}
		r.ReportedBy = key
	}
	if r.SignedBy != "" || r.ReportedBy != "" {
		r.Status = release.Verified
	}
	return r, nil
}

// again is a release that is installed already: its row stays, but a proof that came only now counts.
func (a releases) again(ctx context.Context, stored, now release.Release) (release.Release, error) {
	if now.Status == release.Verified && stored.Status == release.Installed {
		if err := a.shelf().SetStatus(ctx, stored.Name, stored.Version, release.Verified); err != nil {
			return release.Release{}, err
		}
	}
	return a.shelf().Get(ctx, stored.Name, stored.Version)
}

// Revoke takes a release out of service for ever.
func (a releases) Revoke(ctx context.Context, c inbound.ReleaseOrder) (release.Release, error) {
	r, err := a.shelf().Get(ctx, c.Name, c.Version)
	if err != nil {
		return release.Release{}, err
	}
	// First the status: from here no replica starts it, whatever becomes of this process.
	if err := a.shelf().SetStatus(ctx, c.Name, c.Version, release.Revoked); err != nil {
		return release.Release{}, err
	}
	now := a.by(c.Actor, c.Reason)
	if r.Status != release.Revoked {
		err = a.note(ctx, c.Name, release.Revoke{By: now, Version: c.Version, Until: now.At.Add(a.PrepareFor)})
	} else {
		err = a.advance(ctx, c.Name) // a revocation that was interrupted
	}
	if err != nil {
		return release.Release{}, err
	}
	if _, err := a.drive(ctx, c.Name); err != nil {
		return release.Release{}, err
	}
	return a.shelf().Get(ctx, c.Name, c.Version)
}

// Remove forgets a release that nothing needs.
func (a releases) Remove(ctx context.Context, c inbound.ReleaseOrder) error {
	r, err := a.shelf().Get(ctx, c.Name, c.Version)
	if err != nil {
		return err
	}
	channel, err := a.channel(ctx, c.Name)
	if err != nil {
		return err
	}
	for role, version := range map[string]string{
		"the stable release": channel.Stable, "the candidate": channel.Candidate, "the release to roll back to": channel.Previous,
	} {
		if version == r.Version {
			return fault.New(fault.Conflict, "release_in_use", r.Name+" "+r.Version+" is "+role+"; activate another version first, or revoke it")
		}
	}
	rows, err := a.shelf().List(ctx, c.Name)
	if err != nil {
		return err
	}
	others := slices.DeleteFunc(rows, func(x release.Release) bool { return x.Version == r.Version || x.Status == release.Revoked })
	if len(others) == 0 {
		if err := a.unneeded(ctx, r); err != nil {
			return err
		}
	}
	if err := a.shelf().SetStatus(ctx, c.Name, c.Version, ""); err != nil {
		return err
	}
	return a.note(ctx, c.Name, release.Noted{By: a.by(c.Actor, c.Reason), What: "removed", Version: c.Version, Text: "sha256 " + r.SHA256})
}

// namedPayments is how many open payments a refusal names.
const namedPayments = 10

// openStates are those in which the provider must still be asked, or told.
func openStates() []payment.State {
	return []payment.State{
		payment.Sending, payment.RequiresAction, payment.Authorized, payment.Capturing, payment.Voiding, payment.Refunding,
		payment.Unknown, payment.Reversing, payment.Mismatch, payment.Review,
	}
}

// unneeded refuses while payments of the provider are open: without any release nobody could ask about them.
func (a releases) unneeded(ctx context.Context, r release.Release) error {
	snapshot, err := a.Options.Directory.Snapshot(ctx)
	if err != nil {
		return err
	}
	var open []string
	for _, co := range snapshot.Companies {
		for _, state := range openStates() {
			if open, err = a.openOf(ctx, r.Name, outbound.Query{Company: co.ID, State: state, Limit: 200}, open); err != nil {
				return err
			}
		}
	}
	if len(open) == 0 {
		return nil
	}
	return fault.New(fault.Conflict, "release_in_use", fmt.Sprintf(
		"%s %s is the last release of a provider with open payments, and without it nobody could ask about them: %s",
		r.Name, r.Version, strings.Join(open, ", ")))
}

// openOf adds the provider's payments of a query, as many as a refusal names.
func (a releases) openOf(ctx context.Context, provider string, q outbound.Query, open []string) ([]string, error) {
	for len(open) < namedPayments {
		page, err := a.Ledger.List(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, p := range page.Payments {
			if p.Provider == provider && len(open) < namedPayments {
				open = append(open, string(p.ID))
			}
		}
		if q.Before = page.Next; q.Before == "" {
			break
		}
	}
	return open, nil
}

func revokedRelease(r release.Release) error {
	return fault.New(fault.Conflict, "revoked",
		r.Name+" "+r.Version+" was revoked and is never started again; activate another version")
}
