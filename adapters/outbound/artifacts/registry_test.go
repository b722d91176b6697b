package artifacts_test

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// registry is an OCI registry (distribution specification 1.1: push, pull, tags) in memory. It believes nothing: a blob or a
// manifest whose digest is not its content's is refused.
type registry struct {
	mu        sync.Mutex
	blobs     map[string][]byte
	manifests map[string][]byte // by digest
	types     map[string]string // media type of a manifest
	tags      map[string]string // repository:tag → digest
	// user and password are demanded if they are set.
	user, password string
	// answer, if it is set, may answer a request in place of the registry.
	answer func(w http.ResponseWriter, r *http.Request) bool
	asked  []string
}

func newRegistry() *registry {
	return &registry{blobs: map[string][]byte{}, manifests: map[string][]byte{}, types: map[string]string{}, tags: map[string]string{}}
}

// start serves without TLS on a loopback address, and returns host:port.
func (g *registry) start(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func (g *registry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	g.asked = append(g.asked, r.Method+" "+r.URL.Path)
	instead := g.answer
	g.mu.Unlock()
	if instead != nil && instead(w, r) {
		return
	}
	if user, password, _ := r.BasicAuth(); user != g.user || password != g.password {
		w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
		problem(w, http.StatusUnauthorized, "UNAUTHORIZED")
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		problem(w, http.StatusBadRequest, "SIZE_INVALID")
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	path := strings.TrimPrefix(r.URL.Path, "/v2/")
	switch name, rest, ok := cutLast(path, "/manifests/"); {
	case ok:
		g.manifest(w, r, name, rest, body)
		return
	case strings.HasSuffix(path, "/blobs/uploads/") && r.Method == http.MethodPost:
		w.Header().Set("Location", r.URL.Path+"1")
		w.WriteHeader(http.StatusAccepted)
		return
	case strings.HasSuffix(path, "/blobs/uploads/1") && r.Method == http.MethodPut:
		g.store(w, r.URL.Query().Get("digest"), body, g.blobs)
		return
	}
	if _, digest, ok := cutLast(path, "/blobs/"); ok {
		deliver(w, r, g.blobs[digest], "application/octet-stream", digest)
		return
	}
	w.WriteHeader(http.StatusOK) // GET /v2/
}

func (g *registry) manifest(w http.ResponseWriter, r *http.Request, name, reference string, body []byte) {
	digest := reference
	if !strings.HasPrefix(reference, "sha256:") {
		digest = g.tags[name+":"+reference]
	}
	if r.Method != http.MethodPut {
		deliver(w, r, g.manifests[digest], g.types[digest], digest)
		return
	}
	digest = digestOf(body)
	if strings.HasPrefix(reference, "sha256:") && reference != digest {
		problem(w, http.StatusBadRequest, "DIGEST_INVALID")
		return
	}
	if !strings.HasPrefix(reference, "sha256:") {
		g.tags[name+":"+reference] = digest
	}
	g.types[digest] = r.Header.Get("Content-Type")
	g.store(w, digest, body, g.manifests)
}

func (g *registry) store(w http.ResponseWriter, digest string, body []byte, where map[string][]byte) {
	if digestOf(body) != digest {
		problem(w, http.StatusBadRequest, "DIGEST_INVALID")
		return
	}
	where[digest] = body
	w.Header().Set("Docker-Content-Digest", digest)
	w.WriteHeader(http.StatusCreated)
}

// requests are the paths that were asked for, by what they contain.
func (g *registry) requests(part string) (n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, line := range g.asked {
		if strings.Contains(line, part) {
			n++
		}
	}
	return n
}

func deliver(w http.ResponseWriter, r *http.Request, content []byte, mediaType, digest string) {
	if content == nil {
		problem(w, http.StatusNotFound, "NOT_FOUND")
		return
	}
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Docker-Content-Digest", digest)
	if r.Method == http.MethodHead {
		w.Header().Set("Content-Length", strconv.Itoa(len(content)))
		return
	}
	// No length in front, as where a registry compresses or streams: whoever reads has to find the end himself.
	if f, ok := w.(http.Flusher); ok {
		f.Flush()
	}
	_, _ = w.Write(content)
}

func problem(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, `{"errors":[{"code":"`+code+`","message":"no"}]}`)
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}
