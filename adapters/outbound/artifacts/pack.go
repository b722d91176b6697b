package artifacts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/content/oci"
)

// Package is what goes into an artifact.
type Package struct {
	// Binary is the path of the static ELF file, SHA256 its digest in lower-case hex.
	Binary string
	SHA256 string
	// Name and Version of the provider, OS and Arch of the binary in Go's words.
	Name, Version, OS, Arch string
	// Description is a JSON object about the binary, for people.
	Description []byte
	// Signature and Report may be nil.
	Signature, Report []byte
}

// Packed is a finished artifact.
type Packed struct {
	// Reference is its place by digest: what to install.
	Reference string
	Digest    string
	Tag       string
}

// Pack writes an artifact to a registry or to an OCI layout (oci-layout:FOLDER), which is made if it is not there. Without a
// tag in the reference the version is the tag.
func (a *Artifacts) Pack(ctx context.Context, p Package, reference string) (Packed, error) {
	to, err := parseLocation(reference)
	if err != nil {
		return Packed{}, err
	}
	if strings.Contains(to.version, ":") {
		return Packed{}, invalid("a digest cannot be chosen: name a tag, or nothing for the version")
	}
	if to.version == "" {
		to.version = strings.ReplaceAll(p.Version, "+", "_") // a tag has no plus sign
	}
	ctx, cancel := context.WithTimeout(ctx, a.options.Timeout)
	defer cancel()
	made, err := a.packTo(ctx, p, to)
	if err != nil {
		return Packed{}, a.failure(ctx, to, err)
	}
	return Packed{Reference: to.byDigest(made.Digest), Digest: made.Digest.String(), Tag: to.version}, nil
}

func (a *Artifacts) packTo(ctx context.Context, p Package, to location) (v1.Descriptor, error) {
	store, err := a.target(ctx, to)
	if err != nil {
		return v1.Descriptor{}, err
	}
	config := content.NewDescriptorFromBytes(TypeConfig, p.Description)
	if err := push(ctx, store, config, bytesSource(p.Description)); err != nil {
		return v1.Descriptor{}, err
	}
	made, err := pushLayers(ctx, store, p)
	if err != nil {
		return v1.Descriptor{}, err
	}
	manifest, err := oras.PackManifest(ctx, store, oras.PackManifestVersion1_1, TypeRelease, oras.PackManifestOptions{
		Layers: made, ConfigDescriptor: &config,
		ManifestAnnotations: map[string]string{
			v1.AnnotationTitle: p.Name, v1.AnnotationVersion: p.Version,
			// The same files make the same manifest: no clock in it.
			v1.AnnotationCreated: "1970-01-01T00:00:00Z",
		},
	})
	if err != nil {
		return v1.Descriptor{}, fmt.Errorf("write the manifest: %w", err)
	}
	if err := store.Tag(ctx, manifest, to.version); err != nil {
		return v1.Descriptor{}, fmt.Errorf("tag the manifest: %w", err)
	}
	return manifest, nil
}

// target opens a place to write to.
func (a *Artifacts) target(ctx context.Context, to location) (oras.Target, error) {
	if !to.layout {
		return a.repository(to)
	}
	layout, err := oci.NewWithContext(ctx, to.name)
	if err != nil {
		return nil, fmt.Errorf("make the layout: %w", err)
	}
	return layout, nil
}

// opened is how the content of a layer is read; it is opened when it is needed.
type opened func() (io.ReadCloser, error)

func bytesSource(text []byte) opened {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(string(text))), nil }
}

func pushLayers(ctx context.Context, store oras.Target, p Package) ([]v1.Descriptor, error) {
	info, err := os.Stat(p.Binary)
	if err != nil {
		return nil, fmt.Errorf("look at the binary: %w", err)
	}
	if info.Size() > maxBinary {
		return nil, invalid(fmt.Sprintf("the binary has %d MiB, and one may have %d: build it without debug data (-ldflags '-s -w')", info.Size()>>20, maxBinary>>20))
	}
	file := "payrack-provider-" + p.Name
	type layer struct {
		descriptor v1.Descriptor
		title      string
		source     opened
	}
	all := []layer{{
		v1.Descriptor{MediaType: TypeBinary, Digest: digest.NewDigestFromEncoded(digest.SHA256, p.SHA256), Size: info.Size()},
		file, func() (io.ReadCloser, error) { return os.Open(p.Binary) },
	}}
	if p.Signature != nil {
		all = append(all, layer{content.NewDescriptorFromBytes(TypeSignature, p.Signature), file + SignatureSuffix, bytesSource(p.Signature)})
	}
	if p.Report != nil {
		all = append(all, layer{content.NewDescriptorFromBytes(TypeReport, p.Report), file + ".report.json", bytesSource(p.Report)})
	}
	platform := map[string]string{AnnotationOS: p.OS, AnnotationArch: p.Arch}
	made := make([]v1.Descriptor, len(all))
	for i, l := range all {
		if err := push(ctx, store, l.descriptor, l.source); err != nil {
			return nil, err
		}
		made[i] = l.descriptor
		made[i].Annotations = maps.Clone(platform)
		made[i].Annotations[v1.AnnotationTitle] = filepath.Base(l.title)
	}
	return made, nil
}

// push writes a blob that is not there yet. Both ends compare it with its digest.
func push(ctx context.Context, store oras.Target, d v1.Descriptor, source opened) (err error) {
	there, err := store.Exists(ctx, d)
	if err != nil {
		return fmt.Errorf("look for %s: %w", d.Digest, err)
	}
	if there {
		return nil
	}
	blob, err := source()
	if err != nil {
		return fmt.Errorf("read what is packed: %w", err)
	}
	reader := &comparing{reader: content.NewVerifyReader(blob, d)}
	if err = store.Push(ctx, d, reader); err == nil {
		err = reader.verify() // before it is closed: it looks for more behind the end
	}
	err = errors.Join(err, blob.Close())
	if errors.Is(err, content.ErrMismatchedDigest) || errors.Is(err, content.ErrTrailingData) || errors.Is(err, io.ErrUnexpectedEOF) {
		return invalid("the binary has changed while it was packed: pack it again")
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", d.Digest, err)
	}
	return nil
}

// comparing is a reader that knows whether what was read has the right digest. A transport may go on reading a body for a
// moment after the request has its answer.
type comparing struct {
	mu     sync.Mutex
	reader *content.VerifyReader
}

func (c *comparing) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reader.Read(p) //nolint:wrapcheck // io.EOF must stay itself
}

func (c *comparing) verify() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reader.Verify() //nolint:wrapcheck // the caller tells these errors apart
}
