package artifacts

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/ports/outbound"
)

// defaultTimeout is how long a fetch may take. Whoever ordered it waits for it over HTTP.
const defaultTimeout = 90 * time.Second

// Options choose where from and whom to believe.
type Options struct {
	// Dir is a private folder for what is fetched; it is made when it is needed.
	Dir string
	// SigningKeys are files with minisign public keys. They are read once.
	SigningKeys []string
	// RequireSignature refuses binaries that are not signed by one of them.
	RequireSignature bool
	// Reports says that the conformance reports in artifacts are wanted. Where nobody's reports are believed they would
	// only be in the way.
	Reports  bool
	Registry Registry
	// Timeout of one fetch; default 90 s.
	Timeout time.Duration
	// Log is told of unsigned binaries.
	Log *slog.Logger
}

// Registry is who asks a registry.
type Registry struct {
	// Host is the one registry, with its port, that is shown Username and the first line of PasswordFile. Others, and it
	// too if there is no Username, are shown what the docker configuration of this user holds for them.
	Host         string
	Username     string
	PasswordFile string
	// PlainHTTP speaks without TLS to registries on this machine's loopback addresses. There is no such switch for others.
	PlainHTTP bool
}

// Artifacts implements outbound.Artifacts.
type Artifacts struct {
	options Options
	keys    []trustedKey
	// roots are the authorities for registries; nil are the system's.
	roots *x509.CertPool
}

// New reads the keys and looks whether the password file can be used.
func New(o Options) (*Artifacts, error) {
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	a := &Artifacts{options: o}
	for _, path := range o.SigningKeys {
		key, err := readTrustedKey(path)
		if err != nil {
			return nil, fmt.Errorf("plugins.signing_keys: %w", err)
		}
		a.keys = append(a.keys, key)
	}
	if o.Registry.PasswordFile != "" {
		if _, err := readPassword(o.Registry.PasswordFile); err != nil {
			return nil, fmt.Errorf("plugins.registry.password_file: %w", err)
		}
	}
	return a, nil
}

// Fetch brings the binary to this machine.
func (a *Artifacts) Fetch(ctx context.Context, s outbound.Source) (outbound.Artifact, error) {
	switch {
	case s.Path != "" && s.Reference != "":
		return outbound.Artifact{}, invalid("both a path and a reference are given: give one")
	case s.Reference != "":
		return a.pull(ctx, s)
	case s.Path != "":
		return fromPath(ctx, s)
	default:
		return outbound.Artifact{}, invalid("neither a path nor a reference is given: give one")
	}
}

// fromPath takes a file as it is. It is hashed now and again wherever it is used, so a change after this is found.
func fromPath(ctx context.Context, s outbound.Source) (outbound.Artifact, error) {
	info, err := os.Stat(s.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return outbound.Artifact{}, fault.Wrap(fault.Invalid, "artifact_unreachable",
			"there is no file "+s.Path+" on the server: copy it there, or upload it", err)
	case err != nil:
		return outbound.Artifact{}, fault.Wrap(fault.Invalid, "artifact_unreachable", s.Path+" cannot be looked at by the platform's user", err)
	case !info.Mode().IsRegular():
		return outbound.Artifact{}, invalid(s.Path + " is no file: name the binary itself")
	case info.Size() > maxBinary:
		return outbound.Artifact{}, invalid(fmt.Sprintf("%s has %d MiB, and a binary may have %d: build it without debug data (-ldflags '-s -w')",
			s.Path, info.Size()>>20, maxBinary>>20))
	}
	signature := s.Signature
	if signature == nil {
		if signature, err = readBounded(s.Path + SignatureSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return outbound.Artifact{}, fault.Wrap(fault.Invalid, "signature_invalid",
				s.Path+SignatureSuffix+" cannot be read as a signature: make it again with payrack plugin sign "+s.Path+" --key FILE", err)
		}
	}
	digest, err := digestOf(ctx, s.Path)
	if err != nil {
		return outbound.Artifact{}, fault.Wrap(fault.Invalid, "artifact_unreachable",
			s.Path+" cannot be read by the platform's user: change its owner or its mode", err)
	}
	return outbound.Artifact{Path: s.Path, SHA256: digest, Signature: signature, Source: s.Path, Discard: func() {}}, nil
}

func digestOf(ctx context.Context, path string) (string, error) {
	f, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return "", err //nolint:wrapcheck // the caller names the file
	}
	defer func() { _ = f.Close() }() // it was only read
	sum := sha256.New()
	if _, err := io.Copy(sum, &until{ctx, f}); err != nil {
		return "", err //nolint:wrapcheck // the caller names the file
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// errTooLong is a file that is longer than its kind may be.
var errTooLong = errors.New("it is too long")

// readBounded reads a signature or a key.
func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, err //nolint:wrapcheck // callers tell a missing file from others, and name it
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	if err != nil {
		return nil, err //nolint:wrapcheck // callers name the file
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is no file")
	}
	text, err := io.ReadAll(io.LimitReader(f, maxSignature+1))
	if err == nil && len(text) > maxSignature {
		return nil, errTooLong
	}
	return text, err //nolint:wrapcheck // callers name the file
}

// temporary makes a private file for what is fetched, and removes what a process that was killed left there.
func (a *Artifacts) temporary() (*os.File, error) {
	if err := os.MkdirAll(a.options.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder for what is fetched: %w", err)
	}
	a.sweep()
	f, err := os.CreateTemp(a.options.Dir, leftover+"*")
	if err != nil {
		return nil, fmt.Errorf("make a file for what is fetched: %w", err)
	}
	return f, nil
}

const (
	leftover = "fetched-"
	// leftoverAfter is far longer than an installation takes.
	leftoverAfter = 24 * time.Hour
)

func (a *Artifacts) sweep() {
	entries, err := os.ReadDir(a.options.Dir)
	if err != nil {
		return // what cannot be listed is no reason not to fetch
	}
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && strings.HasPrefix(e.Name(), leftover) && time.Since(info.ModTime()) > leftoverAfter {
			_ = os.Remove(filepath.Join(a.options.Dir, e.Name()))
		}
	}
}
