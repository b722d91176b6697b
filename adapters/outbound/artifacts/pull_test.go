package artifacts_test

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/payrack/payrack/adapters/outbound/artifacts"
	"github.com/payrack/payrack/ports/outbound"
)

// plain are the options for a registry on this machine.
func plain(o artifacts.Options) artifacts.Options {
	o.Registry.PlainHTTP, o.Reports = true, true
	return o
}

// Packed, pushed, pulled by digest and by tag, and verified without asking anybody.
func TestThroughARegistry(t *testing.T) {
	t.Parallel()
	g := newRegistry()
	host := g.start(t)
	key, public := pair(t, "release")
	a := open(t, plain(artifacts.Options{SigningKeys: []string{public}, RequireSignature: true}))
	p := packageOf(t, "the binary", &key)
	made := pack(t, a, p, host+"/payrack/acme")
	if made.Tag != "1.2.0_build.7" || made.Reference != host+"/payrack/acme@"+made.Digest {
		t.Fatalf("got %+v", made)
	}
	for _, reference := range []string{made.Reference, host + "/payrack/acme:" + made.Tag} {
		got, err := a.Fetch(t.Context(), outbound.Source{Reference: reference})
		if err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(got.Path)
		if err != nil || string(content) != "the binary" || got.SHA256 != p.SHA256 || got.Source != made.Reference {
			t.Errorf("%s: got %q from %s, %v", reference, content, got.Source, err)
		}
		if !bytes.Equal(got.Signature, p.Signature) || !bytes.Equal(got.Report, p.Report) {
			t.Errorf("%s: got the signature %q and the report %q", reference, got.Signature, got.Report)
		}
		by, err := a.Signer(t.Context(), got, p.SHA256)
		if err != nil || by != "release ("+key.ID()+")" {
			t.Errorf("%s: signed by %q, %v", reference, by, err)
		}
		got.Discard()
		if _, err := os.Stat(got.Path); !os.IsNotExist(err) {
			t.Errorf("what was fetched stays: %v", err)
		}
	}
	again := pack(t, a, p, host+"/payrack/acme")
	if diff := cmp.Diff(made, again); diff != "" {
		t.Errorf("the same files make another artifact:\n%s", diff)
	}
	if n := g.requests("PUT /v2/payrack/acme/blobs"); n != 4 {
		t.Errorf("%d blobs were sent, want config, binary, signature and report once", n)
	}
	moved := pack(t, a, packageOf(t, "a newer binary", &key), host+"/payrack/acme:"+made.Tag)
	got, err := a.Fetch(t.Context(), outbound.Source{Reference: made.Reference})
	if err != nil || got.Source != made.Reference || moved.Digest == made.Digest {
		t.Errorf("the tag moved, and the digest gives %s, %v", got.Source, err)
	}
}

// A tag that moves while its release is fetched: what is fetched is what was resolved.
func TestATagIsResolvedOnce(t *testing.T) {
	t.Parallel()
	g := newRegistry()
	host := g.start(t)
	a := open(t, plain(artifacts.Options{}))
	first := pack(t, a, packageOf(t, "first", nil), host+"/payrack/acme:stable")
	second := pack(t, a, packageOf(t, "second", nil), host+"/payrack/acme:next")
	g.mu.Lock()
	g.answer = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/manifests/stable") {
			return false
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		deliver(w, r, g.manifests[g.tags["payrack/acme:stable"]], g.types[first.Digest], g.tags["payrack/acme:stable"])
		g.tags["payrack/acme:stable"] = second.Digest
		return true
	}
	g.mu.Unlock()
	got, err := a.Fetch(t.Context(), outbound.Source{Reference: host + "/payrack/acme:stable"})
	if err != nil {
		t.Fatal(err)
	}
	if content, err := os.ReadFile(got.Path); err != nil || string(content) != "first" || !strings.HasSuffix(got.Source, first.Digest) {
		t.Errorf("got %q from %s, %v", content, got.Source, err)
	}
	if g.tags["payrack/acme:stable"] != second.Digest {
		t.Error("the tag did not move: the test proves nothing")
	}
}

