package providers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/release"
)

var digestForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

// Keep copies the binary into the store of releases, named by its digest and never changed again.
func (p *Providers) Keep(ctx context.Context, r release.Release) (release.Release, error) {
	if !digestForm.MatchString(r.SHA256) {
		return release.Release{}, fault.New(fault.Invalid, "digest_mismatch", "the release has no SHA-256")
	}
	folder := filepath.Join(p.storeDir, "sha256")
	kept := filepath.Join(folder, r.SHA256)
	if digest, _, err := digestOf(ctx, kept, io.Discard); err == nil && digest == r.SHA256 {
		r.Path = kept
		return r, p.keepDescription(ctx, r)
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return release.Release{}, storeFailed(err)
	}
	sweepNew(folder)
	size, err := copyIn(ctx, r, folder, kept)
	if err != nil {
		return release.Release{}, err
	}
	r.Path, r.Size = kept, size
	return r, p.keepDescription(ctx, r)
}

const (
	newPrefix = ".new-"
	// newFor is far longer than a binary takes to be copied: what is older was left by a process that was killed.
	newFor = 24 * time.Hour
)

// sweepNew removes what killed processes left in the store: each may be half a gigabyte.
func sweepNew(folder string) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return // what cannot be listed is no reason to keep nothing
	}
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && strings.HasPrefix(e.Name(), newPrefix) && time.Since(info.ModTime()) > newFor {
			_ = os.Remove(filepath.Join(folder, e.Name()))
		}
	}
}

// keepDescription puts what the binary says about itself beside it.
func (p *Providers) keepDescription(ctx context.Context, r release.Release) error {
	said := p.described.Load()
	if said == nil || said.digest != r.SHA256 {
		info, digest, err := p.host.DescribeOnly(ctx, r.Path, r.SHA256)
		if err != nil {
			return refusal(err)
		}
		said = &inspected{digest, info}
	}
	if err := p.remember(said.digest, said.info); err != nil {
		return storeFailed(err)
	}
	return nil
}

func copyIn(ctx context.Context, r release.Release, folder, kept string) (size int64, err error) {
	f, err := os.CreateTemp(folder, newPrefix+"*")
	if err != nil {
		return 0, storeFailed(err)
	}
	defer func() {
		_ = f.Close()
		_ = os.Remove(f.Name()) // fails after the rename, as it should
	}()
	digest, size, err := digestOf(ctx, r.Path, f)
	if err != nil {
		return 0, storeFailed(err)
	}
	if digest != r.SHA256 {
		return 0, fault.New(fault.Invalid, "digest_mismatch", "the binary has changed since it was described: install it again")
	}
	if err := errors.Join(f.Chmod(0o555), f.Sync(), f.Close(), os.Rename(f.Name(), kept), syncFolder(folder)); err != nil {
		return 0, storeFailed(err)
	}
	return size, nil
}

// digestOf hashes the very bytes that it copies.
func digestOf(ctx context.Context, path string, into io.Writer) (digest string, size int64, err error) {
	f, err := os.Open(path) //nolint:gosec // an operator named the binary
	if err != nil {
		return "", 0, fmt.Errorf("open the binary: %w", err)
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	size, err = io.Copy(io.MultiWriter(h, into), reader{ctx, f})
	if err != nil {
		return "", 0, fmt.Errorf("copy the binary: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), size, nil
}

// reader ends a long copy with its context.
type reader struct {
	ctx context.Context //nolint:containedctx // lives for one copy
	io.Reader
}

func (r reader) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err //nolint:wrapcheck // wrapped by the copy
	}
	return r.Reader.Read(b) //nolint:wrapcheck // io.EOF must stay itself
}

func syncFolder(path string) error {
	d, err := os.Open(path) //nolint:gosec // our own folder
	if err != nil {
		return fmt.Errorf("open the folder: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}

func storeFailed(err error) error {
	return fault.Wrap(fault.Internal, "plugin_store", "the binary could not be kept in the plugin store: look at the free space and the rights of its folder", err)
}
