package artifacts

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"

	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content/oci"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"
	"oras.land/oras-go/v2/registry/remote/retry"

	"github.com/payrack/payrack/adapters/outbound/internal/keyfile"
)

// source opens a place to read from.
func (a *Artifacts) source(ctx context.Context, l location) (oras.ReadOnlyTarget, error) {
	if !l.layout {
		return a.repository(l)
	}
	info, err := os.Stat(l.name)
	if err != nil {
		return nil, fmt.Errorf("find the layout: %w", err)
	}
	var layout *oci.ReadOnlyStore
	if info.IsDir() {
		layout, err = oci.NewFromFS(ctx, os.DirFS(l.name))
	} else {
		layout, err = oci.NewFromTar(ctx, l.name)
	}
	if err != nil {
		return nil, fmt.Errorf("read the layout: %w", err)
	}
	return layout, nil
}

// repository is one repository of a registry.
func (a *Artifacts) repository(l location) (*remote.Repository, error) {
	repo, err := remote.NewRepository(l.name)
	if err != nil {
		return nil, invalid("that is no reference to a release: " + howToRefer)
	}
	known, err := a.credential(l.registry)
	if err != nil {
		return nil, err
	}
	repo.PlainHTTP = a.options.Registry.PlainHTTP && thisMachine(l.registry)
	repo.MaxMetadataBytes = maxManifest
	client := &auth.Client{
		// Redirects are followed, as registries send them to where their blobs lie; guarded looks at each step.
		Client:     &http.Client{Transport: guarded{retry.NewTransport(a.transport()), a.options.Registry.PlainHTTP}},
		Credential: known,
		Cache:      auth.NewSingleContextCache(), // a password that was changed counts at the next fetch
	}
	client.SetUserAgent("payrack")
	repo.Client = client
	return repo, nil
}

func (a *Artifacts) transport() *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: a.roots},
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: 30 * time.Second,
		ForceAttemptHTTP2:     true,
		DisableKeepAlives:     true, // fetches are rare: nothing is kept for the next one
	}
}

// guarded lets a request go only with TLS, or to this machine where that is allowed: the first one, each redirect, and
// where a registry sends us for a token.
type guarded struct {
	next  http.RoundTripper
	plain bool
}

// RoundTrip sends the request.
func (g guarded) RoundTrip(r *http.Request) (*http.Response, error) {
	safe := r.URL.Scheme == "https" || (g.plain && r.URL.Scheme == "http" && thisMachine(r.URL.Host))
	if !safe {
		return nil, errPlain
	}
	return g.next.RoundTrip(r) //nolint:wrapcheck // the client above adds method and address
}

// thisMachine reports whether a host, with or without a port, can only be this machine.
func thisMachine(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || (err == nil && addr.IsLoopback())
}

// credential is what a registry is shown.
func (a *Artifacts) credential(registry string) (auth.CredentialFunc, error) {
	r := a.options.Registry
	if r.Username != "" && r.Host == registry {
		password, err := readPassword(r.PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("plugins.registry.password_file: %w", err)
		}
		return auth.StaticCredential(registry, auth.Credential{Username: r.Username, Password: password}), nil
	}
	store, err := credentials.NewStoreFromDocker(credentials.StoreOptions{})
	if err != nil {
		// No home folder, or a broken file there: a public registry wants no name.
		a.options.Log.Debug("no docker configuration is used", slog.String("error", err.Error()))
		return func(context.Context, string) (auth.Credential, error) { return auth.EmptyCredential, nil }, nil
	}
	return credentials.Credential(store), nil
}

// readPassword reads the first line of a file that only its owner may read.
func readPassword(path string) (string, error) {
	text, err := keyfile.Read(path)
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	if line = strings.TrimSuffix(line, "\r"); line == "" {
		return "", errors.New("the first line of " + path + " is empty: it must be the password")
	}
	return line, nil
}