func TestThroughALayout(t *testing.T) {
	t.Parallel()
	key, public := pair(t, "release")
	a := open(t, artifacts.Options{SigningKeys: []string{public}, RequireSignature: true, Reports: true})
	folder := filepath.Join(t.TempDir(), "acme.oci")
	p := packageOf(t, "the binary", &key)
	made := pack(t, a, p, "oci-layout:"+folder)
	for _, reference := range []string{made.Reference, "oci-layout:" + folder + ":1.2.0_build.7"} {
		got, err := a.Fetch(t.Context(), outbound.Source{Reference: reference})
		if err != nil {
			t.Fatal(err)
		}
		if by, err := a.Signer(t.Context(), got, p.SHA256); err != nil || by == "" || got.Source != made.Reference {
			t.Errorf("got %q from %s, %v", by, got.Source, err)
		}
	}
	if diff := cmp.Diff(made, pack(t, a, p, "oci-layout:"+folder)); diff != "" {
		t.Errorf("the same files make another artifact:\n%s", diff)
	}
	_, err := a.Fetch(t.Context(), outbound.Source{Reference: "oci-layout:" + folder + ":2.0.0"})
	refused(t, err, "artifact_unreachable", "there is no oci-layout:", ":2.0.0")
}

// A report in an artifact is only taken where somebody's reports are believed.
func TestReportsAreLeftWhereNobodyIsBelieved(t *testing.T) {
	t.Parallel()
	a := open(t, artifacts.Options{})
	made := pack(t, a, packageOf(t, "the binary", nil), "oci-layout:"+filepath.Join(t.TempDir(), "o"))
	got, err := a.Fetch(t.Context(), outbound.Source{Reference: made.Reference})
	if err != nil || got.Report != nil || got.Signature != nil {
		t.Errorf("got %q, %q, %v", got.Report, got.Signature, err)
	}
}

// What a registry or the way to it changes, cuts off or prolongs never becomes a binary here, and leaves nothing behind.
func TestChangedContentIsRefused(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func([]byte) []byte{
		"changed":   func(b []byte) []byte { c := bytes.Clone(b); c[len(c)/2] ^= 1; return c },
		"cut off":   func(b []byte) []byte { return b[:len(b)-1] },
		"prolonged": func(b []byte) []byte { return append(bytes.Clone(b), 'x') },
		"empty":     func([]byte) []byte { return []byte{} },
	} {
		for _, part := range []string{"binary", "signature", "manifest"} {
			t.Run(name+" "+part, func(t *testing.T) {
				t.Parallel()
				g := newRegistry()
				host := g.start(t)
				key, public := pair(t, "release")
				folder := t.TempDir()
				a := open(t, plain(artifacts.Options{Dir: folder, SigningKeys: []string{public}}))
				p := packageOf(t, "the binary", &key)
				made := pack(t, a, p, host+"/payrack/acme")
				digest, where := map[string]string{
					"binary": "sha256:" + p.SHA256, "signature": digestOf(p.Signature), "manifest": made.Digest,
				}[part], g.blobs
				if part == "manifest" {
					where = g.manifests
				}
				where[digest] = change(where[digest])
				_, err := a.Fetch(t.Context(), outbound.Source{Reference: made.Reference})
				if err == nil {
					t.Fatal("it was taken")
				}
				if part != "manifest" {
					refused(t, err, "artifact_invalid", "is not what its manifest names")
				}
				if left, err := os.ReadDir(folder); err != nil && !os.IsNotExist(err) || len(left) != 0 {
					t.Errorf("there stays %v, %v", left, err)
				}
			})
		}
	}
}

