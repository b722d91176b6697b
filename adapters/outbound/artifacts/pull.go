package artifacts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content"

	"github.com/payrack/payrack/ports/outbound"
)

// pull resolves a reference once and fetches this machine's layers of what it names by their digests.
func (a *Artifacts) pull(ctx context.Context, s outbound.Source) (made outbound.Artifact, err error) {
	from, err := parseLocation(s.Reference)
	if err != nil {
		return made, err
	}
	if from.version == "" {
		return made, invalid("the reference names neither a tag nor a digest: " + howToRefer)
	}
	ctx, cancel := context.WithTimeout(ctx, a.options.Timeout)
	defer cancel()
	made, err = a.pullFrom(ctx, from)
	if err != nil {
		return outbound.Artifact{}, a.failure(ctx, from, err)
	}
	if s.Signature != nil {
		made.Signature = s.Signature
	}
	return made, nil
}

func (a *Artifacts) pullFrom(ctx context.Context, from location) (made outbound.Artifact, err error) {
	store, err := a.source(ctx, from)
	if err != nil {
		return made, err
	}
	root, err := store.Resolve(ctx, from.version)
	if err != nil {
		return made, fmt.Errorf("resolve: %w", err)
	}
	manifest, err := manifestOf(ctx, store, root)
	if err != nil {
		return made, err
	}
	layers, err := chosen(manifest)
	if err != nil {
		return made, err
	}
	if layers.signature != nil {
		if made.Signature, err = bytesOf(ctx, store, *layers.signature, maxSignature); err != nil {
			return made, err
		}
	}
	if layers.report != nil && a.options.Reports {
		if made.Report, err = bytesOf(ctx, store, *layers.report, maxReport); err != nil {
			return made, err
		}
	}
	path, err := a.download(ctx, store, layers.binary)
	if err != nil {
		return made, err
	}
	made.Path, made.SHA256, made.Source = path, layers.binary.Digest.Encoded(), from.byDigest(root.Digest)
	made.Discard = func() { _ = os.Remove(path) } // a second time finds nothing, as it should
	return made, nil
}

// manifestOf fetches and reads the manifest of a release.
func manifestOf(ctx context.Context, store oras.ReadOnlyTarget, root v1.Descriptor) (v1.Manifest, error) {
	var m v1.Manifest
	if root.MediaType == v1.MediaTypeImageIndex {
		return m, invalid("that is an index of several artifacts: name one of them by its digest")
	}
	text, err := bytesOf(ctx, store, root, maxManifest)
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(text, &m); err != nil || root.MediaType != v1.MediaTypeImageManifest || m.ArtifactType != TypeRelease {
		return m, invalid("that is no release of a provider: payrack plugin pack makes one (artifact type " + TypeRelease + ")")
	}
	return m, nil
}

// layers are those for this machine.
type layers struct {
	binary            v1.Descriptor
	signature, report *v1.Descriptor
}

func chosen(m v1.Manifest) (layers, error) {
	var l layers
	binaries := ofType(m, TypeBinary)
	fit := fitting(binaries)
	platform := runtime.GOOS + "/" + runtime.GOARCH
	switch {
	case len(fit) == 0 && len(binaries) == 0:
		return l, invalid("the artifact holds no binary: payrack plugin pack makes one that does")
	case len(fit) == 0:
		return l, invalid("the artifact holds no binary for " + platform + ", only for " + platforms(binaries) + ": build and pack one for this machine")
	case len(fit) > 1:
		return l, invalid("the artifact holds more than one binary for " + platform + ": pack one")
	case fit[0].Digest.Validate() == nil && fit[0].Digest.Algorithm() != digest.SHA256:
		return l, invalid("the binary is named by another digest than SHA-256: pack it again")
	case fit[0].Size > maxBinary:
		return l, invalid(fmt.Sprintf("the binary has %d MiB, and one may have %d: build it without debug data (-ldflags '-s -w')", fit[0].Size>>20, maxBinary>>20))
	}
	l.binary = fit[0]
	for mediaType, place := range map[string]**v1.Descriptor{TypeSignature: &l.signature, TypeReport: &l.report} {
		switch found := fitting(ofType(m, mediaType)); len(found) {
		case 0:
		case 1:
			*place = &found[0]
		default:
			return l, invalid("the artifact holds two layers of the type " + mediaType + " for " + platform + ": pack it again")
		}
	}
	return l, nil
}

func ofType(m v1.Manifest, mediaType string) []v1.Descriptor {
	return slices.DeleteFunc(slices.Clone(m.Layers), func(d v1.Descriptor) bool { return d.MediaType != mediaType })
}

func fitting(all []v1.Descriptor) []v1.Descriptor {
	fits := func(d v1.Descriptor, annotation, here string) bool {
		there, named := d.Annotations[annotation]
		return !named || there == here
	}
	return slices.DeleteFunc(slices.Clone(all), func(d v1.Descriptor) bool {
		return !fits(d, AnnotationOS, runtime.GOOS) || !fits(d, AnnotationArch, runtime.GOARCH)
	})
}

func platforms(all []v1.Descriptor) string {
	var names []string
	for _, d := range all {
		names = append(names, printable(d.Annotations[AnnotationOS]+"/"+d.Annotations[AnnotationArch]))
	}
	return strings.Join(names, ", ")
}

// printable is a short text of somebody else's as it can stand in a message.
func printable(text string) string {
	if len(text) > 64 {
		text = text[:64]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, text)
}

// verified opens a blob; it is only good if Verify says so after its end.
func verified(ctx context.Context, store oras.ReadOnlyTarget, d v1.Descriptor) (io.Closer, *content.VerifyReader, error) {
	if d.Size < 0 || d.Digest.Validate() != nil {
		return nil, nil, invalid("the artifact names a layer without a usable size and digest: pack it again")
	}
	blob, err := store.Fetch(ctx, d)
	if err != nil {
		return nil, nil, fmt.Errorf("fetch %s: %w", d.Digest, err)
	}
	return blob, content.NewVerifyReader(blob, d), nil
}

func bytesOf(ctx context.Context, store oras.ReadOnlyTarget, d v1.Descriptor, most int64) ([]byte, error) {
	if d.Size > most {
		return nil, invalid(fmt.Sprintf("a part of the artifact has %d bytes, and its kind may have %d: pack it again", d.Size, most))
	}
	blob, reader, err := verified(ctx, store, d)
	if err != nil {
		return nil, err
	}
	defer func() { _ = blob.Close() }() // it was only read
	text, err := io.ReadAll(reader)
	if err := errors.Join(err, reader.Verify()); err != nil {
		return nil, fmt.Errorf("read %s: %w", d.Digest, err)
	}
	return text, nil
}

// download puts a blob into a private file. A file that is not whole and right does not stay.
func (a *Artifacts) download(ctx context.Context, store oras.ReadOnlyTarget, d v1.Descriptor) (path string, err error) {
	blob, reader, err := verified(ctx, store, d)
	if err != nil {
		return "", err
	}
	defer func() { _ = blob.Close() }() // it was only read
	f, err := a.temporary()
	if err != nil {
		return "", err
	}
	_, err = io.Copy(f, reader)
	if err = errors.Join(err, f.Close()); err == nil {
		err = reader.Verify()
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return "", fmt.Errorf("read %s: %w", d.Digest, err)
	}
	return f.Name(), nil
}
