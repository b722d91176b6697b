package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// bad is a release that must never get a call.
type bad struct {
	kind, code string
	version    string
	path       string
	signature  string
	// spoil damages what was installed, given its digest.
	spoil func(sha string) error
	// refused is how the installation refused it, if it did not get further.
	refused bool
}

// breakReleases builds and installs the broken releases. What is refused at once is tried again each time.
func (p *platform) breakReleases(ctx context.Context) ([]bad, error) {
	if p.broken == 0 {
		return nil, nil
	}
	builds, err := readBuilds(filepath.Join(p.root, "deployments/swap/broken"))
	if err != nil {
		return nil, err
	}
	good := build{name: "good", bug: "none"}
	var all []bad
	for i, b := range append(builds, good, good) {
		x := bad{kind: b.name, code: b.code, version: fmt.Sprintf("1.1.%d", i), path: filepath.Join(p.dir, fmt.Sprintf("broken-%d", i))}
		if err := b.make(ctx, p.settings, x.version, x.path); err != nil {
			return nil, err
		}
		switch i - len(builds) {
		case 0:
			x.kind, x.code, x.spoil = "wrong-digest", "digest_mismatch", p.spoil
		case 1:
			x.kind, x.code = "bad-signature", "signature_invalid"
			if x.signature, err = p.foreignSignature(ctx, x.path); err != nil {
				return nil, err
			}
		}
		sha, no, err := p.install(ctx, p.replicas[0], x.path, x.signature)
		switch {
		case err != nil:
			return nil, err
		case !no.ok && no.code != x.code:
			return nil, fmt.Errorf("install %s: %d %s %s", x.kind, no.status, no.code, no.text)
		case !no.ok:
			x.refused = true
		case x.spoil != nil:
			if err := x.spoil(sha); err != nil {
				return nil, err
			}
		}
		all = append(all, x)
	}
	return all, nil
}

// signingKey makes the pair of keys whose signatures the platform believes.
func signingKey(ctx context.Context, s settings, dir string) (secret, public string, err error) {
	secret = filepath.Join(dir, "release.key")
	return secret, filepath.Join(dir, "release.pub"), sign(ctx, s, "--new-key", secret, "--no-password")
}

// foreignSignature is a good signature of other bytes.
func (p *platform) foreignSignature(ctx context.Context, path string) (string, error) {
	text, err := os.ReadFile(path) //nolint:gosec // below the harness's own folder
	if err != nil {
		return "", err
	}
	twin := path + "-twin"
	if err := os.WriteFile(twin, append(text, 0), 0o600); err != nil { //nolint:gosec // see above
		return "", err
	}
	return twin + ".minisig", sign(ctx, p.settings, twin, "--key", p.key)
}

func sign(ctx context.Context, s settings, args ...string) error {
	out, err := exec.CommandContext(ctx, s.payrack, append([]string{"plugin", "sign"}, args...)...).CombinedOutput() //nolint:gosec // the binary that the caller named
	if err != nil {
		return fmt.Errorf("payrack plugin sign: %w\n%s", err, out)
	}
	return nil
}

// spoil changes the stored bytes of a release, as somebody would who got onto the machine.
func (p *platform) spoil(sha string) error {
	spoilt := 0
	err := filepath.WalkDir(filepath.Join(p.home(), "releases"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path) //nolint:gosec // below the harness's own folder
		if err != nil {
			return err
		}
		if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != sha {
			return nil
		}
		spoilt++
		// A file of its own: the stored one may be shared with what is running.
		return errors.Join(os.Remove(path), os.WriteFile(path, append(text, 0), 0o500)) //nolint:gosec // it is a program
	})
	if err == nil && spoilt == 0 {
		err = errors.New("the stored binary was not found")
	}
	return err
}

// tryBroken orders a broken release and notes how it was refused.
func (p *platform) tryBroken(ctx context.Context, l *load, r *replica, b bad) flip {
	f := flip{from: l.now(), version: b.version, kind: b.kind, want: b.code, replica: r.number}
	if b.refused {
		_, f.no, f.err = p.install(ctx, r, b.path, b.signature)
	} else {
		_, f.no, f.err = p.activate(ctx, r, provider, b.version)
	}
	f.to = l.now()
	pause(ctx, 100*time.Millisecond)
	return f
}