func TestForeignArtifactsAreRefused(t *testing.T) {
	t.Parallel()
	g := newRegistry()
	host := g.start(t)
	a := open(t, plain(artifacts.Options{}))
	foreign := packageOf(t, "the binary", nil)
	foreign.OS, foreign.Arch = "plan9", "mips"
	pack(t, a, foreign, host+"/payrack/acme:foreign")
	made := pack(t, a, packageOf(t, "the binary", nil), host+"/payrack/acme:good")
	var manifest map[string]any
	if err := json.Unmarshal(g.manifests[made.Digest], &manifest); err != nil {
		t.Fatal(err)
	}
	put := func(tag string, change func(m map[string]any)) {
		m := map[string]any{}
		maps.Copy(m, manifest)
		change(m)
		body, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		g.manifests[digestOf(body)], g.types[digestOf(body)] = body, g.types[made.Digest]
		g.tags["payrack/acme:"+tag] = digestOf(body)
	}
	layers, _ := manifest["layers"].([]any)
	put("other", func(m map[string]any) { m["artifactType"] = "application/vnd.example" })
	put("empty", func(m map[string]any) { m["layers"] = []any{} })
	put("double", func(m map[string]any) { m["layers"] = append(layers, layers...) })
	put("huge", func(m map[string]any) {
		big := map[string]any{}
		one, _ := layers[0].(map[string]any)
		maps.Copy(big, one)
		big["size"] = int64(artifacts.MaxBinary) + 1
		m["layers"] = []any{big}
	})
	put("odd", func(m map[string]any) {
		m["layers"] = []any{map[string]any{"mediaType": artifacts.TypeBinary, "digest": "md5:1", "size": -1}}
	})
	for tag, want := range map[string]string{
		"foreign": "only for plan9/mips", "other": "is no release of a provider", "empty": "holds no binary", "double": "more than one binary",
		"huge": "one may have 512", "odd": "without a usable size and digest",
	} {
		t.Run(tag, func(t *testing.T) {
			t.Parallel()
			_, err := a.Fetch(t.Context(), outbound.Source{Reference: host + "/payrack/acme:" + tag})
			refused(t, err, "artifact_invalid", want)
		})
	}
}

