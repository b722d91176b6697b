package providers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/plugins/host"
)

// maxDescription bounds the file that is read again; the host bounds what a plugin may print about itself.
const maxDescription = 8 << 20

// descriptionPath is where the description of a release lies: beside its binary.
func (p *Providers) descriptionPath(digest string) string {
	return filepath.Join(p.storeDir, "sha256", digest+".json")
}

// remember writes down what a kept release says about itself. With it the payment types of a provider are known
// at a start at which its binary cannot be run: their requests are answered with "unavailable" and not with
// "unknown type", which a till would take for a final no.
func (p *Providers) remember(digest string, info host.Info) error {
	path := p.descriptionPath(digest)
	doc, err := json.Marshal(info) //nolint:musttag // what an older program wrote is replaced when the binary runs again
	if err != nil {
		return fmt.Errorf("write the description: %w", err)
	}
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, doc) { //nolint:gosec // in our own folder
		return nil
	}
	folder := filepath.Dir(path)
	f, err := os.CreateTemp(folder, newPrefix+"*")
	if err != nil {
		return fmt.Errorf("write the description: %w", err)
	}
	defer func() {
		_ = f.Close()
		_ = os.Remove(f.Name()) // fails after the rename, as it should
	}()
	if _, err := f.Write(doc); err != nil {
		return fmt.Errorf("write the description: %w", err)
	}
	if err := errors.Join(f.Chmod(0o444), f.Sync(), f.Close(), os.Rename(f.Name(), path), syncFolder(folder)); err != nil {
		return fmt.Errorf("write the description: %w", err)
	}
	return nil
}

// recall reads the description of a release that cannot be run.
func (p *Providers) recall(r release.Release) (*description, error) {
	if !digestForm.MatchString(r.SHA256) {
		return nil, errors.New("the release has no SHA-256")
	}
	path := p.descriptionPath(r.SHA256)
	stat, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read the description: %w", err)
	}
	if stat.Size() > maxDescription {
		return nil, errors.New("the description is too large")
	}
	doc, err := os.ReadFile(path) //nolint:gosec // named by a digest, in our own folder
	if err != nil {
		return nil, fmt.Errorf("read the description: %w", err)
	}
	var info host.Info
	if err := json.Unmarshal(doc, &info); err != nil { //nolint:musttag // as it was written
		return nil, fmt.Errorf("read the description: %w", err)
	}
	if info.Name != r.Name || info.Version != r.Version {
		return nil, errors.New("the description is of another release")
	}
	for _, t := range info.Types {
		for i := range t.Operations {
			// A document that was not there was written as null.
			if o := &t.Operations[i]; string(o.Answer) == "null" {
				o.Answer = nil
			}
		}
	}
	return describe(info, p.limits[info.Name])
}

// knowUnserved makes the payment types of a release known that does not run yet, if nothing of its provider is.
func (p *Providers) knowUnserved(ctx context.Context, r release.Release) {
	if _, known := p.known.Load().plugins[r.Name]; known {
		return
	}
	d, err := p.recall(r)
	if err == nil {
		err = p.claim(r.Name, r.SHA256, d)
	}
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			p.log.LogAttrs(ctx, slog.LevelWarn, "the kept description of a release cannot be used; its payment types are unknown until it runs",
				slog.String("provider", r.Name), slog.String("version", r.Version), slog.String("error", err.Error()))
		}
		return
	}
	p.introduce(p.lane(r.Name), d)
}
