package artifacts

import (
	"strings"

	"github.com/opencontainers/go-digest"
	"oras.land/oras-go/v2/registry"
)

const layoutScheme = "oci-layout:"

const howToRefer = "write it as registry.example.com/payrack/acme@sha256:…, registry.example.com/payrack/acme:1.4.0 or oci-layout:/folder:1.4.0"

// location is where a release is, or shall be.
type location struct {
	// layout says that name is the path of an OCI layout; else it is registry/repository.
	layout bool
	name   string
	// version is a tag or a digest, "" if none is named.
	version string
	// registry is the host of a registry, with its port.
	registry string
}

// parseLocation reads a reference. Its error repeats nothing of it: people paste passwords into addresses.
func parseLocation(text string) (location, error) {
	if path, found := strings.CutPrefix(text, layoutScheme); found {
		return parseLayout(path)
	}
	ref, err := registry.ParseReference(text)
	if err != nil {
		return location{}, invalid("that is no reference to a release: " + howToRefer)
	}
	return location{name: ref.Registry + "/" + ref.Repository, version: ref.Reference, registry: ref.Registry}, nil
}

func parseLayout(text string) (location, error) {
	path, version, found := strings.Cut(text, "@")
	if found {
		if digest.Digest(version).Validate() != nil {
			return location{}, invalid("what stands behind the @ is no digest: " + howToRefer)
		}
	} else if i := strings.LastIndexByte(text, ':'); i > strings.LastIndexByte(text, '/') {
		path, version = text[:i], text[i+1:]
	}
	if path == "" {
		return location{}, invalid("the reference names no folder: " + howToRefer)
	}
	return location{layout: true, name: path, version: version}, nil
}

// byDigest is the same place with a digest for what is there.
func (l location) byDigest(d digest.Digest) string {
	name := l.name
	if l.layout {
		name = layoutScheme + name
	}
	return name + "@" + d.String()
}

// String is the whole reference, for people.
func (l location) String() string {
	name := l.name
	if l.layout {
		name = layoutScheme + name
	}
	switch {
	case l.version == "":
		return name
	case strings.Contains(l.version, ":"):
		return name + "@" + l.version
	default:
		return name + ":" + l.version
	}
}

// place is whom to ask, for people.
func (l location) place() string {
	if l.layout {
		return "the OCI layout " + l.name
	}
	return "the registry " + l.registry
}