func TestRegistriesThatDoNotDeliver(t *testing.T) {
	t.Parallel()
	g := newRegistry()
	host := g.start(t)
	a := open(t, plain(artifacts.Options{}))
	_, err := a.Fetch(t.Context(), outbound.Source{Reference: host + "/payrack/acme:none"})
	refused(t, err, "artifact_unreachable", "there is no "+host+"/payrack/acme:none", "whether it was pushed")

	// Nobody listens there any more.
	gone := httptest.NewServer(g)
	address := strings.TrimPrefix(gone.URL, "http://")
	gone.Close()
	_, err = open(t, plain(artifacts.Options{Timeout: 3 * time.Second})).Fetch(t.Context(), outbound.Source{Reference: address + "/payrack/acme:1"})
	refused(t, err, "artifact_unreachable", address)

	// A registry that never ends its answer.
	made := pack(t, a, packageOf(t, "the binary", nil), host+"/payrack/acme")
	g.mu.Lock()
	g.answer = func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/blobs/") {
			<-r.Context().Done()
		}
		return false
	}
	g.mu.Unlock()
	_, err = open(t, plain(artifacts.Options{Timeout: 500 * time.Millisecond})).Fetch(t.Context(), outbound.Source{Reference: made.Reference})
	refused(t, err, "artifact_unreachable", "did not deliver within 500ms")
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	g := newRegistry()
	g.user, g.password = "pull", "canary"
	host := g.start(t)
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("canary\nsecond line\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	named := func(host string) *artifacts.Artifacts {
		return open(t, plain(artifacts.Options{Registry: artifacts.Registry{Host: host, Username: "pull", PasswordFile: file}}))
	}
	made := pack(t, named(host), packageOf(t, "the binary", nil), host+"/payrack/acme")
	if _, err := named(host).Fetch(t.Context(), outbound.Source{Reference: made.Reference}); err != nil {
		t.Fatal(err)
	}
	// Another registry does not get to see the password.
	_, err := named("registry.example").Fetch(t.Context(), outbound.Source{Reference: made.Reference})
	refused(t, err, "artifact_unreachable", "does not let us in", "docker login")
	// A changed password counts at the next fetch.
	a := named(host)
	if err := os.WriteFile(file, []byte("wrong\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = a.Fetch(t.Context(), outbound.Source{Reference: made.Reference})
	refused(t, err, "artifact_unreachable", "does not let us in")
	if strings.Contains(err.Error(), "wrong") || strings.Contains(err.Error(), "canary") {
		t.Errorf("the password is told: %v", err)
	}
}

// Nothing travels without TLS but to this machine where that is allowed: not the first request, no redirect, no token.
func TestPlainHTTPIsRefused(t *testing.T) {
	t.Parallel()
	g := newRegistry()
	host := g.start(t)
	made := pack(t, open(t, plain(artifacts.Options{})), packageOf(t, "the binary", nil), host+"/payrack/acme")
	digest := strings.TrimPrefix(made.Reference, host)

	_, err := open(t, artifacts.Options{Timeout: 3 * time.Second}).Fetch(t.Context(), outbound.Source{Reference: made.Reference})
	refused(t, err, "artifact_unreachable", host) // TLS was spoken to a server that has none

	secure := httptest.NewTLSServer(g)
	t.Cleanup(secure.Close)
	roots := x509.NewCertPool()
	roots.AddCert(secure.Certificate())
	at := strings.TrimPrefix(secure.URL, "https://")
	fetch := func() (outbound.Artifact, error) {
		a := open(t, artifacts.Options{Timeout: 10 * time.Second})
		artifacts.Trust(a, roots)
		return a.Fetch(t.Context(), outbound.Source{Reference: at + digest})
	}
	if _, err := fetch(); err != nil {
		t.Fatalf("with TLS: %v", err)
	}
	before := g.requests("/blobs/")
	lead := func(answer func(w http.ResponseWriter, r *http.Request) bool) {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.answer = answer
	}
	lead(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/blobs/") || r.TLS == nil {
			return false
		}
		http.Redirect(w, r, "http://"+host+r.URL.Path, http.StatusTemporaryRedirect)
		return true
	})
	_, err = fetch()
	refused(t, err, "artifact_unreachable", "leads over plain HTTP")
	if after := g.requests("/blobs/"); after != before+1 {
		t.Errorf("the redirect was followed: %d requests", after-before)
	}
	lead(func(w http.ResponseWriter, r *http.Request) bool {
		if r.TLS == nil {
			return false
		}
		w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+host+`/token",service="registry"`)
		problem(w, http.StatusUnauthorized, "UNAUTHORIZED")
		return true
	})
	if _, err = fetch(); err == nil || g.requests("/token") != 0 {
		t.Errorf("a token was asked for without TLS: %v", err)
	}
	// Redirects with TLS are followed: registries send those who pull to where their blobs lie.
	elsewhere := httptest.NewTLSServer(g)
	t.Cleanup(elsewhere.Close)
	roots.AddCert(elsewhere.Certificate())
	lead(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/blobs/") || r.Host != at {
			return false
		}
		http.Redirect(w, r, elsewhere.URL+r.URL.Path, http.StatusTemporaryRedirect)
		return true
	})
	if _, err := fetch(); err != nil {
		t.Errorf("a redirect with TLS: %v", err)
	}
}

// What a process left that was killed while it fetched is removed, and nothing else is.
func TestLeftoversAreSwept(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	old := time.Now().Add(-48 * time.Hour)
	for _, name := range []string{"fetched-old", "fetched-new", "kept"} {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if name != "fetched-new" {
			if err := os.Chtimes(path, old, old); err != nil {
				t.Fatal(err)
			}
		}
	}
	a := open(t, artifacts.Options{Dir: folder})
	made := pack(t, a, packageOf(t, "the binary", nil), "oci-layout:"+filepath.Join(t.TempDir(), "o"))
	got, err := a.Fetch(t.Context(), outbound.Source{Reference: made.Reference})
	if err != nil {
		t.Fatal(err)
	}
	got.Discard()
	left, err := filepath.Glob(filepath.Join(folder, "*"))
	want := []string{filepath.Join(folder, "fetched-new"), filepath.Join(folder, "kept")}
	if diff := cmp.Diff(want, left); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
}
